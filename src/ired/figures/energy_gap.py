"""Energy gap and misranked share by noise level, one row per variant, one line per training phase."""

from __future__ import annotations

import pandas as pd

from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import Mark, edge_labels
from ired.figures.toolkit.levels import (
    by_phase,
    percent_axes,
    wide_scale,
)
from ired.figures.toolkit.sheet import Sheet, note
from ired.figures.toolkit.style import INK
from ired.sentences.messages import shares_message


def draw(energy_profile: pd.DataFrame) -> Sheet:
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


def message(energy_profile: pd.DataFrame) -> str:
    """The share of each variant's negatives that are ranked the wrong way."""
    return shares_message(energy_profile, "misranked_share", "are ranked the wrong way")


FIGURE = Figure(
    title="Energy gap and misranked negatives",
    tables=("energy_profile",),
    caption=f"""Left: median of E(y⁻) − E(y⁺); above zero the model ranks the positive first. Each row has
        its own scale; the wide band is 10 to 90 % of {{profile_matrices}} matrices at the end of
        training. Right: share of matrices ranked the wrong way. {BANDS}""",
    reading="""Left: energy of the negative minus energy of the positive; above zero the model ranks the
        pair correctly. Each row has its own scale. Lines go from light (early in training) to full colour
        (the end). A gap that collapses to zero no longer teaches anything; a huge one no longer does
        either, because the loss is saturated. Right: the share of matrices ranked the wrong way. Above
        the coin toss the contrast pushes against the data.""",
    draw=draw,
    message=message,
    says=("energy_profile",),
)
