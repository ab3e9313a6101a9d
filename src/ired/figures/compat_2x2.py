"""The 2x2 of the released code's two defects in the descent: each fixed, or as released."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ired.figures.toolkit.axes import (
    limits_with_references,
    plain_axis,
    reference_lines,
    reference_values,
)
from ired.figures.toolkit.captions import LINES, MEANS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import edge_labels, legend_columns
from ired.figures.toolkit.rows import (
    present_metrics,
    seed_values,
)
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import ink, shade, strategy_colour
from ired.record.metrics import SPLITS, TEST_METRICS
from ired.sentences.messages import contrasts_message

Cell = tuple[bool, bool]  # as released: the clip bound (U1), the doubled step (U2)


def draw(runs: pd.DataFrame, summary: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """Interaction plot of the released defects U1 (clip bound) and U2 (doubled step): fixed or released."""
    metrics = present_metrics(summary)
    cells = compat_cells(runs)
    if not metrics or len(set(cells.values())) < 2:
        return note("This experiment has no variants with U1 and U2 fixed or as released.")
    figure, axes = panels(1, len(metrics), 2.5)
    rows = summary[summary["variant"].isin(list(cells))]
    for ax, metric in zip(axes[0], metrics, strict=True):
        _compat_panel(ax, runs, rows[rows["metric"] == metric], cells, metric)
        references = reference_values(reference, TEST_METRICS[metric])
        low, high = ax.get_ylim()
        ax.set_ylim(*limits_with_references(low, high, references))
        drawn = reference_lines(ax, references, side="right")
        edge_labels(ax, drawn)
        plain_axis(ax, "y", "test MSE per element")
        ax.set_title(SPLITS[TEST_METRICS[metric]])
    handles, _ = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 2))
    return figure


COMPAT_STYLES = {False: ("U2 fixed", "o", "-", 0.25), True: ("U2 as released", "s", (0, (4, 1.5)), -0.25)}


def _compat_panel(
    ax: Axes, runs: pd.DataFrame, rows: pd.DataFrame, cells: dict[str, Cell], metric: str
) -> None:
    for second, (label, marker, dash, amount) in COMPAT_STYLES.items():
        mine = rows[[cells[v][1] == second for v in rows["variant"]]]
        if mine.empty:
            continue
        mine = mine.assign(x=[float(cells[v][0]) for v in mine["variant"]]).sort_values("x")
        base = strategy_colour(mine["strategy"].iloc[0])
        colour, shift = shade(base, amount), 0.03 * (1 if second else -1)
        ax.plot(
            mine["x"] + shift,
            mine["mean"],
            color=colour,
            marker=marker,
            mec=ink(colour),
            ls=dash,
            ms=5,
            label=label,
            gid="curve",
            zorder=3,
        )
        row: Any  # a named tuple, whose fields the type checker cannot know
        for row in mine.itertuples():
            x = float(row.x) + shift
            seeds = seed_values(runs, str(row.variant), metric)
            side = x + (0.05 if second else -0.05)
            ax.plot(
                [side] * len(seeds),
                seeds,
                ls="",
                marker=marker,
                ms=2.8,
                color=colour,
                alpha=0.6,
                mew=0,
                gid="seeds",
            )
            if np.isfinite(row.ci_low):
                ax.plot([x, x], [row.ci_low, row.ci_high], color=ink(colour), lw=1.6, gid="interval")
    ax.set_xticks([0, 1], _compat_ticks(rows, cells))
    ax.set_xlim(-0.35, 1.35)


def _compat_ticks(rows: pd.DataFrame, cells: dict[str, Cell]) -> list[str]:
    """The two sides of U1, with the number of diverged runs on each."""
    names = []
    for first, text in ((False, "U1 fixed"), (True, "U1 as released")):
        mine = rows[[cells[v][0] == first for v in rows["variant"]]]
        lost = int(mine["n_diverged"].sum())
        names.append(f"{text}\n{lost} diverged" if lost else text)
    return names


def compat_cells(runs: pd.DataFrame) -> dict[str, Cell]:
    """Variant -> (U1 as released, U2 as released), of strategies present in more than one such way."""
    rows = runs.drop_duplicates("variant")
    cells = {
        str(variant): (strategy, (bool(first), bool(second)))
        for variant, strategy, first, second in rows[
            ["variant", "strategy", "shared_clip", "doubled_step"]
        ].itertuples(index=False)
    }
    ways: dict[str, set[Cell]] = {}
    for strategy, cell in cells.values():
        ways.setdefault(strategy, set()).add(cell)
    return {variant: cell for variant, (strategy, cell) in cells.items() if len(ways[strategy]) > 1}


FIGURE = Figure(
    title="The released defects, one by one",
    tables=("runs", "summary"),
    optional=("reference",),
    caption=f"""Test error per matrix element with two defects of the released code, each fixed or as
        released. U1: a batch is clipped by its first sample's bound. U2: the step doubles within a
        descent. {MEANS} Lines that are not parallel would be an interaction. {LINES}""",
    reading="""The released code has two defects in its descent: a batch is clipped by its first sample's
        bound (U1), and the step doubles from the second step on (U2; of mining and of inference). Two
        lines, two ends: parallel lines mean that the defects act separately, crossing ones that they
        interact.""",
    draw=draw,
    message=contrasts_message,
    says=("contrasts",),
)
