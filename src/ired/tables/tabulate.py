"""The runs of one experiment, as read from their folders, in the shape of its tables (docs/tables.md)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ired.record import schema
from ired.record.run_folder import Run
from ired.record.table import Table
from ired.statistics import against_line, contrast, effects, equal_compute, judged, nominate, summarise
from ired.statistics.crossed import MatrixErrors
from ired.tables.specification import ExperimentSpec, VariantSpec


def tabulate(
    runs: list[tuple[VariantSpec, Run]],
    reference: pd.DataFrame,
    line: Mapping[str, NDArray[np.float64]],
    experiment: ExperimentSpec,
) -> dict[str, pd.DataFrame]:
    """Every table of the experiment by name. line: test set -> errors of the predictor to beat, problem by problem."""
    table = runs_table(runs, experiment.name)
    curves = learning_curves(run for _, run in runs)
    errors = errors_by_variant(runs)
    tables = {
        "reference": reference,
        "runs": table,
        "summary": summarise(table, reference),
        "against_line": against_line(errors, line, {run.variant: run.metrics.strategy for _, run in runs}),
        "contrasts": contrast(
            table, experiment.comparisons, experiment.margin, errors=errors, reference=reference
        ),
        "effects": effects(table, experiment.effects),
        "nominations": nominate(table, experiment.comparisons, experiment.margin, reference),
        "learning_curves": curves,
        "budget": equal_compute(curves, table),
    }
    for name in schema.DIAGNOSTICS:
        found = [_keyed(run.diagnostics[name], run) for _, run in runs if name in run.diagnostics]
        tables[name] = _stacked(found, schema.TABLES[name])
    return judged(tables)


def errors_by_variant(runs: Iterable[tuple[VariantSpec, Run]]) -> MatrixErrors:
    """The squared errors of every finished run."""
    found: dict[str, dict[str, dict[int, NDArray[np.float64]]]] = {}
    for _, run in runs:
        for split, errors in run.errors.items():
            rows = found.setdefault(run.variant, {}).setdefault(split, {})
            rows[run.metrics.seed] = errors.astype(np.float64)
    return {
        variant: {split: pd.DataFrame(rows).T for split, rows in sets.items()}
        for variant, sets in found.items()
    }


def runs_table(runs: list[tuple[VariantSpec, Run]], experiment: str) -> pd.DataFrame:
    """runs.csv. A diverged run keeps its row; what it measured before it diverged is left out."""
    return schema.RUNS.frame([_runs_row(variant, run, experiment) for variant, run in runs])


def _runs_row(variant: VariantSpec, run: Run, experiment: str) -> dict[str, Any]:
    metrics, compat = run.metrics, run.config["release_compat"]
    row: dict[str, Any] = dict.fromkeys(schema.RUNS.names) | {
        "experiment": experiment,
        "variant": variant.variant,
        "task": run.config["problem"].get("task", "inversion"),
        "network": run.config["network"]["kind"],
        "shared_clip": compat["shared_clip"],
        "doubled_step": compat["doubled_step"],
        "base": variant.base,
        "factor": variant.factor,
        "level": variant.level,
        **metrics.model_dump(exclude={"test", "mse_validation", "best_mse_validation", "best_step"}),
        "seconds_per_step": run.provenance.get("seconds_per_step"),
        "train_seconds": run.provenance.get("train_seconds"),
    }
    if metrics.status == "finished" and metrics.test is not None:
        row |= metrics.model_dump(include={"mse_validation", "best_mse_validation", "best_step"})
        row["test_matrices"] = metrics.test.id.matrices
        for split, result in (("id", metrics.test.id), ("ood", metrics.test.ood)):
            row |= {
                f"mse_{split}": result.mse,
                f"mse_{split}_se": result.mse_se,
                f"residual_{split}": result.residual,
            }
    return row


def _keyed(table: pd.DataFrame, run: Run) -> pd.DataFrame:
    """The table of one run with the three columns that say whose it is in front."""
    keyed = table.copy(deep=False)
    keyed.insert(0, "variant", run.variant)
    keyed.insert(1, "strategy", run.metrics.strategy)
    keyed.insert(2, "seed", run.metrics.seed)
    return keyed


def _stacked(tables: list[pd.DataFrame], expected: Table) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return expected.frame(pd.concat(filled, ignore_index=True) if filled else [])


def learning_curves(runs: Iterable[Run]) -> pd.DataFrame:
    """learning_curves.csv: the histories, with compute and time counted up from the cost of one step."""
    tables = []
    for run in runs:
        seconds = run.provenance.get("seconds_per_step")
        table = _keyed(run.history, run)
        table["madds"] = table["step"] * run.metrics.madds_per_step
        table["seconds"] = table["step"] * (math.nan if seconds is None else float(seconds))
        tables.append(table)
    return _stacked(tables, schema.LEARNING_CURVES)
