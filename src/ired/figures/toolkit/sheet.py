"""The page of a figure: its size, its layout, its title.

Figures are built on `matplotlib.figure.Figure` directly: no pyplot, hence no global state, no backend and half the
import time.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatterMathtext
from matplotlib.transforms import Bbox

from ired.figures.toolkit.powers import PlainPowers
from ired.figures.toolkit.style import INK, QUIET, RC

COLUMN, PAGE = 3.4, 7.0  # inches: one column of a two-column page, and both
TITLE_SIZE, TITLE_LETTERS = 9, 12.2  # points, and how many bold letters of it fit into an inch
TITLE_PAD, TITLE_LINE = 0.06, 0.165  # inches
NOTHING = "nothing-to-show"  # how an SVG says that its figure had no rows to draw


class Sheet(Figure):
    """A figure that places its direct labels once the layout is known."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pending: list[Callable[[], None]] = []
        self.heading: Text | None = None
        self.says_nothing = False

    def settle(self) -> None:
        """Run the layout, move the labels to where they do not overlap, then freeze the layout.

        Frozen, because saving would otherwise lay out again around the moved labels and shift them; without
        any engine, because with the frozen one saving draws twice.
        """
        self._plain_powers()
        if page_width() < PAGE:
            self._wrap_labels()
        engine = self.get_layout_engine()
        assert engine is not None
        engine.execute(self)  # it measures twice by itself: tick labels change with the size of their axes
        for place in self.pending:
            place()
        self.pending.clear()
        self.set_layout_engine(None)
        self._freeze_labels()

    def _freeze_labels(self) -> None:
        """Leave the axis labels where the layout put them: to look for their place anew, from the boxes of all tick
        labels, takes a quarter of the time of each of the three drawings."""
        for ax in self.axes:
            to_axes = ax.transAxes.inverted()
            for axis in (ax.xaxis, ax.yaxis):
                label = axis.label
                axis.set_label_coords(
                    *to_axes.transform(label.get_transform().transform(label.get_position()))
                )

    def _wrap_labels(self) -> None:
        """Break titles and labels of narrow panels into lines."""
        for ax in self.axes:
            place = ax.get_subplotspec()
            alone = place is None or place.get_gridspec().ncols == 1
            title, label = ax._left_title, ax.xaxis.label  # type: ignore[attr-defined]
            for text, letters in ((title, 30 if alone else 17), (label, 34 if alone else 22)):
                lines = text.get_text().split("\n")
                text.set_text("\n".join(short for line in lines for short in textwrap.wrap(line, letters)))

    def _plain_powers(self) -> None:
        """Labels of logarithmic axes in plain letters: to set mathematics takes as long as the rest of a figure."""
        for ax in self.axes:
            for axis in (ax.xaxis, ax.yaxis):
                if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
                    axis.set_major_formatter(PlainPowers(axis.get_major_formatter()))
                if isinstance(axis.get_minor_formatter(), LogFormatterMathtext):
                    axis.set_minor_formatter(PlainPowers(axis.get_minor_formatter()))

    def put_title(self, words: str) -> None:
        """Make the settled page higher by a title, wrapped to its width, above everything else."""
        width, below = self.get_size_inches()
        lines = textwrap.wrap(words, int(width * TITLE_LETTERS), break_on_hyphens=False)
        above = below + TITLE_PAD + TITLE_LINE * len(lines)
        share = below / above
        self.set_size_inches(width, above)
        for ax in self.axes:
            box = ax.get_position()
            ax.set_position((box.x0, box.y0 * share, box.width, box.height * share))
        for legend in self.legends:
            legend.set_bbox_to_anchor((0, 0, 1, share))
        for label in (self._supxlabel, self._supylabel):  # type: ignore[attr-defined]
            if label is not None:
                label.set_y(label.get_position()[1] * share)
        look: Any = {"va": "top", "linespacing": 1.15, "fontweight": "bold", "color": INK, "gid": "title"}
        self.heading = self.text(
            0.05 / width, 1 - 0.05 / above, "\n".join(lines), fontsize=TITLE_SIZE, **look
        )

    @contextmanager
    def untitled(self) -> Iterator[Bbox]:
        """Without its title for as long as this lasts; yields the page that is left, in inches."""
        width, height = self.get_size_inches()
        assert self.heading is not None
        lines = self.heading.get_text().count("\n") + 1
        below = height - TITLE_PAD - TITLE_LINE * lines
        self.heading.set_visible(False)
        try:
            yield Bbox.from_bounds(0, 0, width, below)
        finally:
            self.heading.set_visible(True)


_width: ContextVar[float] = ContextVar("width", default=PAGE)


def page_width() -> float:
    """Inches that the figure being drawn has: COLUMN or PAGE."""
    return _width.get()


def styled(
    draw: Callable[..., Sheet], tables: Mapping[str, pd.DataFrame], title: str, name: str, width: float
) -> Sheet:
    """Draw `width` inches wide under this style, settle the labels, and put a title on it, its `name` where it shows
    nothing; the caller's rcParams stay as they were."""
    token = _width.set(width)
    try:
        with mpl.rc_context(RC):
            sheet = draw(**tables)
            sheet.settle()
            sheet.put_title(name if sheet.says_nothing else title)
    finally:
        _width.reset(token)
    return sheet


def sheet(
    rows: int, columns: int, height: float, most: float = PAGE, **subplots: Any
) -> tuple[Sheet, np.ndarray[Any, np.dtype[Any]]]:
    """A figure as wide as the page allows, at `most` inches, and `height` inches high; and its (rows, columns) array of
    axes."""
    figure = Sheet(figsize=(min(page_width(), most), height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def panels(
    rows: int, columns: int, height: float, **subplots: Any
) -> tuple[Sheet, np.ndarray[Any, np.dtype[Any]]]:
    """As `sheet`; but where the page is one column, the panels of a row stand one above the other, each as high as it
    would be."""
    if page_width() == PAGE:
        return sheet(rows, columns, height, **subplots)
    subplots.pop("width_ratios", None)
    if "height_ratios" in subplots:
        subplots["height_ratios"] = np.repeat(subplots["height_ratios"], columns)
    if isinstance(subplots.get("sharey"), str):  # rows that share an axis are no longer rows
        subplots["sharey"] = rows == 1 and subplots["sharey"] == "row"
    figure, axes = sheet(rows * columns, 1, height * columns, **subplots)
    return figure, axes.reshape(rows, columns)


def note(message: str, height: float = 1.2) -> Sheet:
    """The figure of a table without the rows it needs: it says so, and the pipeline still has its file."""
    figure, axes = sheet(1, 1, height)
    figure.says_nothing = True
    axes[0, 0].set_axis_off()
    text = textwrap.fill(message, int(13.5 * page_width()))
    axes[0, 0].text(0.5, 0.5, text, ha="center", va="center", color=QUIET, fontsize=8, gid=NOTHING)
    return figure
