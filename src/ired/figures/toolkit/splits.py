"""Two quantities for each test set, a line per variant, with the predictor to beat beside them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from ired.figures.toolkit.bands import band, over_seeds
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.sheet import Sheet, sheet
from ired.figures.toolkit.style import INK
from ired.figures.toolkit.variants import VariantStyle, variant_styles
from ired.record.metrics import SPLITS

LINE: dict[str, Any] = {"color": INK, "ls": (0, (4, 2)), "lw": 1, "gid": "reference:line"}


MARKER_SIZE = 3.2


def by_split(table: pd.DataFrame, x: str, top: str, bottom: str, line: str) -> tuple[Sheet, Any]:
    """Two quantities (rows) for each test set (columns): a line and a band per variant, one of the
    predictor to beat, called `line`, where the table has it, and one legend."""
    styles = variant_styles(table)
    splits = [s for s in SPLITS if (table["split"] == s).any()]
    figure, axes = sheet(2, len(splits), 3.9 + 0.11 * len(styles), sharex=True, sharey="row")
    for column, split in zip(axes.T, splits, strict=True):
        rows = table[table["split"] == split]
        column[0].set_title(SPLITS[split])
        for ax, quantity in zip(column, (top, bottom), strict=True):
            for variant, style in styles.items():
                curve = over_seeds(rows[rows["variant"] == variant], x, quantity)
                band(ax, curve, style, marker=style.marker, ms=MARKER_SIZE)
            if f"affine_{quantity}" in rows:
                affine = over_seeds(rows, x, f"affine_{quantity}")["mean"]
                ax.plot(affine.index, affine, zorder=5, **LINE)
    handles = [legend_handle(style) for style in styles.values()]
    handles.append(
        Line2D([], [], color=LINE["color"], ls=LINE["ls"], lw=LINE["lw"], label=f"{line} predictor")
    )
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles))
    return figure, axes


def legend_handle(style: VariantStyle) -> Line2D:
    return Line2D(
        [], [], color=style.colour, marker=style.marker, ls=style.dash, ms=MARKER_SIZE, label=style.line
    )
