"""Test error of every variant: seeds, mean with 95 % interval, reference lines; a panel per test set."""

from __future__ import annotations

import pandas as pd

from ired.figures.toolkit.captions import LINES, MEANS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.panels import error_panel
from ired.figures.toolkit.rows import (
    present_metrics,
    row_height,
    row_label,
    row_names,
)
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.variants import variant_styles
from ired.sentences.messages import line_message


def draw(runs: pd.DataFrame, summary: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """Test error of every variant: seeds, mean with 95 % interval, reference lines; a panel per test set."""
    metrics = present_metrics(summary)
    if not metrics:
        return note("No finished run has a test error yet.")
    styles = variant_styles(summary)
    names = [row_label(summary, variant, style) for variant, style in styles.items()]
    figure, axes = panels(1, len(metrics), 1.15 + row_height(names) * len(names), sharey=True)
    for ax, metric in zip(axes[0], metrics, strict=True):
        error_panel(ax, runs, summary, reference, metric, styles)
    row_names(axes[0], names)
    return figure


FIGURE = Figure(
    title="Test error of every variant",
    tables=("runs", "summary"),
    optional=("reference",),
    caption=f"""Test error per matrix element on {{test_matrices}} fixed matrices in (left) and out of
        (right) distribution. {MEANS} {LINES}""",
    reading="""One row per variant, one panel per test set; further left is better. First look where the
        whole cloud lies relative to the reference lines: a difference between strategies that are all on
        the affine line is a difference between fits of a line. Then compare rows. Overlapping bars do not
        mean "no difference", because seeds are paired: the next figure answers that.""",
    draw=draw,
    message=line_message,
    says=("summary", "against_line", "reference"),
)
