"""The squared error of ordered matrices over that of the predictor to beat, quantile by quantile."""

from __future__ import annotations

import pandas as pd
from matplotlib.ticker import MultipleLocator, PercentFormatter

from ired.base.format_numbers import number
from ired.figures.toolkit.axes import log_axis, plain_axis
from ired.figures.toolkit.bands import band, over_seeds
from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import Mark, edge_labels, legend_columns
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.splits import LINE, MARKER_SIZE, legend_handle
from ired.figures.toolkit.variants import variant_styles
from ired.record.metrics import SPLITS


def draw(error_sizes: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """The squared error of ordered matrices over that of the predictor to beat, quantile by quantile."""
    table = error_sizes.assign(ratio=error_sizes["squared_error"] / error_sizes["affine_squared_error"])
    table = table.dropna(subset=["ratio"])
    if table.empty:
        return note("No sizes of errors were measured.")
    styles = variant_styles(table)
    splits = [split for split in SPLITS if (table["split"] == split).any()]
    figure, axes = panels(1, len(splits), 2.8)
    name = _line(reference)
    for ax, split in zip(axes[0], splits, strict=True):
        rows = table[table["split"] == split]
        ax.set_title(SPLITS[split])
        for variant, style in styles.items():
            curve = over_seeds(rows[rows["variant"] == variant], "quantile", "ratio")
            band(ax, curve, style, marker=style.marker, ms=MARKER_SIZE, markevery=3)
        ax.axhline(1, zorder=0.5, **LINE)
        edge_labels(ax, [Mark(name, 1.0)])
        low, high = rows["ratio"].min(), rows["ratio"].max()
        label = f"squared error / that of {name}"
        if max(high, 1) > 2 * min(low, 1):
            log_axis(ax, "y", f"{label} (log)")
        else:
            plain_axis(ax, "y", label)
        worst = rows.sort_values("squared_error").iloc[-1]
        style = styles[str(worst["variant"])]
        whose = style.line if len(style.line) < 24 else f"\n{style.label}"
        ax.set_xlim(0, 1)
        ax.set_xlabel(
            f"matrices, least wrong first\n(largest error: {number(worst['squared_error'])}, {whose})"
        )
        ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        ax.xaxis.set_major_locator(MultipleLocator(0.25))
    handles = [legend_handle(style) for style in styles.values()]
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles))
    return figure


def _line(reference: pd.DataFrame | None) -> str:
    """What the predictor to beat is called."""
    labels = [] if reference is None else reference.loc[reference["line"].astype(bool), "label"].tolist()
    return str(labels[0]) if labels else "reference"


FIGURE = Figure(
    title="How the error is spread over matrices",
    tables=("error_sizes",),
    optional=("reference",),
    caption=f"""Quantiles of the squared error over {{size_matrices}} fixed test matrices, each divided by the same
        quantile of the predictor to beat (dashed: equal to it); the largest error of all stands below its panel.
        {BANDS}""",
    reading="""Is every answer a little wrong, or are a few far off? Matrices are ordered by their error; read at
        50 % how the median answer compares with that predictor's. A level line is better or worse by one factor
        throughout; one that rises at the right end has a few answers that go astray, and these can make the
        mean. The share of the whole error that they carry is in the table.""",
    draw=draw,
)
