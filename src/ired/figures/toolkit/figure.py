"""A figure as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ired.figures.toolkit.sheet import Sheet


@dataclass(frozen=True)
class Figure:
    """One figure. `draw` takes the tables named in `tables`, and those of `optional` that exist, by name.

    title: its name, which claims nothing.
    message: a function from the tables named in `says` to what the figure says, a line of `ired.sentences`; empty where
        they allow no claim. The line is then the title, else the name is.
    caption: a template; what stands in braces is filled in from the figure's tables (`captions.facts`).
    fits_column: false where one column of a two-column page has no room for its panels or rows.
    reading: the paragraph of docs/figures.md that says how to read it.
    """

    title: str
    tables: tuple[str, ...]
    caption: str
    reading: str
    draw: Callable[..., Sheet]
    optional: tuple[str, ...] = ()
    message: Callable[..., str] | None = None
    says: tuple[str, ...] = ()
    fits_column: bool = True
