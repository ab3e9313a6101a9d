"""The objective against closed forms, and the negatives of each strategy against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from factories import DenoisingOptimum, generator
from ired.base.streams import Streams
from ired.diffusion.descent import Descender, ReleaseCompat
from ired.diffusion.schedule import ScheduleSettings, noise_schedule
from ired.negatives import STRATEGIES, Positives, Proposal
from ired.tasks.inversion import residual_norm
from ired.training.objective import (
    Contrast,
    NegativeFilter,
    Objective,
    contrast_loss,
    denoising_loss,
    kept_samples,
    sample_contrast,
    sample_regression,
)

SCHEDULE = noise_schedule(ScheduleSettings())
N, D, BATCH = 3, 9, 50


def batch(seeds: int = 2) -> tuple[Positives, DenoisingOptimum]:
    g = generator()
    solution, noise = (
        torch.rand(seeds, BATCH, D, generator=g) - 0.5,
        torch.randn(seeds, BATCH, D, generator=g),
    )
    t = torch.randint(10, (seeds, BATCH), generator=g)
    positive = SCHEDULE.noised(solution, t, noise)
    optimum = DenoisingOptimum(SCHEDULE.sqrt_alpha_bar[t, None] * solution, SCHEDULE.sigma[t])
    return Positives(torch.randn(seeds, BATCH, D, generator=g), solution, t, noise, positive), optimum


def propose(name: str, positives: Positives, energy: object, **settings: float) -> Tensor:
    descender = Descender(SCHEDULE, 2.0, ReleaseCompat())
    strategy = STRATEGIES[name](STRATEGIES[name].Settings(**settings), descender)  # type: ignore[call-arg]
    with torch.no_grad():
        return strategy.propose(energy, positives, Streams([0, 1], step=3)).negative  # type: ignore[arg-type]


def test_the_denoising_optimum_has_no_denoising_loss() -> None:
    positives, optimum = batch()
    assert denoising_loss(optimum, positives.positive, positives.noise).max() < 1e-9
    off = DenoisingOptimum(optimum.centre + 0.1 * optimum.sigma[..., None], optimum.sigma)
    torch.testing.assert_close(
        denoising_loss(off, positives.positive, positives.noise), torch.full((2,), 0.01)
    )


def test_nce_and_cd_by_numpy() -> None:
    low, high, sigma = (torch.rand(2, 5, generator=generator(k)) * 10 for k in range(3))
    a, b = low.numpy().astype(float), high.numpy().astype(float)
    np.testing.assert_allclose(
        sample_contrast(Contrast(loss="nce"), low, high, sigma), np.log1p(np.exp(a - b)), rtol=1e-5
    )
    np.testing.assert_allclose(sample_contrast(Contrast(loss="cd"), low, high, sigma), a - b, rtol=1e-5)
    scaled = sample_contrast(Contrast(loss="nce", logits="energy_over_sigma"), low, high, sigma)
    np.testing.assert_allclose(scaled, np.log1p(np.exp((a - b) / sigma.numpy())), rtol=1e-4)
    energies = Contrast.model_validate({"loss": "cd", "regulariser": {"of": "energy", "weight": 0.1}})
    np.testing.assert_allclose(
        sample_contrast(energies, low, high, sigma), a - b + 0.1 * (a**2 + b**2), rtol=1e-5
    )
    gap = Contrast.model_validate({"loss": "cd", "regulariser": {"of": "gap", "weight": 0.1}})
    np.testing.assert_allclose(sample_contrast(gap, low, high, sigma), a - b + 0.1 * (b - a) ** 2, rtol=1e-5)


def test_the_weight_warms_up_linearly() -> None:
    contrast = Contrast.model_validate({"weight": {"warmup_steps": 100, "max_weight": 0.4}})
    assert [contrast.weight_at(step, 9000) for step in (0, 50, 100, 5000)] == pytest.approx(
        [0, 0.2, 0.4, 0.4]
    )
    assert Contrast(weight=0.3).weight_at(7, 10) == 0.3


@pytest.mark.parametrize(("trend", "expected"), [("rising", [0, 0.1, 0.4]), ("falling", [0.4, 0.3, 0])])
def test_the_weight_follows_its_trend_over_the_whole_training(trend: str, expected: list[float]) -> None:
    contrast = Contrast.model_validate({"weight": {"trend": trend, "max_weight": 0.4}})
    assert contrast.max_weight == 0.4
    for steps in (80, 8000):
        assert [contrast.weight_at(int(share * steps), steps) for share in (0, 0.25, 1)] == pytest.approx(
            expected
        )


def test_the_level_range_keeps_the_middle() -> None:
    positives, optimum = batch()
    contrast = Contrast(timestep_range=(0.2, 0.8))
    kept = kept_samples(contrast, positives, positives.solution, SCHEDULE.levels, residual_norm)
    assert torch.equal(kept.bool(), (positives.t >= 2) & (positives.t <= 7))
    proposal = Proposal(positives.positive + 1, positives.solution + 1)
    value = contrast_loss(contrast, optimum, positives, proposal, SCHEDULE, residual_norm)  # type: ignore[arg-type]
    full = sample_contrast(
        contrast, optimum.energy(positives.positive), optimum.energy(positives.positive + 1), optimum.sigma
    )
    torch.testing.assert_close(value, torch.stack([full[s][kept[s].bool()].mean() for s in range(2)]))


@pytest.mark.parametrize("by", ["residual", "solution"])
def test_the_filter_drops_the_nearest_negatives(by: str) -> None:
    positives, _ = batch()
    solution = positives.solution + torch.linspace(0.01, 1, BATCH)[None, :, None]
    contrast = Contrast(filter=NegativeFilter(by=by, quantile=0.3))
    kept = kept_samples(contrast, positives, solution, SCHEDULE.levels, residual_norm)
    a, y = (m.double().numpy().reshape(2, BATCH, N, N) for m in (positives.condition, solution))
    error = (
        a @ y - np.eye(N) if by == "residual" else y - positives.solution.double().numpy().reshape(y.shape)
    )
    order = np.linalg.norm(error, axis=(2, 3)).argsort(1)
    for s in range(2):
        assert sorted(order[s, 15:]) == kept[s].nonzero().squeeze(1).tolist()


def test_random_negatives_are_clipped_gaussians_with_the_positives_noise() -> None:
    positives, optimum = batch()
    negative = propose("random", positives, optimum)
    noise_part = SCHEDULE.sigma[positives.t, None] * positives.noise
    solution = (negative - noise_part) / SCHEDULE.sqrt_alpha_bar[positives.t, None]
    low = positives.t < 8
    assert solution[low].abs().max() <= 2 + 1e-3
    expected = Streams([0, 1], step=3).normal("random_negatives", BATCH, D).clamp(-2, 2)
    torch.testing.assert_close(solution[low], expected[low], atol=1e-3, rtol=1e-3)


def test_adversarial_negatives_by_hand_on_the_optimum() -> None:
    positives, optimum = batch()
    t, root = positives.t, SCHEDULE.sqrt_alpha_bar[positives.t, None]
    y = root * positives.solution + 3.0 * SCHEDULE.sigma[t, None] * positives.noise
    for _ in range(2):
        moved = (y - SCHEDULE.step_size[t, None] * (y - optimum.centre) / optimum.sigma[..., None]).clamp(
            -2 * root, 2 * root
        )
        worse = optimum.energy(moved) > optimum.energy(y)
        y = torch.where(worse[..., None], y, moved)
    expected = root * (y / root).clamp(-2, 2) + SCHEDULE.sigma[t, None] * positives.noise
    torch.testing.assert_close(propose("adversarial", positives, optimum), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("setting", [{"noise_scale": 1.0}, {"opt_steps": 1}, {"step_size": 0.1}])
def test_every_knob_of_the_adversarial_strategy_moves_its_negatives(setting: dict) -> None:
    positives, optimum = batch()
    assert not torch.allclose(
        propose("adversarial", positives, optimum), propose("adversarial", positives, optimum, **setting)
    )


def test_an_empty_level_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="rise"):
        Contrast.model_validate({"timestep_range": [0.8, 0.2]})


def test_the_regression_vanishes_at_the_denoising_optimum_wherever_it_is_asked() -> None:
    positives, optimum = batch()
    anywhere = positives.positive + 3 * torch.randn(positives.positive.shape, generator=generator(5))
    assert sample_regression(optimum, positives, anywhere, SCHEDULE).max() < 1e-9
    off = DenoisingOptimum(optimum.centre + 0.1 * optimum.sigma[..., None], optimum.sigma)
    found = sample_regression(off, positives, anywhere, SCHEDULE)
    torch.testing.assert_close(found, torch.full((2, BATCH), 0.01))


def test_the_regression_goes_through_filter_and_range_as_a_contrast_does() -> None:
    positives, optimum = batch()
    off = DenoisingOptimum(optimum.centre + positives.t[..., None] * optimum.sigma[..., None], optimum.sigma)
    proposal = Proposal(positives.positive, positives.solution)
    settings = Contrast(loss="regression", timestep_range=(0.0, 0.05))
    loss = contrast_loss(settings, off, positives, proposal, SCHEDULE, residual_norm)  # type: ignore[arg-type]
    assert loss.max() < 1e-9, "at level 0 this energy is the optimum; elsewhere it is not"


@pytest.mark.parametrize(
    "extra", [{"logits": "energy_over_sigma"}, {"regulariser": {"of": "gap", "weight": 1.0}}]
)
def test_what_compares_energies_is_refused_beside_a_regression(extra: dict) -> None:
    with pytest.raises(ValidationError, match="compares no energies"):
        Contrast(loss="regression", **extra)


class Indifferent:
    """A network with grad E = 0, whose denoising loss is the mean square of the noise."""

    def prepare(self, weights: object, condition: Tensor, t: Tensor) -> Indifferent:
        return self

    def at_level(self, t: Tensor) -> Indifferent:
        return self

    def energy(self, y: Tensor) -> Tensor:
        return torch.zeros(y.shape[:2])

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.energy(y), torch.zeros_like(y)


def test_noise_draws_are_averaged_and_the_first_is_that_of_a_single_draw() -> None:
    problems = torch.zeros(2, BATCH, D)
    losses = [
        Objective(Indifferent(), SCHEDULE, None, None, residual_norm, draws)(  # type: ignore[arg-type]
            {}, problems, problems, Streams([0, 1], step=3), 0.0
        ).denoise
        for draws in (1, 3)
    ]
    streams = Streams([0, 1], step=3)
    noise = [streams.normal(name, BATCH, D).square().mean((1, 2)) for name in ("noise", "noise.1", "noise.2")]
    torch.testing.assert_close(losses[0], noise[0])
    torch.testing.assert_close(losses[1], (noise[0] + noise[1] + noise[2]) / 3)
