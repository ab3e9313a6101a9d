"""against_line.csv: every variant against the predictor to beat, matrix by matrix.

Model and line answer the same matrices, so what is tested is the difference on each: e_sm - l_m for seed s and matrix
m, of which seeds and matrices are both a sample (`crossed`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ired.record import schema
from ired.record.metrics import ALPHA, TEST_METRICS
from ired.statistics.crossed import MatrixErrors, crossed
from ired.statistics.family import holm
from ired.statistics.worth import clopper_pearson

Array = NDArray[np.float64]
LOST = 10.0  # an answer is lost whose error exceeds so many times the line's 99th percentile
KEPT = 0.25  # the interquartile mean leaves out this share of matrices at each end


def interquartile_mean(values: Array) -> float:
    """The mean of the middle half, (M,)."""
    return float(stats.trim_mean(values, KEPT))


def against_line(
    errors: MatrixErrors, line: Mapping[str, Array], strategies: Mapping[str, str]
) -> pd.DataFrame:
    """against_line.csv.

    Args:
        errors: variant -> test set -> squared errors, a row for each finished seed, a column for each matrix.
        line: test set -> those of the predictor to beat on the same matrices, (M,).
        strategies: variant -> its strategy.
    """
    rows = []
    for metric, split in TEST_METRICS.items():
        if split not in line:
            continue
        measured = {variant: sets[split].to_numpy() for variant, sets in errors.items() if split in sets}
        family = [_row(v, strategies[v], metric, values, line[split]) for v, values in measured.items()]
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            told = ("above" if row["difference"] > 0 else "below") if p < ALPHA else "indistinguishable"
            rows.append(row | {"p_holm": p, "standing": "unknown" if math.isnan(p) else told})
    return schema.AGAINST_LINE.frame(rows)


def _row(variant: str, strategy: str, metric: str, errors: Array, line: Array) -> dict[str, Any]:
    found = crossed(errors - line)
    p = float(2 * stats.t.sf(abs(found.mean) / found.se, found.df)) if found.se > 0 else math.nan
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
        "ci_low": found.interval.low,
        "ci_high": found.interval.high,
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
