"""Parts of the dot plots that have one row per variant: names, seeds, means with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ired.figures.toolkit.style import ink
from ired.figures.toolkit.variants import VariantStyle
from ired.record.metrics import TEST_METRICS


def row_height(names: Sequence[str], least: float = 0.44) -> float:
    """Inches per row, so that the longest name fits."""
    return max(least, *(0.1 + 0.125 * (name.count("\n") + 1) for name in names))


def present_metrics(summary: pd.DataFrame) -> list[str]:
    """The test errors that this table really holds, ID first."""
    if summary.empty:
        return []
    return [m for m in TEST_METRICS if summary.loc[summary["metric"] == m, "mean"].notna().any()]


def by_variant(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    return summary[summary["metric"] == metric].drop_duplicates("variant").set_index("variant")


def seed_values(runs: pd.DataFrame, variant: str, metric: str) -> list[float]:
    if metric not in runs:
        return []
    rows = runs[(runs["variant"] == variant) & (runs["status"] == "finished")].sort_values("seed")
    return [float(v) for v in rows[metric].dropna()]


def bounds(
    rows: pd.DataFrame, variant: str, columns: Sequence[str] = ("ci_low", "mean", "ci_high")
) -> list[float]:
    """Low end, mean and high end of one row."""
    values: Any = rows.loc[variant, list(columns)]
    return [float(v) for v in values]


def draw_seeds(ax: Axes, values: Sequence[float], y: float, colour: str, marker: str) -> None:
    """The seeds of one row, staggered in seed order so that equal values stay visible (no random jitter)."""
    heights = y + 0.2 + 0.05 * ((np.arange(len(values)) % 3) - 1)
    ax.plot(
        values, heights, ls="", marker=marker, ms=3.2, color=colour, alpha=0.7, mew=0, zorder=2, gid="seeds"
    )


def draw_interval(
    ax: Axes, ends: Sequence[float], y: float, colour: str, marker: str, face: str | None = None
) -> None:
    """A (low, mean, high) with its interval; one seed has no interval and gets the mark alone."""
    low, mean, high = ends
    if not np.isfinite(mean):
        return
    if np.isfinite(low) and np.isfinite(high):
        ax.plot(
            [low, high], [y, y], color=ink(colour), lw=1.8, zorder=3, gid="interval", solid_capstyle="butt"
        )
    ax.plot(
        [mean],
        [y],
        ls="",
        marker=marker,
        ms=5.5,
        mfc=face or colour,
        mec=ink(colour),
        mew=0.9,
        zorder=4,
        gid="mean",
    )


def extent(points: Sequence[float], intervals: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Range of the points and the intervals; an interval of two seeds may be cut, the points never are."""
    inner = [v for v in points if np.isfinite(v)]
    outer = [float(v) for v in intervals if np.isfinite(v)]
    low, high = min(inner or outer), max(inner or outer)
    span = max(high - low, 0.02 * abs(high))
    return min([low, *(max(v, low - 3 * span) for v in outer)]), max(
        [high, *(min(v, high + 3 * span) for v in outer)]
    )


def mark_cut_ends(ax: Axes, rows: pd.DataFrame, styles: dict[str, VariantStyle]) -> None:
    """Arrow heads where an interval leaves the axis, so that a cut interval is never read as a short one."""
    left, right = ax.get_xlim()
    for y, (variant, style) in enumerate(styles.items()):
        if variant not in rows.index:
            continue
        for bound, edge, marker in (("ci_low", left, "<"), ("ci_high", right, ">")):
            value = rows[bound].astype(float)[variant]
            if np.isfinite(value) and not left <= value <= right:
                ax.plot(
                    [edge], [y - 0.1], marker=marker, ms=4, color=ink(style.colour), clip_on=False, gid="cut"
                )


def row_names(row: Sequence[Axes], names: Sequence[str]) -> None:
    """Name the rows of panels that share their y-axis, first row on top."""
    for ax in row:  # one above the other each has names of its own
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.45, -0.55)
        ax.tick_params(axis="y", length=0)


def row_label(summary: pd.DataFrame, variant: str, style: VariantStyle) -> str:
    """Name with the number of seeds and, where there are any, of diverged ones."""
    rows = summary[summary["variant"] == variant]
    diverged = int(rows["n_diverged"].max()) if rows["n_diverged"].notna().any() else 0
    n = int(rows["n"].max()) if rows["n"].notna().any() else 0
    return f"{style.label}\n(n = {n}{f', {diverged} diverged' if diverged else ''})"
