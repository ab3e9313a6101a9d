"""Shipped tables of studies of worth, and what a page says of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ired.record.schema import WORTH
from ired.sentences.worth import at_largest_budget

SHIPPED = Path(__file__).parents[2] / "results/shipped"


def words_of(page: Path) -> str:
    """A page with its lines joined."""
    return " ".join(page.read_text().split())


def worth_tables(study: str) -> dict[str, pd.DataFrame]:
    """Every table of a study, by its folder in results/shipped."""
    return {name: table.read(SHIPPED / study / f"{name}.csv") for name, table in WORTH.items()}


def with_ends(row: pd.Series, name: str, digits: str = "#.3g") -> str:
    """A value and its interval as the page writes them."""
    value, low, high = (f"{row[column]:{digits}}" for column in (name, "ci_low", "ci_high"))
    return f"{value} ({low} to {high})"


def readings(multipliers: pd.DataFrame, reading: str = "all") -> pd.DataFrame:
    """One reading an arm, counted multiply-adds and ID: shared by all budgets, at the largest (`at`), or the slope."""
    by = multipliers.query("compute == 'madds' and metric == 'mse_id'")
    return at_largest_budget(by) if reading == "at" else by[by["reading"] == reading].set_index("arm")
