"""No negatives: the denoising objective alone, the study's baseline."""

from __future__ import annotations

from typing import Literal

from ired.base.streams import Streams
from ired.energy import BoundEnergy
from ired.negatives.base import Positives, Proposal, Strategy, StrategySettings


class NoneSettings(StrategySettings):
    """Nothing to set."""

    strategy: Literal["none"] = "none"


class NoNegatives(Strategy):
    """Proposes the positives themselves, whose contrast has no gradient.

    A configuration refuses a contrast beside it, so that only as a part of `mixed` anybody asks.
    """

    Settings = NoneSettings

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        return Proposal(batch.positive, batch.solution)
