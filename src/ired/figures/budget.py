"""Validation error of every variant after equal steps and after equal compute, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from ired.base.format_numbers import number
from ired.figures.toolkit.axes import (
    reference_lines,
    reference_values,
)
from ired.figures.toolkit.captions import LINES
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import edge_labels, legend_columns
from ired.figures.toolkit.panels import error_axis
from ired.figures.toolkit.rows import (
    bounds,
    draw_interval,
    extent,
    row_height,
    row_names,
)
from ired.figures.toolkit.sheet import PAGE, Sheet, note, sheet
from ired.figures.toolkit.style import QUIET
from ired.figures.toolkit.variants import variant_styles
from ired.sentences.messages import budget_message


def draw(budget: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """Validation error of every variant after equal steps and after equal compute, with 95 % intervals."""
    if budget.empty or budget["mse_validation_mean"].isna().all():
        return note("No validation error yet: the comparison at equal compute needs learning curves.")
    styles = variant_styles(budget)
    rows = budget.set_index("variant")
    counts = (_validated(row) for row in budget.to_dict("records"))
    names = [f"{style.label}\n{words}" for style, words in zip(styles.values(), counts, strict=True)]
    figure, axes = sheet(1, 1, 1.25 + row_height(names) * len(names), most=0.75 * PAGE)
    ax = axes[0, 0]
    kinds = (
        ("equal_step_mean", "equal_step_ci_low", "equal_step_ci_high", -0.16, "white"),
        ("mse_validation_mean", "ci_low", "ci_high", 0.16, None),
    )
    for y, (variant, style) in enumerate(styles.items()):
        for mean, low, high, shift, face in kinds:
            ends = bounds(rows, variant, (low, mean, high))
            draw_interval(ax, ends, y + shift, style.colour, style.marker, face)
    columns = [c for kind in kinds for c in kind[:3]]
    left, right = extent([], budget[columns].to_numpy(float).ravel())
    references = reference_values(reference, "id")
    error_axis(ax, left, right, references, "validation MSE per element (ID)", ticks=5)
    edge_labels(ax, reference_lines(ax, references), side="top")
    row_names([ax], names)
    step, madds = int(budget["equal_step"].max()), float(budget["madds"].max())
    shape: dict[str, Any] = {"color": QUIET, "marker": "o", "lw": 1.5, "markersize": 5}
    handles = [
        Line2D([], [], markerfacecolor="white", label=f"equal steps ({step:,})", **shape),
        Line2D([], [], label=f"equal compute ({number(madds)} multiply-adds)", **shape),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=legend_columns(handles, 2))
    return figure


def _validated(row: Mapping[Any, Any]) -> str:
    """How many seeds are behind a row; a dear variant may not have been validated by then."""
    if not row["n"] and np.isfinite(row["equal_step_mean"]):
        return "(no validation yet\nat equal compute)"
    return f"(n = {int(row['n'])})"


FIGURE = Figure(
    title="Equal steps against equal compute",
    tables=("budget",),
    optional=("reference",),
    caption=f"""Validation error after equal steps (open) and at the largest compute that every variant
        reached (filled; a dear variant is read there before the end of its learning-rate schedule). Bars:
        95 % t-interval over seeds; {{seeds}}.{{diverged}} No test is made. {LINES}""",
    reading="""The two readings of the learning curves as numbers: open marks at equal steps, filled marks
        at the largest compute that every variant reached. The distance between a row's two marks is the
        price of its negatives, and an upper bound of it: a dear variant is read there in mid-run, before
        its learning rate has decayed. A variant so dear that it was not validated by then has no filled
        mark, and says so. The bars ignore that seeds are paired, so two that overlap decide nothing.""",
    draw=draw,
    message=budget_message,
    says=("contrasts", "budget"),
)
