"""Does harder help? Hardness of each variant's negatives against the reduction of its ID error."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from ired.figures.toolkit.axes import (
    plain_axis,
)
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import Mark, edge_labels, legend_columns, point_labels
from ired.figures.toolkit.levels import (
    last_phase,
)
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import INK, QUIET, ink
from ired.figures.toolkit.variants import variant_styles

HARDNESS = (
    ("distance", "distance of negative from positive\n← harder", False),
    ("gap_q50", "median energy gap E(y⁻) − E(y⁺)\n← harder", True),
)

FEWEST = 4  # points


def draw(energy_profile: pd.DataFrame, contrasts: pd.DataFrame) -> Sheet:
    """Does harder help? Hardness of each variant's negatives against the reduction of its ID error."""
    late = last_phase(energy_profile.dropna(subset=["distance"]))
    rows = contrasts[(contrasts["metric"] == "mse_id") & contrasts["treatment"].isin(set(late["variant"]))]
    rows = rows.dropna(subset=["difference"])
    # One baseline for all points: the one that most variants with negatives are held against.
    bases = rows["baseline"].value_counts(sort=False)
    gains = rows[rows["baseline"] == bases.idxmax()].set_index("treatment") if len(bases) else rows
    names = [v for v in late["variant"].drop_duplicates() if v in gains.index]
    if len(names) < FEWEST:
        return note(
            f"It takes {FEWEST} variants with negatives and a contrast to one baseline to compare hardness and "
            "benefit: fewer points look like a relation whatever they are."
        )
    styles = variant_styles(energy_profile)
    crowded = len(names) > 4  # names beside close points would cover them
    figure, axes = panels(1, 2, 3.2 if crowded else 3.0, sharey=True)
    for ax, (column, label, zero) in zip(axes[0], HARDNESS, strict=True):
        # One point per variant: the mean over levels and seeds at the end of training.
        hardness = late.groupby("variant")[column].mean()
        points, marks = [], []
        for name in names:
            row, style, x = gains.loc[name], styles[name], float(hardness[name])
            scale = -100 / row["baseline_mean"]  # from a difference to a reduction in percent
            y, ends = scale * row["difference"], scale * row[["ci_low", "ci_high"]].to_numpy(float)
            ax.plot([x, x], ends, color=ink(style.colour), lw=1.4, gid="interval", solid_capstyle="butt")
            ax.plot(
                [x],
                [y],
                ls="",
                marker=style.marker,
                color=style.colour,
                mec=ink(style.colour),
                ms=5.5,
                gid="mean",
            )
            points.append((x, float(y)))
            marks.append(Mark(style.label, x, ink(style.colour)))
        ax.axhline(0, color=INK, lw=0.7, gid="reference:none")
        if zero:
            ax.axvline(0, color=QUIET, lw=0.6, ls=(0, (1, 2)), gid="reference:none")
            edge_labels(
                ax, [Mark("positive and negative\nequally likely to the model", 0.0, QUIET)], side="top"
            )
        ax.margins(x=0.1 if crowded else 0.25, y=0.15)
        if not zero:
            ax.set_xlim(left=max(ax.get_xlim()[0], 0))  # a distance
        plain_axis(ax, "x", label, ticks=6)
        if not crowded:
            point_labels(ax, points, marks)
    plain_axis(axes[0, 0], "y", "", ticks=6)
    if crowded:
        look: dict[str, Any] = {"ls": "", "ms": 5.5}
        handles = [
            Line2D([], [], color=s.colour, mec=ink(s.colour), marker=s.marker, label=s.line, **look)
            for s in (styles[name] for name in names)
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles))
    baseline = str(gains["baseline"].iloc[0])
    edge_labels(axes[0, 1], [Mark(f"same as\n{baseline}", 0.0)])
    axes[0, 0].set_ylabel(f"reduction of ID test MSE\nagainst {baseline} (%)   better →")
    return figure


FIGURE = Figure(
    title="Hardness of the negatives and what it brought",
    tables=("energy_profile", "contrasts"),
    caption="""Hardness of each variant's negatives (mean over noise levels and seeds at the end of
        training) against the reduction of its in-distribution test error. Bars: paired 95 % t-interval; n
        = {pairs} pairs per contrast.{diverged} No test of the relation is made: contrasts with one
        baseline are not independent.""",
    reading="""One point per variant with negatives: left is harder (closer, or lower in energy), up is
        better than the baseline. If harder negatives helped, points would rise to the left. All points
        share one baseline and its noise, so do not read a trend into a few of them; below four it is not drawn.""",
    draw=draw,
)
