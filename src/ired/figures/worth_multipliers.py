"""The compute multiplier of every arm: over all budgets, and at the largest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from ired.base.format_numbers import p_value
from ired.figures.toolkit.arms import arm_styles
from ired.figures.toolkit.axes import log_axis
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.rows import draw_interval, row_height, row_names
from ired.figures.toolkit.sheet import PAGE, Sheet, note, sheet
from ired.figures.toolkit.style import INK, QUIET, ink
from ired.sentences.messages import worth_message
from ired.sentences.worth import at_largest_budget

BEYOND = ("at_least", "at_most")


def draw(multipliers: pd.DataFrame) -> Sheet:
    """The compute multiplier of every arm: over all budgets, and at the largest."""
    table = multipliers[(multipliers["compute"] == "madds") & (multipliers["metric"] == "mse_id")]
    if table.empty:
        return note("No judged run yet: multipliers need the study of worth.")
    styles = arm_styles(table)
    pooled = table[table["reading"] == "all"].set_index("arm")
    single = at_largest_budget(table)
    names = [f"{style.line}\n{_words(pooled.loc[arm])}" for arm, style in styles.items()]
    figure, axes = sheet(1, 1, 1.2 + row_height(names) * len(names), most=0.78 * PAGE)
    ax = axes[0, 0]
    finite = pd.concat([pooled, single])[["value", "ci_low", "ci_high"]].to_numpy(float)
    finite = finite[np.isfinite(finite)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.5, 2.0)
    low, high = min(low, 1.0) / 1.15, max(high, 1.0) * 1.15
    for y, (arm, style) in enumerate(styles.items()):
        for rows, shift, face in ((pooled, -0.14, None), (single, 0.16, "white")):
            row = rows.loc[arm]
            draw_interval(ax, _ends(row, low, high), y + shift, style.colour, style.marker, face)
            if row["bound"] in BEYOND and pd.isna(row["value"]):
                edge, arrow = (high, ">") if row["bound"] == "at_least" else (low, "<")
                shape = {"marker": arrow, "markersize": 6, "markerfacecolor": face or style.colour}
                ax.plot(edge, y + shift, color=style.colour, clip_on=False, **shape)
    ax.axvline(1.0, color=INK, lw=0.8, zorder=0)
    ax.set_xlim(low, high)
    log_axis(ax, "x", "compute multiplier m (log): below 1 wastes, above 1 saves")
    row_names([ax], names)
    for label, style in zip(ax.get_yticklabels(), styles.values(), strict=True):
        label.set_color(ink(style.colour))
    shape = {"color": QUIET, "marker": "o", "lw": 1.5, "markersize": 5}
    handles = [
        Line2D([], [], label="shared by all budgets", **shape),  # type: ignore[arg-type]
        Line2D([], [], markerfacecolor="white", label="at the largest budget", **shape),  # type: ignore[arg-type]
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=legend_columns(handles, 2))
    return figure


def _ends(row: Any, low: float, high: float) -> list[float]:
    """Low end, value and high end; an open end goes to the edge of the axis."""
    first = row["ci_low"] if math.isfinite(row["ci_low"]) else low
    last = row["ci_high"] if math.isfinite(row["ci_high"]) else high
    return [float(first), float(row["value"]), float(last)]


def _words(row: Any) -> str:
    verdict = str(row["verdict"])
    if not math.isfinite(row["p_holm"]):
        return "beyond the baseline's budgets"
    return f"{verdict}, {p_value(row['p_holm'])}"


FIGURE = Figure(
    title="What the negatives are worth",
    tables=("multipliers",),
    caption="""Compute multiplier of every arm: the compute that training without negatives needs for the arm's error,
        over what the arm spent (counted multiply-adds, ID test MSE; {seeds}). Filled: the m that all budgets
        share; open: at the largest budget. Bars: 95 % intervals by inverting a paired t-test over seeds; a bar
        that reaches the edge is open there, and an arrow at the edge is an m beyond what the baseline's budgets can
        show. Under each name the verdict of the shared m and its p, Holm-adjusted over the arms.""",
    reading="""One row an arm. At m = 1 negatives are neither gain nor loss; at m = 0.5 half of the compute is wasted,
        at m = 1.3 the negatives are worth 30 % more compute. The filled mark has the verdict. Where filled and
        open marks lie apart the worth changes with the budget, which the figure of growth shows.""",
    draw=draw,
    message=worth_message,
    says=("multipliers",),
)
