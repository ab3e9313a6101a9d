"""The compute multiplier on curves whose multiplier is known, and what its intervals cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ired.statistics import t_interval
from ired.statistics.worth import (
    Curve,
    clopper_pearson,
    expected_best,
    log_error_ratio,
    log_multiplier,
    slope,
    steady_errors,
)

BUDGETS = np.log(60.0 * 2 ** np.arange(7))  # of the baseline; an arm has the five in the middle
EXPONENT = 1.3
STUDIES = 2000


def power_law(log_compute: np.ndarray, seeds: int = 4) -> np.ndarray:
    """Errors that fall as C^-EXPONENT, with an offset of each seed: (K, S)."""
    return (2.0 - EXPONENT * log_compute)[:, None] + np.linspace(-0.1, 0.1, seeds)


def study(
    rng: np.random.Generator, seeds: int, log_m: float, correlation: float = 0.3
) -> tuple[Curve, Curve]:
    """An arm that saves exp(log_m) of the compute, and the baseline: runs of a seed and budget share a part of their
    noise, whose spread is that of the trained networks."""
    shared = rng.normal(0, 0.4 * math.sqrt(correlation), (7, seeds))
    own = rng.normal(0, 0.4 * math.sqrt(1 - correlation), (2, 7, seeds))
    at = BUDGETS[1:6] + 0.1
    arm = 2.0 - EXPONENT * (at[:, None] + log_m) + shared[1:6] + own[1, 1:6]
    return Curve(at, arm), Curve(BUDGETS, 2.0 - EXPONENT * BUDGETS[:, None] + shared + own[0])


@pytest.mark.parametrize("log_m", [-0.5, 0.0, 0.3])
def test_a_known_multiplier_is_found_at_every_budget(log_m: float) -> None:
    baseline, at = Curve(BUDGETS, power_law(BUDGETS)), BUDGETS[1:6] + 0.1
    arm = Curve(at, power_law(at + log_m))
    for budget in range(5):
        found = log_multiplier(arm, baseline, [budget])
        assert (found.value, found.low, found.high) == pytest.approx((log_m,) * 3, abs=1e-9)
        assert log_error_ratio(arm, baseline, budget).value == pytest.approx(-EXPONENT * log_m)
    assert log_multiplier(arm, baseline, [0, 1, 2, 3, 4]).value == pytest.approx(log_m)
    assert slope(arm, baseline).value == pytest.approx(0.0, abs=1e-2)


def test_a_multiplier_that_grows_with_compute_has_its_slope() -> None:
    at = BUDGETS[2:5]
    arm = Curve(at, power_law(at + 0.2 * (at - at[1])))
    assert slope(arm, Curve(BUDGETS, power_law(BUDGETS))).value == pytest.approx(0.2, abs=1e-2)


def test_outside_the_baselines_errors_a_multiplier_is_only_bounded() -> None:
    baseline, at = Curve(BUDGETS, power_law(BUDGETS)), BUDGETS[1:6]
    spread = np.array([0.1, 0.0, -0.1, 0.05])
    better = log_multiplier(Curve(at, power_law(at) - 9 + spread), baseline, [4])
    assert better.value == better.high == math.inf and better.p < 1e-4
    worse = log_multiplier(Curve(at, power_law(at) + 9), baseline, [0])
    assert worse.value == worse.low == -math.inf
    far = log_multiplier(Curve(at + 9, power_law(at)), baseline, [4])
    assert math.isnan(far.p), "equal compute lies beyond the baseline's budgets"


def test_halfway_between_two_budgets_logarithms_are_linear() -> None:
    compute = np.log([1.0, 2.0, 8.0])
    baseline = Curve(compute, np.array([[0.0], [-1.0], [-2.0]]))
    arm = Curve(compute[:1], np.array([[-1.5]]))
    assert log_multiplier(arm, baseline, [0]).value == pytest.approx(math.log(4))


@pytest.mark.parametrize("seeds", [5, 10])
def test_the_95_per_cent_interval_covers_93_to_97_per_cent(seeds: int) -> None:
    rng, truth, covered, pooled = np.random.default_rng(seeds), math.log(1.2), 0, 0
    for _ in range(STUDIES):
        arm, baseline = study(rng, seeds, truth)
        found = log_multiplier(arm, baseline, [2])
        covered += found.low <= truth <= found.high
        found = log_multiplier(arm, baseline, [0, 1, 2, 3, 4])
        pooled += found.low <= truth <= found.high
    assert 0.93 <= covered / STUDIES <= 0.97
    assert 0.93 <= pooled / STUDIES <= 0.97


@pytest.mark.parametrize("seeds", [5, 10])
def test_two_identical_arms_are_seldom_told_apart(seeds: int) -> None:
    rng = np.random.default_rng(1)
    claims, slopes = 0, 0
    for _ in range(STUDIES):
        arm, baseline = study(rng, seeds, 0.0)
        claims += log_multiplier(arm, baseline, [0, 1, 2, 3, 4]).p < 0.05
    for _ in range(STUDIES // 10):
        slopes += slope(*study(rng, seeds, 0.0)).p < 0.05
    assert claims / STUDIES <= 0.06
    assert slopes / (STUDIES // 10) <= 0.10


def test_the_interval_of_an_error_ratio_is_students_over_pairs() -> None:
    rng = np.random.default_rng(3)
    arm, baseline = study(rng, 6, 0.2)
    arm = Curve(baseline.log_compute[1:6], arm.log_error)
    found = log_error_ratio(arm, baseline, 2)
    difference = arm.log_error[2] - baseline.log_error[3]
    assert (found.low, found.high) == pytest.approx(tuple(t_interval(difference)))


def test_the_expected_best_of_k_trials_is_that_of_drawing_them() -> None:
    errors, rng = np.array([0.5, 0.1, 0.9, 0.3]), np.random.default_rng(0)
    drawn = rng.choice(errors, (200_000, 4))
    expected = [drawn[:, :k].min(1).mean() for k in range(1, 5)]
    assert expected_best(errors) == pytest.approx(expected, abs=2e-3)


def test_an_exact_rate() -> None:
    low, high = clopper_pearson(0, 10)
    assert low == 0 and high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_a_steady_rate_is_judged_by_the_worst_up_to_twice_it() -> None:
    rates = np.array([6e-3, 8.5e-3, 1.2e-2, 1.7e-2, 2.4e-2, 3.4e-2])
    errors = np.array([5.0, 4.0, 3.0, 2.0, 1.0, math.nan])
    # 2.4e-2 and 3.4e-2 have nothing tried at twice them; 1.7e-2 has, and it diverged.
    assert steady_errors(rates, errors)[:3] == pytest.approx([5.0, 4.0, 3.0])
    assert np.isnan(steady_errors(rates, errors)[3:]).all()
    assert steady_errors(rates, np.array([5.0, 4.0, 3.0, 6.0, 1.0, 2.0]))[:4] == pytest.approx([5, 6, 6, 6])
