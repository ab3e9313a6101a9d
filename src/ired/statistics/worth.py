"""How much compute a strategy saves: the compute multiplier, read from whole curves of error over compute.

For an arm a and the baseline b let e(C) be the geometric mean over seeds of the test error after compute C. The
multiplier m(C) = C_b(e_a(C)) / C is the compute that the baseline needs for the error that the arm reaches with C,
over C: below 1 the negatives waste compute, above it they save some. Between budgets log e is linear in log C.

An interval holds every m that a paired t-test over seeds does not reject. For one m the difference

    d_s(m) = log e_a,s(C) - log e_b,s(m C)

is linear in the errors of seed s, so the test is Student's, and inverting it (Fieller 1954) needs neither the
derivative of the baseline's curve nor a resampling of five seeds. Where the baseline has no budget far enough out, the
interval is open on that side: "at least", "at most".
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ired.record.metrics import ALPHA
from ired.statistics.pairs import paired_test
from ired.statistics.samples import Interval

Array = NDArray[np.float64]
GRID = 801  # candidates for log m, or for its slope: steps of half a per cent over a range of 32


class Curve(NamedTuple):
    """An arm's errors. log_compute: (K,), ascending. log_error: (K, S), the same seeds in every arm."""

    log_compute: Array
    log_error: Array

    def at(self, log_compute: Array) -> Array:
        """Each seed's log error at any log compute within the curve, (Q,) -> (Q, S)."""
        after = np.clip(np.searchsorted(self.log_compute, log_compute), 1, self.log_compute.size - 1)
        low, high = self.log_compute[after - 1], self.log_compute[after]
        share = ((log_compute - low) / (high - low))[:, None]
        return (1 - share) * self.log_error[after - 1] + share * self.log_error[after]


class Estimate(NamedTuple):
    """A number and its interval at level 1 - ALPHA. An end is infinite where it lies beyond the baseline's budgets, and
    so is the value where the estimate itself does. p: of the two-sided test that the number is 0; NaN where it lies
    outside what the baseline has."""

    value: float
    low: float
    high: float
    p: float


def log_multiplier(arm: Curve, baseline: Curve, budgets: list[int]) -> Estimate:
    """The log m that all of the arm's `budgets` (indices) share: of one, m at that budget; of several, their m if it
    is the same at each."""
    at = arm.log_compute[budgets]
    low, high = (
        float(baseline.log_compute[0] - at.min()),
        float(baseline.log_compute[-1] - at.max()),
    )
    if low >= high:
        return Estimate(math.nan, -math.inf, math.inf, math.nan)
    candidates = np.linspace(low, high, GRID)
    arms_error = arm.log_error[budgets].mean(0)
    theirs = baseline.at((at + candidates[:, None]).ravel()).reshape(GRID, at.size, -1).mean(1)
    difference = arms_error - theirs
    null = arms_error - baseline.at(at).mean(0) if low <= 0 <= high else np.full(arms_error.size, math.nan)
    return _inverted(candidates, difference, null)


