"""Quantiles over matrices of the squared error (top), and the share of it that the matrices up to there carry
(below)."""

from __future__ import annotations

import pandas as pd
from matplotlib.ticker import (
    MultipleLocator,
    PercentFormatter,
)

from ired.figures.toolkit.axes import (
    log_axis,
)
from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.levels import (
    percent_axes,
)
from ired.figures.toolkit.splits import by_split
from ired.figures.toolkit.style import (
    Sheet,
    note,
)


def draw(error_sizes: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """Quantiles over matrices of the squared error (top), and the share of it that the matrices up to there
    carry (below)."""
    if error_sizes.empty:
        return note("No sizes of errors were measured.")
    figure, axes = by_split(error_sizes, "quantile", "squared_error", "carried_share", _line(reference))
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


def _line(reference: pd.DataFrame | None) -> str:
    """What the predictor to beat is called."""
    labels = [] if reference is None else reference.loc[reference["line"].astype(bool), "label"].tolist()
    return str(labels[0]) if labels else "reference"


FIGURE = Figure(
    title="How the error is spread over matrices",
    tables=("error_sizes",),
    optional=("reference",),
    caption=f"""Top: quantiles of the squared error per element over {{size_matrices}} fixed test matrices
        (log). Bottom: the share of the whole squared error in the matrices up to there (Lorenz curve).
        Dashed: the predictor to beat. {BANDS}""",
    reading="""Is every answer a little wrong, or are a few far off? Above, matrices are ordered by their
        error; read at 50 % the error of the median answer. Below, how much of the whole error the
        matrices up to there carry: a curve that stays flat and rises at the right end means that a few
        answers make the mean. A variant that matches that predictor at the median and leaves it at the
        end does not solve the task worse throughout: its inference goes astray on some matrices.""",
    draw=draw,
)
