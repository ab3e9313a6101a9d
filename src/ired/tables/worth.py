"""The tables of the study of what a negative is worth: judged runs, curves, multipliers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ired.base.files import write_json
from ired.record import schema
from ired.record.metrics import ALPHA, VERDICT_SEEDS
from ired.record.run_folder import Fingerprint
from ired.statistics import holm, t_interval
from ired.statistics.worth import (
    Curve,
    Estimate,
    clopper_pearson,
    log_error_ratio,
    log_multiplier,
    slope,
)
from ired.tables.cells import Cells, WorthSpec, read_cells

COMPUTE = ("madds", "seconds")
METRICS = ("mse_id", "mse_ood")


def write_worth(
    runs_dir: Path, reference_csv: Path, spec: WorthSpec, out: Path, fingerprint_of: Fingerprint | None
) -> None:
    """Read every judged run and write the tables to the folder `out`; errors as of `read_cells`."""
    cells, facts = read_cells(runs_dir, spec, "worth", fingerprint_of)
    reference = schema.REFERENCE.read(reference_csv)
    runs = runs_table(cells)
    curves = curves_table(runs, spec, _zero(reference))
    multipliers = multipliers_table(runs, spec, _zero(reference))
    tables = {"worth_runs": runs, "worth_curves": curves, "multipliers": multipliers}
    for name, table in tables.items():
        schema.WORTH[name].write(table, out / f"{name}.csv")
    schema.REFERENCE.write(reference, out / "reference.csv")
    write_json(out / "provenance.json", facts)


def _zero(reference: pd.DataFrame) -> dict[str, float]:
    """The error of answering zero, by metric: what a diverged run is given."""
    zero = reference[reference["predictor"] == "zero"].set_index("split")["mse"]
    return {metric: float(zero[metric.removeprefix("mse_")]) for metric in METRICS}


def runs_table(cells: Cells) -> pd.DataFrame:
    """worth_runs.csv."""
    rows = []
    for cell, runs in cells:
        for run in runs:
            metrics, test = run.metrics, run.metrics.test
            pack = run.provenance.get("seeds_per_job", 1)
            rows.append(
                {
                    **{
                        name: getattr(cell, name)
                        for name in ("arm", "variant", "steps", "learning_rate", "weight")
                    },
                    "strategy": metrics.strategy,
                    "seed": metrics.seed,
                    "status": metrics.status,
                    "fingerprint": metrics.fingerprint,
                    "madds": float(metrics.madds_per_step) * cell.steps,
                    "seconds": float(run.provenance["seconds_per_step"]) / pack,
                    "mse_id": test.id.mse if test else math.nan,
                    "mse_id_se": test.id.mse_se if test else math.nan,
                    "mse_ood": test.ood.mse if test else math.nan,
                    "mse_ood_se": test.ood.mse_se if test else math.nan,
                    "mse_validation": math.nan if metrics.mse_validation is None else metrics.mse_validation,
                }
            )
    table = schema.WORTH_RUNS.frame(rows)
    # Other work on the machine can only add to a time, so the fastest of an arm's runs is the nearest to its cost.
    table["seconds"] = table.groupby("arm")["seconds"].transform("min") * table["steps"]
    return table


def _errors(cell: pd.DataFrame, metric: str, zero: dict[str, float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The seeds' errors of one cell, in the order of seeds; a diverged run's is that of answering zero."""
    return cell.sort_values("seed")[metric].fillna(zero[metric]).to_numpy(np.float64)


def curves_table(runs: pd.DataFrame, spec: WorthSpec, zero: dict[str, float]) -> pd.DataFrame:
    """worth_curves.csv."""
    rows = []
    for metric in METRICS:
        for (arm, steps), cell in runs.groupby(["arm", "steps"], sort=False):
            errors = _errors(cell, metric, zero)
            logs, interval = np.log(errors), t_interval(np.log(errors))
            relative = (cell[f"{metric}_se"] / cell[metric]).dropna().to_numpy(np.float64)
            spread = float(logs.std(ddof=1)) if logs.size > 1 else math.nan
            bad = int((errors > spec.precise).sum())
            rate = clopper_pearson(bad, errors.size)
            rows.append(
                {
                    "arm": arm,
                    "strategy": cell["strategy"].iloc[0],
                    "steps": steps,
                    "metric": metric,
                    **{name: cell[name].iloc[0] for name in ("learning_rate", "weight", "madds", "seconds")},
                    "n": errors.size,
                    "n_diverged": int((cell["status"] == "diverged").sum()),
                    "geometric_mean": float(np.exp(logs.mean())),
                    "ci_low": math.exp(interval.low),
                    "ci_high": math.exp(interval.high),
                    "sd_log": spread,
                    "evaluation_share": min(float(np.mean(relative**2)) / spread**2, 1.0)
                    if spread
                    else math.nan,
                    "imprecise": bad,
                    "imprecise_low": rate.low,
                    "imprecise_high": rate.high,
                }
            )
    return schema.WORTH_CURVES.frame(rows)


