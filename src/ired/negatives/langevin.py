"""Contrastive divergence negatives: Langevin dynamics on the energy (Du & Mordatch 2019), fresh or from a
replay buffer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

from ired.base.lazy import without_graph
from ired.base.settings import Count, NonNegative, Positive
from ired.base.streams import Streams
from ired.diffusion.descent import Descender, Descent
from ired.energy import BoundEnergy
from ired.negatives.base import Evaluations, Positives, Proposal, Strategy, StrategySettings
from ired.negatives.replay import Replay, ReplayBuffer

if TYPE_CHECKING:
    from torch import Tensor


class LangevinSettings(StrategySettings):
    """opt_steps: K. noise_scale: times the positive's noise at a fresh start. step_size: times the
    schedule's.

    sigma_multiplier: times sqrt(2 eta), the noise of a step (langevin_sigma_multiplier). gradient_clip: bound
    on each gradient entry, null for none (langevin_grad_clip). replay: null for fresh chains only
    (use_replay_buffer).
    """

    strategy: Literal["langevin"] = "langevin"
    opt_steps: Count = 30
    noise_scale: NonNegative = 1.5
    step_size: Positive = 1.0
    sigma_multiplier: NonNegative = 1.0
    gradient_clip: Positive | None = 0.01
    replay: Replay | None = None

    def keeps_problems(self) -> bool:
        return self.replay is not None


class LangevinNegatives(Strategy):
    """y <- y - eta_t clip(grad_y E) + sigma_multiplier sqrt(2 eta_t) xi, K times; used at level t as it
    is."""

    Settings = LangevinSettings
    settings: LangevinSettings

    def __init__(self, settings: LangevinSettings, descender: Descender) -> None:
        super().__init__(settings, descender)
        self._buffer = ReplayBuffer(settings.replay, self.schedule.levels) if settings.replay else None

    def propose(self, energy: BoundEnergy, batch: Positives, streams: Streams) -> Proposal:
        start = self.schedule.noised(batch.solution, batch.t, self.settings.noise_scale * batch.noise)
        given, replaced = batch, None
        if self._buffer is not None:
            # A replayed chain goes on under the matrix it was begun with, never under its new neighbour's.
            batch, start = self._buffer.mix(batch, start, self.schedule, streams)
            if batch is not given:  # an empty buffer gives back what it was given
                energy, replaced = energy.rebound(batch.condition, batch.t), batch
        path = self.chain(energy, start, batch.t, streams)
        if self._buffer is not None:
            self._buffer.push(batch, path.point)
        solution = path.point / self.schedule.sqrt_alpha_bar[batch.t, None]
        return Proposal(path.point, solution, path, replaced)

    @without_graph
    def chain(self, energy: BoundEnergy, y: Tensor, t: Tensor, streams: Streams) -> Descent:
        """K Langevin steps from y (S, B, D) at levels t (S, B), with the weights as they are.

        The energy and the last gradient norm are those of the last step's start: one step before the point.
        """
        eta = self.settings.step_size * self.schedule.step_size[t, None]
        scale = self.settings.sigma_multiplier * (2 * eta).sqrt()
        bound = math.inf if self.settings.gradient_clip is None else self.settings.gradient_clip
        for index in range(self.settings.opt_steps):
            value, gradient = energy.energy_and_gradient(y)
            if index == 0:
                norm_start = gradient.norm(dim=-1)
            y = y - eta * gradient.clamp(-bound, bound) + scale * streams.normal("langevin", *y.shape[1:])
        norm_end, none_rejected = gradient.norm(dim=-1), torch.zeros_like(value)
        return Descent(y, norm_start, norm_end, none_rejected, self.settings.opt_steps)

    def evaluations(self) -> Evaluations:
        return Evaluations(energies=self.settings.opt_steps, gradients=self.settings.opt_steps)

    def state(self) -> dict[str, Tensor]:
        return {} if self._buffer is None else self._buffer.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        if self._buffer is not None:
            self._buffer.load_state(state)
