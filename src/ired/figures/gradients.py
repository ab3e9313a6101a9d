"""Directions: of the parameter gradients (do they conflict?) and of the error (which part is wrong?)."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ired.figures.axes import plain_axis
from ired.figures.curves import band, over_seeds
from ired.figures.labels import Mark, edge_labels, legend_columns
from ired.figures.levels import by_phase, percent_axes
from ired.figures.rows import METRICS, SPLITS
from ired.figures.style import (
    DOUBLE,
    INK,
    Sheet,
    note,
    sheet,
    styled,
    variant_styles,
)

SPLIT_NAMES = {split: METRICS[metric] for metric, split in SPLITS.items()}


@styled
def gradient_conflict(energy_profile: pd.DataFrame) -> Sheet:
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


@styled
def error_directions(error_directions: pd.DataFrame) -> Sheet:
    """Share of the squared error along each eigenvector of A (top), and minus the affine share (below)."""
    if error_directions.empty:
        return note("No error directions were measured.")
    table = error_directions.assign(
        excess=100 * (error_directions["error_share"] - error_directions["affine_error_share"])
    )
    styles = variant_styles(table)
    splits = [s for s in SPLIT_NAMES if (table["split"] == s).any()]
    figure, axes = sheet(2, len(splits), DOUBLE, 3.9 + 0.11 * len(styles), sharex=True, sharey="row")
    for (upper, lower), split in zip(axes.T, splits, strict=True):
        rows = table[table["split"] == split]
        for variant, style in styles.items():
            mine = rows[rows["variant"] == variant]
            band(upper, over_seeds(mine, "direction", "error_share"), style, marker=style.marker, ms=3.2)
            band(lower, over_seeds(mine, "direction", "excess"), style, marker=style.marker, ms=3.2)
        affine = over_seeds(rows, "direction", "affine_error_share")["mean"]
        upper.plot(affine.index, affine, color=INK, ls=(0, (4, 2)), lw=1, zorder=5, gid="reference:affine")
        lower.axhline(0, color=INK, ls=(0, (4, 2)), lw=1, gid="reference:affine")
        upper.set_title(SPLIT_NAMES[split])
        lower.set_xlabel("eigenvector of A (1 = smallest eigenvalue)")
        lower.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    edge_labels(axes[1, -1], [Mark("affine", 0.0)])
    axes[0, 0].set_ylabel("share of the\nsquared error")
    plain_axis(axes[1, 0], "y", "minus the affine share\n(percentage points)")
    percent_axes(axes[0], top=None)
    handles = [
        Line2D([], [], color=s.colour, marker=s.marker, ls=s.dash, ms=3.2, label=s.line)
        for s in styles.values()
    ]
    handles.append(Line2D([], [], color=INK, ls=(0, (4, 2)), lw=1, label="affine predictor"))
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles))
    return figure


def _padded(low: float, high: float, value: float) -> tuple[float, float]:
    """Limits that hold `value` with a little room beyond it."""
    room = 0.12 * (max(high, value) - min(low, value))
    return min(low, value - room), max(high, value + room)
