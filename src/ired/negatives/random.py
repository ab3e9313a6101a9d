"""Random negatives: a Gaussian matrix in place of the solution. Easy to tell apart, and never mined."""

from __future__ import annotations

from typing import Literal

from ired.base.streams import Streams
from ired.energy import BoundEnergy
from ired.negatives.base import Positives, Proposal, Strategy, StrategySettings


class RandomSettings(StrategySettings):
    """Nothing to set."""

    strategy: Literal["random"] = "random"


class RandomNegatives(Strategy):
    """x- ~ N(0, I) clipped in solution space, noised to t with the positive's noise."""

    Settings = RandomSettings

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        return self.renoised(streams.normal("random_negatives", *batch.solution.shape[1:]), batch)
