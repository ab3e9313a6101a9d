"""A task and a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ired.base.streams import Streams
from ired.energy.mlp import MlpEnergy, MlpNetwork
from ired.tasks import Predictor, ProblemSet, Task, TaskSettings

if TYPE_CHECKING:
    from torch import Tensor


class DoublingSettings(TaskSettings):
    """n numbers; their doubles are asked for."""

    task: Literal["doubling"] = "doubling"


class Doubling(Task):
    """x -> 2 x."""

    Settings = DoublingSettings
    line, diagnostics = "zero", ("energy_profile",)

    @property
    def condition_shape(self) -> tuple[int, ...]:
        return (self.settings.n,)

    solution_shape = condition_shape

    def draw(self, streams: Streams, count: int, split: str) -> tuple[Tensor, Tensor]:
        given = streams.normal("doubling", count, self.settings.n) * (0.6 if split == "ood" else 0.3)
        return given, 2 * given

    def predictors(self, fit: ProblemSet) -> list[Predictor]:
        return [Predictor("zero", 0, lambda problems: problems.solution.double().square().mean(1).numpy())]

    def residual(self, condition: Tensor, answer: Tensor) -> Tensor:
        return (2 * condition - answer).norm(dim=-1)


class NarrowSettings(MlpNetwork):
    """The published network under another name."""

    kind: Literal["narrow"] = "narrow"  # type: ignore[assignment]
    hidden: int = 8
    time_features: int = 8


class Narrow(MlpEnergy):
    """As that."""

    Settings = NarrowSettings
