"""Test error against compute, a panel for each arm beside the baseline."""

from __future__ import annotations

import pandas as pd

from ired.figures.toolkit.arms import (
    OF_COMPUTE,
    arm_panels,
    arm_styles,
    banded,
    behind,
    log_panel,
    shared_labels,
)
from ired.figures.toolkit.axes import reference_values
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.sheet import Sheet, note
from ired.figures.toolkit.style import FAINT

SHOWN = 1.5  # a reference line further above the data than this factor would stretch the axis


def draw(worth_curves: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """Test error against compute, a panel for each arm beside the baseline."""
    table = worth_curves[worth_curves["metric"] == "mse_id"]
    if table.empty:
        return note("No judged run yet: the curves of error over compute need the study of worth.")
    styles = arm_styles(table)
    baseline = table[table["arm"] == next(iter(styles))]
    lines = [r.value for r in reference_values(reference, "id") if r.value < SHOWN * table["ci_high"].max()]
    figure, panels = arm_panels(styles)
    for arm, style, ax in panels:
        for line in lines:
            ax.axhline(line, color=FAINT, lw=0.7, zorder=0)
        behind(ax, baseline, "madds", "geometric_mean")
        banded(ax, table[table["arm"] == arm], "madds", "geometric_mean", "ci_low", "ci_high", style)
        log_panel(ax)
    shared_labels(figure, OF_COMPUTE["madds"], "test MSE per element (ID)")
    return figure


FIGURE = Figure(
    title="Test error over compute",
    tables=("worth_curves",),
    optional=("reference",),
    caption="""Geometric mean of the test MSE over {seeds} after complete trainings at several budgets, against the
        counted multiply-adds of each; bars: 95 % t-interval of log MSE. Grey: the first arm, without negatives.
        Faint lines: closed-form predictors. Learning rate and weight of every arm and budget were tuned by
        equally many trials on other seeds. No test is made here; the multipliers have it.""",
    reading="""Each mark is a training of its own with its own schedule, so nothing is read in mid-run. An arm left of
        the grey line reaches an error with less arithmetic than training without negatives does; its distance along
        the axis of compute is the logarithm of its multiplier. Where the line is steep a small factor of error is a
        small factor of compute.""",
    draw=draw,
)
