"""The Gibbs sampler and soft-impute against independent truths: quadrature, ridge regression, calibration,
optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from ired.base.streams import stream
from ired.tasks.low_rank_posterior import (
    LowRankModel,
    bayes_error,
    chain,
    conditional,
    cooling,
    posterior_mean,
)
from ired.tasks.soft_impute import fit_fraction, soft_impute


def low_rank(count: int, n: int, model: LowRankModel, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """(mask, scale U V^T, the same with noise) by numpy, each (count, n, n) float64."""
    rng = np.random.default_rng(5)
    u, v = rng.standard_normal((2, count, n, model.rank))
    signal = torch.from_numpy(model.scale * u @ v.transpose(0, 2, 1))
    mask = torch.from_numpy((rng.random((count, n, n)) < share).astype(float))
    return mask, signal, signal + model.noise * torch.from_numpy(rng.standard_normal((count, n, n)))


def quadrature(known: np.ndarray, mask: np.ndarray, scale: float, noise: float) -> np.ndarray:
    """E[scale u_i v_j | known] for 2 x 2 matrices of rank one: u is integrated in closed form, v on a grid."""
    axis = np.linspace(-6, 6, 601)
    v = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_weight = -0.5 * np.square(v).sum(1)
    mean_u = np.empty((len(v), 2))
    for i in range(2):  # a row's known entries given v: Gaussian, covariance scale^2 v v^T + noise^2 I
        squares, product = scale**2 * np.square(v) @ mask[i], scale * v @ (mask[i] * known[i])
        mean_u[:, i] = product / (noise**2 + squares)
        log_weight += -0.5 * np.log1p(squares / noise**2) + 0.5 * product * mean_u[:, i] / noise**2
    weight = np.exp(log_weight - log_weight.max())
    return scale * np.einsum("g,gi,gj->ij", weight / weight.sum(), mean_u, v)


@pytest.mark.parametrize("noise", [0.3, 0.6])
def test_the_posterior_mean_is_that_of_quadrature(noise: float) -> None:
    known, mask = np.array([[1.2, -0.7], [0.5, 0.0]]), np.array([[1.0, 1.0], [1.0, 0.0]])
    expected = quadrature(known, mask, 0.8, noise)
    assert abs(expected[1, 1]) > 0.1
    copies = 400  # as many independent chains
    batch = [torch.from_numpy(x).expand(copies, 2, 2) for x in (known, mask)]
    estimates = posterior_mean(*batch, LowRankModel(0.8, 1, noise), index=0, sweeps=100).numpy()
    se = estimates.std(0, ddof=1) / np.sqrt(copies)
    assert se.max() < 0.01
    assert (np.abs(estimates.mean(0) - expected) < 4 * se).all()


def test_a_factor_given_the_other_is_ridge_regression_on_the_known_entries() -> None:
    model = LowRankModel(0.5, 3, 0.2)
    mask, _, solution = low_rank(1, 7, model, 0.6)
    other = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 7, 3)))
    copies = 20_000
    known = (solution * mask).expand(copies, 7, 7)
    mean, draws = conditional(
        known, mask.expand(copies, 7, 7), other.expand(copies, 7, 3), model, stream(0, "x")
    )
    for row in range(7):
        design = model.scale * other[0, mask[0, row] == 1].numpy()
        target = solution[0, row, mask[0, row] == 1].numpy()
        covariance = np.linalg.inv(design.T @ design / model.noise**2 + np.eye(3))
        np.testing.assert_allclose(mean[0, row], covariance @ design.T @ target / model.noise**2, rtol=1e-9)
        np.testing.assert_allclose(
            np.cov(draws[:, row].numpy().T), covariance, atol=0.05 * covariance.diagonal().max()
        )


def test_the_posterior_is_calibrated() -> None:
    """Simulation-based calibration (Talts et al. 2018): the truth's rank among posterior draws is uniform; and
    the posterior's own variance is the error that its mean makes."""
    model = LowRankModel(0.5, 2, 0.3)
    mask, signal, solution = low_rank(1500, 5, model, 0.6)
    draws, total, square = [], torch.zeros_like(signal), torch.zeros_like(signal)
    for step, (left, right, _) in enumerate(chain(solution * mask, mask, model, stream(1, "gibbs"), 190)):
        drawn = model.scale * left @ right.mT
        total, square = total + drawn / 190, square + drawn.square() / 190
        if step % 10 == 0:
            draws.append(drawn[:, 2, 3])
    ranks = (torch.stack(draws) < signal[:, 2, 3]).sum(0).numpy()  # 0 .. 19
    counts = np.bincount(ranks, minlength=20)
    assert np.square(counts - 75).sum() / 75 < 43.8  # chi squared, 19 degrees: 0.1 %
    expected, made = (
        (square - total.square()).mean((1, 2)).numpy(),
        (total - signal).square().mean((1, 2)).numpy(),
    )
    apart = made - expected * (1 + 2 / 190)
    assert abs(apart.mean()) < 4 * apart.std(ddof=1) / np.sqrt(1500) + 0.01 * made.mean()


