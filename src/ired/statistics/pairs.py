"""Numbers about two groups of seeds. Arrays are float64 of shape (seeds,), without missing values.

Where arrays are paired, element i of both belongs to the same seed: the same matrices, noise and initial
weights. Lower is better, and a difference is always treatment - baseline.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.meta_analysis import effectsize_smd
from statsmodels.stats.weightstats import ttost_paired

from ired.record.metrics import ALPHA
from ired.statistics.samples import UNKNOWN, Interval, Values, is_constant, mean, sd, t_interval

# All 2^n sign patterns are tried up to n = 13; beyond, as many random ones: p is then known to about 0.005.
SIGN_FLIPS = 2**13


class Outcome(NamedTuple):
    """A p-value and the interval that belongs to it (NaN where the test has none)."""

    p: float
    interval: Interval = UNKNOWN


def _scale(treatment: Values, baseline: Values) -> float:
    """The size of the numbers whose difference is taken, against which rounding is judged."""
    return float(max(np.abs(treatment).max(initial=0.0), np.abs(baseline).max(initial=0.0)))


def no_spread(treatment: Values, baseline: Values) -> bool:
    """Whether every pair differs by the same amount up to rounding: no variance is left to test against."""
    return is_constant(treatment - baseline, _scale(treatment, baseline))


def identical(treatment: Values, baseline: Values) -> bool:
    """Whether two or more pairs are all equal up to rounding, as when the changed setting does nothing."""
    scale = _scale(treatment, baseline)
    return treatment.size > 1 and is_constant(np.append(treatment - baseline, 0.0), scale)


def paired_test(treatment: Values, baseline: Values) -> Outcome:
    """Paired t-test, two-sided, with its interval of the mean difference.

    p is NaN for fewer than two pairs, and where a non-zero difference does not vary at all (t would be
    infinite, but a spread that was not seen is not a spread of zero). Identical pairs have p = 1.
    """
    difference = treatment - baseline
    if identical(treatment, baseline):
        return Outcome(1.0, t_interval(difference))
    if difference.size < 2 or no_spread(treatment, baseline):
        return Outcome(math.nan, t_interval(difference))
    result = stats.ttest_1samp(difference, 0.0)
    interval = result.confidence_interval(1 - ALPHA)
    return Outcome(float(result.pvalue), Interval(float(interval.low), float(interval.high)))


def tost_paired(treatment: Values, baseline: Values, margin: float) -> float:
    """p of two one-sided paired t-tests: small if the mean difference lies within +-margin (absolute).

    NaN where `paired_test` has none or the margin is not positive; 0 for identical pairs.
    """
    if not margin > 0 or treatment.size < 2:
        return math.nan
    if identical(treatment, baseline):
        return 0.0
    if no_spread(treatment, baseline):
        return math.nan
    return float(ttost_paired(treatment, baseline, -margin, margin)[0])


@lru_cache(maxsize=256)
def _detectable_d(pairs: int, alpha: float, power: float) -> float:
    """The standardised paired difference that a two-sided t-test finds with the given power.

    t squared is noncentral F with (1, pairs - 1) degrees of freedom and noncentrality pairs d^2. (The solver
    of statsmodels stops short of the root for few pairs at a small alpha, where the noncentral t is NaN.)
    """
    critical = stats.f.isf(alpha, 1, pairs - 1)

    def missing(d: float) -> float:
        return power - float(stats.ncf.sf(critical, 1, pairs - 1, pairs * d**2))

    enough = 1.0
    while missing(enough) > 0:
        enough *= 2
    return float(optimize.brentq(missing, 0.0, enough, xtol=1e-9))


def minimum_detectable_effect(
    treatment: Values, baseline: Values, alpha: float = ALPHA, power: float = 0.8
) -> float:
    """The true mean difference that this many pairs would detect with `power`, in the units of the values.

    Two-sided paired t-test at alpha, with the observed spread of differences taken as the true one. NaN for
    fewer than two pairs or without spread.
    """
    if treatment.size < 2 or no_spread(treatment, baseline):
        return math.nan
    return _detectable_d(treatment.size, alpha, power) * sd(treatment - baseline)


def detectable_range(pairs: int, smallest: float) -> Interval:
    """Where the minimum detectable effect of so many pairs may lie, given the one that their spread says: the spread
    is itself an estimate, and (n - 1) sd^2 / true^2 is chi-square. NaN as the effect is.
    """
    if math.isnan(smallest):
        return UNKNOWN
    low, high = (
        smallest * math.sqrt((pairs - 1) / q) for q in stats.chi2.ppf([1 - ALPHA / 2, ALPHA / 2], pairs - 1)
    )
    return Interval(low, high)


def _row_means(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Means rounded to 12 digits, so that sums which tie on paper tie in floating point as well."""
    return np.round(values.mean(axis=axis), 12)


