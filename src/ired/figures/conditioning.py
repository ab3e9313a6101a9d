"""Conditioning of positives (grey) and negatives (colour) by noise level: median, 10-90 % of matrices."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.levels import (
    ROW,
    last_phase,
    name_panels,
    quantile_band,
)
from ired.figures.toolkit.style import (
    DOUBLE,
    INK,
    QUIET,
    Sheet,
    note,
    sheet,
    variant_styles,
)

CONDITIONING = (("log_abs_det", "log |det|"), ("log10_cond", "log₁₀ cond"), ("sigma_min", "σ min"))


def draw(conditioning: pd.DataFrame) -> Sheet:
    """Conditioning of positives (grey) and negatives (colour) by noise level: median, 10-90 % of matrices."""
    table = last_phase(conditioning)
    if table.empty:
        return note("No conditioning was measured.")
    styles = variant_styles(conditioning)
    mined = [v for v in styles if ((table["variant"] == v) & (table["sample"] == "negative")).any()]
    rows = mined or list(styles)[:1]  # positives are the same matrices for every variant: one row shows them
    figure, axes = sheet(len(rows), 3, DOUBLE, 0.75 + ROW * len(rows), sharex=True, sharey="col")
    for line, variant in zip(axes, rows, strict=True):
        mine = table[table["variant"] == variant]
        for ax, (quantity, _) in zip(line, CONDITIONING, strict=True):
            for sample, colour in (("positive", QUIET), ("negative", styles[variant].colour)):
                quantile_band(
                    ax, mine[mine["sample"] == sample], quantity, colour, dashed=sample == "positive"
                )
    name_panels(axes, [styles[v] for v in rows], [label for _, label in CONDITIONING])
    for ax in axes[
        :, 2
    ]:  # the last noise level divides by sqrt(alpha_bar) = 0.005 and would flatten the others
        ax.set_yscale("log")
    handles = [
        Line2D([], [], color=QUIET, ls=(0, (4, 1.5)), label="positives (median)"),
        Line2D([], [], color=INK, label="negatives (median, colour of the strategy)"),
        Patch(color=QUIET, alpha=0.2, lw=0, label="10 to 90 % of the matrices"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


FIGURE = Figure(
    title="Conditioning of positives and negatives",
    tables=("conditioning",),
    caption="""Noised truths (grey, dashed) and contrastive samples (colour) at the end of training, by
        noise level. Lines: median; bands: 10 to 90 % of {conditioning_matrices} matrices, both averaged
        over seeds; {seeds}.{diverged} Columns share their scale. No test is made.""",
    reading="""Are negatives near-singular matrices? Each row is a strategy; grey is the noised truth,
        colour the negative, by noise level (0 is nearly clean). If negatives were easy to tell by their
        conditioning alone, the coloured line would leave the grey band: lower log |det|, higher condition
        number, smaller σ min. Columns share their scale, so rows can be compared.""",
    draw=draw,
)
