"""Where the variants stand to the affine line: the MSE of the best map a I + b A, two coefficients in all."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ired.base.format_numbers import listed, main_metric, metric_name, number, percent


def affine_standing(summary: pd.DataFrame, alpha: float = 0.05) -> pd.Series:
    """Where each row of one metric of summary.csv stands to the affine line; index as in `summary`.

    above, below: |distance| / standard error exceeds Student's quantile (seeds - 1 degrees of freedom),
    Holm-adjusted over the rows. The squared standard error is sd^2 / n + evaluation variance + affine_se^2:
    seeds share one test set, so more seeds do not average its noise away; that model and line are measured
    on the same matrices is not used, which errs towards "indistinguishable". unknown: fewer than two seeds,
    no spread, or no reference line.
    """
    seeds, sd = summary["n"].astype(float), summary["sd"].astype(float)
    evaluation = summary["evaluation_variance"].astype(float).fillna(0.0)
    line = summary["affine_se"].astype(float).fillna(0.0)
    distance = summary["distance_to_affine"].astype(float)
    error = np.sqrt(sd**2 / seeds.clip(lower=1) + evaluation + line**2)
    standing = pd.Series("unknown", index=summary.index)
    known = (seeds > 1) & (error > 0) & distance.notna()
    if known.any():
        p = 2 * stats.t.sf(np.abs(distance[known] / error[known]), seeds[known] - 1)
        told = multipletests(p, alpha=alpha, method="holm")[0]
        side = np.where(distance[known] > 0, "above", "below")
        standing[known] = np.where(told, side, "indistinguishable")
    return standing


def affine_sentence(summary: pd.DataFrame, alpha: float = 0.05, metric: str | None = None) -> str:
    """Where the variants stand to the affine line in one metric (the leading one if None)."""
    metric = metric or main_metric(summary)
    rows = summary[summary["metric"] == metric]
    rows = rows[rows["n"] > 0]
    if not len(rows):
        return "No run finished, so nothing can be set against the affine line."
    rows = rows[rows["affine"].notna()]
    if not len(rows):
        return "No affine reference line is known for this metric and matrix size."
    lines = sorted(set(rows["affine"]))
    value = number(lines[0]) if len(lines) == 1 else f"{number(lines[0])} to {number(lines[-1])}"
    standing = affine_standing(rows, alpha)
    parts = []
    for place, words in (
        ("below", "below it"),
        ("indistinguishable", "not told apart from it by their standard errors"),
        ("above", "above it, worse than a line through the data"),
        ("unknown", "without a standard error, so not placed"),
    ):
        members = rows[standing == place]
        if len(members):
            names = [
                f"{row['variant']} ({percent(row['distance_to_affine'] / row['affine'], signed=True)})"
                for _, row in members.iterrows()
            ]
            parts.append(f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words}")
    name = metric_name(str(metric))
    return f"Against the affine line of two coefficients ({name} {value}), {'; '.join(parts)}."
