"""Estimation plot: difference to the baseline of each seed, mean with 95 % interval, margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

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
from ired.figures.toolkit.style import (
    DOUBLE,
    INK,
    QUIET,
    Sheet,
    VariantStyle,
    note,
    sheet,
    variant_styles,
)
from ired.record.metrics import SPLITS, TEST_METRICS


def draw(contrasts: pd.DataFrame, runs: pd.DataFrame) -> Sheet:
    """Estimation plot: difference to the baseline of each seed, mean with 95 % interval, margin."""
    metrics = [m for m in TEST_METRICS if m in set(contrasts.get("metric", []))]
    if not metrics:
        return note("No contrast yet: it takes two variants with at least two common seeds.")
    pairs = list(contrasts[["treatment", "baseline"]].drop_duplicates().itertuples(index=False, name=None))
    styles = variant_styles(runs)
    names = [_pair_name(contrasts, t, b, styles) for t, b in pairs]
    figure, axes = sheet(1, len(metrics), DOUBLE, 1.05 + row_height(names, 0.5) * len(pairs), sharey=True)
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
        colour = styles[treatment].colour
        ax.barh(
            y, 2 * row["margin"], left=-row["margin"], height=1.0, color="#efefef", zorder=0, gid="margin"
        )
        differences = _seed_pairs(runs, treatment, baseline, metric)
        draw_seeds(ax, differences, y, colour, "o")
        bounds = [float(v) for v in row[["ci_low", "difference", "ci_high"]]]
        draw_interval(ax, bounds, y - 0.1, colour, "D")
        values += [
            *differences,
            row["difference"],
            row["ci_low"],
            row["ci_high"],
            -row["margin"],
            row["margin"],
        ]
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
    plain_axis(ax, "x", f"difference{against} in test MSE (left is better)")
    margin = float(
        table["margin"].median()
    )  # pairs dropped from one contrast shift its baseline mean a little
    percent = f"{100 * float(table['margin_relative'].median()):.3g} %"
    marks = [Mark("no difference", 0.0)]
    if np.isfinite(margin) and table["margin_relative"].round(6).nunique() == 1:
        marks = [Mark(f"\u2212{percent}", -margin, QUIET), *marks, Mark(f"+{percent}", margin, QUIET)]
    edge_labels(ax, marks, side="top")
    ax.set_title(SPLITS[TEST_METRICS[metric]], pad=20)


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
        paired 95 % t-interval. Grey: the margin of practical equivalence, {margin} of the baseline's
        mean. Words: the verdict of the paired t-test, Holm-adjusted over {contrasts} contrasts per test
        set, and of two one-sided tests (TOST) at the margin, adjusted likewise; “equivalent” is said by
        the latter alone.""",
    reading="""Runs with the same seed saw the same matrices and the same noise, so their difference is
        far less noisy than either. Each row is one contrast; left of the solid line the treatment is
        better. The grey area is the margin within which a difference would not matter in practice. A bar
        that misses zero speaks for a difference, a bar inside the grey area for one too small to matter,
        and both can be true at once ("worse, within margin"). A bar that holds zero and leaves the grey
        area decides nothing. The words give the verdict and the p-value it rests on, adjusted for the
        number of contrasts.""",
    draw=draw,
)
