"""Validation error against steps (left, where every variant ends together) and compute (right)."""

from __future__ import annotations

import pandas as pd

from ired.figures.toolkit.axes import (
    log_axis,
    plain_axis,
    reference_lines,
    reference_values,
)
from ired.figures.toolkit.bands import band, over_seeds
from ired.figures.toolkit.captions import BANDS, LINES
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import Mark, edge_labels
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import ink
from ired.figures.toolkit.variants import variant_styles
from ired.sentences.messages import curves_message


def draw(learning_curves: pd.DataFrame, reference: pd.DataFrame | None = None) -> Sheet:
    """Validation error against steps (left, where every variant ends together) and compute (right)."""
    table = learning_curves.dropna(subset=["mse_validation"])
    if table.empty:
        return note("No validation error was recorded during training.")
    styles = variant_styles(table)
    compute, unit = (
        ("madds", "multiply-adds") if table["madds"].notna().any() else ("seconds", "seconds of training")
    )
    figure, axes = panels(1, 2, max(2.9, 0.9 + 0.17 * len(styles)), sharey=True)
    ends: dict[str, float] = {}
    for ax, x in zip(axes[0], ("step", compute), strict=True):
        for variant, style in styles.items():
            # Seeds are averaged at equal steps; the compute of a step is a constant of the variant.
            rows = table[table["variant"] == variant]
            curve = over_seeds(rows, "step", "mse_validation")
            if x != "step":
                curve.index = rows.groupby("step")[x].mean().reindex(curve.index)
            # Some marks on each curve tell the variants apart in grey.
            band(ax, curve, style, marker=style.marker, ms=3, markevery=max(1, len(curve) // 6))
            if x == "step" and curve.index[-1] < table["step"].max():  # ended early: lead the eye to its name
                last = curve["mean"].iloc[-1]
                ax.plot(
                    [curve.index[-1], table["step"].max()], [last, last], color=style.colour, lw=0.6, ls=":"
                )
            ends[variant] = float(curve["mean"].iloc[-1])
    references = reference_values(reference, "id")
    low, high = table["mse_validation"].min(), table["mse_validation"].max()
    near = [r.value for r in references if low / 2 < r.value < high * 1.3]
    axes[0, 0].set_ylim(min([low, *near]) / 1.15, max([high, *near]) * 1.1)
    log_axis(axes[0, 0], "y", "validation MSE per element (log)")
    marks = [Mark(s.line if len(s.line) < 27 else s.label, ends[v], ink(s.colour)) for v, s in styles.items()]
    edge_labels(axes[0, 0], marks)
    edge_labels(axes[0, 1], reference_lines(axes[0, 1], references, side="right"))
    reference_lines(axes[0, 0], references, side="right")
    axes[0, 0].set_title("at equal steps")
    axes[0, 1].set_title("at equal compute")
    axes[0, 0].set_xlim(0, table["step"].max())  # curves end at the edge, beside their names
    axes[0, 1].set_xlim(left=0)
    for ax, label in zip(axes[0], ("training step", unit), strict=True):
        plain_axis(ax, "x", label)
    return figure


FIGURE = Figure(
    title="Validation error over training",
    tables=("learning_curves",),
    optional=("reference",),
    caption=f"""Validation error of the same runs after equal numbers of training steps (left) and after
        equal counted multiply-adds (right). {BANDS} Where only some of the seeds go on, the mean is
        theirs; a dotted tail leads from a variant that ended early to its name. {LINES}""",
    reading="""Left: what was reached after equally many steps. Right: the same runs against the
        multiply-adds they spent, because a mined negative costs extra passes through the network. A
        strategy that wins on the left and loses on the right was given more arithmetic, not a better
        idea. Watch whether a curve stops at the affine line or crosses it. A dotted tail leads from a run
        that ended early to its name.""",
    draw=draw,
    message=curves_message,
    says=("contrasts", "budget", "runs"),
)
