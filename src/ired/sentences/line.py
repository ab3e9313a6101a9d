"""Where the variants stand to the line: the MSE of the predictor to beat (reference.csv)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ired.base.format_numbers import count, listed, number, percent
from ired.record.metrics import ALPHA, main_metric, metric_name

COUNTS = {0: "no coefficients", 2: "two coefficients"}


def line_standing(summary: pd.DataFrame) -> pd.Series:
    """Where each row of one metric of summary.csv stands to the line; index as in `summary`.

    above, below: |distance| / standard error exceeds Student's quantile (seeds - 1 degrees of freedom),
    Holm-adjusted over the rows. The squared standard error is sd^2 / n + evaluation variance + line_se^2:
    seeds share one test set, so more seeds do not average its noise away; that model and line are measured
    on the same matrices is not used, which errs towards "indistinguishable". unknown: fewer than two seeds,
    no spread, or no reference line.
    """
    seeds, sd = summary["n"].astype(float), summary["sd"].astype(float)
    evaluation = summary["evaluation_variance"].astype(float).fillna(0.0)
    line = summary["line_se"].astype(float).fillna(0.0)
    distance = summary["distance_to_line"].astype(float)
    error = np.sqrt(sd**2 / seeds.clip(lower=1) + evaluation + line**2)
    standing = pd.Series("unknown", index=summary.index)
    known = (seeds > 1) & (error > 0) & distance.notna()
    if known.any():
        p = 2 * stats.t.sf(np.abs(distance[known] / error[known]), seeds[known] - 1)
        told = multipletests(p, alpha=ALPHA, method="holm")[0]
        side = np.where(distance[known] > 0, "above", "below")
        standing[known] = np.where(told, side, "indistinguishable")
    return standing


def line_sentence(summary: pd.DataFrame, reference: pd.DataFrame, metric: str | None = None) -> str:
    """Where the variants stand to the line in one metric (the leading one if None)."""
    metric = metric or main_metric(summary["metric"])
    rows = summary[summary["metric"] == metric]
    rows = rows[rows["n"] > 0]
    if not len(rows):
        return "No run finished, so nothing can be set against the line to beat."
    rows = rows[rows["line"].notna()]
    lines = reference[reference["line"].astype(bool)]
    if not len(rows) or not len(lines):
        return "No line to beat is known for this metric and matrix size."
    values = sorted(set(rows["line"]))
    value = number(values[0]) if len(values) == 1 else f"{number(values[0])} to {number(values[-1])}"
    standing = line_standing(rows)
    parts = []
    for place, words in (
        ("below", "below it"),
        ("indistinguishable", "not told apart from it by their standard errors"),
        ("above", "above it, hence worse than that"),
        ("unknown", "without a standard error, so not placed"),
    ):
        members = rows[standing == place]
        if len(members):
            names = [
                f"{row['variant']} ({percent(row['distance_to_line'] / row['line'], signed=True)})"
                for _, row in members.iterrows()
            ]
            parts.append(f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words}")
    name = metric_name(str(metric))
    coefficients = int(lines["coefficients"].iloc[0])
    size = COUNTS.get(coefficients) or count(coefficients, "coefficient")
    return f"Against the {lines['label'].iloc[0]} line of {size} ({name} {value}), {'; '.join(parts)}."
