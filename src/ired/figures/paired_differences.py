"""Estimation plot: difference to the baseline of each seed, mean with 95 % interval, margin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.special import stdtrit

from ired.figures.toolkit.axes import (
    plain_axis,
)
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import LABEL_SIZE, Mark, edge_labels
from ired.figures.toolkit.rows import (
    draw_interval,
    draw_seeds,
    row_height,
    row_names,
)
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import INK, QUIET, ink
from ired.figures.toolkit.variants import VariantStyle, variant_styles
from ired.record.metrics import ALPHA, SPLITS, TEST_METRICS
from ired.sentences.messages import contrasts_message


def draw(contrasts: pd.DataFrame, runs: pd.DataFrame) -> Sheet:
    """Estimation plot: difference to the baseline of each seed, mean with 95 % interval, margin."""
    metrics = [m for m in TEST_METRICS if m in set(contrasts.get("metric", []))]
    if not metrics:
        return note("No contrast yet: it takes two variants with at least two common seeds.")
    pairs = list(contrasts[["treatment", "baseline"]].drop_duplicates().itertuples(index=False, name=None))
    styles = variant_styles(runs)
    names = [_pair_name(contrasts, t, b, styles) for t, b in pairs]
    figure, axes = panels(1, len(metrics), 1.05 + row_height(names, 0.5) * len(pairs), sharey=True)
    for ax, metric in zip(axes[0], metrics, strict=True):
        table = contrasts[contrasts["metric"] == metric].set_index(["treatment", "baseline"])
        _difference_panel(ax, table, runs, metric, pairs, styles)
    row_names(axes[0], names)
    return figure


def _difference_panel(
    ax: Axes,
    table: pd.DataFrame,
    runs: pd.DataFrame,
    metric: str,
    pairs: Sequence[tuple[str, str]],
    styles: dict[str, VariantStyle],
) -> None:
    values: list[float] = []
    for y, (treatment, baseline) in enumerate(pairs):
        if (treatment, baseline) not in table.index:
            continue
        row: Any = table.loc[(treatment, baseline)]
        colour, percent = styles[treatment].colour, 100 / row["baseline_mean"]
        margin = 100 * row["margin_relative"]
        ax.barh(y, 2 * margin, left=-margin, height=1.0, color="#efefef", zorder=0, gid="margin")
        differences = [percent * d for d in _seed_pairs(runs, treatment, baseline, metric)]
        draw_seeds(ax, differences, y, colour, "o")
        bounds = [percent * float(v) for v in row[["ci_low", "difference", "ci_high"]]]
        wide = [percent * end for end in adjusted_interval(row)]
        ax.plot(
            wide, [y - 0.1] * 2, color=ink(colour), lw=0.7, zorder=2.5, gid="adjusted", solid_capstyle="butt"
        )
        draw_interval(ax, bounds, y - 0.1, colour, styles[treatment].marker)
        values += [*differences, *bounds, *wide, -margin, margin]
        ax.annotate(
            _verdict(row),
            (1, y),
            xycoords=ax.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=LABEL_SIZE,
            color=INK,
            gid="verdict",
        )
    finite = [v for v in [*values, 0.0] if np.isfinite(v)]
    pad = 0.06 * (max(finite) - min(finite) or 1.0)
    ax.set_xlim(min(finite) - pad, max(finite) + pad)
    ax.axvline(0, color=INK, lw=0.8, zorder=0.5, gid="reference:none")
    bases = {b for _, b in pairs}
    against = f" to {styles[pairs[0][1]].line}" if len(bases) == 1 else ""
    plain_axis(ax, "x", f"difference{against} in test MSE (%; left is better)")
    marks = [Mark("no difference", 0.0)]
    margins = 100 * table["margin_relative"].round(6).unique()
    if len(margins) == 1 and np.isfinite(margins[0]):
        share = f"{margins[0]:.3g} %"
        marks = [Mark(f"\u2212{share}", -margins[0], QUIET), *marks, Mark(f"+{share}", margins[0], QUIET)]
    edge_labels(ax, marks, side="top")
    ax.set_title(SPLITS[TEST_METRICS[metric]], pad=20)


def adjusted_interval(row: Mapping[str, Any]) -> tuple[float, float]:
    """The table's t-interval at the level that Holm's procedure gives this contrast, ALPHA p / p_holm: it misses zero
    where, and only where, the adjusted p-value is below ALPHA. NaN where there is no interval."""
    level = ALPHA * row["p_paired"] / row["p_holm"] if row["p_holm"] > 0 else ALPHA
    if not (np.isfinite(row["ci_low"]) and np.isfinite(level)):
        return math.nan, math.nan
    degrees = row["n_pairs"] - 1
    wider = stdtrit(degrees, 1 - level / 2) / stdtrit(degrees, 1 - ALPHA / 2)
    half = wider * (row["ci_high"] - row["ci_low"]) / 2
    return row["difference"] - half, row["difference"] + half


def _seed_pairs(runs: pd.DataFrame, treatment: str, baseline: str, metric: str) -> list[float]:
    """Differences of the seeds that both variants finished, in seed order."""
    if metric not in runs:
        return []
    table = runs[runs["status"] == "finished"].pivot_table(index="seed", columns="variant", values=metric)
    if not {treatment, baseline} <= set(table.columns):
        return []
    return [float(v) for v in (table[treatment] - table[baseline]).dropna()]


def _pair_name(
    contrasts: pd.DataFrame, treatment: str, baseline: str, styles: dict[str, VariantStyle]
) -> str:
    rows = contrasts[(contrasts["treatment"] == treatment) & (contrasts["baseline"] == baseline)]
    dropped = int(rows["n_dropped"].max()) if rows["n_dropped"].notna().any() else 0
    name = styles[treatment].label
    if contrasts["baseline"].nunique() > 1:  # a single one is named once, at the axis
        name = f"{name}\n\u2212 {styles[baseline].line}"
    return f"{name}\n({int(rows['n_pairs'].max())} pairs{f', {dropped} dropped' if dropped else ''})"


def _verdict(row: pd.Series[Any]) -> str:
    """The table's verdict in words, with the p-value that it rests on."""
    if not row["n_pairs"]:
        return "no pair"
    verdict = str(row["verdict"]).replace("_within_margin", ",\nwithin margin").replace("_", " ")
    rests_on, name = ("p_tost_holm", "TOST") if row["verdict"] == "equivalent" else ("p_holm", "Holm")
    p = row.get(rests_on, np.nan)
    if not np.isfinite(p):
        return verdict
    return f"{verdict}\n{name} p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"


