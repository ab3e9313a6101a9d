"""Symmetric negatives: the positive displaced by a symmetric matrix whose direction is otherwise uniform.

What `conditioning_aware` is compared with: that one is symmetric too, and `semi_hard`, which is not, has n^2 dimensions
to go where these have n (n + 1) / 2.
"""

from __future__ import annotations

from typing import Literal

from ired.base.settings import Positive
from ired.base.streams import Streams
from ired.energy import BoundEnergy
from ired.negatives.base import Positives, Proposal, Strategy, StrategySettings
from ired.negatives.semi_hard import displaced


class SymmetricSettings(StrategySettings):
    """hardness: as of `semi_hard`."""

    strategy: Literal["symmetric"] = "symmetric"
    hardness: Positive = 8.0


class SymmetricNegatives(Strategy):
    """d along Xi + Xi^T, Xi Gaussian: the Gaussian orthogonal ensemble, which no rotation changes."""

    Settings = SymmetricSettings
    tasks = ("inversion",)  # its solutions are square and symmetric
    settings: SymmetricSettings

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        n = round(batch.solution.shape[-1] ** 0.5)
        xi = streams.normal("symmetric", *batch.solution.shape[1:]).unflatten(-1, (n, n))
        return displaced(batch, (xi + xi.mT).flatten(-2), self.settings.hardness, self.schedule)
