"""Many run folders -> the tables of one experiment (columns: docs/tables.md)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ired.base.errors import UserError
from ired.base.files import write_json
from ired.base.format_numbers import listed
from ired.record import schema
from ired.record.errors import Errors, read_errors
from ired.record.read import FileFault
from ired.record.run_folder import Fingerprint, Run, read_run
from ired.tables.specification import ExperimentSpec, VariantSpec
from ired.tables.tabulate import tabulate

SHOWN = 3  # files named in an error: enough to find the trouble, few enough for one line
CURES = {
    "missing": "ask for them by their paths (snakemake --profile … {paths}), or take their seeds out of the experiment",
    "invalid": "delete the file and run again the step that makes it",
    "mismatch": "delete the run folder and train it again: its files come from different configurations",
    "protocol": "train these runs again, or set the protocol back to theirs",
}


def aggregate(
    runs_dir: Path,
    reference_csv: Path,
    reference_errors: Path,
    experiment: ExperimentSpec,
    out_dir: Path,
    fingerprint_of: Fingerprint | None = None,
) -> dict[str, pd.DataFrame]:
    """Read every run of an experiment and write its tables to `out_dir`, or nothing if anything is wrong.

    Args:
        runs_dir: holds `{variant}/seed{seed}/`.
        reference_csv: the reference predictors of the scale, which become one of the tables.
        reference_errors: their errors, problem by problem.
        experiment: which runs, and which comparisons.
        out_dir: made if absent. Equal runs give equal bytes.
        fingerprint_of: computes the fingerprint of a config.json, to be set against the one in metrics.json.

    Returns:
        The tables by name, as written.

    Raises:
        UserError: a file is missing, cut off, of another protocol, or does not fit the files beside it.
    """
    runs = read_runs(runs_dir, experiment, fingerprint_of)
    reference = schema.REFERENCE.read(reference_csv)
    tables = tabulate(runs, reference, line_errors(reference, read_errors(reference_errors)), experiment)
    for name, table in tables.items():
        schema.TABLES[name].write(table, out_dir / f"{name}.csv")
    write_json(out_dir / "provenance.json", provenance(runs, experiment))
    return tables


def line_errors(reference: pd.DataFrame, errors: Errors) -> dict[str, NDArray[np.float64]]:
    """Test set -> errors of the predictor to beat, (M,), of all predictors' `{predictor}.{test set}`."""
    rows = reference[reference["line"].astype(bool)]
    return {
        str(split): errors[f"{name}.{split}"].astype(np.float64)
        for name, split in rows[["predictor", "split"]].itertuples(index=False)
    }


def read_runs(
    runs_dir: Path,
    experiment: ExperimentSpec,
    fingerprint_of: Fingerprint | None = None,
    errors: bool = True,
) -> list[tuple[VariantSpec, Run]]:
    """Every run of the experiment, in order of its variants and seeds; `errors`: with those of every problem.

    Raises:
        UserError: names the files in trouble (all are looked at first, so the cure is complete) and the cure.
    """
    runs: list[tuple[VariantSpec, Run]] = []
    faults: list[FileFault] = []
    for variant, seed in experiment.runs():
        folder = runs_dir / variant.variant / f"seed{seed}"
        try:
            run = read_run(
                *(folder, variant.variant, seed, experiment.protocol, variant.fingerprint, fingerprint_of),
                diagnosed=experiment.diagnosed,
                errors=errors,
            )
            runs.append((variant, run))
        except FileFault as fault:
            faults.append(fault)
    if faults:
        raise _user_error(faults, experiment)
    _refuse_mixed_devices(runs, experiment)
    return runs


def _refuse_mixed_devices(runs: list[tuple[VariantSpec, Run]], experiment: ExperimentSpec) -> None:
    """Kinds of device draw other random numbers, so runs of one seed would not be pairs."""
    found: dict[str, list[str]] = {}
    for variant, run in runs:
        device = str(run.provenance.get("hardware", {}).get("device", "cpu")).partition(":")[0]
        found.setdefault(device, []).append(f"{variant.variant} seed {run.metrics.seed}")
    if len(found) > 1:
        fewest = min(found, key=lambda device: len(found[device]))
        kinds = ", ".join(f"{len(names)} on {device}" for device, names in found.items())
        raise UserError(
            f"experiment {experiment.name}: runs were made on different kinds of device ({kinds}), which "
            f"draw other random numbers; train those on {fewest} again: {listed(found[fewest])}"
        )


def _user_error(faults: list[FileFault], experiment: ExperimentSpec) -> UserError:
    """One line about the most basic kind of trouble: the others may be gone once it is."""
    kind = next(kind for kind in CURES if any(fault.kind == kind for fault in faults))
    alike = [fault.brief for fault in faults if fault.kind == kind]
    more = f" and {len(alike) - SHOWN} more" if len(alike) > SHOWN else ""
    subject = {
        "missing": "files are missing",
        "invalid": "files cannot be used",
        "mismatch": "runs do not fit their configuration",
        "protocol": f"runs are not of protocol {experiment.protocol}",
    }[kind]
    files = "; ".join(alike[:SHOWN])
    paths = " ".join([str(fault.path) for fault in faults if fault.kind == kind][:SHOWN])
    cure = CURES[kind].format(paths=paths)
    return UserError(f"experiment {experiment.name}: {subject}: {files}{more}; {cure}")


def provenance(runs: list[tuple[VariantSpec, Run]], experiment: ExperimentSpec) -> dict[str, Any]:
    """Which commits, packages and machines the runs come from, each with its number of runs."""
    merged: dict[str, Any] = {
        "experiment": experiment.name,
        "protocol": experiment.protocol,
        "runs": dict(Counter(run.metrics.status for _, run in runs)),
    }
    for key in ("git", "packages", "hardware", "kernel", "host"):
        values = [run.provenance.get(key) for _, run in runs]
        texts = Counter(json.dumps(value, sort_keys=True) for value in values)
        merged[key] = [{"value": json.loads(text), "runs": texts[text]} for text in sorted(texts)]
    return merged
