"""Do energy term and denoising loss pull against each other, as training adds them, beside the noise of each?"""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.levels import ramp
from ired.figures.toolkit.sheet import Sheet, note, sheet
from ired.figures.toolkit.style import INK, ink, shade
from ired.figures.toolkit.variants import variant_styles

PANELS = (
    ("cosine", "cosine of the two gradients"),
    ("cosine_across", "the same across halves"),
    ("denoising_floor", "denoising, half against half"),
    ("energy_floor", "energy term, half against half"),
    ("norm_ratio", "ratio of norms"),
)


def draw(gradient_conflict: pd.DataFrame) -> Sheet:
    """A row per variant, a panel per quantity, a mark per phase: the mean, with its seeds beside it."""
    table = gradient_conflict.dropna(subset=["norm_ratio"])
    if table.empty:
        return note("No gradients of an energy term were measured before the end of training.")
    styles, phases = variant_styles(table), sorted(table["phase"].unique())
    figure, axes = sheet(1, len(PANELS), 1.5 + 0.3 * len(styles), sharey=True)
    for ax, (column, title) in zip(axes[0], PANELS, strict=True):
        ax.set_title(
            title.replace(", ", ",\n").replace(" of", "\nof").replace(" across", "\nacross"), fontsize=7
        )
        for place, (variant, style) in enumerate(styles.items()):
            for k, (phase, amount) in enumerate(zip(phases, ramp(len(phases)), strict=True)):
                mine = table[(table["variant"] == variant) & (table["phase"] == phase)][column].dropna()
                if mine.empty:
                    continue
                height, colour = place + 0.22 * (k - (len(phases) - 1) / 2), shade(style.colour, amount)
                ax.plot(mine, [height] * len(mine), ls="", marker=".", ms=3, color=colour, gid="seed")
                ax.plot([mine.mean()], [height], ls="", marker=style.marker, ms=5.5, color=colour,
                        mec=ink(style.colour), gid="mean")  # fmt: skip
        if column == "norm_ratio":
            ax.axvline(1, color=INK, lw=0.7, gid="reference:equal")
            ax.set_xlim(left=0)
            ax.xaxis.set_major_locator(MaxNLocator(2))
        else:
            ax.axvline(0, color=INK, lw=0.7, gid="reference:orthogonal")
            ax.set_xlim(-1.05, 1.05)
            ax.set_xticks([-1, 0, 1])
    axes[0, 0].set_yticks(range(len(styles)), [style.label for style in styles.values()])
    axes[0, 0].set_ylim(len(styles) - 0.5, -0.5)
    handles = [
        Line2D([], [], ls="", marker="o", color=shade("#444444", a), label=f"after {100 * p:g} % of training")
        for p, a in zip(phases, ramp(len(phases)), strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 4))
    return figure


FIGURE = Figure(
    title="Does the energy term pull against denoising?",
    tables=("gradient_conflict",),
    caption="""Parameter gradients of the weighted energy term and of the denoising loss, summed over all noise
        levels with noise of their own. From the left: their cosine; the same with either loss on
        another half of the matrices; each gradient's cosine between the halves, near 0 where it is
        noise; the ratio of the norms. Small marks: seeds, large ones their mean; no intervals;
        {seeds}.{diverged} No test is made.""",
    reading="""Do the two losses pull together? A cosine below zero says that the energy term undoes denoising, if
        the third and fourth panel show that neither gradient is noise, and the second that the
        cosine is not what their shared noise has in common. It matters only where the norm ratio is
        not small. The end of training is not shown: there the two cancel in any run that has
        converged.""",
    draw=draw,
    fits_column=False,
)
