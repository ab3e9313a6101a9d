"""What a negative strategy is: a class behind a name that turns a batch of positives into contrastive
samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ired.base.settings import Strict
from ired.base.streams import Streams
from ired.diffusion.descent import Descender, Descent
from ired.diffusion.schedule import NoiseSchedule
from ired.energy import BoundEnergy

if TYPE_CHECKING:
    from torch import Tensor


class StrategySettings(Strict):
    """Base of a strategy's settings; a subclass narrows `strategy` to its own name."""

    strategy: str

    def keeps_problems(self) -> bool:
        """Whether negatives of earlier batches, which have a size, come back in later ones."""
        return False


@dataclass(frozen=True)
class Positives:
    """A batch to contrast. S seeds, B samples, conditions of size C, solutions of size D.

    condition: (S, B, C). solution: (S, B, D).
    t: noise levels (S, B). noise: (S, B, D), the positive's own. positive: y+
    (S, B, D).
    """

    condition: Tensor
    solution: Tensor
    t: Tensor
    noise: Tensor
    positive: Tensor

    def replaced(self, mask: Tensor, other: Positives) -> Positives:
        """The samples of `other` where `mask` (S, B) is true, these elsewhere."""
        wide = mask[..., None]
        return Positives(
            torch.where(wide, other.condition, self.condition),
            torch.where(wide, other.solution, self.solution),
            torch.where(mask, other.t, self.t),
            torch.where(wide, other.noise, self.noise),
            torch.where(wide, other.positive, self.positive),
        )


@dataclass(frozen=True)
class Proposal:
    """Negatives y- (S, B, D), detached.

    solution: (S, B, D), the solution that each negative stands for. descent: the path that mined them, if
    any.
    batch: the positives to contrast them with, where these are not the ones given (a replayed chain brings
    its own matrix, solution and noise level); None where they are.
    """

    negative: Tensor
    solution: Tensor
    descent: Descent | None = None
    batch: Positives | None = None


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
    tasks: ClassVar[tuple[str, ...] | None] = None  # the names of those it can be asked for; None: any

    def __init__(self, settings: Any, descender: Descender) -> None:
        self.settings, self.descender = settings, descender

    @property
    def schedule(self) -> NoiseSchedule:
        return self.descender.schedule

    @abstractmethod
    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        """Negatives for a batch, under `torch.no_grad` and with the weights as they are."""

    def evaluations(self) -> Evaluations:
        """The cost of a proposal; nothing by default."""
        return Evaluations()

    def state(self) -> dict[str, Tensor]:
        """Tensors a resumed run needs; none by default."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""

    def renoised(self, solution: Tensor, batch: Positives, descent: Descent | None = None) -> Proposal:
        """A proposal in solution space brought to the batch's levels: clipped, then given the positive's
        noise."""
        clipped = solution.clamp(-self.descender.clip, self.descender.clip)
        return Proposal(self.schedule.noised(clipped, batch.t, batch.noise), clipped, descent)
