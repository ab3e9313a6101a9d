"""Columns as they are declared, and those that many tables share."""

from __future__ import annotations

from ired.record.metrics import LEVEL
from ired.record.table import Column, Kind


def _columns(kind: Kind, *described: str) -> tuple[Column, ...]:
    """Columns of one kind, each written as "name" or "name: meaning"."""
    parts = (text.partition(": ") for text in described)
    return tuple(Column(name, kind, " ".join(meaning.split())) for name, _, meaning in parts)


def numbers(*described: str) -> tuple[Column, ...]:
    """Columns of numbers, each written as "name" or "name: meaning"."""
    return _columns("number", *described)


def integers(*described: str) -> tuple[Column, ...]:
    """Likewise, of whole numbers."""
    return _columns("integer", *described)


def words(*described: str) -> tuple[Column, ...]:
    """Likewise, of text."""
    return _columns("word", *described)


def flags(*described: str) -> tuple[Column, ...]:
    """Likewise, of True or False."""
    return _columns("flag", *described)


EXPERIMENT, VARIANT, STRATEGY = words("experiment", "variant", "strategy")
(SEED,) = integers("seed")
RUN_KEYS = (VARIANT, STRATEGY, SEED)
SWEPT = words(
    "base: the variant that is swept; empty elsewhere",
    "factor: the sweep's key",
    "level: this variant's value of it",
)
INTERVAL = numbers("ci_low", f"ci_high: {LEVEL} t-interval over seeds")
VERDICT = words(
    """verdict: better, worse, equivalent, better_within_margin, worse_within_margin, undecided""", "sentence"
)
