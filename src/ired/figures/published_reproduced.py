"""Published values of the task above, ours below: each with its own axis and its own line to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ired.figures.toolkit.axes import (
    Rung,
    limits_with_references,
    plain_axis,
    reference_lines,
    reference_values,
)
from ired.figures.toolkit.captions import LINES
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import LABEL_SIZE, edge_labels
from ired.figures.toolkit.rows import (
    bounds,
    draw_interval,
    draw_seeds,
    row_height,
    row_label,
    row_names,
)
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import INK, QUIET, strategy_colour
from ired.figures.toolkit.variants import variant_styles
from ired.record.metrics import TEST_METRICS

PUBLISHED_N = 20  # matrix size of every published value
# Each task's line to beat at n = 20, on 100,000 problems per test set; held by a test.
PUBLISHED_LINES: dict[str, tuple[str, dict[str, float]]] = {
    "inversion": ("affine", {"id": 0.00957, "ood": 0.2080}),
    "completion": ("copy", {"id": 0.0175, "ood": 0.2048}),
    "addition": ("sum", {"id": 0.0, "ood": 0.0}),
}


RECORD = "ten-seed-record"


NAMES = {"ired": "IRED", "irem": "IREM"}


def draw(
    published: pd.DataFrame,
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    reference: pd.DataFrame | None = None,
) -> Sheet:
    """Published values of the task above, ours below: each with its own axis and its own line to beat."""
    task = str(runs["task"].iloc[0]) if len(runs) else ""
    published = published[published["task"] == task]
    if published.empty or summary.empty:
        return note("No published values to compare with.")
    n = int(runs["n"].dropna().iloc[0]) if runs["n"].notna().any() else 0
    above = [_method_name(source, method) for source, method in _methods(published)]
    below = [row_label(summary, variant, style) for variant, style in variant_styles(summary).items()]
    heights = [0.3 + 0.24 * len(above), 0.3 + row_height(below, 0.36) * len(below)]
    figure, axes = panels(2, 2, 1.3 + sum(heights), sharey="row", height_ratios=heights)
    for column, (metric, split) in enumerate(TEST_METRICS.items()):
        _published_panel(axes[0, column], published, split)
        _our_panel(axes[1, column], runs, summary, reference, metric)
        axes[0, column].set_title(f"published, n = {PUBLISHED_N}: {split.upper()}", pad=30)
        axes[1, column].set_title(f"this study, n = {n}: {split.upper()}", pad=30)
    row_names(axes[0], above)
    row_names(axes[1], below)
    return figure


def _method_name(source: str, method: str) -> str:
    return f"{NAMES.get(method, method)} ({'ten seeds' if source == RECORD else 'paper'})"


def _methods(published: pd.DataFrame) -> list[tuple[str, str]]:
    """(source, method) of the rows to show: Table 1 of the paper, then the ten-seed record."""
    table = published.astype({"table": str})
    paper = table[(table["source"] == "ired-paper") & (table["table"] == "1")]
    shown = pd.concat([paper, table[table["source"] == RECORD]])
    return [
        (str(s), str(m)) for s, m in shown[["source", "method"]].drop_duplicates().itertuples(index=False)
    ]


def _published_panel(ax: Axes, published: pd.DataFrame, split: str) -> None:
    """Published values: a diamond per table entry, a point per seed of the record."""
    methods = _methods(published)
    seen: list[float] = []
    for y, (source, method) in enumerate(methods):
        rows = published[(published["source"] == source) & (published["method"] == method)]
        if source != RECORD:
            rows = rows[rows["table"].astype(str) == "1"]
        values = [float(v) for v in rows.loc[(rows["split"] == split), "value"].dropna()]
        seen += values
        if source == RECORD:
            draw_seeds(ax, values, y - 0.2, strategy_colour(method), "o")
        else:
            ax.plot(
                values,
                [y] * len(values),
                ls="",
                marker="D",
                ms=4.5,
                color=INK if method == "ired" else QUIET,
                gid="mean",
            )
        if not values:
            ax.text(
                0.5,
                y,
                "not reported",
                transform=ax.get_yaxis_transform(),
                ha="center",
                va="center",
                color=QUIET,
                fontsize=LABEL_SIZE,
            )
    label, line = PUBLISHED_LINES[str(published["task"].iloc[0])]
    _finish(ax, seen, [Rung(label, line[split], line=True)])


def _our_panel(
    ax: Axes, runs: pd.DataFrame, summary: pd.DataFrame, reference: pd.DataFrame | None, metric: str
) -> None:
    styles = variant_styles(summary)
    rows = summary[summary["metric"] == metric].drop_duplicates("variant").set_index("variant")
    seen: list[float] = []
    for y, (variant, style) in enumerate(styles.items()):
        if variant not in rows.index:
            continue
        ends = bounds(rows, variant)
        draw_interval(ax, ends, y, style.colour, style.marker)
        seen += [v for v in ends if np.isfinite(v)]
    _finish(ax, seen, reference_values(reference, TEST_METRICS[metric]))


def _finish(ax: Axes, seen: Sequence[float], references: list[Rung]) -> None:
    if not seen:
        ax.text(0.5, 0.5, "not reported", transform=ax.transAxes, ha="center", va="center", color=QUIET)
        ax.set_xticks([])
        return
    ax.set_xlim(*limits_with_references(min(seen), max(seen), references))
    plain_axis(ax, "x", "MSE per element")
    edge_labels(ax, reference_lines(ax, references), side="top")


FIGURE = Figure(
    title="Published and reproduced",
    tables=("published", "runs", "summary"),
    optional=("reference",),
    caption=f"""Above: published values at n = 20 (diamonds: Table 1 of the IRED paper; dots: the seeds of
        the ten-seed record) with the error of the task's line to beat. Below: this study, mean with its 95 %
        t-interval; {{seeds}}.{{diverged}} Matrix sizes may differ, so compare where values lie relative
        to that line, not their size. No test is made. {LINES}""",
    reading="""Published values above, this study below. The matrix sizes may differ, and then the numbers
        cannot be compared; their place relative to the line to beat can. "Not reported" marks what a
        source does not give. [A worked reading of the ten-seed record](published_record.md) goes through
        its rows: the effect is certain, tiny, within the margin, and sits 1 to 2 % above the affine line.""",
    draw=draw,
    fits_column=False,
)
