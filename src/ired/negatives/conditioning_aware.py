"""Conditioning-aware negatives: the positive displaced where an ill-conditioned matrix makes answers
wrong."""

from __future__ import annotations

from typing import Literal

import torch

from ired.base.settings import Positive
from ired.base.streams import Streams
from ired.energy import BoundEnergy
from ired.negatives.base import Positives, Proposal, Strategy, StrategySettings
from ired.negatives.semi_hard import displaced


class ConditioningAwareSettings(StrategySettings):
    """hardness: as of `semi_hard`, so that the two differ in direction alone."""

    strategy: Literal["conditioning_aware"] = "conditioning_aware"
    hardness: Positive = 8.0


class ConditioningAwareNegatives(Strategy):
    """d along sym(A^-1/2 Xi A^-1/2), Xi Gaussian: largest along the eigenvectors of A's small eigenvalues."""

    Settings = ConditioningAwareSettings
    tasks = ("inversion",)  # it takes the solution for the inverse of a matrix
    settings: ConditioningAwareSettings

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        dimension = batch.solution.shape[-1]
        n = round(dimension**0.5)
        # The Cholesky factor is L = A^-1/2 Q with Q orthogonal, and Q Xi Q^T is distributed as Xi is: L Xi
        # L^T needs no eigenvectors.
        inverse = batch.solution.unflatten(-1, (n, n)).double()
        root = torch.linalg.cholesky_ex(inverse, check_errors=False).L.to(batch.solution)
        xi = streams.normal("conditioning_aware", *batch.solution.shape[1:]).unflatten(-1, (n, n))
        direction = root @ xi @ root.mT
        symmetric = (direction + direction.mT).flatten(-2)
        return displaced(batch, symmetric, self.settings.hardness, self.schedule)
