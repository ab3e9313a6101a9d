"""Negatives that are the solution, mirrored."""

from __future__ import annotations

from typing import Literal

from ired.base.settings import Positive
from ired.base.streams import Streams
from ired.energy import BoundEnergy
from ired.negatives.base import Positives, Proposal, Strategy, StrategySettings


class MirrorSettings(StrategySettings):
    """scale: -scale X in place of X."""

    strategy: Literal["mirror"] = "mirror"
    scale: Positive = 1.0


class MirrorNegatives(Strategy):
    """-scale X, brought to the batch's noise levels."""

    Settings = MirrorSettings
    settings: MirrorSettings

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        return self.renoised(-self.settings.scale * batch.solution, batch)
