"""Adversarial negatives, IRED's own recipe (Du, Mao, Tenenbaum 2024, section 3.3): mined by descending the
energy from noise."""

from __future__ import annotations

from typing import ClassVar, Literal

from ired.base.settings import Count, NonNegative, Positive
from ired.base.streams import Streams
from ired.energy import BoundEnergy
from ired.negatives.base import Evaluations, Positives, Proposal, Strategy, StrategySettings


class AdversarialSettings(StrategySettings):
    """opt_steps: descent steps. noise_scale: times the positive's noise at the start. step_size: times the
    schedule's step."""

    strategy: Literal["adversarial"] = "adversarial"
    opt_steps: Count = 2
    noise_scale: NonNegative = 3.0
    step_size: Positive = 1.0


class AdversarialNegatives(Strategy):
    """Start at the solution noised with `noise_scale` times the noise, descend, rescale to solution space,
    clip, re-noise."""

    Settings: ClassVar[type[StrategySettings]] = AdversarialSettings
    settings: AdversarialSettings

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        start = self.schedule.noised(batch.solution, batch.t, self.settings.noise_scale * batch.noise)
        descent = self.descender.descend(
            energy, start, batch.t, self.settings.opt_steps, self.settings.step_size
        )
        solution = descent.point / self.schedule.sqrt_alpha_bar[batch.t, None]
        return self.renoised(solution, batch, descent)

    def evaluations(self) -> Evaluations:
        return Evaluations(energies=self.settings.opt_steps + 1, gradients=self.settings.opt_steps)