def multipliers_table(runs: pd.DataFrame, spec: WorthSpec, zero: dict[str, float]) -> pd.DataFrame:
    """multipliers.csv."""
    groups = []
    strategies = {str(arm): str(rows["strategy"].iloc[0]) for arm, rows in runs.groupby("arm")}
    for compute in COMPUTE:
        for metric in METRICS:
            curves = {
                str(arm): _curve(rows, compute, metric, zero) for arm, rows in runs.groupby("arm", sort=False)
            }
            steps = {str(arm): sorted(set(rows["steps"])) for arm, rows in runs.groupby("arm", sort=False)}
            arms = [arm for arm in curves if arm != spec.baseline]
            rows = [
                row | {"arm": arm, "strategy": strategies[arm], "compute": compute, "metric": metric}
                for arm in arms
                for row in _readings(curves[arm], curves[spec.baseline], steps[arm])
            ]
            groups += _judged(rows)
    return schema.MULTIPLIERS.frame(groups)


def _curve(rows: pd.DataFrame, compute: str, metric: str, zero: dict[str, float]) -> Curve:
    cells = [cell for _, cell in rows.groupby("steps", sort=True)]
    spent = np.log([float(cell[compute].iloc[0]) for cell in cells])
    return Curve(spent, np.log(np.stack([_errors(cell, metric, zero) for cell in cells])))


def _readings(arm: Curve, baseline: Curve, steps: Sequence[int]) -> Iterable[dict[str, Any]]:
    """The rows of one arm: m at each budget, the m of all budgets, and its slope."""
    budgets, seeds = list(range(len(steps))), arm.log_error.shape[1]
    unknown = Estimate(math.nan, math.nan, math.nan, math.nan)
    for k in budgets:
        ratio = log_error_ratio(arm, baseline, k)
        yield _row(
            "at", steps[k], seeds, arm.log_compute[k], log_multiplier(arm, baseline, [k]), ratio, math.exp
        )
    pooled = log_multiplier(arm, baseline, budgets)
    yield _row("all", steps[-1], seeds, arm.log_compute[-1], pooled, unknown, math.exp)
    yield _row("slope", steps[-1], seeds, arm.log_compute[-1], slope(arm, baseline), unknown, float)


def _row(
    reading: str, steps: int, seeds: int, log_compute: float, found: Estimate, ratio: Estimate, scale: Any
) -> dict[str, Any]:
    def shown(value: float, by: Any = scale) -> float:
        return by(value) if math.isfinite(value) else math.nan

    bound = None if math.isfinite(found.value) else "at_least" if found.value > 0 else "at_most"
    return {
        "reading": reading,
        "steps": steps,
        "n": seeds,
        "compute_spent": math.exp(log_compute),
        "value": shown(found.value),
        "ci_low": shown(found.low),
        "ci_high": shown(found.high),
        "bound": None if math.isnan(found.value) else bound,
        "p": found.p,
        "error_ratio": shown(ratio.value, math.exp),
        "error_ratio_low": shown(ratio.low, math.exp),
        "error_ratio_high": shown(ratio.high, math.exp),
        "sign": np.sign(found.value) if not math.isnan(found.value) else 0.0,
    }


def _judged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Holm-adjusted p over the arms for each reading (of `at`: each budget), and what may be said."""
    for key in dict.fromkeys((row["reading"], row["steps"]) for row in rows):
        family = [row for row in rows if (row["reading"], row["steps"]) == key]
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            sure = row["n"] >= VERDICT_SEEDS and p < ALPHA and row["reading"] != "slope"
            row |= {
                "p_holm": p,
                "verdict": ("saves" if row["sign"] > 0 else "wastes") if sure else "undecided",
            }
    return [{k: v for k, v in row.items() if k != "sign"} for row in rows]
