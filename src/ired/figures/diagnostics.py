"""What the negatives are like, by noise level: conditioning, energy gap, false negatives.

Lines are means over seeds. Quantiles over matrices (10 %, 50 %, 90 %) come from the tables.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ired.figures.curves import band, over_seeds
from ired.figures.labels import Mark, edge_labels
from ired.figures.levels import (
    LEVEL,
    ROW,
    by_phase,
    last_phase,
    name_panels,
    percent_axes,
    quantile_band,
    wide_scale,
)
from ired.figures.style import (
    DOUBLE,
    INK,
    QUIET,
    Sheet,
    ink,
    note,
    sheet,
    styled,
    variant_styles,
)

CONDITIONING = (("log_abs_det", "log |det|"), ("log10_cond", "log₁₀ cond"), ("sigma_min", "σ min"))


@styled
def conditioning(conditioning: pd.DataFrame) -> Sheet:
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


@styled
def energy_gap(energy_profile: pd.DataFrame) -> Sheet:
    """Energy gap and misranked share by noise level, one row per variant, one line per training phase."""
    table = energy_profile.dropna(subset=["gap_q50"])
    if table.empty:
        return note("No variant of this experiment has negatives, so there is no energy gap.")
    panels = (
        ("gap_q50", "energy gap E(y⁻) − E(y⁺), median"),
        ("misranked_share", "misranked share (gap < 0)"),
    )
    figure, axes = by_phase(table, panels, sharey="none", quantiles="gap")
    for ax in axes[:, 0]:  # gaps of two strategies differ by orders of magnitude: each row has its own scale
        ax.axhline(0, color=INK, lw=0.7, gid="reference:equal")
        wide_scale(ax)
    for ax in axes[:, 1]:
        ax.axhline(0.5, color=INK, lw=0.7, ls=(0, (1, 2)), gid="reference:half")
    percent_axes(axes[:, 1])
    edge_labels(axes[0, 0], [Mark("equal\nenergy", 0.0)])
    edge_labels(axes[0, 1], [Mark("coin toss", 0.5)])
    return figure


@styled
def false_negatives(energy_profile: pd.DataFrame) -> Sheet:
    """Share of negatives likelier than their positive: measured against predicted, by noise level."""
    table = last_phase(energy_profile.dropna(subset=["false_negative_rate"]))
    if table.empty:
        return note("No variant of this experiment has negatives, so none can be false.")
    styles = {v: s for v, s in variant_styles(energy_profile).items() if (table["variant"] == v).any()}
    columns = min(4, max(2, len(styles)))
    rows = -(-len(styles) // columns)
    figure, axes = sheet(rows, columns, DOUBLE, 0.75 + 1.5 * rows, sharex=True, sharey=True)
    for ax, (variant, style) in zip(axes.ravel(), styles.items(), strict=False):
        mine = table[table["variant"] == variant]
        band(ax, over_seeds(mine, "t", "false_negative_rate"), style, ls="-", marker=style.marker, ms=3)
        predicted = over_seeds(mine, "t", "false_negative_rate_predicted")
        ax.plot(predicted.index, predicted["mean"], color=INK, ls=(0, (1.2, 1.2)), zorder=4, gid="predicted")
        ax.axhline(0.5, color=INK, lw=0.5, gid="reference:none")
        ax.set_title(style.label, color=ink(style.colour))
    for ax in axes.ravel()[len(styles) :]:
        ax.set_axis_off()
    percent_axes(axes.ravel(), top=max(0.62, 1.05 * float(table["false_negative_rate"].max())))
    edge_labels(axes[0, min(columns, len(styles)) - 1], [Mark("coin toss", 0.5)])
    for k, ax in enumerate(axes.ravel()[: len(styles)]):
        below = k + columns >= len(styles)
        ax.set_xlabel(LEVEL if below else "")
        ax.tick_params(labelbottom=below)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.supylabel("false-negative rate", fontsize=7.5, color=INK)
    handles = [
        Line2D([], [], color="#777777", marker="o", ms=3, label="measured (band: range of the seeds)"),
        Line2D(
            [],
            [],
            color=INK,
            ls=(0, (1.2, 1.2)),
            label="predicted for a displacement independent of the noise",
        ),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2)
    return figure
