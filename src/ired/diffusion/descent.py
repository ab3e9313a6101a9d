"""Energy descent with rejection, and annealed inference (IRED, Algorithm 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ired.base.lazy import without_graph
from ired.base.settings import Count, Positive, Strict
from ired.base.streams import Streams
from ired.diffusion.schedule import NoiseSchedule
from ired.energy import EnergyNetwork, PreparedEnergy, RelevelledEnergy, Weights

if TYPE_CHECKING:
    from torch import Tensor


class Inference(Strict):
    """How an answer is drawn: `steps` descent steps at each noise level, the solution clipped to +-`clip`."""

    steps: Count = 5
    clip: Positive = 2.0


class ReleaseCompat(Strict):
    """Defects of the released code, off by default and reproducible one by one.

    shared_clip (U1): a whole batch is clipped by the bound of its first sample's noise level.
    doubled_step (U2): from the second step of a descent on, the step size is doubled.
    """

    shared_clip: bool = False
    doubled_step: bool = False


@dataclass(frozen=True)
class Descent:
    """Where a descent of `steps` steps ended and what its path was like; all (S, B) but the point."""

    point: Tensor
    gradient_norm_start: Tensor
    gradient_norm_end: Tensor
    rejected: Tensor
    steps: int


class Descender:
    """Gradient descent on the energy in y, a sample's step rejected where it would raise that sample's
    energy.

    y <- clip(y - step_t * multiplier * grad_y E, +-clip sqrt(alpha_bar_t)). The energy and gradient of an
    accepted point are those of the next step's start, so K steps cost K gradients and one energy.
    """

    def __init__(self, schedule: NoiseSchedule, clip: float, compat: ReleaseCompat) -> None:
        self.schedule, self.clip, self.compat = schedule, clip, compat

    def bound(self, t: Tensor) -> Tensor:
        """The clip bound in y space, (S, B, 1)."""
        level = t[:, :1].expand_as(t) if self.compat.shared_clip else t
        return self.clip * self.schedule.sqrt_alpha_bar[level, None]

    @without_graph
    def descend(
        self, energy: PreparedEnergy, y: Tensor, t: Tensor, steps: int, multiplier: float = 1.0
    ) -> Descent:
        """`steps` descent steps from y (S, B, D) at levels t (S, B). No graph is built."""
        bound = self.bound(t)
        value, gradient = energy.energy_and_gradient(y)
        norm_start, rejected = gradient.norm(dim=-1), torch.zeros_like(value)
        for index in range(steps):
            factor = multiplier * (2.0 if self.compat.doubled_step and index > 0 else 1.0)
            step = factor * self.schedule.step_size[t, None]
            candidate = torch.addcmul(y, gradient, step, value=-1).clamp(-bound, bound)
            if index < steps - 1:
                new_value, new_gradient = energy.energy_and_gradient(candidate)
            else:
                new_value, new_gradient = energy.energy(candidate), gradient
            # A step to a non-finite energy is rejected too: `worse` is written so that a comparison with NaN
            # rejects.
            worse = ~(new_value <= value)
            rejected += worse
            y = torch.where(worse[..., None], y, candidate)
            gradient = torch.where(worse[..., None], gradient, new_gradient)
            value = torch.where(worse, value, new_value)
        return Descent(y, norm_start, gradient.norm(dim=-1), rejected, steps)


def annealed_levels(
    network: EnergyNetwork,
    weights: Weights,
    condition: Tensor,
    start: Tensor,
    settings: Inference,
    descender: Descender,
) -> Iterator[Tensor]:
    """The solution estimate after each level, from the noisiest down: T tensors (S, B, D).

    At each level the solution is predicted from the energy gradient, clipped, brought back to the level, and
    descended on.
    """
    schedule = descender.schedule
    y = start
    energy: RelevelledEnergy | None = None
    for level in reversed(range(schedule.levels)):
        t = torch.full(condition.shape[:2], level, dtype=torch.int64, device=condition.device)
        energy = network.prepare(weights, condition, t) if energy is None else energy.at_level(t)
        _, gradient = energy.energy_and_gradient(y)
        solution = schedule.predicted_solution(y, t, gradient).clamp(-settings.clip, settings.clip)
        y = solution * schedule.sqrt_alpha_bar[level]
        y = descender.descend(energy, y, t, settings.steps).point
        solution = y / schedule.sqrt_alpha_bar[level]
        yield solution
        if level > 0:
            y = solution * schedule.sqrt_alpha_bar[level - 1]


@without_graph
def infer(
    network: EnergyNetwork,
    weights: Weights,
    condition: Tensor,
    streams: Streams,
    settings: Inference,
    descender: Descender,
) -> Tensor:
    """Answers to conditions (S, B, C): the last level's solution estimate, (S, B, D). Noise is that of the
    stream `inference`."""
    start = streams.normal("inference", condition.shape[1], network.solution_size)
    *_, solution = annealed_levels(network, weights, condition, start, settings, descender)
    return solution
