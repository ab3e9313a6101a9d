"""Axes of a figure: the closed-form reference lines, limits around them, readable scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, MaxNLocator

from ired.base.format_numbers import MINUS, number
from ired.figures.toolkit.labels import Mark
from ired.figures.toolkit.powers import power
from ired.figures.toolkit.style import INK, QUIET

REFERENCE_COLOUR = "#8a8a8a"


@dataclass(frozen=True)
class Rung:
    """A reference predictor that a figure may show: what it is called, its MSE, whether it is the line to
    beat."""

    label: str
    value: float
    line: bool = False


def reference_values(reference: pd.DataFrame | None, split: str) -> list[Rung]:
    """The labelled predictors of reference.csv on one test set."""
    if reference is None or reference.empty:
        return []
    rows = reference[(reference["split"] == split) & reference["label"].notna()]
    return [
        Rung(str(label), float(mse), bool(line))
        for label, mse, line in rows[["label", "mse", "line"]].itertuples(index=False)
        if np.isfinite(mse)
    ]


def limits_with_references(low: float, high: float, rungs: Sequence[Rung]) -> tuple[float, float]:
    """Limits that hold the data, the line to beat if it is near, and no line so far that it hides them."""
    span = max(high - low, 0.02 * abs(high), 1e-12)
    # The line to beat may lie further away than the others.
    reach = {True: 2.0, False: 0.6}
    near = [r.value for r in rungs if low - reach[r.line] * span < r.value < high + reach[r.line] * span]
    low, high = min([low, *near]), max([high, *near])
    pad = 0.07 * max(high - low, span)
    return low - pad, high + pad


def reference_lines(axes: Axes, rungs: Sequence[Rung], side: str = "top") -> list[Mark]:
    """Draw the lines inside the limits and return their labels; the nearest ones outside become arrows.

    Off-scale lines are named at the edge, because a reader must never think that there was no such line.
    """
    vertical = side == "top"
    low, high = sorted(axes.get_xlim() if vertical else axes.get_ylim())
    below = max((r.value for r in rungs if r.value < low), default=None)
    above = min((r.value for r in rungs if r.value > high), default=None)
    marks = []
    for rung in rungs:
        value, strong = rung.value, rung.line
        colour = INK if strong else QUIET
        if low <= value <= high:
            draw = axes.axvline if vertical else axes.axhline
            draw(
                value,
                color="#444444" if strong else REFERENCE_COLOUR,
                lw=0.9 if strong else 0.7,
                ls=(0, (4, 2)) if strong else (0, (1, 2)),
                zorder=0.5,
                gid=f"reference:{rung.label}",
            )
            label = f"{rung.label}\n{number(value)}" if vertical else f"{rung.label} {number(value)}"
            marks.append(Mark(label, value, colour, bold=strong))
        elif value in (below, above) or strong:
            arrow = (
                ("\u2190" if vertical else "\u2193") if value < low else ("\u2192" if vertical else "\u2191")
            )
            text = f"{arrow} {rung.label}"
            label = f"{text}\n{number(value)}" if vertical else f"{text} {number(value)}"
            marks.append(Mark(label, low if value < low else high, colour, leader=False, bold=strong))
    return marks


class EvenDecimals(Formatter):
    """Tick labels of one axis with equally many decimals (0.020, 0.025), as few as tell the ticks apart; zero
    is 0. `exponent`: a power of ten that stands in the axis label instead.
    """

    def __init__(self, exponent: int = 0) -> None:
        self.exponent = exponent

    def __call__(self, value: float, position: int | None = None) -> str:
        return self.format_ticks([value])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        scaled = [round(float(v) / 10.0**self.exponent, 10) for v in values]
        decimals = next(
            d for d in range(11) if all(abs(round(v, d) - v) < 1e-9 * (abs(v) or 1) for v in scaled)
        )
        return [f"{v:,.{decimals}f}".replace("-", MINUS) if v else "0" for v in scaled]


def plain_axis(axes: Axes, which: str, label: str, ticks: int = 4) -> None:
    """Few ticks, no offset text: a common power of ten goes into the axis label."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    largest = max(abs(low), abs(high))
    exponent = int(np.floor(np.log10(largest))) if largest > 0 else 0
    exponent = 0 if -3 <= exponent <= 4 else exponent
    axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(EvenDecimals(exponent))
    unit = f" (\u00d7{power(exponent)})" if exponent else ""
    axis.set_label_text(label + unit)


# Ever denser mantissas for ever shorter log axes.
MANTISSAS = ((1, 2, 3, 5, 7), (1, 1.5, 2, 3, 4, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8))


def log_axis(axes: Axes, which: str, label: str) -> None:
    """A log axis that has readable labels even when it spans less than a decade."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    if high / low < 40:
        for mantissas in MANTISSAS:
            candidates = [m * 10.0**e for e in range(-12, 13) for m in mantissas]
            inside = [c for c in candidates if low <= c <= high]
            if len(inside) >= 4:
                break
        while len(inside) > 6:
            inside = inside[::2]
        axis.set_major_locator(FixedLocator(inside))
        within_a_decade = high / low < 10 and low >= 1e-4
        each = FuncFormatter(lambda v, _: f"{v:.10g}" if 1e-4 <= v < 1e5 else number(v))
        axis.set_major_formatter(EvenDecimals() if within_a_decade else each)
        axis.set_minor_locator(FixedLocator([]))
    axis.set_label_text(label)
