"""The panel of one test set: seeds, means with intervals and the reference lines, a row per variant."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from ired.figures.toolkit.axes import (
    Rung,
    limits_with_references,
    log_axis,
    plain_axis,
    reference_lines,
    reference_values,
)
from ired.figures.toolkit.labels import edge_labels
from ired.figures.toolkit.rows import (
    bounds,
    by_variant,
    draw_interval,
    draw_seeds,
    extent,
    mark_cut_ends,
    seed_values,
)
from ired.figures.toolkit.variants import VariantStyle
from ired.record.metrics import SPLITS, TEST_METRICS


def error_panel(
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
    references = reference_values(reference, TEST_METRICS[metric])
    error_axis(ax, low, high, references, "test MSE per element")
    edge_labels(ax, reference_lines(ax, references), side="top")
    ax.set_title(SPLITS[TEST_METRICS[metric]], pad=32 if references else 6)
    mark_cut_ends(ax, rows, styles)


def error_axis(ax: Axes, low: float, high: float, references: list[Rung], label: str, ticks: int = 4) -> None:
    """An x-axis of errors around the data, logarithmic where they span more than a decade."""
    if low > 0 and high / low > 12:
        ax.set_xlim(low / 1.2, high * 1.2)
        log_axis(ax, "x", f"{label} (log)")
    else:
        ax.set_xlim(*limits_with_references(low, high, references))
        plain_axis(ax, "x", label, ticks)
