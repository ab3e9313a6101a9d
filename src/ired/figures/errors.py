"""Errors: which part of an answer is wrong, and whether every answer is or only a few are."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

from ired.figures.axes import log_axis, plain_axis
from ired.figures.curves import band, over_seeds
from ired.figures.labels import Mark, edge_labels, legend_columns
from ired.figures.levels import percent_axes
from ired.figures.rows import METRICS, SPLITS
from ired.figures.style import (
    DOUBLE,
    INK,
    Sheet,
    VariantStyle,
    note,
    sheet,
    styled,
    variant_styles,
)

SPLIT_NAMES = {split: METRICS[metric] for metric, split in SPLITS.items()}
AFFINE: dict[str, Any] = {"color": INK, "ls": (0, (4, 2)), "lw": 1, "gid": "reference:affine"}
MARKER_SIZE = 3.2


@styled
def error_directions(error_directions: pd.DataFrame) -> Sheet:
    """Share of the squared error along each eigenvector of A (top), and minus the affine share (below)."""
    if error_directions.empty:
        return note("No error directions were measured.")
    table = error_directions.assign(
        excess=100 * (error_directions["error_share"] - error_directions["affine_error_share"])
    )
    figure, axes = _by_split(table, "direction", "error_share", "excess")
    for lower in axes[1]:
        lower.axhline(0, **AFFINE)
        lower.set_xlabel("eigenvector of A (1 = smallest eigenvalue)")
        lower.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    edge_labels(axes[1, -1], [Mark("affine", 0.0)])
    axes[0, 0].set_ylabel("share of the\nsquared error")
    plain_axis(axes[1, 0], "y", "minus the affine share\n(percentage points)")
    percent_axes(axes[0], top=None)
    return figure


@styled
def error_sizes(error_sizes: pd.DataFrame) -> Sheet:
    """Quantiles over matrices of the squared error (top), and the share of it that the matrices up to there
    carry (below)."""
    if error_sizes.empty:
        return note("No sizes of errors were measured.")
    figure, axes = _by_split(error_sizes, "quantile", "squared_error", "carried_share")
    for upper, lower in axes.T:
        upper.set_yscale("log")
        lower.set_xlim(0, 1)
        lower.set_xlabel("matrices, least wrong first")
        lower.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        lower.xaxis.set_major_locator(MultipleLocator(0.25))
    log_axis(axes[0, 0], "y", "squared error\nper element (log)")
    axes[1, 0].set_ylabel("share of the squared error\nin matrices up to here")
    percent_axes(axes[1])
    return figure


def _by_split(table: pd.DataFrame, x: str, top: str, bottom: str) -> tuple[Sheet, Any]:
    """Two quantities (rows) for each test set (columns): a line and a band per variant, the affine
    predictor's where the table has it, one legend."""
    styles = variant_styles(table)
    splits = [s for s in SPLIT_NAMES if (table["split"] == s).any()]
    figure, axes = sheet(2, len(splits), DOUBLE, 3.9 + 0.11 * len(styles), sharex=True, sharey="row")
    for column, split in zip(axes.T, splits, strict=True):
        rows = table[table["split"] == split]
        column[0].set_title(SPLIT_NAMES[split])
        for ax, quantity in zip(column, (top, bottom), strict=True):
            for variant, style in styles.items():
                curve = over_seeds(rows[rows["variant"] == variant], x, quantity)
                band(ax, curve, style, marker=style.marker, ms=MARKER_SIZE)
            if f"affine_{quantity}" in rows:
                affine = over_seeds(rows, x, f"affine_{quantity}")["mean"]
                ax.plot(affine.index, affine, zorder=5, **AFFINE)
    handles = [_handle(style) for style in styles.values()]
    handles.append(
        Line2D([], [], color=AFFINE["color"], ls=AFFINE["ls"], lw=AFFINE["lw"], label="affine predictor")
    )
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles))
    return figure, axes


def _handle(style: VariantStyle) -> Line2D:
    return Line2D(
        [], [], color=style.colour, marker=style.marker, ls=style.dash, ms=MARKER_SIZE, label=style.line
    )
