"""Semi-hard negatives: the positive displaced in a random direction, by exactly as much as a chosen hardness
says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ired.base.settings import Positive
from ired.base.streams import Streams
from ired.diffusion.schedule import NoiseSchedule
from ired.energy import BoundEnergy
from ired.negatives.base import Positives, Proposal, Strategy, StrategySettings

if TYPE_CHECKING:
    from torch import Tensor


class SemiHardSettings(StrategySettings):
    """hardness: mu, the mean log density ratio of positive to negative; small is hard, and near 0 no
    negative."""

    strategy: Literal["semi_hard"] = "semi_hard"
    hardness: Positive = 8.0


class SemiHardNegatives(Strategy):
    """y- = y+ + sqrt(alpha_bar_t) d with d of fixed length in a uniform direction."""

    Settings = SemiHardSettings
    settings: SemiHardSettings

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        direction = streams.normal("semi_hard", *batch.solution.shape[1:])
        return displaced(batch, direction, self.settings.hardness, self.schedule)


def displaced(batch: Positives, direction: Tensor, hardness: float, schedule: NoiseSchedule) -> Proposal:
    """The positives displaced along directions (S, B, D), by ||d|| = sigma_t sqrt(2 mu / alpha_bar_t).

    The negative lies delta = sqrt(alpha_bar_t) d from its positive, so that ||delta||^2 / (2 sigma_t^2) is mu
    for every sample and level. The direction must not depend on the positive's noise: then the log density
    ratio is N(mu, 2 mu), and a share Phi(-sqrt(mu / 2)) of the negatives is likelier than its positive.
    Nothing is clipped, which would bring the noise back in.
    """
    delta = (2 * hardness) ** 0.5 * schedule.sigma[batch.t, None] * unit(direction)
    return Proposal(batch.positive + delta, batch.solution + delta / schedule.sqrt_alpha_bar[batch.t, None])


def unit(direction: Tensor) -> Tensor:
    """Directions (S, B, D) brought to length 1."""
    return direction / direction.norm(dim=-1, keepdim=True)
