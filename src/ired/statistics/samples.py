"""Numbers about one group of seeds. Arrays are float64 of shape (seeds,), without missing values."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ired.record.metrics import ALPHA

Values = NDArray[np.float64]

# A spread below a few units in the last place is what subtraction leaves over, not a spread between seeds.
ROUNDING = 16 * float(np.finfo(np.float64).eps)


class Interval(NamedTuple):
    """A confidence interval in the units of its values; NaN where it cannot be computed."""

    low: float
    high: float


UNKNOWN = Interval(math.nan, math.nan)


def is_constant(values: Values, scale: float) -> bool:
    """Whether all values are equal up to rounding; `scale` is the size of the numbers they came from."""
    return bool(np.ptp(values) <= ROUNDING * abs(scale)) if values.size else True


def mean(values: Values) -> float:
    """The mean; NaN without values."""
    return float(values.mean()) if values.size else math.nan


def sd(values: Values) -> float:
    """The sample standard deviation (ddof = 1); NaN for fewer than two values."""
    return float(values.std(ddof=1)) if values.size > 1 else math.nan


def t_interval(values: Values, lowest: float = -math.inf) -> Interval:
    """Student's interval of the mean at level 1 - ALPHA; NaN for fewer than two values.

    It is cut at `lowest`, below which no mean can lie (an error: 0), and covers as often as it did. Without any
    variance it is the single point mean to mean, as the formula has it.
    """
    if values.size < 2:
        return UNKNOWN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # equal values: p is undefined, the interval is not
        interval = stats.ttest_1samp(values, 0.0).confidence_interval(1 - ALPHA)
    return Interval(max(float(interval.low), lowest), float(interval.high))


def variance_split(values: Values, standard_errors: Values) -> tuple[float, float]:
    """(evaluation variance, seed variance) of a metric over seeds, in squared units.

    The evaluation variance is the mean squared standard error over test matrices: what the finite test set
    alone can do to one seed's number. The seed variance is the rest of the variance between seeds, floored
    at 0. All seeds see the same test set, so part of the evaluation noise is common to them and the rest is
    a lower bound. Missing standard errors leave both NaN.
    """
    if not standard_errors.size or not np.isfinite(standard_errors).all():
        return math.nan, math.nan
    evaluation = float(np.mean(standard_errors**2))
    return evaluation, max(sd(values) ** 2 - evaluation, 0.0) if values.size > 1 else math.nan
