"""What the figures of a negative's worth share: a small panel for each arm, the baseline in grey behind it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from ired.figures.toolkit.powers import power
from ired.figures.toolkit.sheet import PAGE, Sheet, page_width, sheet
from ired.figures.toolkit.style import INK, QUIET, ink
from ired.figures.toolkit.variants import VariantStyle, variant_styles

OF_COMPUTE = {"madds": "counted multiply-adds", "seconds": "seconds of one core"}


def arm_styles(table: pd.DataFrame) -> dict[str, VariantStyle]:
    """The look of every arm of a table."""
    return variant_styles(table.assign(variant=table["arm"]))


def arm_panels(
    styles: dict[str, VariantStyle], height: float = 1.45
) -> tuple[Sheet, Iterator[tuple[str, VariantStyle, Axes]]]:
    """A sheet with a panel for each arm, which share their axes; the arm's name is the panel's title."""
    columns = 4 if page_width() == PAGE else 2
    rows = -(-len(styles) // columns)
    figure, axes = sheet(rows, columns, 0.75 + height * rows, sharex=True, sharey=True)
    for spare in axes.ravel()[len(styles) :]:
        spare.set_visible(False)
    # The last panel of each column has the axis, also where the row below is not full.
    for column in range(columns):
        own = [ax for ax in axes[:, column] if ax.get_visible()]
        if own:
            own[-1].tick_params(labelbottom=True)
    pairs = zip(styles.items(), axes.ravel(), strict=False)

    def named() -> Iterator[tuple[str, VariantStyle, Axes]]:
        for (arm, style), ax in pairs:
            name = style.line if len(style.line) < 25 else style.label
            ax.set_title(name, color=ink(style.colour), fontsize=7)
            yield arm, style, ax

    return figure, named()


def banded(ax: Axes, rows: pd.DataFrame, x: str, y: str, low: str, high: str, style: VariantStyle) -> None:
    """A line with its intervals, on the axes' own scales; an end beyond what was measured is left open."""
    rows = rows.sort_values(x)
    at, value = rows[x].to_numpy(float), rows[y].to_numpy(float)
    ends = [rows[end].to_numpy(float) for end in (low, high)]
    ax.plot(at, value, color=style.colour, marker=style.marker, ls=style.dash, ms=3.2, lw=1.1, zorder=3)
    bars = [np.abs(np.where(np.isfinite(end), end, value) - value) for end in ends]
    ax.errorbar(at, value, bars, fmt="none", ecolor=style.colour, elinewidth=0.8, capsize=0, zorder=2)


def behind(ax: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    """The baseline's line."""
    rows = rows.sort_values(x)
    ax.plot(rows[x], rows[y], color=QUIET, lw=0.9, ls="-", zorder=1)


def log_panel(ax: Axes) -> None:
    """Logarithmic axes with few labels: powers of ten, and powers of two where they span less than two decades."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        low, high = axis.get_view_interval()
        if axis is ax.yaxis and high / low < 100:
            step = max(1, round(np.log2(high / low) / 4))
            inside = [2.0**k for k in range(-40, 41, step) if low <= 2.0**k <= high]
            axis.set_major_locator(FixedLocator(inside))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        else:
            axis.set_major_locator(LogLocator(numticks=4))
            axis.set_major_formatter(FuncFormatter(lambda value, _: power(round(np.log10(value)))))
        axis.set_minor_locator(NullLocator())  # some forty ticks a panel, which take longer than its curves


def shared_labels(figure: Sheet, x: str, y: str) -> None:
    """One label for each axis of all panels."""
    figure.supxlabel(x, fontsize=7.5, color=INK)
    figure.supylabel(y, fontsize=7.5, color=INK)