def slope(arm: Curve, baseline: Curve) -> Estimate:
    """d log m / d log C over the arm's budgets: above 0 the strategy pays more as training goes on.

    m(C) = exp(level + slope (log C - mean)); for each candidate slope the level is the one at which the mean difference
    is 0, and the difference's own slope over log C is tested over seeds.
    """
    x = arm.log_compute - arm.log_compute.mean()
    weights = x / np.square(x).sum()
    reach = (baseline.log_compute[-1] - baseline.log_compute[0]) / max(float(np.ptp(arm.log_compute)), 1e-12)
    candidates = np.linspace(-min(reach, 1.0), min(reach, 1.0), GRID // 4)
    difference = np.stack([weights @ _levelled(arm, baseline, c * x) for c in candidates])
    null = weights @ _levelled(arm, baseline, 0.0 * x)
    return _inverted(candidates, difference, null)


def _levelled(arm: Curve, baseline: Curve, log_m: Array) -> Array:
    """log e_a - log e_b at m C, (K, S), with `log_m` (K,) shifted so that its mean is 0; NaN where no shift within the
    baseline's budgets does that."""
    low = float((baseline.log_compute[0] - arm.log_compute - log_m).max())
    high = float((baseline.log_compute[-1] - arm.log_compute - log_m).min())
    if low >= high:
        return np.full_like(arm.log_error, math.nan)
    shifts = np.linspace(low, high, GRID // 4)
    at = arm.log_compute + log_m + shifts[:, None]
    means = np.interp(at, baseline.log_compute, baseline.log_error.mean(1)).mean(1)
    root = _crossing(shifts, float(arm.log_error.mean()) - means)
    if not math.isfinite(root):
        return np.full_like(arm.log_error, math.nan)
    return np.asarray(arm.log_error - baseline.at(arm.log_compute + log_m + root))


def log_error_ratio(arm: Curve, baseline: Curve, budget: int) -> Estimate:
    """log of the arm's error over the baseline's at equal compute, at the arm's budget of that index."""
    at = arm.log_compute[[budget]]
    if not baseline.log_compute[0] <= at[0] <= baseline.log_compute[-1]:
        return Estimate(math.nan, -math.inf, math.inf, math.nan)
    mine, theirs = arm.log_error[budget], baseline.at(at)[0]
    outcome = paired_test(mine, theirs)
    return Estimate(float((mine - theirs).mean()), *outcome.interval, outcome.p)


def _inverted(candidates: Array, difference: Array, null: Array) -> Estimate:
    """The candidate at which the mean difference (Q, S) crosses 0 from below, and the span of those not rejected."""
    usable = np.isfinite(difference).all(1)
    if not usable.any():
        return Estimate(math.nan, -math.inf, math.inf, math.nan)
    candidates, difference = candidates[usable], difference[usable]
    count = difference.shape[1]
    mean = difference.mean(1)
    error = difference.std(1, ddof=1) / math.sqrt(count) if count > 1 else np.full(mean.size, math.inf)
    reach = stats.t.ppf(1 - ALPHA / 2, count - 1) if count > 1 else math.inf
    kept = np.flatnonzero(np.abs(mean) <= reach * error)
    value = _crossing(candidates, mean)
    p = paired_test(null, np.zeros_like(null)).p if np.isfinite(null).all() else math.nan
    if not kept.size:  # without spread, or between two candidates: the crossing itself
        return Estimate(value, value, value, p)
    low = -math.inf if kept[0] == 0 else float(candidates[kept[0]])
    high = math.inf if kept[-1] == candidates.size - 1 else float(candidates[kept[-1]])
    return Estimate(value, low, high, p)


def _crossing(x: Array, values: Array) -> float:
    """Where values (Q,) first rise through 0; -inf where they begin above it, inf where they never reach it."""
    if values[0] > 0:
        return -math.inf
    above = np.flatnonzero(values >= 0)
    if not above.size:
        return math.inf
    after = int(above[0])
    if after == 0:
        return float(x[0])
    share = -values[after - 1] / (values[after] - values[after - 1])
    return float(x[after - 1] + share * (x[after] - x[after - 1]))


def clopper_pearson(hits: int, count: int) -> Interval:
    """The exact interval of a rate (Clopper and Pearson 1934); NaN without trials."""
    if not count:
        return Interval(math.nan, math.nan)
    interval = stats.binomtest(hits, count).proportion_ci(1 - ALPHA, method="exact")
    return Interval(float(interval.low), float(interval.high))


# Grids have two digits: 4.2e-3, 6.0e-3, 8.5e-3 are steps of sqrt(2).
_TOLERANCE = 1.05


def has_double(rates: Array) -> NDArray[np.bool_]:
    """Which learning rates of a grid have one that is twice as high or higher, (K,)."""
    return rates.max() * _TOLERANCE >= 2 * rates


def steady_errors(rates: Array, errors: Array) -> Array:
    """Of every trial, the worst error from its learning rate to twice it: how good a rate is if what is trained with it
    may turn out less stable than its trials. NaN where no rate so high was tried, or one diverged.

    rates, errors: (K,), of trials that differ in the rate alone; errors NaN where diverged. -> (K,)
    """
    worst = [errors[(rates >= rate) & (rates <= 2 * rate * _TOLERANCE)].max() for rate in rates]
    return np.where(has_double(rates), worst, np.nan)


def expected_best(errors: Array) -> Array:
    """The expected lowest error after k = 1 ... N trials drawn without an order, (N,) -> (N,).

    E[min of k] = sum_i v_(i) [((N - i + 1)/N)^k - ((N - i)/N)^k] with v ascending (Dodge et al. 2019, eq. 5).
    """
    values, count = np.sort(errors), errors.size
    rank = np.arange(1, count + 1)
    k = np.arange(1, count + 1)[:, None]
    return np.asarray((((count - rank + 1) / count) ** k - ((count - rank) / count) ** k) @ values)
