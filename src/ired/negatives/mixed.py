"""Two strategies in one batch: each sample's negative comes from the first with a fixed probability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import SerializeAsAny, field_validator

from ired.base.settings import Fraction
from ired.base.streams import Streams
from ired.diffusion.descent import Descender
from ired.energy import BoundEnergy
from ired.negatives.base import Evaluations, Positives, Proposal, Strategy, StrategySettings

if TYPE_CHECKING:
    from torch import Tensor


class MixedSettings(StrategySettings):
    """first, second: any two strategies' settings. fraction: the probability of the first."""

    strategy: Literal["mixed"] = "mixed"
    first: SerializeAsAny[StrategySettings]
    second: SerializeAsAny[StrategySettings]
    fraction: Fraction = 0.3

    def keeps_problems(self) -> bool:
        return self.first.keeps_problems() or self.second.keeps_problems()

    @field_validator("first", "second", mode="before")
    @classmethod
    def _any_strategy(cls, value: Any) -> Any:
        # Imported here: the registry names this class, and a part may be any strategy of the registry.
        from ired.negatives import parse_settings

        return parse_settings(value)


class MixedNegatives(Strategy):
    """Proposes with both strategies for the whole batch and picks per sample; the draw does not depend on the
    proposals."""

    Settings = MixedSettings
    settings: MixedSettings

    def __init__(self, settings: MixedSettings, descender: Descender) -> None:
        from ired.negatives import build_strategy

        super().__init__(settings, descender)
        self._parts = (build_strategy(settings.first, descender), build_strategy(settings.second, descender))

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        first, second = (part.propose(energy, batch, streams) for part in self._parts)
        choose_first = streams.uniform("mixed", batch.t.shape[1]) < self.settings.fraction
        wide = choose_first[..., None]
        replaced = None
        if first.batch is not None or second.batch is not None:
            replaced = (second.batch or batch).replaced(choose_first, first.batch or batch)
        return Proposal(
            torch.where(wide, first.negative, second.negative),
            torch.where(wide, first.solution, second.solution),
            first.descent or second.descent,
            replaced,
        )

    def evaluations(self) -> Evaluations:
        first, second = (part.evaluations() for part in self._parts)
        return Evaluations(first.energies + second.energies, first.gradients + second.gradients)

    def state(self) -> dict[str, Tensor]:
        named = zip(("first", "second"), self._parts, strict=True)
        return {f"{name}.{key}": value for name, part in named for key, value in part.state().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        for name, part in zip(("first.", "second."), self._parts, strict=True):
            part.load_state({k.removeprefix(name): v for k, v in state.items() if k.startswith(name)})
