"""The ladder of the contrastive-divergence parts, in order, with the cost of a training step."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ired.figures.toolkit.axes import (
    plain_axis,
)
from ired.figures.toolkit.captions import LINES, MEANS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.panels import error_panel
from ired.figures.toolkit.rows import (
    by_variant,
    present_metrics,
    row_height,
    row_label,
    row_names,
)
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import FAINT
from ired.figures.toolkit.variants import variant_styles
from ired.sentences.messages import contrasts_message


def draw(runs: pd.DataFrame, summary: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """The ladder of the contrastive-divergence parts, in order, with the cost of a training step."""
    metrics = present_metrics(summary)
    if not metrics:
        return note("No finished run has a test error yet.")
    styles = variant_styles(summary)
    widths = [3.0] * len(metrics) + [1.6]
    names = [row_label(summary, variant, style) for variant, style in styles.items()]
    height = 1.15 + row_height(names) * len(names)
    figure, axes = panels(1, len(widths), height, sharey=True, width_ratios=widths)
    for ax, metric in zip(axes[0], metrics, strict=False):
        error_panel(ax, runs, summary, reference, metric, styles)
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


FIGURE = Figure(
    title="Ablation of contrastive divergence",
    tables=("runs", "summary"),
    optional=("reference",),
    caption=f"""Test error per matrix element of each rung of the ablation, and the counted multiply-adds
        of one of its training steps. {MEANS} {LINES}""",
    reading="""The parts of contrastive divergence, one added per row from top to bottom; the light line
        connects the means. The bars on the right are the multiply-adds of one training step: a rung that
        helps a little and costs ten times as much has not helped.""",
    draw=draw,
    message=contrasts_message,
    says=("contrasts",),
)
