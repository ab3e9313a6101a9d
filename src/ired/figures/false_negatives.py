"""Share of negatives likelier than their positive: measured against predicted, by noise level."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    MaxNLocator,
)

from ired.figures.toolkit.bands import band, over_seeds
from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import Mark, edge_labels, legend_columns
from ired.figures.toolkit.levels import (
    LEVEL,
    last_phase,
    percent_axes,
)
from ired.figures.toolkit.sheet import PAGE, Sheet, note, page_width, sheet
from ired.figures.toolkit.style import INK, ink
from ired.figures.toolkit.variants import variant_styles
from ired.sentences.messages import shares_message


def draw(energy_profile: pd.DataFrame) -> Sheet:
    """Share of negatives likelier than their positive: measured against predicted, by noise level."""
    table = last_phase(energy_profile.dropna(subset=["false_negative_rate"]))
    if table.empty:
        return note("No variant of this experiment has negatives, so none can be false.")
    styles = {v: s for v, s in variant_styles(energy_profile).items() if (table["variant"] == v).any()}
    columns = min(4, max(2, len(styles))) if page_width() == PAGE else 2
    rows = -(-len(styles) // columns)
    figure, axes = sheet(rows, columns, 0.75 + 1.5 * rows, sharex=True, sharey=True)
    for ax, (variant, style) in zip(axes.ravel(), styles.items(), strict=False):
        mine = table[table["variant"] == variant]
        band(ax, over_seeds(mine, "t", "false_negative_rate"), style, ls="-", marker=style.marker, ms=3)
        predicted = over_seeds(mine, "t", "false_negative_rate_predicted")
        ax.plot(predicted.index, predicted["mean"], color=INK, ls=(0, (1.2, 1.2)), zorder=4, gid="predicted")
        ax.axhline(0.5, color=INK, lw=0.5, gid="reference:none")
        ax.set_title(style.label, color=ink(style.colour))
    for ax in axes.ravel()[len(styles) :]:
        ax.set_axis_off()
    percent_axes(axes.ravel(), top=max(0.62, 1.05 * float(table["false_negative_rate"].max())))
    edge_labels(axes[0, min(columns, len(styles)) - 1], [Mark("coin toss", 0.5)])
    for k, ax in enumerate(axes.ravel()[: len(styles)]):
        below = k + columns >= len(styles)
        ax.set_xlabel(LEVEL if below else "")
        ax.tick_params(labelbottom=below)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.supylabel("false-negative rate", fontsize=7.5, color=INK)
    handles = [
        Line2D([], [], color="#777777", marker="o", ms=3, label="measured"),
        Line2D(
            [],
            [],
            color=INK,
            ls=(0, (1.2, 1.2)),
            label="predicted for a displacement independent of the noise",
        ),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 2))
    return figure


def message(energy_profile: pd.DataFrame) -> str:
    """The share of each variant's negatives that are likelier than their positive."""
    return shares_message(energy_profile, "false_negative_rate", "are likelier than their positive")


FIGURE = Figure(
    title="False negatives, measured and predicted",
    tables=("energy_profile",),
    caption=f"""Share of negatives that the exact density finds likelier than their positive, by noise
        level at the end of training ({{profile_matrices}} matrices), against Φ(−√(μ/2)), the closed form
        for a displacement that does not depend on the noise. {BANDS}""",
    reading="""For this task the exact density is known, so it can be said how often the "negative" is in
        truth the likelier sample. The dotted line predicts that share from the distance alone, under the
        assumption that the displacement does not depend on the noise. A measured line above the
        prediction shows that mining correlates with the noise; near the coin toss a label carries no
        information.""",
    draw=draw,
    message=message,
    says=("energy_profile",),
)