def test_the_product_of_two_chains_has_no_bias_of_short_chains() -> None:
    model = LowRankModel(0.2, 4, 0.1)
    mask, _, solution = low_rank(400, 8, model, 0.5)
    known = solution * mask
    long = bayes_error(known, mask, solution, model, sweeps=60)
    short = bayes_error(known, mask, solution, model, sweeps=5)
    apart = short - long
    assert abs(apart.mean()) < 4 * apart.std(ddof=1) / 20
    single = (
        (((posterior_mean(known, mask, model, 0, 5) - solution) * (1 - mask)).square()).mean((1, 2)).numpy()
    )
    assert (single - long).mean() > 5 * (single - long).std(
        ddof=1
    ) / 20  # what a short chain alone makes of it
    copy = (solution * (1 - mask)).square().mean()
    assert long.mean() < copy


def test_cooling_begins_above_and_ends_at_the_models_noise() -> None:
    model = LowRankModel(0.05, 2, 0.01)
    mask, _, solution = low_rank(50, 20, model, 0.6)
    noises = cooling(solution * mask, mask, model)
    assert noises[0] > 0.1 and 1.01 * model.noise < noises[-1] < 1.03 * model.noise
    assert noises == sorted(noises, reverse=True)
    assert cooling(solution * 0, mask * 0, model) == []


def test_cooled_chains_do_not_stay_in_wrong_modes() -> None:
    """A little noise: a chain begun at random stands in a wrong mode for a few in a hundred of these matrices."""
    model = LowRankModel(0.2, 2, 0.01)
    mask, _, solution = low_rank(100, 20, model, 0.6)
    error = bayes_error(solution * mask, mask, solution, model, sweeps=20)
    assert error.max() < 10 * np.median(error)
    assert error.mean() == pytest.approx(6.6e-5, rel=0.15)


@pytest.fixture
def small() -> tuple[Tensor, Tensor, Tensor]:
    mask, _, solution = low_rank(20, 6, LowRankModel(0.5, 1, 0.1), 0.7)
    return solution * mask, mask, solution


def test_soft_impute_satisfies_the_optimality_conditions(small: tuple[Tensor, Tensor, Tensor]) -> None:
    """(M - Z) * mask = penalty G, where G is U V^T plus a matrix orthogonal to both with norm at most one."""
    known, mask, _ = small
    estimate = soft_impute(known, mask, 0.2, iterations=5000, tolerance=1e-11).numpy()
    for k in range(len(known)):
        penalty = 0.2 * np.linalg.norm(known[k].numpy(), 2)
        subgradient = (known[k].numpy() - mask[k].numpy() * estimate[k]) / penalty
        u, s, vt = np.linalg.svd(estimate[k])
        rank = int((s > 1e-6).sum())
        assert 1 <= rank < 6
        rotated = u.T @ subgradient @ vt.T
        np.testing.assert_allclose(rotated[:rank, :rank], np.eye(rank), atol=1e-5)
        np.testing.assert_allclose(rotated[:rank, rank:], 0, atol=1e-5)
        np.testing.assert_allclose(rotated[rank:, :rank], 0, atol=1e-5)
        assert np.linalg.norm(rotated[rank:, rank:], 2) <= 1 + 1e-6


def test_soft_impute_is_the_optimum_over_factors(small: tuple[Tensor, Tensor, Tensor]) -> None:
    """|| Z ||_* is the least (|| A ||_F^2 + || B ||_F^2) / 2 with A B^T = Z; minimised by a quasi-Newton method."""
    known, mask = small[0][0].numpy(), small[1][0].numpy()
    penalty = 0.3 * np.linalg.norm(known, 2)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = x.reshape(2, 6, 6)
        rest = mask * (a @ b.T - known)
        value = 0.5 * np.square(rest).sum() + 0.5 * penalty * np.square(x).sum()
        return value, np.stack([rest @ b, rest.T @ a]).ravel() + penalty * x

    start = np.random.default_rng(0).standard_normal(72)
    best = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-15})
    a, b = best.x.reshape(2, 6, 6)
    estimate = soft_impute(small[0][:1], small[1][:1], 0.3, iterations=5000, tolerance=1e-11)[0]
    np.testing.assert_allclose(estimate, a @ b.T, atol=1e-4)


def test_the_fitted_penalty_is_no_worse_than_a_grids(small: tuple[Tensor, Tensor, Tensor]) -> None:
    known, mask, solution = small

    def error(fraction: float) -> float:
        return float(((soft_impute(known, mask, fraction) - solution) * (1 - mask)).square().mean())

    assert error(fit_fraction(*small)) < 1.02 * min(error(10**k) for k in np.linspace(-2.5, 0, 11))
