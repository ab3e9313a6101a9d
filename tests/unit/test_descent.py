"""Energy descent and annealed inference on energies whose answers are known.

That a batch may be permuted, and that two steps are two calls of one: tests/ledger/test_released_code.py.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from factories import DenoisingOptimum, generator, inversion
from ired.diffusion.descent import Descender, Inference, ReleaseCompat, annealed_levels
from ired.diffusion.schedule import ScheduleSettings, noise_schedule
from ired.energy import build_network
from ired.energy.mlp import MlpNetwork
from ired.study.run_config import with_value

SCHEDULE = noise_schedule(ScheduleSettings())
BATCH, D = 40, 9


def mlp_energy(batch: int = BATCH) -> tuple[object, Tensor, Tensor]:
    network = build_network(MlpNetwork(hidden=16, time_features=8), inversion(n=3), 10)
    g = generator()
    weights = {name: value[None] for name, value in network.initial_weights(g).items()}
    condition, y = torch.randn(1, batch, D, generator=g), 2 * torch.randn(1, batch, D, generator=g)
    t = torch.arange(batch)[None] % 10
    return network.prepare(weights, condition, t), y, t


def test_descent_never_raises_an_energy() -> None:
    energy, y, t = mlp_energy()
    for multiplier in (1.0, 1e4):
        # Inside the clip bound, since clipping the start is not a step the rejection may compare with.
        start = y.clamp(-0.005, 0.005)
        descent = Descender(SCHEDULE, 2.0, ReleaseCompat()).descend(energy, start, t, 6, multiplier)
        assert (energy.energy(descent.point) <= energy.energy(start)).all()
    assert descent.rejected.sum() > 0, "a step ten thousand times too long has to be rejected somewhere"


def test_one_step_on_the_denoising_optimum_by_hand() -> None:
    t = torch.tensor([[1, 4, 7]])
    g = generator()
    energy = DenoisingOptimum(0.1 * torch.randn(1, 3, D, generator=g), SCHEDULE.sigma[t])
    y = 0.1 * torch.randn(1, 3, D, generator=g)
    expected = y - SCHEDULE.step_size[t][..., None] * (y - energy.centre) / energy.sigma[..., None]
    descent = Descender(SCHEDULE, 2.0, ReleaseCompat()).descend(energy, y, t, 1)
    torch.testing.assert_close(descent.point, expected)
    torch.testing.assert_close(descent.gradient_norm_start, energy.energy_and_gradient(y)[1].norm(dim=-1))


def test_the_multiplier_scales_the_step() -> None:
    energy, y, t = mlp_energy()
    small = y * 0.001
    descender = Descender(SCHEDULE, 2.0, ReleaseCompat())
    one = descender.descend(energy, small, t, 1, 0.01).point - small
    two = descender.descend(energy, small, t, 1, 0.02).point - small
    inner = (one.abs().amax(-1) > 0) & (two.abs().amax(-1) > 0) & (t < 9)
    assert inner.sum() > 20
    torch.testing.assert_close(2 * one[inner], two[inner], rtol=2e-2, atol=1e-6)


def test_a_step_into_a_non_finite_energy_is_rejected() -> None:
    class Cliff(DenoisingOptimum):
        def energy(self, y: Tensor) -> Tensor:
            value = super().energy(y)
            return torch.where(y[..., 0] < 0.05, torch.full_like(value, float("nan")), value)

    t = torch.zeros(1, 1, dtype=torch.int64)
    energy = Cliff(torch.zeros(1, 1, D), SCHEDULE.sigma[t])
    y = torch.full((1, 1, D), 0.06)
    descent = Descender(SCHEDULE, 2.0, ReleaseCompat()).descend(energy, y, t, 3)
    assert torch.equal(descent.point, y) and descent.rejected.item() == 3


class OptimalNetwork:
    """A network that is the denoising optimum of known solutions at every level."""

    def __init__(self, solution: Tensor) -> None:
        self.solution = solution

    def prepare(self, weights: dict, condition: Tensor, t: Tensor) -> DenoisingOptimum:
        return self.at_level(t)

    def at_level(self, t: Tensor) -> DenoisingOptimum:
        centre = SCHEDULE.sqrt_alpha_bar[t, None] * self.solution
        return DenoisingOptimum(centre, SCHEDULE.sigma[t], self.at_level)


@pytest.mark.parametrize("steps", [1, 5])
def test_annealed_inference_with_the_optimal_energy_finds_the_solution(steps: int) -> None:
    solution = torch.rand(2, 11, D, generator=generator()) - 0.5
    start = torch.randn(2, 11, D, generator=generator(1))
    levels = annealed_levels(
        OptimalNetwork(solution),
        {},
        torch.zeros(2, 11, D),
        start,
        Inference(steps=steps),
        Descender(SCHEDULE, 2.0, ReleaseCompat()),
    )
    estimates = list(levels)
    assert len(estimates) == 10
    torch.testing.assert_close(estimates[-1], solution, atol=1e-4, rtol=1e-4)


def test_answers_are_clipped() -> None:
    solution = torch.full((1, 2, D), 7.0)
    levels = annealed_levels(
        OptimalNetwork(solution),
        {},
        torch.zeros(1, 2, D),
        torch.zeros(1, 2, D),
        Inference(clip=1.5),
        Descender(SCHEDULE, 1.5, ReleaseCompat()),
    )
    assert all(estimate.abs().max() <= 1.5 + 1e-6 for estimate in levels)


@pytest.mark.parametrize("clip", [0.3, 2.0])
def test_a_descent_stays_within_the_clip_of_its_level(clip: float) -> None:
    """Towards a centre far outside, every entry ends at +-clip sqrt(alpha_bar_t)."""
    t = torch.arange(10)[None]
    energy = DenoisingOptimum(torch.full((1, 10, D), 50.0), SCHEDULE.sigma[t])
    end = Descender(SCHEDULE, clip, ReleaseCompat()).descend(energy, torch.zeros(1, 10, D), t, 2).point
    torch.testing.assert_close(end, (clip * SCHEDULE.alpha_bar.sqrt())[None, :, None].expand(1, 10, D))


def test_with_value_sets_nested_keys_and_leaves_the_original() -> None:
    settings = {"a": {"b": 1, "c": 2}}
    assert with_value(settings, "a.b", 5) == {"a": {"b": 5, "c": 2}} and settings["a"]["b"] == 1
