"""The validation error to be expected after so many trials of tuning, a panel for each arm."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ired.figures.toolkit.arms import arm_panels, arm_styles, shared_labels
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.sheet import Sheet, note
from ired.figures.toolkit.style import QUIET, shade


def draw(tuning: pd.DataFrame) -> Sheet:
    """The validation error to be expected after so many trials of tuning, a panel for each arm."""
    if tuning.empty:
        return note("No trial yet: this figure needs the tuning of the study of worth.")
    styles = arm_styles(tuning)
    budgets = sorted(set(tuning["steps"]))
    first = next(iter(styles))
    figure, panels = arm_panels(styles)
    for arm, style, ax in panels:
        for k, steps in enumerate(budgets):
            amount = 0.4 * (1 - k / max(len(budgets) - 1, 1))
            for name, colour, width in ((first, QUIET, 0.8), (arm, shade(style.colour, amount), 1.3)):
                rows = tuning[(tuning["arm"] == name) & (tuning["steps"] == steps)].sort_values("trials")
                ax.plot(rows["trials"], rows["expected_best"], color=colour, lw=width, ls=("--", "-")[k > 0])
            own = tuning[(tuning["arm"] == arm) & (tuning["steps"] == steps)]
            ax.plot(
                own["trials"],
                own["mse_validation"],
                ls="",
                marker=".",
                ms=3,
                color=shade(style.colour, amount),
            )
        ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    shared_labels(figure, "trials", "validation MSE")
    handles = [
        Line2D([], [], color=QUIET, ls=("--", "-")[k > 0], label=f"{steps:,} steps")
        for k, steps in enumerate(budgets)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles))
    return figure


FIGURE = Figure(
    title="How much of an arm is its tuning",
    tables=("tuning",),
    caption="""Points: the trials of each arm, in the order of its grid (geometric mean of the validation MSE over
        {seeds}, which tune and judge nothing). Lines: the lowest error to be expected after so many of them
        (Dodge et al. 2019); grey: the first arm, without negatives. Each budget has lines of its own. Every arm
        has equally many trials. No test is made, and there are no intervals.""",
    reading="""An arm whose line lies below the grey one from the first trial on needs no luck; one that falls below it
        only at the end of the grid owes its lead to tuning. A line that still falls at its end says that the grid
        was too small for the arm.""",
    draw=draw,
)
