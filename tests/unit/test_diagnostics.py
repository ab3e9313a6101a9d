"""Every diagnostic on a closed form: the denoising optimum E*, or matrices with a known spectrum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from factories import DenoisingOptimum, generator, inversion
from ired.base.streams import Streams
from ired.diagnostics.conditioning import conditioning
from ired.diagnostics.energy_profile import (
    diversity_statistics,
    effective_rank,
    gap_statistics,
    gradient_conflict,
    likelihood_statistics,
    path_statistics,
    saturation_share,
)
from ired.diagnostics.error_directions import error_direction_rows, error_shares
from ired.diagnostics.error_sizes import LEVELS, carried_share, error_size_rows
from ired.diffusion.schedule import ScheduleSettings, noise_schedule
from ired.tasks import ProblemSet
from ired.tasks.inversion import eigenvalues, fit_polynomial

SCHEDULE = noise_schedule(ScheduleSettings())
COUNT, N = 4000, 4


def rotated(values: list[float], count: int = 3) -> torch.Tensor:
    q, _ = torch.linalg.qr(
        torch.randn(count, len(values), len(values), generator=generator(), dtype=torch.float64)
    )
    return (q @ torch.tensor(values, dtype=torch.float64).diag() @ q.mT).flatten(-2)


def test_conditioning_of_a_known_spectrum() -> None:
    row = conditioning(rotated([1, 1, 1]), rotated([0.01, 2.0, 5.0]))
    assert row["det_positive_share"] == 1
    assert row["log_abs_det_q50"] == pytest.approx(math.log(0.1))
    assert row["log10_cond_q50"] == pytest.approx(math.log10(500))
    assert row["sigma_min_q10"] == pytest.approx(0.01) and row["eigenvalue_min_q90"] == pytest.approx(0.01)
    assert row["symmetry_defect_mean"] == pytest.approx(0, abs=1e-12)
    assert row["residual_mean"] == pytest.approx(math.sqrt(0.99**2 + 1 + 16))


def test_conditioning_tells_sign_singularity_and_asymmetry() -> None:
    negative = conditioning(rotated([1, 1, 1]), rotated([-0.5, 1, 1]))
    assert negative["det_positive_share"] == 0 and negative["eigenvalue_min_q50"] == pytest.approx(-0.5)
    skew = torch.tensor([[[0.0, 1.0], [-1.0, 0.0]]]).flatten(-2)
    assert conditioning(torch.eye(2).flatten()[None], skew)["symmetry_defect_mean"] == pytest.approx(2)
    singular = conditioning(torch.eye(2).flatten()[None], torch.ones(1, 4))
    assert singular["sigma_min_q50"] == pytest.approx(0, abs=1e-12) and math.isfinite(
        singular["log10_cond_q50"]
    )


def displaced(t: int, size: float) -> dict[str, torch.Tensor | float]:
    """Positives, and negatives displaced by a vector of fixed length in a direction that does not depend on
    the noise."""
    g = generator(t)
    centre = torch.randn(COUNT, N * N, generator=g)
    sigma = SCHEDULE.sigma[t].item()
    direction = torch.randn(COUNT, N * N, generator=g)
    delta = size * sigma * direction / direction.norm(dim=1, keepdim=True)
    positive = centre + sigma * torch.randn(COUNT, N * N, generator=g)
    return {"centre": centre, "positive": positive, "negative": positive + delta, "sigma": sigma}


@pytest.mark.parametrize("size", [0.5, 2.0])
@pytest.mark.parametrize("t", [0, 5, 9])
def test_gaps_and_false_negatives_on_the_denoising_optimum(t: int, size: float) -> None:
    """E* = ||y - c||^2 / (2 sigma): gap = sigma D with D ~ N(mu, 2 mu), mu = size^2 / 2. All within four
    standard errors."""
    case = displaced(t, size)
    optimum = DenoisingOptimum(case["centre"], torch.full((COUNT,), case["sigma"]))  # type: ignore[arg-type]
    low, high = optimum.energy(case["positive"]), optimum.energy(case["negative"])  # type: ignore[arg-type]
    gaps, likelihood = gap_statistics(low, high), likelihood_statistics(**case)  # type: ignore[arg-type]
    mu, sigma = size**2 / 2, case["sigma"]
    rate = norm.cdf(-math.sqrt(mu / 2))
    error = 4 * math.sqrt(rate * (1 - rate) / COUNT)
    assert likelihood["false_negative_rate_predicted"] == pytest.approx(rate, rel=1e-3)
    assert likelihood["false_negative_rate"] == pytest.approx(rate, abs=error)
    assert gaps["misranked_share"] == pytest.approx(rate, abs=error)
    assert likelihood["log_density_gap"] == pytest.approx(mu, abs=4 * math.sqrt(2 * mu / COUNT))
    assert gaps["gap_mean"] == pytest.approx(sigma * mu, abs=4 * sigma * math.sqrt(2 * mu / COUNT))  # type: ignore[operator]
    assert gaps["gap_sd"] == pytest.approx(sigma * math.sqrt(2 * mu), rel=0.06)  # type: ignore[operator]
    q90 = sigma * (mu + norm.ppf(0.9) * math.sqrt(2 * mu))  # type: ignore[operator]
    assert gaps["gap_q90"] == pytest.approx(q90, abs=0.15 * sigma * math.sqrt(2 * mu))  # type: ignore[operator]
    assert likelihood["distance"] == pytest.approx(size * sigma, rel=1e-4)  # type: ignore[operator]


def test_saturation_is_where_the_softplus_no_longer_teaches() -> None:
    low = torch.zeros(4)
    high = torch.tensor([math.log(99) + 0.01, math.log(99) - 0.01, 50.0, -50.0])
    assert saturation_share(low - high) == 0.5 and gap_statistics(low, high)["misranked_share"] == 0.25


def test_diversity_of_known_clouds() -> None:
    collapsed = diversity_statistics(torch.ones(10, 4))
    assert collapsed["diversity_distance"] == 0 and collapsed["effective_rank"] == pytest.approx(1)
    axes = torch.cat([torch.eye(4), -torch.eye(4)])
    assert diversity_statistics(axes)["effective_rank"] == pytest.approx(4)
    assert diversity_statistics(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))[
        "diversity_distance"
    ] == pytest.approx(5)


def test_effective_rank_normalises_singular_values_and_not_their_squares() -> None:
    """Roy & Vetterli, definition 1: of singular values 2 and 1 exp(H(2/3, 1/3)), not exp(H(4/5, 1/5))."""
    found = effective_rank(torch.tensor([2.0, 1.0]).double()).item()
    assert found == pytest.approx(math.exp(-2 / 3 * math.log(2 / 3) - 1 / 3 * math.log(1 / 3)))


def test_an_error_and_its_transpose_have_equal_shares() -> None:
    """u v1' is an error of columns along v1 alone; its rows lie along u."""
    condition, solution = (x[0] for x in inversion(n=N).draw(Streams([0], step=0), 200, "id"))
    _, v = torch.linalg.eigh(condition.double().unflatten(-1, (N, N)))
    error = v[..., 3:] @ v[..., :1].mT
    one, other = (
        error_shares(condition, solution.double(), solution.double() + e.flatten(-2))
        for e in (error, error.mT)
    )
    np.testing.assert_allclose(one, [0.5, 0, 0, 0.5], atol=1e-9)
    np.testing.assert_allclose(other, one, atol=1e-9)


