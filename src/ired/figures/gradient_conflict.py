"""Cosine and norm ratio of the parameter gradients of energy term and denoising loss, by noise level."""

from __future__ import annotations

import pandas as pd

from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import Mark, edge_labels
from ired.figures.toolkit.levels import (
    by_phase,
)
from ired.figures.toolkit.style import (
    INK,
    Sheet,
    note,
)


def draw(energy_profile: pd.DataFrame) -> Sheet:
    """Cosine and norm ratio of the parameter gradients of energy term and denoising loss, by noise level."""
    table = energy_profile.dropna(subset=["gradient_cosine"])
    if table.empty:
        return note("No variant of this experiment has an energy term, so no gradients can conflict.")
    panels = (
        ("gradient_cosine", "cosine of the two gradients"),
        ("gradient_norm_ratio", "‖energy term‖ / ‖denoising‖"),
    )
    figure, axes = by_phase(table, panels, sharey="col")
    for ax in axes[:, 0]:
        ax.axhline(0, color=INK, lw=0.7, gid="reference:orthogonal")
        low, high = ax.get_ylim()
        ax.set_ylim(*_padded(low, high, 0.0))
    for ax in axes[:, 1]:
        ax.axhline(1, color=INK, lw=0.7, gid="reference:equal")
        if (table["gradient_norm_ratio"].dropna() > 0).all():
            ax.set_yscale("log")
    edge_labels(axes[0, 0], [Mark("orthogonal", 0.0)])
    edge_labels(axes[0, 1], [Mark("equal size", 1.0)])
    return figure


def _padded(low: float, high: float, value: float) -> tuple[float, float]:
    """Limits that hold `value` with a little room beyond it."""
    room = 0.12 * (max(high, value) - min(low, value))
    return min(low, value - room), max(high, value + room)


FIGURE = Figure(
    title="Does the energy term pull against denoising?",
    tables=("energy_profile",),
    caption=f"""Parameter gradients of the energy term and of the denoising loss, by noise level and
        training phase: their cosine (left; below zero they conflict) and the ratio of their norms (right,
        log). {BANDS}""",
    reading="""Do the two losses pull together? Cosine below zero: the energy term undoes denoising. Norm
        ratio above one: it has the larger say. A negative cosine matters only where the ratio is not
        small.""",
    draw=draw,
)
