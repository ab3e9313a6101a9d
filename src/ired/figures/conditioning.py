"""Conditioning of truths and of the solutions that negatives stand for, the noised ones beside them, by noise level."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.levels import (
    ROW,
    last_phase,
    name_panels,
    quantile_band,
)
from ired.figures.toolkit.sheet import Sheet, note, sheet
from ired.figures.toolkit.style import INK, QUIET
from ired.figures.toolkit.variants import variant_styles

CONDITIONING = (("log_abs_det", "log |det|"), ("log10_cond", "log₁₀ cond"), ("sigma_min", "σ min"))
PAIRS = (("truth", "implied"), ("positive", "negative"))


def draw(conditioning: pd.DataFrame) -> Sheet:
    """Left, solutions: truth (grey), what negatives stand for (colour). Right, the same noised. Median, 10-90 %."""
    table = last_phase(conditioning)
    if table.empty:
        return note("No conditioning was measured.")
    styles = variant_styles(conditioning)
    mined = [v for v in styles if ((table["variant"] == v) & (table["sample"] == "negative")).any()]
    rows = mined or list(styles)[:1]  # positives are the same matrices for every variant: one row shows them
    columns = [(q, label, pair) for pair in PAIRS for q, label in CONDITIONING]
    solved = (table["sample"] == "truth").any()
    columns = columns[:3] + columns[4:] if solved else columns[3:]  # log |det| of noise says least
    figure, axes = sheet(len(rows), len(columns), 0.75 + ROW * len(rows), sharex=True, sharey="col")
    for line, variant in zip(axes, rows, strict=True):
        mine = table[table["variant"] == variant]
        for ax, (quantity, _, (own, other)) in zip(line, columns, strict=True):
            for sample, colour in ((own, QUIET), (other, styles[variant].colour)):
                quantile_band(ax, mine[mine["sample"] == sample], quantity, colour, dashed=sample == own)
    titles = [f"{label}\n{'noised' if own == 'positive' else 'solution'}" for _, label, (own, _) in columns]
    name_panels(axes, [styles[v] for v in rows], titles)
    for ax, (quantity, *_) in zip(axes.T, columns, strict=True):
        # The last noise level divides by sqrt(alpha_bar) = 0.005 and would flatten the others.
        for panel in ax if quantity == "sigma_min" else ():
            panel.set_yscale("log")
    handles = [
        Line2D([], [], color=QUIET, ls=(0, (4, 1.5)), label="truths (median)"),
        Line2D([], [], color=INK, label="negatives (median, colour of the strategy)"),
        Patch(color=QUIET, alpha=0.2, lw=0, label="10 to 90 % of the matrices"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 3))
    return figure


FIGURE = Figure(
    title="Conditioning of positives and negatives",
    tables=("conditioning",),
    caption="""Truths (grey, dashed) and contrastive samples (colour) at the end of training, by noise level:
        panels named solution show the solution that a negative stands for, those named noised what
        the network sees. Lines: median; bands: 10 to 90 % of {conditioning_matrices} matrices, both
        averaged over seeds; {seeds}.{diverged} Columns share their scale. No test is made.""",
    reading="""Are negatives near-singular matrices? Each row is a strategy; grey is the truth, colour the
        negative, by noise level (0 is nearly clean). The panels named solution answer it: if
        conditioning gave negatives away, the coloured line would leave the grey band there. The
        panels named noised cannot answer it: from level 2 on both are little but Gaussian noise,
        and even a matrix of rank 1 would not show (figure giveaways). Tables made before solutions
        were measured have the noised panels alone.""",
    draw=draw,
    fits_column=False,
)
