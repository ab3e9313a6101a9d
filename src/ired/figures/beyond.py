"""The error on sizes, diagonals and numbers of inference steps that were not trained for."""

from __future__ import annotations

import pandas as pd

from ired.figures.toolkit.axes import log_axis
from ired.figures.toolkit.bands import band, over_seeds
from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import INK, QUIET
from ired.figures.toolkit.variants import variant_styles

PANELS = {
    "size": ("n", "matrix size n"),
    "diagonal": ("diagonal", "diagonal c of the ensemble"),
    "steps": ("madds", "multiply-adds of an answer"),
}


def draw(beyond: pd.DataFrame) -> Sheet:
    """A panel for sizes, one for diagonals, one for the cost of inference."""
    if beyond.empty:
        return note("Nothing beyond the trained ensemble was measured.")
    styles = variant_styles(beyond)
    kinds = [kind for kind in PANELS if beyond.loc[beyond["kind"] == kind, PANELS[kind][0]].nunique() > 1]
    if not kinds:
        return note("Nothing beyond the trained ensemble was measured.")
    figure, axes = panels(1, len(kinds), 2.7, sharey=True)
    for ax, kind in zip(axes[0], kinds, strict=True):
        x, label = PANELS[kind]
        table = beyond[beyond["kind"] == kind]
        for variant, style in styles.items():
            curve = over_seeds(table[table["variant"] == variant], x, "mse")
            band(ax, curve, style, marker=style.marker, ms=3, label=style.line)
        line = table.groupby(x)["line_mse"].mean()
        ax.plot(line.index, line, color=INK, lw=1, ls=(0, (4, 1.5)), gid="reference:line")
        if kind == "steps":
            ax.axvline(table["exact_madds"].iloc[0], color=QUIET, lw=1, ls=":", gid="reference:exact")
            ax.set_title("cost (dotted: exact)")
        else:
            ax.set_title({"size": "other sizes", "diagonal": "other diagonals"}[kind])
        ax.set_yscale("log")
        log_axis(ax, "x", label)
    axes[0, 0].set_ylabel("MSE per element (log)")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 4))
    return figure


FIGURE = Figure(
    title="Beyond what was trained",
    tables=("beyond",),
    caption=f"""Mean squared error of the reported weights on ensembles and with inference that they were not trained
        for: matrices of other sizes, other diagonals, and fewer or more descent steps at each noise level. Dashed:
        the predictor to beat, fitted on each ensemble. Dotted: multiply-adds of an inverse by Cholesky. {BANDS}""",
    reading="""Weights that invert do so at sizes and diagonals that they have not seen, and fall below the dashed line
        there; weights that know one ensemble do not. The right panel says what an answer costs: to the right of
        the dotted line an exact inverse would have been cheaper, so nobody should invert matrices with a trained
        energy. The task is precise and checkable, which is why it is studied.""",
    draw=draw,
)
