"""The mean of a difference over seeds and test matrices, both a sample.

A difference d_sm of seed s on matrix m varies between seeds, between matrices, and in what only a seed does to a
matrix; all three are part of the standard error of its mean (a two-way random model without replication, Searle,
Casella and McCulloch 1992), whose degrees of freedom are Satterthwaite's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ired.record.metrics import ALPHA
from ired.statistics.samples import Interval

Array = NDArray[np.float64]
MatrixErrors = Mapping[str, Mapping[str, pd.DataFrame]]
"""Variant -> test set -> squared errors: a row for each finished seed, a column for each matrix."""


class Crossed(NamedTuple):
    """The mean of a (seeds, matrices) array with its standard error, degrees of freedom, and the shares of the squared
    standard error that seeds, matrices and both together have. NaN where there are fewer than two of either."""

    mean: float
    se: float
    df: float
    seeds: float
    matrices: float
    both: float

    @property
    def interval(self) -> Interval:
        """Of the mean, by Student's t; NaN where there is no spread."""
        reach = float(stats.t.ppf(1 - ALPHA / 2, self.df)) * self.se if self.se > 0 else math.nan
        return Interval(self.mean - reach, self.mean + reach)


def crossed(values: Array) -> Crossed:
    """The mean of values (S, M) over seeds and matrices that are both a sample; NaN where there are none."""
    count_s, count_m = values.shape
    mean = float(values.mean()) if values.size else math.nan
    if min(count_s, count_m) < 2:
        return Crossed(mean, *(math.nan,) * 5)
    by_seed, by_matrix = values.mean(1), values.mean(0)
    ms_seed = count_m * float(by_seed.var(ddof=1))
    ms_matrix = count_s * float(by_matrix.var(ddof=1))
    rest = values - by_seed[:, None] - by_matrix[None, :] + mean
    ms_both = float(np.square(rest).sum()) / ((count_s - 1) * (count_m - 1))
    parts = np.array([max(ms_seed - ms_both, 0.0), max(ms_matrix - ms_both, 0.0), ms_both]) / (
        count_s * count_m
    )
    variance = float(parts.sum())
    if variance == 0:
        return Crossed(mean, 0.0, math.nan, math.nan, math.nan, math.nan)
    # The variance is (MS_seed + MS_matrix - MS_both) / SM, each mean square with its own degrees of freedom.
    squares = np.array([ms_seed, ms_matrix, ms_both]) / (count_s * count_m)
    freedom = np.array([count_s - 1, count_m - 1, (count_s - 1) * (count_m - 1)])
    df = max(variance**2 / float((squares**2 / freedom).sum()), 1.0)
    return Crossed(mean, math.sqrt(variance), df, *(parts / variance).tolist())
