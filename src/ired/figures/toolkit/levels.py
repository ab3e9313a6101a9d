"""Small multiples by noise level: one row per variant, one column per quantity, one look for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

from ired.figures.toolkit.bands import band, over_seeds
from ired.figures.toolkit.labels import LABEL_SIZE, legend_columns
from ired.figures.toolkit.sheet import PAGE, Sheet, page_width, sheet
from ired.figures.toolkit.style import ink, shade
from ired.figures.toolkit.variants import VariantStyle, variant_styles

LEVEL = "noise level t"
ROW = 1.12  # inches per row of small multiples


def by_phase(
    table: pd.DataFrame, panels: Sequence[tuple[str, str]], sharey: str, quantiles: str = ""
) -> tuple[Sheet, np.ndarray[Any, Any]]:
    """A row per variant, a column per quantity, a line per training phase, light (early) to full (late).

    With `quantiles` the last phase of the first column shows that quantity's 10-90 % band over matrices.
    """
    styles = variant_styles(table)
    phases = sorted(table["phase"].unique())
    figure, axes = sheet(len(styles), len(panels), 0.75 + ROW * len(styles), sharex=True, sharey=sharey)
    for line, (variant, style) in zip(axes, styles.items(), strict=True):
        mine = table[table["variant"] == variant]
        for phase, amount in zip(phases, ramp(len(phases)), strict=True):
            now = mine[mine["phase"] == phase]
            look = VariantStyle(style.label, shade(style.colour, amount), style.marker, "-")
            for ax, (column, _) in zip(line, panels, strict=True):
                if quantiles and column == f"{quantiles}_q50" and phase == phases[-1]:
                    quantile_band(ax, now, quantiles, look.colour, dashed=False)
                else:
                    band(ax, over_seeds(now, "t", column), look)
    name_panels(axes, list(styles.values()), [title for _, title in panels])
    handles: list[Artist] = [
        Line2D([], [], color=shade("#444444", a), label=f"after {100 * p:g} % of training")
        for p, a in zip(phases, ramp(len(phases)), strict=True)
    ]
    if quantiles:
        handles.append(Patch(color="#444444", alpha=0.25, lw=0, label="10 to 90 % of the matrices"))
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 4))
    return figure, axes


def quantile_band(ax: Axes, rows: pd.DataFrame, quantity: str, colour: str, dashed: bool) -> None:
    """Median line and 10-90 % band, averaged over seeds; no band where an end is not finite, as the condition number of
    a singular matrix is not."""
    curves = {q: over_seeds(rows, "t", f"{quantity}_{q}") for q in ("q10", "q50", "q90")}
    if curves["q50"].empty:
        return
    curves = {q: curve.reindex(sorted(set(rows["t"]))) for q, curve in curves.items()}
    ax.fill_between(
        curves["q10"].index,
        curves["q10"]["mean"],
        curves["q90"]["mean"],
        color=colour,
        alpha=0.2,
        lw=0,
        gid="band",
    )
    ax.plot(
        curves["q50"].index,
        curves["q50"]["mean"],
        color=colour,
        ls=(0, (4, 1.5)) if dashed else "-",
        zorder=4 if dashed else 3,
        gid="curve",
    )


def last_phase(table: pd.DataFrame) -> pd.DataFrame:
    """The rows at the end of training; a diverged run has none there."""
    return table if table.empty else table[table["phase"] == table["phase"].max()]


def ramp(count: int) -> list[float]:
    """Shades from early (light) to late (the strategy's own colour)."""
    return [0.6 * (1 - k / max(count - 1, 1)) for k in range(count)] if count > 1 else [0.0]


def name_panels(axes: np.ndarray[Any, Any], rows: Sequence[VariantStyle], titles: Sequence[str]) -> None:
    """Quantities above the columns, variants above the first panel of their row, levels below the last."""
    names = [style.line if page_width() == PAGE else style.label for style in rows]
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, pad=16 + 9 * names[0].count("\n"))
    for line, name, style in zip(axes, names, rows, strict=True):
        line[0].text(
            0,
            1.03,
            name,
            transform=line[0].transAxes,
            ha="left",
            va="bottom",
            fontsize=LABEL_SIZE + 0.5,
            fontweight="bold",
            color=ink(style.colour),
            gid="row",
        )
    for ax in axes[-1]:
        ax.set_xlabel(LEVEL)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for ax in axes.ravel():
        ax.yaxis.get_major_locator().set_params(nbins=4) if ax.get_yscale() == "linear" else None


def wide_scale(ax: Axes) -> None:
    """A symmetric log scale where a few levels would flatten all others on a linear one."""
    sizes = np.abs(np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()]))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if len(sizes) and sizes.max() > 100 * np.median(sizes):
        ax.set_yscale("symlog", linthresh=float(10 ** np.floor(np.log10(np.median(sizes)))))


def percent_axes(axes: Iterable[Axes], top: float | None = 1.0) -> None:
    """Percent axes from 0; quarters where the whole range shows."""
    for ax in axes:
        ax.set_ylim(bottom=-0.03 if top else 0, top=top if top is None else top + 0.03)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        ax.yaxis.set_major_locator(
            MultipleLocator(0.25) if top == 1 else MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])
        )