def sign_flip_test(treatment: Values, baseline: Values) -> float:
    """p of the sign-flip permutation test of the mean paired difference, two-sided.

    Exact for up to 13 pairs (the smallest possible p is 2 / 2^n: 0.25 at three seeds); otherwise 8,192
    random sign patterns from a generator seeded anew. It assumes symmetry about 0 but no normal
    distribution. NaN for fewer than two pairs.
    """
    difference = treatment - baseline
    if difference.size < 2:
        return math.nan
    if identical(treatment, baseline):
        return 1.0
    result = stats.permutation_test(
        (difference / np.abs(difference).max(),),
        _row_means,
        permutation_type="samples",
        vectorized=True,
        n_resamples=SIGN_FLIPS,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def wilcoxon_test(treatment: Values, baseline: Values) -> float:
    """p of Wilcoxon's signed-rank test, two-sided. NaN for fewer than two pairs, 1 for identical ones."""
    if treatment.size < 2:
        return math.nan
    if identical(treatment, baseline):
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ties at small n: scipy says that it leaves the exact table
        return float(stats.wilcoxon(treatment - baseline).pvalue)


def _untestable(treatment: Values, baseline: Values) -> bool:
    """Whether two groups cannot be tested: one has fewer than two seeds, or neither has any variance."""
    scale = _scale(treatment, baseline)
    return min(treatment.size, baseline.size) < 2 or (
        is_constant(treatment, scale) and is_constant(baseline, scale)
    )


def welch_test(treatment: Values, baseline: Values) -> Outcome:
    """Welch's t-test of two unpaired groups, two-sided, with its interval. NaN where `_untestable`."""
    if _untestable(treatment, baseline):
        return Outcome(math.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one group without variance is no trouble to Welch
        result = stats.ttest_ind(treatment, baseline, equal_var=False)
        interval = result.confidence_interval(1 - ALPHA)
    return Outcome(float(result.pvalue), Interval(float(interval.low), float(interval.high)))


def brown_forsythe(treatment: Values, baseline: Values) -> float:
    """p of the Brown-Forsythe test of equal spread (Levene's test about medians). NaN where `_untestable`."""
    if _untestable(treatment, baseline):
        return math.nan
    with warnings.catch_warnings():
        # Groups of two are equally far from their median: 0 / 0.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(stats.levene(treatment, baseline, center="median").pvalue)


def effect_sizes(treatment: Values, baseline: Values) -> tuple[float, float]:
    """(Hedges' g, probability of improvement) of two unpaired groups.

    g is the difference in pooled standard deviations with the small-sample correction; NaN for a group of
    one or without variance. The probability of improvement is P[a treatment seed < a baseline seed], ties
    counted half (Agarwal et al. 2021): Mann and Whitney's U over the number of cross pairs.
    """
    if not treatment.size or not baseline.size:
        return math.nan, math.nan
    u = stats.mannwhitneyu(baseline, treatment, method="asymptotic").statistic
    improvement = float(u) / (treatment.size * baseline.size)
    if _untestable(treatment, baseline):
        return math.nan, improvement
    g, _ = effectsize_smd(
        mean(treatment), sd(treatment), treatment.size, mean(baseline), sd(baseline), baseline.size
    )
    return float(g), improvement


def pair_correlation(treatment: Values, baseline: Values) -> float:
    """Pearson's correlation of the pairs: what pairing gains. The paired difference has 1 - r of the variance that two
    independent groups of equal spread would give it, so a negative r costs power. NaN for fewer than three pairs, or
    where one group does not vary.
    """
    constant = any(is_constant(values, _scale(treatment, baseline)) for values in (treatment, baseline))
    if treatment.size < 3 or constant:
        return math.nan
    return float(np.corrcoef(treatment, baseline)[0, 1])


def standardised_difference(treatment: Values, baseline: Values) -> float:
    """d_z: the mean paired difference in standard deviations of the differences. NaN without a spread."""
    if treatment.size < 2 or no_spread(treatment, baseline):
        return math.nan
    difference = treatment - baseline
    return mean(difference) / sd(difference)
