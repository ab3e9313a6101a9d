"""The diagnostics of one run: its published folder and the held-out sets in, a table each out."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pandas as pd

from ired.diagnostics.subject import Diagnostic, Subject
from ired.record.schema import DIAGNOSTICS


def diagnostic(name: str) -> Diagnostic:
    """The diagnostic that fills the table of that name."""
    found: Diagnostic = import_module(f"ired.diagnostics.{name}").DIAGNOSTIC
    return found


def diagnose(run_dir: Path, data: Path, matrices: int, out_dir: Path, device: str = "cpu") -> None:
    """Write every diagnostic table of a run, on the first `matrices` problems of the validation and test sets.

    What a diagnostic makes no sense of leaves its table there and empty, so that every run folder holds the same files.
    """
    subject = Subject(run_dir, data, matrices, device)
    for name, table in DIAGNOSTICS.items():
        found = diagnostic(name)
        rows = found.compute(subject) if found.applies(subject) else pd.DataFrame(columns=table.names)
        table.write(rows, out_dir / f"{name}.csv")
