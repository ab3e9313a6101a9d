"""Negatives displaced independently of the noise, against their closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from closed_forms import SCHEDULE, optimal_energy, positives, strategy
from factories import inversion
from ired.base.errors import UserError
from ired.base.settings import Strict, validated
from ired.base.streams import Streams
from ired.diagnostics.energy_profile import gap_statistics, likelihood_statistics
from ired.negatives import NegativeSettings, Positives

COUNT = 4000


@pytest.mark.parametrize("name", ["semi_hard", "conditioning_aware", "symmetric"])
@pytest.mark.parametrize("level", [0, 4, 9])
@pytest.mark.parametrize("hardness", [0.5, 8.0])
def test_hardness_is_what_the_diagnostics_measure(name: str, level: int, hardness: float) -> None:
    """mu for every sample; mean log density ratio mu and false negatives Phi(-sqrt(mu/2)) within four
    standard errors; on E* the gap is sigma times the log density ratio."""
    batch = positives(n=4, batch=COUNT, levels=(level,))
    energy = optimal_energy(batch)
    proposal = strategy(strategy=name, hardness=hardness).propose(energy, batch, Streams([0], step=1))
    sigma, root = SCHEDULE.sigma[level].item(), SCHEDULE.sqrt_alpha_bar[level].item()
    delta = (proposal.negative - batch.positive)[0].double()
    torch.testing.assert_close(
        delta.square().sum(-1) / (2 * sigma**2), torch.full((COUNT,), hardness).double(), rtol=1e-3, atol=0
    )
    shifted = SCHEDULE.noised(proposal.solution, batch.t, batch.noise)
    torch.testing.assert_close(shifted, proposal.negative, atol=1e-4, rtol=1e-4)
    row = likelihood_statistics(root * batch.solution[0], batch.positive[0], proposal.negative[0], sigma)
    rate = norm.cdf(-math.sqrt(hardness / 2))
    error = 4 * math.sqrt(rate * (1 - rate) / COUNT)
    assert row["log_density_gap"] == pytest.approx(hardness, abs=4 * math.sqrt(2 * hardness / COUNT))
    assert row["false_negative_rate_predicted"] == pytest.approx(rate, rel=1e-3)
    assert row["false_negative_rate"] == pytest.approx(rate, abs=error)
    gaps = gap_statistics(energy.energy(batch.positive)[0], energy.energy(proposal.negative)[0])
    assert gaps["gap_mean"] == pytest.approx(sigma * row["log_density_gap"], rel=1e-2)


def displacement_covariance(name: str, condition: torch.Tensor, solution: torch.Tensor) -> torch.Tensor:
    """E[d_ij d_kl] for one matrix, from many draws, (n^2, n^2), of trace 1."""
    wide = (condition.expand(1, COUNT, -1), solution.expand(1, COUNT, -1))
    t = torch.full((1, COUNT), 3)
    noise = torch.zeros_like(wide[0])
    batch = Positives(*wide, t, noise, SCHEDULE.noised(wide[1], t, noise))
    proposal = strategy(strategy=name).propose(optimal_energy(batch), batch, Streams([0], step=2))
    d = (proposal.solution - batch.solution)[0].double()
    return d.T @ d / d.square().sum()


def test_directions_are_uniform_or_those_of_the_inverses_square_root() -> None:
    """Against A^-1/2 from eigenvectors and numpy's own random numbers, within the noise of 4,000 draws."""
    condition, solution = (m[0, :1] for m in inversion(n=3).draw(Streams([0], step=0), 1, "id"))
    uniform = displacement_covariance("semi_hard", condition, solution)
    torch.testing.assert_close(uniform, torch.eye(9).double() / 9, atol=0.01, rtol=0)
    values, vectors = np.linalg.eigh(condition.double().numpy().reshape(3, 3))
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    d = root @ np.random.default_rng(0).standard_normal((40_000, 3, 3)) @ root
    d = (d + d.transpose(0, 2, 1)).reshape(-1, 9)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    aware = displacement_covariance("conditioning_aware", condition, solution)
    np.testing.assert_allclose(aware, d.T @ d / len(d), atol=0.02)
    assert np.abs(aware.numpy() - np.eye(9) / 9).max() > 0.1, "the matrix chosen tells the two apart"

    # A symmetric direction that no rotation prefers: (I + transposition) / (n (n + 1)), of trace 1.
    swap = torch.eye(9).double().reshape(3, 3, 3, 3).transpose(2, 3).reshape(9, 9)
    symmetric = displacement_covariance("symmetric", condition, solution)
    torch.testing.assert_close(symmetric, (torch.eye(9).double() + swap) / 12, atol=0.01, rtol=0)


def test_a_matched_negative_keeps_what_it_is_to_keep_of_the_mined_one() -> None:
    """Against `adversarial` of equal streams: its length in a direction that has nothing to do with its own (the mean
    squared cosine is 1 / dimension), or its direction with the length that a hardness says."""
    batch = positives(n=4, batch=COUNT, levels=(1, 6))
    energy, depth = optimal_energy(batch), {"opt_steps": 3, "noise_scale": 2.0, "step_size": 0.7}

    def step(**settings: Any) -> torch.Tensor:
        proposal = strategy(**settings, **depth).propose(energy, batch, Streams([0], step=1))
        torch.testing.assert_close(
            SCHEDULE.noised(proposal.solution, batch.t, batch.noise), proposal.negative, atol=1e-4, rtol=1e-4
        )
        return (proposal.negative - batch.positive)[0].double()

    mined, turned = step(strategy="adversarial"), step(strategy="matched", direction="random")
    chosen = step(strategy="matched", direction="mined", hardness=2.0)
    torch.testing.assert_close(turned.norm(dim=-1), mined.norm(dim=-1), rtol=1e-4, atol=1e-6)
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(mined, turned).square().mean().item() == pytest.approx(1 / 16, rel=0.1)
    assert cosine(mined, chosen).min() > 0.999
    sigma = SCHEDULE.sigma[batch.t][0].double()
    torch.testing.assert_close(chosen.norm(dim=-1), sigma * 2.0, rtol=1e-3, atol=0)
    both = step(strategy="matched", direction="random", hardness=2.0)
    torch.testing.assert_close(both.norm(dim=-1), sigma * 2.0, rtol=1e-3, atol=0)
    with pytest.raises(UserError, match="is strategy adversarial; name a hardness"):
        validated(NegativesOnly, {"negatives": {"strategy": "matched", "direction": "mined"}}, "config.yaml")


class NegativesOnly(Strict):
    negatives: NegativeSettings


def test_a_displacement_does_not_depend_on_the_noise() -> None:
    """Equal streams and other noise: the same displacement, sample by sample."""
    for name in ("semi_hard", "conditioning_aware", "symmetric"):
        batch = positives()
        other = Positives(
            batch.condition,
            batch.solution,
            batch.t,
            -batch.noise,
            SCHEDULE.noised(batch.solution, batch.t, -batch.noise),
        )
        one, two = (
            strategy(strategy=name).propose(optimal_energy(b), b, Streams([0], step=1)).solution - b.solution
            for b in (batch, other)
        )
        assert torch.equal(one, two) and one.abs().max() > 0
