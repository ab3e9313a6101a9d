"""runs.csv -> summary.csv: one row per variant and metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ired.record import schema
from ired.record.metrics import METRICS, TEST_METRICS
from ired.statistics.samples import Values, mean, sd, t_interval, variance_split


def measured_metrics(runs: pd.DataFrame, metrics: Sequence[str] | None = None) -> list[str]:
    """The metrics to tabulate: those asked for, otherwise every one of METRICS that has a value in `runs`.

    Where every run diverged none has, and all are tabulated: empty rows still count the diverged runs.
    """
    if metrics is not None:
        return list(metrics)
    known = [metric for metric in METRICS if metric in runs]
    return [metric for metric in known if runs[metric].notna().any()] or known


def judged_metrics(runs: pd.DataFrame, metrics: Sequence[str] | None = None) -> list[str]:
    """The metrics in which differences are tested: those asked for, otherwise the measured test errors, otherwise (a
    record without test sets) every measured metric. What selects a run, or says the same in other units, is described
    in summary.csv and not tested again.
    """
    measured = measured_metrics(runs, metrics)
    return measured if metrics is not None else [m for m in measured if m in TEST_METRICS] or measured


def by_variant(runs: pd.DataFrame, metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The runs of each variant in order of seeds, variants in order of appearance.

    A diverged run's metrics are emptied here as well: a number left in such a row must never enter a mean.

    Raises:
        ValueError: a variant has two runs of one seed.
    """
    doubled = runs[runs.duplicated(["variant", "seed"])]
    if len(doubled):
        raise ValueError(
            f"two runs of variant {doubled.iloc[0]['variant']!r}, seed {doubled.iloc[0]['seed']}"
        )
    runs = runs.astype(dict.fromkeys(metrics, "float64"))
    runs.loc[runs["status"] != "finished", list(metrics)] = math.nan
    return {str(name): group.sort_values("seed") for name, group in runs.groupby("variant", sort=False)}


def finite(values: Values) -> Values:
    """The values that are numbers."""
    return values[np.isfinite(values)]


def line_to_beat(reference: pd.DataFrame, metric: str, n: float) -> tuple[float, float]:
    """(MSE, standard error) of the predictor to beat for a metric and matrix size n; NaN where there is
    none.
    """
    split = METRICS[metric].split if metric in METRICS else None
    if split is None or not len(reference):
        return math.nan, math.nan
    line = reference["line"].astype(bool) & (reference["split"] == split) & (reference["n"] == n)
    rows = reference[line]
    if not len(rows):
        return math.nan, math.nan
    return float(rows["mse"].iloc[0]), float(rows["mse_se"].iloc[0])


def _summary_row(group: pd.DataFrame, metric: str, reference: pd.DataFrame) -> dict[str, Any]:
    first = group.iloc[0]
    measured = group[np.isfinite(group[metric].to_numpy(dtype=np.float64))]
    values = measured[metric].to_numpy(dtype=np.float64)
    errors = f"{metric}_se"
    known = measured[errors].to_numpy(dtype=np.float64) if errors in measured else np.empty(0)
    evaluation, between = variance_split(values, known)
    interval = t_interval(values, lowest=0.0)  # every metric is an error
    line, line_se = line_to_beat(reference, metric, first["n"])
    return {
        **{key: first[key] for key in ("experiment", "variant", "strategy", "base", "factor", "level")},
        "metric": metric,
        "n": values.size,
        "n_diverged": int((group["status"] == "diverged").sum()),
        "mean": mean(values),
        "sd": sd(values),
        "ci_low": interval.low,
        "ci_high": interval.high,
        "evaluation_variance": evaluation,
        "seed_variance": between,
        "line": line,
        "line_se": line_se,
        "distance_to_line": mean(values) - line,
        "madds_per_step": _mean_of(group, "madds_per_step"),
        "seconds_per_step": _mean_of(group, "seconds_per_step"),
    }


def _mean_of(group: pd.DataFrame, column: str) -> float:
    return mean(finite(group[column].to_numpy(dtype=np.float64))) if column in group else math.nan


def summarise(
    runs: pd.DataFrame,
    reference: pd.DataFrame,
    metrics: Sequence[str] | None = None,
) -> pd.DataFrame:
    """summary.csv: per variant and metric the mean over finished seeds with its spread, intervals and
    reference line.

    Args:
        runs: rows of runs.csv of one experiment.
        reference: rows of reference.csv; may be empty (no line then).
        metrics: columns of `runs`; every measured one if None.

    Raises:
        ValueError: a variant has two runs of one seed.
    """
    tabulated = measured_metrics(runs, metrics)
    groups = by_variant(runs, tabulated)
    rows = [_summary_row(group, metric, reference) for metric in tabulated for group in groups.values()]
    return schema.SUMMARY.frame(rows)
