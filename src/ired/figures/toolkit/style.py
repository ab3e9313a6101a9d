"""One visual language for every figure: colours, marks, sizes.

A strategy has one colour and one marker everywhere, so a reader who has learnt one figure can read the next.
"""

from __future__ import annotations

import colorsys
import zlib
from typing import Any

import numpy as np
from matplotlib.colors import to_hex, to_rgb

PNG_DPI = 200

INK, QUIET, FAINT = "#222222", "#6b6b6b", "#d9d9d9"

# Okabe-Ito first (the study's main strategies), then Tol's muted set: both made for colour-blind readers.
# The baseline is the neutral one: it is what every other colour is compared with.
STRATEGY_COLOURS: dict[str, str] = {
    "none": "#4d4d4d",
    "random": "#0072b2",
    "adversarial": "#d55e00",
    "langevin": "#009e73",
    "mixed": "#cc79a7",
    "conditioning_aware": "#56b4e9",
    "semi_hard": "#e69f00",
    "on_policy": "#332288",
    "matched": "#882255",
    "symmetric": "#999933",
    "replay": "#44aa99",
}
SPARE_COLOURS = ("#117733", "#aa4499", "#6699cc", "#004488", "#664422")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))

RC: Any = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs, hence the same file, everywhere
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # no figure has ticks above: to look for them takes a tenth of the time of a figure
    "axes.labelsize": 7.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # TrueType: text stays text in an editor, and journals that refuse Type 3 take it
    "ps.fonttype": 42,
    "svg.fonttype": "none",  # likewise: text, not outlines
    "svg.hashsalt": "ired",  # names within a file that depend on nothing but its content
    "pdf.compression": 6,
    "figure.dpi": PNG_DPI,  # labels are placed at the resolution they are saved at
    "text.hinting": "no_hinting",  # glyphs as wide in the PDF as in the PNG, so that a layout fits both
    "figure.autolayout": False,  # a reader's own matplotlibrc must not lay out again what has settled
    "figure.constrained_layout.use": False,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
}


def strategy_colour(strategy: object) -> str:
    """The colour of a strategy; an unknown name gets a spare one, always the same for the same name."""
    name = "none" if is_missing(strategy) else str(strategy)
    if name in STRATEGY_COLOURS:
        return STRATEGY_COLOURS[name]
    return SPARE_COLOURS[zlib.crc32(name.encode()) % len(SPARE_COLOURS)]


def strategy_marker(strategy: object, variant: int = 0) -> str:
    """The marker of a strategy, and of its variants 1, 2 ...; the same in every experiment."""
    name, known = "none" if is_missing(strategy) else str(strategy), list(STRATEGY_COLOURS)
    place = known.index(name) if name in known else zlib.crc32(name.encode())
    return MARKERS[(place + 5 * variant) % len(MARKERS)]  # 5 and 12 share no factor


def shade(colour: str, amount: float) -> str:
    """Mix with white (amount > 0) or black (amount < 0)."""
    target = 1.0 if amount > 0 else 0.0
    red, green, blue = ((1 - abs(amount)) * c + abs(amount) * target for c in to_rgb(colour))
    return to_hex((red, green, blue))


def ink(colour: str) -> str:
    """The colour, dark enough to read as text on white (lightness at most 0.36)."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(colour))
    return to_hex(colorsys.hls_to_rgb(hue, min(lightness, 0.36 if saturation < 0.9 else 0.33), saturation))


def is_missing(value: object) -> bool:
    """True for an empty cell."""
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value))
