"""against_line.csv: every variant against the predictor to beat, matrix by matrix.

Model and line answer the same matrices, so what is tested is the difference on each: e_sm - l_m for seed s and matrix
m. It varies between seeds, between matrices, and in what only a seed does to a matrix; all three are part of the
standard error of its mean (a two-way random model without replication, Searle, Casella and McCulloch 1992), whose
degrees of freedom are Satterthwaite's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ired.record import schema
from ired.record.metrics import ALPHA, TEST_METRICS
from ired.statistics.pairs import holm
from ired.statistics.worth import clopper_pearson

Array = NDArray[np.float64]
LOST = 10.0  # an answer is lost whose error exceeds so many times the line's 99th percentile
KEPT = 0.25  # the interquartile mean leaves out this share of matrices at each end


class Crossed(NamedTuple):
    """The mean of a (seeds, matrices) array with its standard error, degrees of freedom, and the shares of the squared
    standard error that seeds, matrices and both together have. NaN where there are fewer than two of either."""

    mean: float
    se: float
    df: float
    seeds: float
    matrices: float
    both: float


def crossed(values: Array) -> Crossed:
    """The mean of values (S, M) over seeds and matrices that are both a sample."""
    count_s, count_m = values.shape
    mean = float(values.mean())
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


def interquartile_mean(values: Array) -> float:
    """The mean of the middle half, (M,)."""
    return float(stats.trim_mean(values, KEPT))


def against_line(
    errors: Mapping[str, Mapping[str, Array]], line: Mapping[str, Array], strategies: Mapping[str, str]
) -> pd.DataFrame:
    """against_line.csv.

    Args:
        errors: variant -> test set -> squared errors of its finished seeds, (S, M).
        line: test set -> those of the predictor to beat on the same matrices, (M,).
        strategies: variant -> its strategy.
    """
    rows = []
    for metric, split in TEST_METRICS.items():
        if split not in line:
            continue
        measured = {variant: sets[split] for variant, sets in errors.items() if split in sets}
        family = [_row(v, strategies[v], metric, values, line[split]) for v, values in measured.items()]
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            told = ("above" if row["difference"] > 0 else "below") if p < ALPHA else "indistinguishable"
            rows.append(row | {"p_holm": p, "standing": "unknown" if math.isnan(p) else told})
    return schema.AGAINST_LINE.frame(rows)


def _row(variant: str, strategy: str, metric: str, errors: Array, line: Array) -> dict[str, Any]:
    found = crossed(errors - line)
    known = found.se > 0
    reach = float(stats.t.ppf(1 - ALPHA / 2, found.df)) * found.se if known else math.nan
    p = float(2 * stats.t.sf(abs(found.mean) / found.se, found.df)) if known else math.nan
    lost = int((errors > LOST * np.quantile(line, 0.99)).sum())
    rate = clopper_pearson(lost, errors.size)
    by_matrix = errors.mean(0)
    return {
        "variant": variant,
        "strategy": strategy,
        "metric": metric,
        "n": errors.shape[0],
        "matrices": errors.shape[1],
        "line": float(line.mean()),
        "difference": found.mean,
        "se": found.se,
        "df": found.df,
        "ci_low": found.mean - reach,
        "ci_high": found.mean + reach,
        "p": p,
        "seed_share": found.seeds,
        "matrix_share": found.matrices,
        "both_share": found.both,
        "median": float(np.median(by_matrix)),
        "line_median": float(np.median(line)),
        "interquartile_mean": interquartile_mean(by_matrix),
        "line_interquartile_mean": interquartile_mean(line),
        "lost": lost,
        "lost_low": rate.low,
        "lost_high": rate.high,
    }
