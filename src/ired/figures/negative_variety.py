"""Are the negatives of a batch many or one, and do they still teach?"""

from __future__ import annotations

import pandas as pd

from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.levels import by_phase, percent_axes
from ired.figures.toolkit.sheet import Sheet, note
from ired.sentences.messages import shares_message


def draw(energy_profile: pd.DataFrame) -> Sheet:
    """Effective rank and share of saturated pairs, one row per variant, one line per phase."""
    table = energy_profile.dropna(subset=["effective_rank"])
    if table.empty:
        return note("No variant of this experiment has negatives, so there is no variety among them.")
    panels = (
        ("effective_rank", "effective rank of the negatives"),
        ("saturation_share", "share of saturated pairs"),
    )
    figure, axes = by_phase(table, panels, sharey="col")
    for ax in axes[:, 0]:
        ax.set_ylim(bottom=0)
    percent_axes(axes[:, 1])
    return figure


def message(energy_profile: pd.DataFrame) -> str:
    """The share of each variant's negatives that teach nothing any more."""
    return shares_message(energy_profile, "saturation_share", "teach nothing any more")


FIGURE = Figure(
    title="Variety of the negatives, and saturation of the contrast",
    tables=("energy_profile",),
    caption=f"""Left: effective rank of a batch of {{profile_matrices}} negatives. Right: share of pairs at
        which the loss has less than a hundredth of its full slope; empty where the loss has one slope
        everywhere. {BANDS}""",
    reading="""Left: in how many directions the negatives differ from each other; a mining that collapses
        shows as a line that falls towards one. Right: the share of pairs whose energies the model
        tells apart so surely that they no longer teach it anything; near 100 % mining costs arithmetic and
        changes no weight.""",
    draw=draw,
    message=message,
    says=("energy_profile",),
)
