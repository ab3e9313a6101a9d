"""A figure as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ired.figures.toolkit.style import Sheet


@dataclass(frozen=True)
class Figure:
    """One figure. `draw` takes the tables named in `tables`, and those of `optional` that exist, by name.

    caption: a template; what stands in braces is filled in from the figure's tables (`captions.facts`).
    reading: the paragraph of docs/figures.md that says how to read it.
    """

    title: str
    tables: tuple[str, ...]
    caption: str
    reading: str
    draw: Callable[..., Sheet]
    optional: tuple[str, ...] = ()
