"""learning_curves.csv -> budget.csv: every variant at one amount of arithmetic, and beside it at one number
of steps.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ired.record import schema
from ired.statistics.samples import Values, mean, t_interval


def _at(curve: pd.DataFrame, axis: str, position: float) -> float:
    """A run's validation MSE at a position of `axis` (madds or step), on the straight line between two
    validations.

    Reading off the last validation instead would set back the variant whose validations are further apart in
    compute. NaN before the first validation: nothing was measured there.
    """
    return float(
        np.interp(position, curve[axis].to_numpy(), curve["mse_validation"].to_numpy(), left=math.nan)
    )


def _values(curves: list[pd.DataFrame], axis: str, position: float) -> Values:
    values = np.array([_at(curve, axis, position) for curve in curves], dtype=np.float64)
    return values[np.isfinite(values)]


def _common(curves: dict[str, list[pd.DataFrame]], axis: str) -> float:
    """The furthest position of `axis` up to which every curve was validated; NaN without curves."""
    ends = [float(curve[axis].iloc[-1]) for group in curves.values() for curve in group]
    return min(ends, default=math.nan)


def equal_compute(learning_curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """budget.csv: mean validation MSE of each variant at equal compute and at equal steps, with t-intervals
    over seeds.

    The common compute is the largest number of multiply-adds that every finished run was validated up to.
    Diverged runs have no say in it (one early divergence would move the comparison of all others to its own
    first steps); they are counted in summary.csv. Learning-rate schedules end with the full run, so at equal
    compute a cheaper variant is read at its end and a dearer one before it: the table says how far each got,
    not how far it could get.

    Args:
        learning_curves: rows of learning_curves.csv of one experiment; steps in ascending order per run.
        runs: rows of runs.csv of the same experiment; gives status, cost per step and the order of variants.
    """
    finished = runs.loc[runs["status"] == "finished", ["variant", "seed"]]
    validated = learning_curves[learning_curves["mse_validation"].notna()]
    curves: dict[str, list[pd.DataFrame]] = {str(name): [] for name in runs["variant"].unique()}
    kept = validated.merge(finished, on=["variant", "seed"])
    for (variant, _), curve in kept.groupby(["variant", "seed"], sort=True):
        curves[str(variant)].append(curve)
    madds, steps = _common(curves, "madds"), _common(curves, "step")
    first_rows = {str(row["variant"]): row for row in runs.drop_duplicates("variant").to_dict("records")}
    rows = []
    for variant, group in curves.items():
        first = first_rows[variant]
        at_compute, at_steps = _values(group, "madds", madds), _values(group, "step", steps)
        compute_interval, step_interval = t_interval(at_compute, lowest=0.0), t_interval(at_steps, lowest=0.0)
        rows.append(
            {
                "experiment": first["experiment"],
                "variant": variant,
                "strategy": first["strategy"],
                "n": at_compute.size,
                "madds": madds,
                "step": _whole(madds / float(first["madds_per_step"])) if group else None,
                "mse_validation_mean": mean(at_compute),
                "ci_low": compute_interval.low,
                "ci_high": compute_interval.high,
                "equal_step": _whole(steps),
                "equal_step_mean": mean(at_steps),
                "equal_step_ci_low": step_interval.low,
                "equal_step_ci_high": step_interval.high,
            }
        )
    return schema.BUDGET.frame(rows)


def _whole(steps: float) -> int | None:
    """Full steps, and 3 where rounding says 2.9999999; None for NaN."""
    return None if math.isnan(steps) else math.floor(steps + 1e-9)
