"""The error of the answer after each noise level of inference, beside the line to beat."""

from __future__ import annotations

import pandas as pd

from ired.figures.toolkit.axes import log_axis
from ired.figures.toolkit.bands import band, over_seeds
from ired.figures.toolkit.captions import BANDS
from ired.figures.toolkit.figure import Figure
from ired.figures.toolkit.labels import legend_columns
from ired.figures.toolkit.sheet import Sheet, note, panels
from ired.figures.toolkit.style import INK
from ired.figures.toolkit.variants import variant_styles

SPLITS = {"id": "in distribution", "ood": "out of distribution"}


def draw(inference_levels: pd.DataFrame) -> Sheet:
    """A panel per test set; inference runs from left (noisiest) to right."""
    if inference_levels.empty:
        return note("No errors along inference were measured.")
    styles = variant_styles(inference_levels)
    figure, axes = panels(1, len(SPLITS), 2.8)
    for ax, (split, title) in zip(axes[0], SPLITS.items(), strict=True):
        table = inference_levels[inference_levels["split"] == split]
        for variant, style in styles.items():
            band(
                ax,
                over_seeds(table[table["variant"] == variant], "t", "mse"),
                style,
                marker=style.marker,
                ms=3,
            )
        ax.axhline(table["line_mse"].mean(), color=INK, lw=1, ls=(0, (4, 1.5)), gid="reference:line")
        ax.set_yscale("log")
        ax.invert_xaxis()
        ax.set_title(title)
        ax.set_xlabel("noise level t   inference →")
    log_axis(axes[0, 0], "y", "test MSE after this level (log)")
    handles = [ax_line for ax_line in axes[0, 0].get_lines() if ax_line.get_gid() == "curve"]
    labels = [style.line for style in styles.values()]
    handles = handles[: len(labels)]
    for line, label in zip(handles, labels, strict=True):
        line.set_label(label)
    figure.legend(handles=handles, loc="outside upper left", ncols=legend_columns(handles, 4))
    return figure


FIGURE = Figure(
    title="The error along inference",
    tables=("inference_levels",),
    caption=f"""Error of the answer as it stands after each noise level of inference, on fixed test matrices (log).
        Dashed: the predictor to beat. {BANDS}""",
    reading="""Where does inference earn its answer? It runs from left, pure noise, to right. A curve that is flat
        from some level on gains nothing from the levels after it; one that rises at the end is led
        astray by the sharpest energies. A curve that comes to rest on the dashed line has learned
        what the predictor to beat knows.""",
    draw=draw,
)
