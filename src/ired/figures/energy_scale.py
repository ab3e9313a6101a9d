"""The scale of the trained energy by noise level beside the one that theory predicts, a panel for each variant."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from ired.figures.toolkit.arms import arm_panels, shared_labels
from ired.figures.toolkit.bands import band, over_seeds
from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.sheet import Sheet, note
from ired.figures.toolkit.style import INK, QUIET
from ired.figures.toolkit.variants import variant_styles

HIGHEST = 3.0  # a prediction or a scale beyond it is cut, since the question is how far from 1 a scale lies


def draw(energy_shape: pd.DataFrame) -> Sheet:
    """The scale of the trained energy by noise level beside the one that theory predicts."""
    table = energy_shape[energy_shape["phase"] == energy_shape["phase"].max()]
    if table.empty or table["scale"].isna().all():
        return note("No energy was measured: this table came later than these runs.")
    styles = variant_styles(table)
    figure, panels = arm_panels(styles)
    for variant, style, ax in panels:
        rows = table[table["variant"] == variant]
        curve = over_seeds(rows, "t", "scale")
        ax.axhline(1.0, color=QUIET, lw=0.7, zorder=0)
        band(ax, curve, style, marker=style.marker, ms=3)
        if rows["scale_predicted"].notna().any():
            predicted = over_seeds(rows.dropna(subset=["scale_predicted"]), "t", "scale_predicted")
            ax.plot(predicted.index, predicted["mean"], color=INK, ls=(0, (3, 2)), lw=1.0, gid="predicted")
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, 0.9), min(max(high, 1.1), HIGHEST))
    ax.set_xticks(sorted(set(table["t"]))[::3])
    shared_labels(figure, "noise level t", "scale s of the energy")
    handles = [
        Line2D([], [], color=QUIET, marker="o", ms=3, label="measured"),
        Line2D([], [], color=INK, ls=(0, (3, 2)), lw=1.0, label="predicted"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 2))
    return figure


FIGURE = Figure(
    title="Does the contrast move the energy away from the denoising optimum?",
    tables=("energy_shape",),
    caption=f"""Scale s of the energy at the end of training: the factor by which its gradient at the noised truth
        exceeds the noise that denoising asks for; 1 is the denoising optimum. Dashed: the s that minimises
        denoising loss and energy term together, given the negatives that were found there. {BANDS}""",
    reading="""A line at 1 says that the contrast agrees with denoising. Raw logits are log density ratios times sigma,
        so where sigma is small they ask for a steeper energy; logits in units of sigma ask for none, if the negative is
        the positive moved in a direction of its own. A measured line off its dashes says that the network does not do
        what the theory of a freely scaled energy says.""",
    draw=draw,
)
