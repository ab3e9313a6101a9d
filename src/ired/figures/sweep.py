"""Dose-response: test error against the level of a factor; a row per factor, a column per test set."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FixedLocator,
    NullFormatter,
    NullLocator,
)
from matplotlib.transforms import offset_copy

from ired.figures.toolkit.axes import (
    limits_with_references,
    plain_axis,
    reference_lines,
    reference_values,
)
from ired.figures.toolkit.captions import LINES, MEANS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import Mark, edge_labels
from ired.figures.toolkit.rows import (
    present_metrics,
    seed_values,
)
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import DASHES, ink, strategy_colour, strategy_marker
from ired.figures.toolkit.variants import VariantStyle, level_text, variant_styles
from ired.record.metrics import SPLITS, TEST_METRICS
from ired.sentences.messages import effects_message


def draw(runs: pd.DataFrame, summary: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """Dose-response: test error against the level of a factor; a row per factor, a column per test set."""
    metrics = present_metrics(summary)
    levels = summary.dropna(subset=["factor"])
    levels = levels[levels["factor"].astype(str) != ""]
    if not metrics or levels.empty:
        return note("No variant of this experiment is a level of a factor.")
    factors = list(levels["factor"].drop_duplicates())
    plain = [v for v in summary["variant"].drop_duplicates() if v not in set(levels["variant"])]
    figure, axes = panels(len(factors), len(metrics), 0.3 + 2.3 * len(factors), sharey="col")
    styles = variant_styles(summary)
    for row, factor in zip(axes, factors, strict=True):
        rows = levels[levels["factor"] == factor]
        for ax, metric in zip(row, metrics, strict=True):
            _sweep_panel(ax, runs, rows[rows["metric"] == metric], metric)
            flat = summary[(summary["metric"] == metric) & summary["variant"].isin(plain)].set_index(
                "variant"
            )
            references = reference_values(reference, TEST_METRICS[metric])
            values = [
                v for name in [*plain, *rows["variant"].unique()] for v in seed_values(runs, name, metric)
            ]
            bounds = pd.concat([rows[rows["metric"] == metric], flat])[["ci_low", "ci_high", "mean"]]
            finite = [*values, *bounds.to_numpy(float).ravel()]
            finite = [v for v in finite if np.isfinite(v)]
            ax.set_ylim(*limits_with_references(min(finite), max(finite), references))
            marks = [_flat_line(ax, flat.loc[v], styles[v]) for v in plain if v in flat.index]
            marks += reference_lines(ax, references, side="right")
            edge_labels(ax, [m for m in marks if m is not None])
            plain_axis(ax, "y", "test MSE per element")
            ax.set_title(SPLITS[TEST_METRICS[metric]])
    return figure


def _sweep_panel(ax: Axes, runs: pd.DataFrame, rows: pd.DataFrame, metric: str) -> None:
    """Every sweep's means and intervals over the levels, with the seeds behind them."""
    where = _level_axis(ax, rows)
    bases = {
        str(base): str(strategy) for base, strategy in rows[["base", "strategy"]].itertuples(index=False)
    }
    beside = offset_copy(
        ax.transData, cast(Sheet, ax.figure), x=5, units="points"
    )  # the interval would cover them
    for base, strategy in bases.items():
        k = [name for name in bases if bases[name] == strategy].index(base)
        colour = strategy_colour(strategy)
        mine = (
            rows[rows["base"] == base].assign(x=lambda r: r["level"].astype(str).map(where)).sort_values("x")
        )
        label = str(base).replace("_", " ") if len(bases) > 1 else None
        ax.plot(
            mine["x"],
            mine["mean"],
            color=colour,
            lw=1.1,
            ls=DASHES[k % len(DASHES)],
            marker=strategy_marker(strategy, k),
            mec=ink(colour),
            gid="curve",
            label=label,
            zorder=3,
        )
        numbers = mine[["x", "ci_low", "ci_high"]].to_numpy(float)
        for variant, (x, low, high) in zip(mine["variant"], numbers, strict=True):
            seeds = seed_values(runs, str(variant), metric)
            ax.plot(
                [x] * len(seeds),
                seeds,
                ls="",
                marker="o",
                ms=2.8,
                color=colour,
                alpha=0.6,
                mew=0,
                transform=beside,
                gid="seeds",
            )
            if np.isfinite(low):
                ax.plot([x] * 2, [low, high], color=ink(colour), lw=1.6, gid="interval")
    if len(bases) > 1:
        ax.legend(loc="best")


