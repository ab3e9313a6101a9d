"""Energies whose every property is known, as networks that the package's own code can bind, mine and
sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from factories import DenoisingOptimum, generator, inversion
from ired.base.streams import Streams
from ired.diffusion.descent import Descender, ReleaseCompat
from ired.diffusion.schedule import ScheduleSettings, noise_schedule
from ired.energy import BoundEnergy, build_network
from ired.energy.mlp import MlpNetwork
from ired.negatives import Positives, Strategy, build_strategy, parse_settings

SCHEDULE = noise_schedule(ScheduleSettings())


def positives(
    n: int = 3, batch: int = 64, levels: tuple[int, ...] = tuple(range(10)), step: int = 0
) -> Positives:
    """Matrices, solutions and noised solutions of one seed, the levels in turn."""
    streams = Streams([0], step=step)
    condition, solution = inversion(n=n).draw(streams, batch, "id")
    t = torch.tensor(levels)[torch.arange(batch) % len(levels)][None]
    noise = streams.normal("noise", batch, n * n)
    return Positives(condition, solution, t, noise, SCHEDULE.noised(solution, t, noise))


@dataclass
class Scaled:
    """k times an energy, k a weight that a loss can be differentiated by."""

    energy_of: DenoisingOptimum
    scale: Tensor
    at_level: Callable[[Tensor], Scaled]

    def energy(self, y: Tensor) -> Tensor:
        return self.scale * self.energy_of.energy(y)

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        energy, gradient = self.energy_of.energy_and_gradient(y)
        return self.scale * energy, self.scale * gradient


class OptimalNetwork:
    """k E*(A, y, t) = k ||y - sqrt(alpha_bar) A^-1||^2 / (2 sigma): at k = 1 the optimum of denoising."""

    def __init__(self, solution_size: int = 9) -> None:
        self.solution_size = solution_size

    def prepare(self, weights: dict[str, Tensor], condition: Tensor, t: Tensor) -> Scaled:
        n = round(condition.shape[-1] ** 0.5)
        solution = torch.linalg.inv(condition.double().unflatten(-1, (n, n))).flatten(-2).float()
        optimum = DenoisingOptimum(SCHEDULE.sqrt_alpha_bar[t, None] * solution, SCHEDULE.sigma[t])
        return Scaled(optimum, weights["scale"], partial(self.prepare, weights, condition))


def optimal_energy(batch: Positives, scale: Tensor | None = None) -> BoundEnergy:
    """E* at a batch's matrices and levels, or a multiple of it."""
    weights = {"scale": torch.ones(()) if scale is None else scale}
    return BoundEnergy(OptimalNetwork(), weights, batch.condition, batch.t)  # type: ignore[arg-type]


def small_mlp(n: int = 3, hidden: int = 16) -> tuple[object, dict[str, Tensor]]:
    """The reference network with random weights that ask for gradients."""
    network = build_network(MlpNetwork(hidden=hidden, time_features=8), inversion(n=n), SCHEDULE.levels)
    initial = network.initial_weights(generator())
    return network, {name: value[None].requires_grad_() for name, value in initial.items()}


def mlp_energy(batch: Positives) -> tuple[BoundEnergy, dict[str, Tensor]]:
    """The reference network bound to a batch, and its weights."""
    network, weights = small_mlp(round(batch.condition.shape[-1] ** 0.5))
    return BoundEnergy(network, weights, batch.condition, batch.t), weights  # type: ignore[arg-type]


def strategy(clip: float = 2.0, compat: ReleaseCompat | None = None, **settings: object) -> Strategy:
    """A strategy by its settings."""
    return build_strategy(parse_settings(settings), Descender(SCHEDULE, clip, compat or ReleaseCompat()))
