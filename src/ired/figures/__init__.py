"""Figures: tables in, pictures out. Must not import torch, training or tasks; nothing here computes a statistic.

Every module of this folder is one figure: its value `FIGURE` says its title, its tables, its caption, how to
read it, and draws it. What figures are built from is in `toolkit`.

The names of all figures are those of the modules, so a plan of the workflow learns them without importing
pandas or matplotlib.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from ired.base.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from ired.figures.toolkit.figure import Figure
    from ired.figures.toolkit.sheet import Sheet

FIGURES: tuple[str, ...] = tuple(
    sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
)


def figure(name: str) -> Figure:
    """The figure of that name.

    Raises:
        UserError: no figure has that name.
    """
    if name not in FIGURES:
        raise UserError(f"no figure is called {name!r}; there are {', '.join(FIGURES)}")
    value: Figure = import_module(f"{__name__}.{name}").FIGURE
    return value


def draw(name: str, tables: Mapping[str, pd.DataFrame], column: bool = False) -> Sheet:
    """Draw one figure from tables by name (docs/tables.md); optional ones may be missing. `column`: 3.4 inches wide,
    as one column of a two-column page, rather than 7; a figure of five panels a row has no such form.

    `runs`, if it is among the tables, also tells how each variant looks in all figures of the experiment.

    Raises:
        UserError: the figure is unknown or one of its tables is missing.
    """
    chosen = figure(name)
    missing = [table for table in chosen.tables if table not in tables]
    if missing:
        raise UserError(f"figure {name} needs the table {', '.join(missing)}; make the tables first")
    from ired.figures.toolkit.sheet import COLUMN, PAGE, styled
    from ired.figures.toolkit.variants import roster

    width = COLUMN if column and chosen.fits_column else PAGE
    own = {t: tables[t] for t in (*chosen.tables, *chosen.optional) if t in tables}
    with roster(tables.get("runs")):
        return styled(chosen.draw, own, title(name, tables), chosen.title, width)


def title(name: str, tables: Mapping[str, pd.DataFrame]) -> str:
    """What a figure says of these tables; where they allow no claim, what it is called.

    Raises:
        UserError: no figure has that name.
    """
    chosen = figure(name)
    if chosen.message is None or any(table not in tables for table in chosen.says):
        return chosen.title
    return chosen.message(**{table: tables[table] for table in chosen.says}) or chosen.title


def caption(name: str, tables: Mapping[str, pd.DataFrame]) -> str:
    """The caption of one figure: n, interval, test, and what a reader needs to read the marks.

    Raises:
        UserError: no figure has that name.
    """
    from ired.figures.toolkit.captions import facts

    chosen = figure(name)
    words = " ".join(chosen.caption.split())
    return words.format_map(facts(tables, chosen.tables))
