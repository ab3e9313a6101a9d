"""Share of the squared error along each eigenvector of A (top), and minus the affine share (below)."""

from __future__ import annotations

import pandas as pd
from matplotlib.ticker import (
    MaxNLocator,
)

from ired.figures.toolkit.axes import (
    plain_axis,
)
from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import Mark, edge_labels
from ired.figures.toolkit.levels import (
    percent_axes,
)
from ired.figures.toolkit.sheet import Sheet, note
from ired.figures.toolkit.splits import LINE, by_split


def draw(error_directions: pd.DataFrame) -> Sheet:
    """Share of the squared error along each eigenvector of A (top), and minus the affine share (below)."""
    if error_directions.empty:
        return note("No error directions were measured.")
    table = error_directions.assign(
        excess=100 * (error_directions["error_share"] - error_directions["affine_error_share"])
    )
    figure, axes = by_split(table, "direction", "error_share", "excess", "affine")
    for lower in axes[1]:
        lower.axhline(0, **LINE)
        lower.set_xlabel("eigenvector of A (1 = smallest eigenvalue)")
        lower.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    edge_labels(axes[1, -1], [Mark("affine", 0.0)])
    axes[0, 0].set_ylabel("share of the\nsquared error")
    plain_axis(axes[1, 0], "y", "minus the affine share\n(percentage points)")
    percent_axes(axes[0], top=None)
    return figure


FIGURE = Figure(
    title="Where the error points",
    tables=("error_directions",),
    caption=f"""Top: share of the squared test error along each eigenvector of the input matrix. Bottom:
        the same minus the share of the affine predictor. {BANDS}""",
    reading="""Which part of the answer is wrong? The error is split along the eigenvectors of the input
        matrix; direction 1 belongs to its smallest eigenvalue, hence to the largest part of the inverse.
        The lower panels subtract the affine predictor's shares: a model at zero everywhere makes the
        errors of a straight line; one below zero at direction 1 has learnt something there that a line
        cannot.""",
    draw=draw,
)
