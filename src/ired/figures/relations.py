"""Relations between tables: hardness of the negatives against their benefit, published against reproduced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ired.figures.axes import limits_with_references, plain_axis, reference_lines, reference_values
from ired.figures.labels import LABEL_SIZE, Mark, edge_labels, legend_columns, point_labels
from ired.figures.levels import last_phase
from ired.figures.rows import SPLITS, bounds, draw_interval, draw_seeds, row_height, row_label, row_names
from ired.figures.style import (
    DOUBLE,
    INK,
    QUIET,
    Sheet,
    ink,
    note,
    sheet,
    strategy_colour,
    styled,
    variant_styles,
)

HARDNESS = (
    ("distance", "distance of negative from positive\n← harder", False),
    ("gap_q50", "median energy gap E(y⁻) − E(y⁺)\n← harder", True),
)
PUBLISHED_N = 20  # matrix size of every published value
# The affine predictor at n = 20, from 100,000 matrices per test set: the published values sit on it.
PUBLISHED_AFFINE = {"id": 0.00956, "ood": 0.2067}
RECORD = "ten-seed-record"


@styled
def hardness_benefit(energy_profile: pd.DataFrame, contrasts: pd.DataFrame) -> Sheet:
    """Does harder help? Hardness of each variant's negatives against the reduction of its ID error."""
    late = last_phase(energy_profile.dropna(subset=["distance"]))
    rows = contrasts[(contrasts["metric"] == "mse_id") & contrasts["treatment"].isin(set(late["variant"]))]
    rows = rows.dropna(subset=["difference"])
    # One baseline for all points: the one that most variants with negatives are held against.
    bases = rows["baseline"].value_counts(sort=False)
    gains = rows[rows["baseline"] == bases.idxmax()].set_index("treatment") if len(bases) else rows
    names = [v for v in late["variant"].drop_duplicates() if v in gains.index]
    if not names:
        return note(
            "It takes variants with negatives and a contrast to the baseline to compare hardness and benefit."
        )
    styles = variant_styles(energy_profile)
    crowded = len(names) > 4  # names beside close points would cover them
    figure, axes = sheet(1, 2, DOUBLE, 3.2 if crowded else 3.0, sharey=True)
    for ax, (column, label, zero) in zip(axes[0], HARDNESS, strict=True):
        # One point per variant: the mean over levels and seeds at the end of training.
        hardness = late.groupby("variant")[column].mean()
        points, marks = [], []
        for name in names:
            row, style, x = gains.loc[name], styles[name], float(hardness[name])
            scale = -100 / row["baseline_mean"]  # from a difference to a reduction in percent
            y, ends = scale * row["difference"], scale * row[["ci_low", "ci_high"]].to_numpy(float)
            ax.plot([x, x], ends, color=ink(style.colour), lw=1.4, gid="interval", solid_capstyle="butt")
            ax.plot(
                [x],
                [y],
                ls="",
                marker=style.marker,
                color=style.colour,
                mec=ink(style.colour),
                ms=5.5,
                gid="mean",
            )
            points.append((x, float(y)))
            marks.append(Mark(style.label, x, ink(style.colour)))
        ax.axhline(0, color=INK, lw=0.7, gid="reference:none")
        if zero:
            ax.axvline(0, color=QUIET, lw=0.6, ls=(0, (1, 2)), gid="reference:none")
            edge_labels(
                ax, [Mark("positive and negative\nequally likely to the model", 0.0, QUIET)], side="top"
            )
        ax.margins(x=0.1 if crowded else 0.25, y=0.15)
        if not zero:
            ax.set_xlim(left=max(ax.get_xlim()[0], 0))  # a distance
        plain_axis(ax, "x", label, ticks=6)
        if not crowded:
            point_labels(ax, points, marks)
    plain_axis(axes[0, 0], "y", "", ticks=6)
    if crowded:
        look: dict[str, Any] = {"ls": "", "ms": 5.5}
        handles = [
            Line2D([], [], color=s.colour, mec=ink(s.colour), marker=s.marker, label=s.line, **look)
            for s in (styles[name] for name in names)
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles))
    baseline = str(gains["baseline"].iloc[0])
    edge_labels(axes[0, 1], [Mark(f"same as\n{baseline}", 0.0)])
    axes[0, 0].set_ylabel(f"reduction of ID test MSE\nagainst {baseline} (%)   better →")
    return figure


@styled
def published_reproduced(
    published: pd.DataFrame,
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    reference: pd.DataFrame | None = None,
) -> Sheet:
    """Published values above, ours below: each with its own axis and its own affine line."""
    if published.empty or summary.empty:
        return note("No published values to compare with.")
    n = int(runs["n"].dropna().iloc[0]) if runs["n"].notna().any() else 0
    above = [_method_name(source, method) for source, method in _methods(published)]
    below = [row_label(summary, variant, style) for variant, style in variant_styles(summary).items()]
    heights = [0.3 + 0.24 * len(above), 0.3 + row_height(below, 0.36) * len(below)]
    figure, axes = sheet(2, 2, DOUBLE, 1.3 + sum(heights), sharey="row", height_ratios=heights)
    for column, (metric, split) in enumerate(SPLITS.items()):
        _published_panel(axes[0, column], published, split)
        _our_panel(axes[1, column], runs, summary, reference, metric)
        axes[0, column].set_title(f"published, n = {PUBLISHED_N}: {split.upper()}", pad=30)
        axes[1, column].set_title(f"this study, n = {n}: {split.upper()}", pad=30)
    row_names(axes[0], above)
    row_names(axes[1], below)
    return figure


NAMES = {"ired": "IRED", "irem": "IREM"}


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
    _finish(ax, seen, {"affine": PUBLISHED_AFFINE[split]})


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
    _finish(ax, seen, reference_values(reference, SPLITS[metric]))


def _finish(ax: Axes, seen: Sequence[float], references: dict[str, float]) -> None:
    if not seen:
        ax.text(0.5, 0.5, "not reported", transform=ax.transAxes, ha="center", va="center", color=QUIET)
        ax.set_xticks([])
        return
    ax.set_xlim(*limits_with_references(min(seen), max(seen), references))
    plain_axis(ax, "x", "MSE per element")
    edge_labels(ax, reference_lines(ax, references), side="top")
