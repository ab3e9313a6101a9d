"""tuning.csv: every trial of a study of worth, and what it chose for each arm at each budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ired.base.errors import UserError
from ired.record import schema
from ired.record.run_folder import Fingerprint
from ired.statistics.worth import expected_best, has_double, steady_errors
from ired.tables.cells import Cells, WorthSpec, log_validation, read_cells
from ired.tables.equal_rates import equal_rates_table


def write_tuning(runs_dir: Path, spec: WorthSpec, out: Path, fingerprint_of: Fingerprint | None) -> None:
    """Read every trial and write tuning.csv to `out` and equal_rates.csv beside it; errors as of `read_cells`, and
    where no trial of an arm ended."""
    cells, _ = read_cells(runs_dir, spec, "tuning", fingerprint_of)
    tuning = tuning_table(cells)
    schema.EQUAL_RATES.write(equal_rates_table(cells, spec.baseline), out.with_name("equal_rates.csv"))
    schema.TUNING.write(tuning, out)


def tuning_table(cells: Cells) -> pd.DataFrame:
    """tuning.csv.

    Raises:
        UserError: at some budget no trial of an arm is steady.
    """
    rows: list[dict[str, Any]] = []
    for arm, steps in dict.fromkeys((cell.arm, cell.steps) for cell, _ in cells):
        group = [(cell, runs) for cell, runs in cells if (cell.arm, cell.steps) == (arm, steps)]
        errors = np.array([float(np.exp(log_validation(runs).mean())) for _, runs in group])
        rates = np.array([cell.learning_rate for cell, _ in group])
        steady = np.full(len(group), np.nan)
        for weight in {cell.weight for cell, _ in group}:
            alike = np.array([cell.weight == weight for cell, _ in group])
            steady[alike] = steady_errors(rates[alike], errors[alike])
        if not np.isfinite(steady).any():
            raise UserError(
                f"tuning: arm {arm} at {steps} steps has no learning rate with which, and with twice of which, every "
                "trial ended; try smaller ones"
            )
        best = int(np.nanargmin(steady))
        could_win = rates[has_double(rates)]
        # A diverged trial is a bad one, not none: it counts as bad as the worst that ended.
        expected = expected_best(np.where(np.isfinite(errors), errors, np.nanmax(errors)))
        for k, (cell, runs) in enumerate(group):
            rows.append(
                {
                    "arm": arm,
                    "strategy": runs[0].metrics.strategy,
                    "steps": steps,
                    "learning_rate": cell.learning_rate,
                    "weight": cell.weight,
                    "n": len(runs),
                    "n_diverged": sum(run.metrics.status == "diverged" for run in runs),
                    "mse_validation": errors[k],
                    "steady": steady[k],
                    "nominated": k == best,
                    "at_edge": k == best and cell.learning_rate in (could_win.min(), could_win.max()),
                    "trials": k + 1,
                    "expected_best": expected[k],
                }
            )
    return schema.TUNING.frame(rows)
