"""One visual language for every figure: colours, sizes, names, numbers.

A strategy has one colour and one marker everywhere; its variants share the colour and differ by shade, marker and dash,
so a reader who has learnt one figure can read the next. Figures are built on `matplotlib.figure.Figure`
directly: no pyplot, hence no global state, no backend and half the import time.
"""

from __future__ import annotations

import colorsys
import re
import textwrap
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import Formatter, LogFormatterMathtext
from matplotlib.transforms import Bbox

from ired.base.format_numbers import MINUS, SUPERSCRIPTS

SINGLE, DOUBLE = 3.4, 7.0  # column widths of a two-column page, inches
PNG_DPI = 200
TITLE_SIZE, TITLE_LETTERS = 9, 12.2  # points, and how many bold letters of it fit into an inch
TITLE_PAD, TITLE_LINE = 0.06, 0.165  # inches

NOTHING = "nothing-to-show"  # how an SVG says that its figure had no rows to draw

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


class PlainPowers(Formatter):
    """The labels that another formatter sets as mathematics, in plain letters: 6×10⁻⁵."""

    def __init__(self, mathematical: Formatter) -> None:
        self.mathematical = mathematical

    def set_axis(self, axis: Any) -> None:
        super().set_axis(axis)
        self.mathematical.set_axis(axis)

    def set_locs(self, locs: Any) -> None:
        self.mathematical.set_locs(locs)

    def __call__(self, value: float, position: int | None = None) -> str:
        text = re.sub(r"\$\\mathdefault\{(.*)\}\$", r"\1", self.mathematical(value, position))
        text = re.sub(r"10\^\{(-?\d+)\}", lambda found: power(int(found[1])), text)
        return text.replace(r"\times", "×").replace("-", MINUS)


