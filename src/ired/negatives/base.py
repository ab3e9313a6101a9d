"""What a negative strategy is: a class behind a name that turns a batch of positives into contrastive
samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from ired.descent import Descender, Descent
from ired.energy import PreparedEnergy
from ired.rng import Streams
from ired.schedule import NoiseSchedule
from ired.strict import Strict


class StrategySettings(Strict):
    """Base of a strategy's settings; a subclass narrows `strategy` to its own name."""

    strategy: str


@dataclass(frozen=True)
class Positives:
    """A batch to contrast. S seeds, B samples, D = n^2.

    condition, solution: (S, B, D). t: noise levels (S, B). noise: (S, B, D), the positive's own. positive: y+
    (S, B, D).
    """

    condition: Tensor
    solution: Tensor
    t: Tensor
    noise: Tensor
    positive: Tensor


@dataclass(frozen=True)
class Proposal:
    """Negatives y- (S, B, D) at the positives' noise levels, detached; and the descent that mined them, if
    any."""

    negative: Tensor
    descent: Descent | None = None


@dataclass(frozen=True)
class Evaluations:
    """How often a strategy evaluates the energy, and beyond it the gradient, to propose one negative."""

    energies: float = 0
    gradients: float = 0


class Strategy(ABC):
    """Base of all strategies.

    A strategy is its settings class, `propose`, and what that costs. Random numbers come from `streams`
    alone, whose draws have the pack as leading dimension. State that outlives a step (a replay buffer) is
    handed out by `state` as tensors, for checkpoints.
    """

    Settings: ClassVar[type[StrategySettings]]

    def __init__(self, settings: Any, descender: Descender) -> None:
        self.settings, self.descender = settings, descender

    @property
    def schedule(self) -> NoiseSchedule:
        return self.descender.schedule

    @abstractmethod
    def propose(self, energy: PreparedEnergy, batch: Positives, streams: Streams) -> Proposal:
        """Negatives for a batch, under `torch.no_grad` and with the weights as they are."""

    def evaluations(self) -> Evaluations:
        """The cost of a proposal; nothing by default."""
        return Evaluations()

    def state(self) -> dict[str, Tensor]:
        """Tensors a resumed run needs; none by default."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""

    def renoised(self, solution: Tensor, batch: Positives) -> Tensor:
        """Bring a proposal in solution space to the batch's levels: clip it, then add the positive's
        noise."""
        clip = self.descender.clip
        return self.schedule.noised(solution.clamp(-clip, clip), batch.t, batch.noise)
