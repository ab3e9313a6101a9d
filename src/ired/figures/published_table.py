"""IRED's Table 1 with reference predictors as lines and this project's networks below: a row of panels per task."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ired.figures.toolkit.axes import Rung, log_axis, reference_lines
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import edge_labels
from ired.figures.toolkit.rows import draw_interval, row_names
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import INK, QUIET, strategy_colour
from ired.record.metrics import SPLITS

FLOOR = 1e-9  # a sum in float32 is wrong by less, and its line becomes an arrow


def draw(published_table: pd.DataFrame) -> Sheet:
    """IRED's Table 1 with reference predictors as lines and this project's networks below: a row of panels per
    problem."""
    if published_table.empty:
        return note("Nothing to set the published table beside.")
    problems = list(published_table["problem"].drop_duplicates())
    parts = {name: published_table[published_table["problem"] == name] for name in problems}
    names = {name: _names(part) for name, part in parts.items()}
    heights = [0.75 + 0.2 * len(rows) for rows in names.values()]
    figure, axes = panels(len(problems), len(SPLITS), 0.3 + sum(heights), sharey="row", height_ratios=heights)
    for row, name in zip(axes, problems, strict=True):
        for ax, (split, title) in zip(row, SPLITS.items(), strict=True):
            _panel(ax, parts[name][parts[name]["split"] == split], names[name])
            ax.set_title(f"{name}: {title}", pad=30)
        row_names(row, [label for _, label in names[name]])
    return figure


def _names(part: pd.DataFrame) -> list[tuple[str, str]]:
    """(kind, name) of the rows of one problem: published, then trained."""
    rows = part[part["kind"] != "reference"]
    return [(str(k), str(n)) for k, n in rows[["kind", "name"]].drop_duplicates().itertuples(index=False)]


def _panel(ax: Axes, rows: pd.DataFrame, names: list[tuple[str, str]]) -> None:
    seen: list[float] = []
    for y, key in enumerate(names):
        row = rows[(rows["kind"] == key[0]) & (rows["name"] == key[1])]
        if row.empty:
            continue
        low, value, high = (float(row[column].iloc[0]) for column in ("ci_low", "mse", "ci_high"))
        if key[0] == "published":
            colour = INK if key[1] == "IRED" else QUIET
            ax.plot([value], [y], ls="", marker="D", ms=4.5, color=colour, gid="mean")
        else:
            # An interval that ends at zero runs out of a logarithmic axis.
            draw_interval(
                ax, (low if low > 0 else np.nextafter(0, 1), value, high), y, strategy_colour(key[1]), "o"
            )
        seen += [v for v in (low, value, high) if np.isfinite(v) and v > 0]
    predictors = rows[rows["kind"] == "reference"]
    rungs = [
        Rung(name, float(mse), bool(line))
        for name, mse, line in predictors[["name", "mse", "line"]].itertuples(index=False)
    ]
    seen += [rung.value for rung in rungs if rung.value > FLOOR]
    ax.set_xlim(min(seen) / 1.6, max(seen) * 1.6)
    log_axis(ax, "x", "MSE per element (log)")
    edge_labels(ax, reference_lines(ax, rungs), side="top")


FIGURE = Figure(
    title="The published table, and what trivial predictors and a fitting network reach",
    tables=("published_table",),
    caption="""IRED's Table 1 (diamonds; black: IRED), reference predictors on test sets of the same
        distributions (vertical lines; dashed: the predictor to beat; arrows: off scale), and this project's
        networks (dots: mean over seeds, bars: 95 % t-interval). The MSE is per element, n = 20. No test is
        made.""",
    reading="""Read each panel from its dashed line: it is what a predictor without any reasoning reaches. Where
        the best diamond lies on it, the published method has not been seen to do more than that predictor; dots
        to the left of it have. Lines left of all diamonds say what else is known to be possible.
        `snakemake published_table` draws this figure, and no experiment lists it.""",
    draw=draw,
)