class Sheet(Figure):
    """A figure that places its direct labels once the layout is known."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pending: list[Callable[[], None]] = []
        self.heading: Text | None = None
        self.says_nothing = False

    def settle(self) -> None:
        """Run the layout, move the labels to where they do not overlap, then freeze the layout.

        Frozen, because saving would otherwise lay out again around the moved labels and shift them; without
        any engine, because with the frozen one saving draws twice.
        """
        self._plain_powers()
        engine = self.get_layout_engine()
        assert engine is not None
        engine.execute(self)  # it measures twice by itself: tick labels change with the size of their axes
        for place in self.pending:
            place()
        self.pending.clear()
        self.set_layout_engine(None)

    def _plain_powers(self) -> None:
        """Labels of logarithmic axes in plain letters: to set mathematics takes as long as the rest of a figure."""
        for ax in self.axes:
            for axis in (ax.xaxis, ax.yaxis):
                if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
                    axis.set_major_formatter(PlainPowers(axis.get_major_formatter()))
                if isinstance(axis.get_minor_formatter(), LogFormatterMathtext):
                    axis.set_minor_formatter(PlainPowers(axis.get_minor_formatter()))

    def put_title(self, words: str) -> None:
        """Make the settled page higher by a title, wrapped to its width, above everything else."""
        width, below = self.get_size_inches()
        lines = textwrap.wrap(words, int(width * TITLE_LETTERS), break_on_hyphens=False)
        above = below + TITLE_PAD + TITLE_LINE * len(lines)
        share = below / above
        self.set_size_inches(width, above)
        for ax in self.axes:
            box = ax.get_position()
            ax.set_position((box.x0, box.y0 * share, box.width, box.height * share))
        for legend in self.legends:
            legend.set_bbox_to_anchor((0, 0, 1, share))
        for label in (self._supxlabel, self._supylabel):  # type: ignore[attr-defined]
            if label is not None:
                label.set_y(label.get_position()[1] * share)
        look: Any = {"va": "top", "linespacing": 1.15, "fontweight": "bold", "color": INK, "gid": "title"}
        self.heading = self.text(
            0.05 / width, 1 - 0.05 / above, "\n".join(lines), fontsize=TITLE_SIZE, **look
        )

    @contextmanager
    def untitled(self) -> Iterator[Bbox]:
        """Without its title for as long as this lasts; yields the page that is left, in inches."""
        width, height = self.get_size_inches()
        assert self.heading is not None
        lines = self.heading.get_text().count("\n") + 1
        below = height - TITLE_PAD - TITLE_LINE * lines
        self.heading.set_visible(False)
        try:
            yield Bbox.from_bounds(0, 0, width, below)
        finally:
            self.heading.set_visible(True)


def styled(draw: Callable[..., Sheet], tables: Mapping[str, pd.DataFrame], title: str, name: str) -> Sheet:
    """Draw under this style, settle the labels, and put a title on it, its `name` where it shows nothing; the caller's
    rcParams stay as they were."""
    with mpl.rc_context(RC):
        sheet = draw(**tables)
        sheet.settle()
        sheet.put_title(name if sheet.says_nothing else title)
    return sheet


def sheet(
    rows: int, columns: int, width: float, height: float, **subplots: Any
) -> tuple[Sheet, np.ndarray[Any, np.dtype[Any]]]:
    """A figure of `width` x `height` inches and its (rows, columns) array of axes."""
    figure = Sheet(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def note(message: str, width: float = DOUBLE, height: float = 1.2) -> Sheet:
    """The figure of a table without the rows it needs: it says so, and the pipeline still has its file."""
    figure, axes = sheet(1, 1, width, height)
    figure.says_nothing = True
    axes[0, 0].set_axis_off()
    text = textwrap.fill(message, 95)
    axes[0, 0].text(0.5, 0.5, text, ha="center", va="center", color=QUIET, fontsize=8, gid=NOTHING)
    return figure


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


@dataclass(frozen=True)
class VariantStyle:
    """How one variant looks in every figure of an experiment."""

    label: str
    colour: str
    marker: str
    dash: Any

    @property
    def line(self) -> str:
        """The label on one line."""
        return self.label.replace("_\n", "_").replace("\n", " ")


# All variants of the experiment being drawn, as rows of runs.csv.
_roster: ContextVar[pd.DataFrame | None] = ContextVar("roster", default=None)


@contextmanager
def roster(runs: pd.DataFrame | None) -> Iterator[None]:
    """Give every variant of `runs` one style in all figures drawn in this block, also where a figure's own
    table lacks some of the variants (one that diverged has no diagnostics)."""
    token = _roster.set(runs)
    try:
        yield
    finally:
        _roster.reset(token)


def variant_styles(table: pd.DataFrame) -> dict[str, VariantStyle]:
    """Style per variant, in the table's order (which is the configuration's)."""
    own = list(table["variant"].drop_duplicates().astype(str))
    everyone = _roster.get()
    known = everyone is not None and set(own) <= set(everyone["variant"].astype(str))
    rows = (everyone if everyone is not None and known else table).drop_duplicates("variant")
    names = list(rows["variant"].astype(str))
    families = dict(
        zip(names, rows["strategy"].where(rows["strategy"].notna(), "none").astype(str), strict=True)
    )
    levels = _level_labels(rows)
    styles: dict[str, VariantStyle] = {}
    for variant in names:
        family = families[variant]
        members = [name for name in names if families[name] == family]
        # The variant that is the strategy itself is number 0, also where it is not trained.
        k = 0 if variant == family else 1 + [name for name in members if name != family].index(variant)
        marker = strategy_marker(family, k)
        # Strategies outside the list may share a marker: their dashes then differ, for whoever sees no colours.
        taken = [str(style.dash) for style in styles.values() if style.marker == marker]
        dashes = [DASHES[(k + more) % len(DASHES)] for more in range(len(DASHES))]
        styles[variant] = VariantStyle(
            label=levels.get(variant) or variant_label(variant, family),
            colour=shade(strategy_colour(family), _variant_shade(variant, family, members, levels)),
            marker=marker,
            dash=next((dash for dash in dashes if str(dash) not in taken), dashes[0]),
        )
    return {variant: styles[variant] for variant in own}


def _level_labels(rows: pd.DataFrame) -> dict[str, str]:
    """Levels of a sweep -> `opt_steps=2`, also the one that has the name of a plain variant; with the
    strategy in front where several are swept."""
    if not {"factor", "level"} <= set(rows):
        return {}
    swept = rows[[not is_missing(factor) for factor in rows["factor"]]]
    several = swept["strategy"].nunique() > 1
    return {
        str(variant): (f"{str(strategy).replace('_', ' ')}\n" if several else "")
        + f"{str(factor).rsplit('.', 1)[-1]}={level_text(level)}"
        for variant, strategy, factor, level in swept[["variant", "strategy", "factor", "level"]].itertuples(
            index=False
        )
    }


def level_text(level: object) -> str:
    """`20.0` -> '20'; words as they are."""
    try:
        return f"{float(str(level)):g}"
    except ValueError:
        return str(level)


def _variant_shade(variant: str, family: str, names: list[str], levels: dict[str, str]) -> float:
    """0 for the variant that is the strategy itself; the others run from light to dark in configured order.

    So the plain variant looks the same in every experiment. The levels of a sweep are one ramp, all of them.
    """
    if variant in levels:
        family = ""
    others = [name for name in names if name != family]
    if variant == family or len(names) == 1:
        return 0.0
    if len(others) == 1:
        return -0.4 if family else 0.0
    return 0.45 - 0.9 * others.index(variant) / (len(others) - 1)


def variant_label(variant: object, strategy: object = "", width: int = 22) -> str:
    """`adversarial_opt_steps=10` -> 'adversarial' over 'opt_steps=10'; long names wrap, none is cut."""
    name, family = str(variant), str(strategy)
    parts = [name]
    if name.startswith(f"{family}_") and len(name) > 14:
        parts = [family, name[len(family) + 1 :]]
    # A name with "=" holds a key of the configuration, which keeps its underscores.
    parts = [part if "=" in part else part.replace("_", " ") for part in parts]
    return "\n".join(line for part in parts for line in _wrap(part, width))


def _wrap(text: str, width: int) -> list[str]:
    """Break at spaces and after underscores, elsewhere only where a single word is too long."""
    lines = [""]
    for word in re.findall(r"[^ _]*[ _]?", text):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return [piece for line in lines for piece in textwrap.wrap(line.rstrip(), width) or [""]]


def is_missing(value: object) -> bool:
    """True for an empty cell."""
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value))


def power(exponent: int) -> str:
    """10 to an integer, with a superscript."""
    return "10" + str(exponent).translate(SUPERSCRIPTS)