FIGURE = Figure(
    title="Difference to the baseline, seed by seed",
    tables=("contrasts", "runs"),
    caption="""Difference in test error between runs with the same seed, hence the same data and noise; n
        = {pairs} pairs per contrast.{diverged} Small marks: pairs. Large marks with bars: mean with its
        paired 95 % t-interval; thin: the same at the level of its step in Holm's procedure, on which the
        verdict rests. In per cent of the baseline's mean. Grey: the margin of practical equivalence, {margin}
        of it. Words: the verdict of the paired t-test, Holm-adjusted over everything that the page of this
        experiment tests ({contrasts} contrasts a test set), and of two one-sided tests (TOST) at the margin, adjusted
        likewise; “equivalent” is said by the latter alone.""",
    reading="""Runs with the same seed saw the same matrices and the same noise, so their difference is
        far less noisy than either. Each row is one contrast; left of the solid line the treatment is
        better. The grey area is the margin within which a difference would not matter in practice. A thin bar
        that misses zero speaks for a difference, a bar inside the grey area for one too small to matter,
        and both can be true at once ("worse, within margin"). A thin bar that holds
        zero beside a thick one that leaves the grey area decides nothing. The words give the verdict and the
        p-value it rests on, adjusted for everything that the page tests.""",
    draw=draw,
    message=contrasts_message,
    says=("contrasts",),
)
