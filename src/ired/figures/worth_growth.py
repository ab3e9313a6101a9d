"""The compute multiplier against compute, a panel for each arm, with its slope."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ired.base.format_numbers import MINUS
from ired.figures.toolkit.arms import OF_COMPUTE, arm_panels, arm_styles, banded, log_panel, shared_labels
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.sheet import Sheet, note
from ired.figures.toolkit.style import INK, QUIET


def draw(multipliers: pd.DataFrame) -> Sheet:
    """The compute multiplier against compute, a panel for each arm, with its slope."""
    table = multipliers[(multipliers["compute"] == "madds") & (multipliers["metric"] == "mse_id")]
    if table.empty:
        return note("No judged run yet: multipliers need the study of worth.")
    styles = arm_styles(table)
    slopes = table[table["reading"] == "slope"].set_index("arm")
    figure, panels = arm_panels(styles)
    for arm, style, ax in panels:
        ax.axhline(1.0, color=INK, lw=0.7, zorder=0)
        rows = table[(table["arm"] == arm) & (table["reading"] == "at")]
        banded(ax, rows, "compute_spent", "value", "ci_low", "ci_high", style)
        log_panel(ax)
        words = _slope(slopes.loc[arm])
        ax.text(0.97, 0.06, words, transform=ax.transAxes, ha="right", fontsize=6, color=QUIET)
    shared_labels(figure, OF_COMPUTE["madds"], "compute multiplier m")
    return figure


def _slope(row: Any) -> str:
    """The slope with its interval, as far as it is known."""
    if not math.isfinite(row["value"]):
        return "slope unknown"
    ends = [f"{end:+.2f}" if math.isfinite(end) else "?" for end in (row["ci_low"], row["ci_high"])]
    return f"slope {row['value']:+.2f} [{ends[0]}, {ends[1]}]".replace("-", MINUS)


FIGURE = Figure(
    title="Does mining pay more as training goes on?",
    tables=("multipliers",),
    caption="""Compute multiplier m of every arm at each of its budgets (counted multiply-adds, ID test MSE; {seeds}),
        with 95 % intervals by inverting a paired t-test over seeds; an end that is not drawn lies beyond the
        baseline's budgets. The slope is d log m / d log C with its 95 % interval.""",
    reading="""A line that rises says that the arm saves a larger share of the compute the longer one trains, one that
        falls the opposite; a slope whose interval holds 0 says neither. Beyond the largest budget nothing was
        measured: a straight line continued to the published budget is a guess.""",
    draw=draw,
)