def test_gradient_conflict_of_known_vectors() -> None:
    row = gradient_conflict(torch.tensor([1.0, 0.0]), torch.tensor([-2.0, 2.0]))
    assert row["gradient_cosine"] == pytest.approx(-math.sqrt(0.5)) and row[
        "gradient_norm_ratio"
    ] == pytest.approx(math.sqrt(8))
    assert gradient_conflict(torch.ones(2), torch.zeros(2)) == {
        "gradient_cosine": None,
        "gradient_norm_ratio": 0,
    }


def test_nothing_mined_leaves_the_path_empty() -> None:
    assert set(path_statistics(None).values()) == {None}


def test_errors_along_eigenvectors() -> None:
    """An error put along one eigenvector is found there; the affine predictor's shares equal those of its
    real answers."""
    condition, solution = (x[0] for x in inversion(n=N).draw(Streams([0], step=0), 200, "id"))
    values, vectors = torch.linalg.eigh(condition.double().unflatten(-1, (N, N)))
    error = vectors[..., 2:3] @ vectors[..., 2:3].mT
    shares = error_shares(condition, solution, solution.double() + error.flatten(-2))
    np.testing.assert_allclose(shares, [0, 0, 1, 0], atol=1e-12)
    matrices = ProblemSet(condition, solution)
    affine = fit_polynomial(eigenvalues(matrices), 1)
    estimate = torch.from_numpy(affine(values.numpy()))
    answer = (vectors * estimate[:, None]) @ vectors.mT
    table = error_direction_rows("id", matrices, answer.flatten(-2), affine)
    np.testing.assert_allclose(table["error_share"], table["affine_error_share"], rtol=1e-4)
    np.testing.assert_allclose(table["eigenvalue_median"], np.median(values, 0), rtol=1e-5)


def test_carried_share_is_the_lorenz_curve() -> None:
    levels = np.linspace(0, 1, 11)
    np.testing.assert_allclose(carried_share(np.full(7, 0.3), levels), levels)
    np.testing.assert_allclose(carried_share(np.eye(1, 10)[0], levels), [0] * 10 + [1])
    exponential = np.random.default_rng(0).exponential(2.0, 200_000)
    closed = levels + (1 - levels) * np.log(np.maximum(1 - levels, 1e-300))
    np.testing.assert_allclose(carried_share(exponential, levels), closed, atol=0.005)


def test_error_sizes_are_quantiles_over_matrices() -> None:
    condition, solution = (x[0] for x in inversion(n=N).draw(Streams([0], step=0), 101, "id"))
    matrices = ProblemSet(condition, solution)
    line = next(p for p in inversion(n=N).predictors(matrices) if p.name == "affine")
    # One element of matrix i is wrong by sqrt(i), so that its error per element is i / n^2: 0, 1, ..., 100.
    wrong = torch.zeros(101, N * N, dtype=torch.float64)
    wrong[:, 5] = torch.randperm(101, generator=generator()).double().sqrt()
    table = error_size_rows("ood", matrices, solution.double() + wrong, line)
    np.testing.assert_allclose(table["quantile"], LEVELS)
    np.testing.assert_allclose(table["squared_error"], 100 * LEVELS / N**2, atol=1e-12)
    half = table.set_index("quantile")["carried_share"].loc[0.5]  # 0 + ... + 49 and half of the next, of 5050
    assert half == pytest.approx((49 * 50 / 2 + 25) / 5050)
    values, vectors = torch.linalg.eigh(condition.double().unflatten(-1, (N, N)))
    estimate = torch.from_numpy(fit_polynomial(values.numpy(), 1)(values.numpy()))
    table = error_size_rows("id", matrices, ((vectors * estimate[:, None]) @ vectors.mT).flatten(-2), line)
    np.testing.assert_allclose(table["squared_error"], table["affine_squared_error"], rtol=1e-3)
    np.testing.assert_allclose(table["carried_share"], table["affine_carried_share"], atol=1e-4)
