"""Test error of the variants: comparison of strategies, ablation ladder, equal compute against equal steps.

Rows are horizontal, because variant names are long and must stay readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ired.base.format_numbers import number
from ired.figures.axes import limits_with_references, log_axis, plain_axis, reference_lines, reference_values
from ired.figures.labels import edge_labels
from ired.figures.rows import (
    METRICS,
    SPLITS,
    bounds,
    by_variant,
    draw_interval,
    draw_seeds,
    extent,
    mark_cut_ends,
    present_metrics,
    row_height,
    row_label,
    row_names,
    seed_values,
)
from ired.figures.style import DOUBLE, FAINT, QUIET, Sheet, VariantStyle, note, sheet, styled, variant_styles


@styled
def strategy_comparison(
    runs: pd.DataFrame, summary: pd.DataFrame, reference: pd.DataFrame | None = None
) -> Sheet:
    """Test error of every variant: seeds, mean with 95 % interval, reference lines; a panel per test set."""
    metrics = present_metrics(summary)
    if not metrics:
        return note("No finished run has a test error yet.")
    styles = variant_styles(summary)
    names = [row_label(summary, variant, style) for variant, style in styles.items()]
    figure, axes = sheet(1, len(metrics), DOUBLE, 1.15 + row_height(names) * len(names), sharey=True)
    for ax, metric in zip(axes[0], metrics, strict=True):
        _error_panel(ax, runs, summary, reference, metric, styles)
    row_names(axes[0], names)
    return figure


@styled
def cd_ablation(runs: pd.DataFrame, summary: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """The ladder of the contrastive-divergence parts, in order, with the cost of a training step."""
    metrics = present_metrics(summary)
    if not metrics:
        return note("No finished run has a test error yet.")
    styles = variant_styles(summary)
    widths = [3.0] * len(metrics) + [1.6]
    names = [row_label(summary, variant, style) for variant, style in styles.items()]
    height = 1.15 + row_height(names) * len(names)
    figure, axes = sheet(1, len(widths), DOUBLE, height, sharey=True, width_ratios=widths)
    for ax, metric in zip(axes[0], metrics, strict=False):
        _error_panel(ax, runs, summary, reference, metric, styles)
        means = by_variant(summary, metric)["mean"].reindex(list(styles))
        ax.plot(means, np.arange(len(styles)) - 0.1, color=FAINT, lw=1.2, zorder=0.8, gid="ladder")
    cost = axes[0, -1]
    costs = by_variant(summary, metrics[0])["madds_per_step"].reindex(list(styles)).to_numpy(float)
    colours = [s.colour for s in styles.values()]
    cost.barh(np.arange(len(styles)), costs, height=0.5, color=colours, alpha=0.8)
    cost.set_title("cost of a step", pad=32 if reference is not None else 6)
    plain_axis(cost, "x", "multiply-adds", ticks=3)
    row_names(axes[0], names)
    return figure


def _error_panel(
    ax: Axes,
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    reference: pd.DataFrame | None,
    metric: str,
    styles: dict[str, VariantStyle],
) -> None:
    """One test set: the mean with its interval, the seeds just below it, so that neither hides the other."""
    rows = by_variant(summary, metric)
    for y, (variant, style) in enumerate(styles.items()):
        seeds = seed_values(runs, variant, metric)
        draw_seeds(ax, seeds, y, style.colour, style.marker)
        if variant in rows.index:
            ends = bounds(rows, variant)
            draw_interval(ax, ends, y - 0.1, style.colour, style.marker)
    seen = [v for variant in styles for v in seed_values(runs, variant, metric)]
    low, high = extent(seen, rows[["ci_low", "ci_high", "mean"]].to_numpy(float).ravel())
    references = reference_values(reference, SPLITS[metric])
    _error_axis(ax, low, high, references, "test MSE per element")
    edge_labels(ax, reference_lines(ax, references), side="top")
    ax.set_title(METRICS[metric], pad=32 if references else 6)
    mark_cut_ends(ax, rows, styles)


def _error_axis(
    ax: Axes, low: float, high: float, references: dict[str, float], label: str, ticks: int = 4
) -> None:
    """An x-axis of errors around the data, logarithmic where they span more than a decade."""
    if low > 0 and high / low > 12:
        ax.set_xlim(low / 1.2, high * 1.2)
        log_axis(ax, "x", f"{label} (log)")
    else:
        ax.set_xlim(*limits_with_references(low, high, references))
        plain_axis(ax, "x", label, ticks)


@styled
def budget(budget: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """Validation error of every variant after equal steps and after equal compute, with 95 % intervals."""
    if budget.empty or budget["mse_validation_mean"].isna().all():
        return note("No validation error yet: the comparison at equal compute needs learning curves.")
    styles = variant_styles(budget)
    rows = budget.set_index("variant")
    counts = (_validated(row) for row in budget.to_dict("records"))
    names = [f"{style.label}\n{words}" for style, words in zip(styles.values(), counts, strict=True)]
    figure, axes = sheet(1, 1, DOUBLE * 0.75, 1.25 + row_height(names) * len(names))
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
    _error_axis(ax, left, right, references, "validation MSE per element (ID)", ticks=5)
    edge_labels(ax, reference_lines(ax, references), side="top")
    row_names([ax], names)
    step, madds = int(budget["equal_step"].max()), float(budget["madds"].max())
    shape: dict[str, Any] = {"color": QUIET, "marker": "o", "lw": 1.5, "markersize": 5}
    handles = [
        Line2D([], [], markerfacecolor="white", label=f"equal steps ({step:,})", **shape),
        Line2D([], [], label=f"equal compute ({number(madds)} multiply-adds)", **shape),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


def _validated(row: Mapping[Any, Any]) -> str:
    """How many seeds are behind a row; a dear variant may not have been validated by then."""
    if not row["n"] and np.isfinite(row["equal_step_mean"]):
        return "(no validation yet\nat equal compute)"
    return f"(n = {int(row['n'])})"
