"""What gives a negative away: the AUC of each scalar by noise level, with the control of rank 1."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from ired.figures.toolkit.bands import over_seeds
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.levels import LEVEL, ROW, last_phase, name_panels
from ired.figures.toolkit.sheet import Sheet, note, sheet
from ired.figures.toolkit.style import INK, QUIET
from ired.figures.toolkit.variants import variant_styles

SCALARS = {
    "log10_cond": "log₁₀ cond",
    "sigma_min": "σ min",
    "log_abs_det": "log |det|",
    "norm": "norm",
    "symmetry_defect": "asymmetry",
}
CURVES = (
    ("auc", "-", "solution behind the negative, against the truth"),
    ("auc_control", (0, (1, 1.5)), "a matrix of rank 1 in its place: can it be seen?"),
    ("auc_noised", (0, (4, 1.5)), "noised, as the network sees them"),
    ("auc_noised_control", (0, (4, 1.5, 1, 1.5)), "noised matrix of rank 1"),
)


def draw(giveaways: pd.DataFrame) -> Sheet:
    """A row per variant, a panel per scalar, AUC by noise level at the end of training."""
    table = last_phase(giveaways)
    if table.empty:
        return note("No negatives were compared with their truths.")
    styles = variant_styles(table)
    figure, axes = sheet(len(styles), len(SCALARS), 1.0 + ROW * len(styles), sharex=True, sharey=True)
    for line, (variant, style) in zip(axes, styles.items(), strict=True):
        for ax, scalar in zip(line, SCALARS, strict=True):
            mine = table[(table["variant"] == variant) & (table["scalar"] == scalar)]
            for column, dash, _ in CURVES:
                curve = over_seeds(mine, "t", column)
                colour = QUIET if "control" in column else style.colour
                ax.plot(curve.index, curve["mean"], color=colour, ls=dash, lw=1.2, gid="curve")
            ax.axhline(0.5, color=INK, lw=0.6, gid="reference:chance")
            ax.set_ylim(-0.04, 1.04)
    name_panels(axes, list(styles.values()), list(SCALARS.values()))
    for ax in axes[-1]:
        ax.set_xlabel(LEVEL)
    handles = [
        Line2D([], [], color=QUIET if "control" in column else INK, ls=dash, label=words)
        for column, dash, words in CURVES
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 2))
    return figure


FIGURE = Figure(
    title="What gives a negative away",
    tables=("giveaways",),
    caption="""AUC of single numbers of a matrix at the end of training, by noise level: the chance that the number
        is larger for a negative than for a truth; the thin line is chance. Lines: mean over seeds,
        no intervals; {seeds}.{diverged} No test is made.""",
    reading="""Could one number tell negatives from truths? A line at 0 or 1 tells every one of them, a line at 0.5
        none. Full lines compare the solution that a negative stands for with the truth, dashed
        lines what the network sees, both noised. The grey lines are the control: a matrix of rank 1
        is as near-singular as can be, so a panel whose grey line stays near 0.5 is blind to
        singular negatives and proves nothing about them.""",
    draw=draw,
    fits_column=False,
)