def _level_axis(ax: Axes, rows: pd.DataFrame) -> dict[str, float]:
    """Scale the x-axis to the levels (log, linear, or evenly spaced) and return each level's place."""
    texts = list(rows["level"].astype(str).drop_duplicates())
    diverged = rows.assign(level=rows["level"].astype(str)).groupby("level")["n_diverged"].sum()
    numbers = pd.to_numeric(pd.Series(texts), errors="coerce")
    order = np.argsort(numbers.to_numpy()) if numbers.notna().all() else np.arange(len(texts))
    texts = [texts[k] for k in order]
    values = numbers.to_numpy(float)[order]
    name = str(rows["factor"].iloc[0]).rsplit(".", 1)[-1] if len(rows) else ""
    if numbers.notna().all() and values[0] > 0 and values[-1] / values[0] >= 8:
        ax.set_xscale("log")
        gaps = np.diff(np.log(values)) / np.log(values[-1] / values[0])
        places, kind = values, " (log)"
    else:
        gaps = (
            np.diff(values) / (values[-1] - values[0])
            if numbers.notna().all() and len(values) > 1
            else np.zeros(1)
        )
        places, kind = values, ""
    if len(texts) > 1 and (not np.isfinite(gaps).all() or gaps.min() < 0.07):
        ax.set_xscale("linear")
        places, kind = np.arange(len(texts), dtype=float), " (evenly spaced)" if numbers.notna().all() else ""
    lost = {t: int(diverged.get(t, 0)) for t in texts}
    labels = [f"{_short(t)}\n{lost[t]} div." if lost[t] else _short(t) for t in texts]
    ax.xaxis.set_major_locator(FixedLocator(list(places)))
    ax.set_xticks(list(places), labels)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.08)
    bases = [str(s).replace("_", " ") for s in rows["base"].drop_duplicates()]
    whose = f" of {bases[0]}" if len(bases) == 1 else ""
    ax.set_xlabel(f"{name}{whose}{kind}")
    return dict(zip(texts, (float(p) for p in places), strict=True))


def _short(level: str) -> str:
    """`20.0` -> '20'; words wrap at their joints."""
    return level_text(level).replace("_", "\n").replace("+", "+\n")


def _flat_line(ax: Axes, row: pd.Series[Any], style: VariantStyle) -> Mark | None:
    """A variant without a level (the baseline) as a horizontal line with its interval."""
    if not np.isfinite(row["mean"]):
        return None
    ax.axhline(row["mean"], color=style.colour, lw=1.2, zorder=1, gid="baseline")
    if np.isfinite(row["ci_low"]):
        ax.axhspan(row["ci_low"], row["ci_high"], color=style.colour, alpha=0.15, lw=0, zorder=0.4)
    return Mark(style.line, float(row["mean"]), ink(style.colour), bold=True)


FIGURE = Figure(
    title="Dose and response",
    tables=("runs", "summary"),
    optional=("reference",),
    caption=f"""Test error per matrix element against the level of the factor. {MEANS} Horizontal line
        with band: mean and 95 % interval of a variant without a level. {LINES}""",
    reading="""A factor's level against test error, with seeds beside their mean. The x-axis is
        logarithmic where levels span nearly a decade or more, and evenly spaced (it says so) where they
        would crowd. The grey line with its band is the variant without a level, the baseline. Its best
        level is flattered by having been picked: the sentence in `nominations.csv`, which a report that
        shows the experiment repeats, names the level that half of the seeds pick and what the other half
        says of it.""",
    draw=draw,
    message=effects_message,
    says=("effects",),
)
