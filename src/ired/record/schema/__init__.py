"""Every table of a study, declared once: written, read and documented (docs/tables.md) from here.

This package imports neither pandas nor torch, so that a plan of the workflow can ask it for names. Must not import
anything but `record/table.py` and `record/metrics.py`.
"""

from __future__ import annotations

from ired.record.schema.columns import RUN_KEYS
from ired.record.schema.diagnostics import DIAGNOSTICS
from ired.record.schema.experiment import (
    AGAINST_LINE,
    BUDGET,
    CONTRASTS,
    EFFECTS,
    HISTORY,
    LEARNING_CURVES,
    NOMINATIONS,
    REFERENCE,
    RUNS,
    SUMMARY,
)
from ired.record.schema.published import PUBLISHED, PUBLISHED_TABLE
from ired.record.schema.worth import EQUAL_RATES, MULTIPLIERS, TUNING, WORTH, WORTH_CURVES, WORTH_RUNS
from ired.record.table import Table

# Every table of an experiment's folder, by name.
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        REFERENCE, RUNS, SUMMARY, AGAINST_LINE, CONTRASTS, EFFECTS, NOMINATIONS, LEARNING_CURVES, BUDGET,
        *(table.keyed(*RUN_KEYS) for table in DIAGNOSTICS.values()),
    )
}  # fmt: skip

__all__ = [
    "AGAINST_LINE",
    "BUDGET",
    "CONTRASTS",
    "DIAGNOSTICS",
    "EFFECTS",
    "EQUAL_RATES",
    "HISTORY",
    "LEARNING_CURVES",
    "MULTIPLIERS",
    "NOMINATIONS",
    "PUBLISHED",
    "PUBLISHED_TABLE",
    "REFERENCE",
    "RUNS",
    "RUN_KEYS",
    "SUMMARY",
    "TABLES",
    "TUNING",
    "WORTH",
    "WORTH_CURVES",
    "WORTH_RUNS",
]
