"""What a person sees, as numbers: the text boxes of a figure, which overlap, which leave the page."""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ired.figures.toolkit.style import RC

SLACK = 2.0  # pixels at 200 dots per inch that two boxes may share: glyphs do not fill their box


def text_boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, with its own box in pixels (without an annotation's leader)."""
    with mpl.rc_context(RC):
        figure.draw_without_rendering()
        hidden = _undrawn_ticks(figure)
        found = []
        for text in figure.findobj(Text):
            if text.get_text().strip() and text.get_visible() and id(text) not in hidden:
                found.append((text.get_text(), Text.get_window_extent(text)))
    return found


def _undrawn_ticks(figure: Figure) -> set[int]:
    """Labels of ticks outside the view, of hidden axes and of inner shared axes: made, but never drawn."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            drawn = {id(label) for label in _drawn_labels(axis)} if axes.axison else set()
            labels = [tick.label1 for tick in (*axis.majorTicks, *axis.minorTicks)]
            labels += [tick.label2 for tick in (*axis.majorTicks, *axis.minorTicks)]
            hidden |= {id(label) for label in labels} - drawn
    return hidden


def _drawn_labels(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    room = 1e-9 * (high - low)
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [t.label1 for t in ticks if low - room <= t.get_loc() <= high + room and t.label1.get_visible()]


def unreadable(figure: Figure) -> list[str]:
    """Texts that overlap another or leave the page by more than the slack; empty for a good figure."""
    boxes = [(text, _shrink(box)) for text, box in text_boxes(figure)]
    found = [f"{a!r} on {b!r}" for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)]
    return found + [f"{text!r} leaves the page" for text, box in boxes if not _inside(box, figure.bbox)]


def _inside(box: Bbox, page: Bbox) -> bool:
    return bool(box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1)


def _shrink(box: Bbox) -> Bbox:
    return Bbox.from_extents(box.x0 + SLACK, box.y0 + SLACK, box.x1 - SLACK, box.y1 - SLACK)


def artists(figure: Figure, gid: str) -> list[object]:
    """The artists that a figure marks as such: seeds, mean, interval, band, reference:affine ..."""
    return figure.findobj(lambda artist: (artist.get_gid() or "").startswith(gid))


def texts(figure: Figure) -> list[str]:
    """What is written."""
    return [text for text, _ in text_boxes(figure)]


def fresh_environment(hash_seed: str) -> dict[str, str]:
    """The environment of a fresh process: the same package, another order of sets."""
    source = str(Path(__file__).parents[1] / "src")
    return {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": source}
