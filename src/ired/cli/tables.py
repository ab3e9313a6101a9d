"""Many runs into tables: experiments, and the study of what a negative is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ired.cli.options import ReferenceCsv, RunsFolder, TablesFolder


def aggregate(
    experiment: Annotated[str, typer.Option(help="What to compare, as JSON.")],
    runs: RunsFolder,
    reference_csv: ReferenceCsv,
    reference_errors: Annotated[Path, typer.Option(help="The scale's reference_errors.npz.")],
    out: TablesFolder,
) -> None:
    """Many runs into tables: intervals, contrasts, learning curves, diagnostics."""
    from ired.base.hashing import fingerprint
    from ired.tables.aggregate import aggregate as aggregate_runs
    from ired.tables.specification import ExperimentSpec

    spec = ExperimentSpec.model_validate_json(experiment)
    aggregate_runs(runs, reference_csv, reference_errors, spec, out, fingerprint)


def tune(
    cells: Annotated[str, typer.Option(help="The trials of every arm, as JSON.")],
    runs: RunsFolder,
    out: Annotated[Path, typer.Option(help="tuning.csv to write.")],
) -> None:
    """Choose each arm's learning rate and weight from its trials."""
    from ired.base.hashing import fingerprint
    from ired.tables.cells import parse
    from ired.tables.tuning import write_tuning

    write_tuning(runs, parse(cells), out, fingerprint)


def worth(
    cells: Annotated[str, typer.Option(help="The judged runs of every arm, as JSON.")],
    runs: RunsFolder,
    reference_csv: ReferenceCsv,
    out: TablesFolder,
) -> None:
    """How much compute each arm saves: runs, curves and multipliers."""
    from ired.base.hashing import fingerprint
    from ired.tables.cells import parse
    from ired.tables.worth import write_worth

    write_worth(runs, reference_csv, parse(cells), out, fingerprint)
