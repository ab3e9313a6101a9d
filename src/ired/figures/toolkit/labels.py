"""Direct labels that never overlap: line labels, curve ends, points.

A label wants to sit beside what it names. Where several want the same place, `spread` moves them as little as
possible, and a thin leader keeps the connection. Positions are only known once the layout has run, so every
helper here leaves a `place` function with the figure (see `sheet.Sheet.settle`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from ired.figures.toolkit.sheet import PAGE, Sheet, page_width
from ired.figures.toolkit.style import INK

LABEL_SIZE = 6.5
HALO = withStroke(linewidth=2, foreground="white")  # keeps a label readable where a line runs behind it


@dataclass(frozen=True)
class Mark:
    """A label and the coordinate it belongs to."""

    text: str
    at: float
    colour: str = INK
    leader: bool = True
    bold: bool = False


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centres nearest to `wanted` (least squares) for boxes of `sizes` that may not overlap in [low, high].

    Subtracting the boxes' cumulative widths turns "no overlap" into "not decreasing", which pooling adjacent
    violators solves exactly. Where the boxes do not fit, they keep their order and overflow evenly.
    """
    order = np.argsort(np.asarray(wanted), kind="stable")
    widths = np.asarray(sizes, dtype=float)[order]
    offsets = np.cumsum(widths) - widths / 2
    blocks: list[list[float]] = []  # [mean, count]
    for value in np.asarray(wanted, dtype=float)[order] - offsets:
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            before = blocks[-1]
            before[0] = (before[0] * before[1] + mean * count) / (before[1] + count)
            before[1] += count
    flat = np.repeat([mean for mean, _ in blocks], [int(count) for _, count in blocks])
    room = high - low - widths.sum()
    flat = np.clip(flat, low, low + room) if room >= 0 else np.full_like(flat, low + room / 2)
    centres = np.empty(len(flat))
    centres[order] = flat + offsets
    return [float(c) for c in centres]


def _sheet(axes: Axes) -> Sheet:
    return cast(Sheet, axes.figure)


def legend_columns(handles: Sequence[Artist], on_page: int | None = None) -> int:
    """As many columns as the longest label allows; `on_page`, where that is known to fit, on a whole page."""
    if on_page is not None and page_width() == PAGE:
        return on_page
    longest = max(len(str(h.get_label())) for h in handles)
    return max(1, min(len(handles), int(16 * page_width() / (longest + 9))))


def text_box(text: Text) -> Bbox:
    """The text's own box in pixels (an Annotation's would include its leader)."""
    return Text.get_window_extent(text)


def edge_labels(axes: Axes, marks: Sequence[Mark], side: str = "right", pad: float = 5) -> list[Annotation]:
    """Label y-values beside the right edge, or x-values above the top edge ("top")."""
    vertical = side == "right"
    transform = axes.get_yaxis_transform() if vertical else axes.get_xaxis_transform()
    notes = []
    for mark in marks:
        # No patchA: the leader starts at the label's edge anyway, and clipping it there is slow.
        leader = {"arrowstyle": "-", "color": mark.colour, "lw": 0.5, "shrinkA": 0.5, "shrinkB": 0}
        leader |= {"relpos": (0, 0.5) if vertical else (0.5, 0), "patchA": None}
        notes.append(
            axes.annotate(
                mark.text,
                xy=(1, mark.at) if vertical else (mark.at, 1),
                xycoords=transform,
                xytext=(pad + 4, 0) if vertical else (0, pad + 3),
                textcoords="offset points",
                ha="left" if vertical else "center",
                va="center" if vertical else "bottom",
                color=mark.colour,
                fontsize=LABEL_SIZE,
                fontweight="bold" if mark.bold else "normal",
                linespacing=1.05,
                arrowprops=leader if mark.leader else None,
                annotation_clip=False,
            )
        )
    _sheet(axes).pending.append(lambda: _place(axes, notes, vertical))
    return notes


def _place(axes: Axes, notes: list[Annotation], vertical: bool) -> None:
    """Move the notes along their edge until no two overlap."""
    if not notes:
        return
    boxes = [text_box(n) for n in notes]
    point = axes.figure.dpi / 72.0
    gap = (1.0 if vertical else 3.5) * point
    sizes = [(b.height if vertical else b.width) + gap for b in boxes]
    wanted = [(b.y0 + b.y1) / 2 if vertical else (b.x0 + b.x1) / 2 for b in boxes]
    frame = axes.get_window_extent()
    room = (4 if vertical else 8) * point  # labels may stand a little beyond the corners
    low, high = (frame.y0 - room, frame.y1 + room) if vertical else (frame.x0 - room, frame.x1 + room)
    for mark, was, now in zip(notes, wanted, spread(wanted, sizes, low, high), strict=True):
        dx, dy = cast(tuple[float, float], mark.xyann)
        shift = (now - was) / point
        mark.xyann = (dx, dy + shift) if vertical else (dx + shift, dy)


def point_labels(axes: Axes, points: Sequence[tuple[float, float]], marks: Sequence[Mark]) -> None:
    """Label points of a scatter, each on the first free side."""
    notes = [
        axes.annotate(
            m.text,
            p,
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            color=m.colour,
            fontsize=LABEL_SIZE,
            linespacing=1.0,
            path_effects=[HALO],
            annotation_clip=False,
        )
        for p, m in zip(points, marks, strict=True)
    ]
    for mark in notes:
        mark.set_in_layout(False)  # a label moved later must not have pushed the axes around before
    _sheet(axes).pending.append(lambda: _place_beside(axes, notes))


def _place_beside(axes: Axes, notes: list[Annotation]) -> None:
    """Greedy: for each point the first of several offsets whose box hits no other label, point or edge."""
    frame = axes.get_window_extent()
    anchors = [axes.transData.transform(n.xy) for n in notes]
    half = 3.5 * axes.figure.dpi / 72.0  # a mark's half width
    dots = [Bbox.from_bounds(x - half, y - half, 2 * half, 2 * half) for x, y in anchors]
    taken: list[Bbox] = []
    for k, mark in enumerate(notes):
        others = [d for j, d in enumerate(dots) if j != k]
        best: tuple[int, Any] | None = None
        for offset, ha, va in _candidates():
            mark.xyann, mark_box = offset, None
            mark.set(ha=ha, va=va)
            mark_box = text_box(mark)
            hits = sum(mark_box.overlaps(b) for b in (*taken, *others)) + 2 * (not _within(mark_box, frame))
            if best is None or hits < best[0]:
                best = (hits, (offset, ha, va))
            if hits == 0:
                break
        assert best is not None
        offset, ha, va = best[1]
        mark.xyann = offset
        mark.set(ha=ha, va=va)
        taken.append(text_box(mark).padded(half / 3))


def _candidates() -> list[tuple[tuple[float, float], str, str]]:
    near = [
        ((6, 0), "left", "center"),
        ((-6, 0), "right", "center"),
        ((0, 6), "center", "bottom"),
        ((0, -6), "center", "top"),
    ]
    far = [
        ((dx * r, dy * r), "left" if dx > 0 else "right", "bottom" if dy > 0 else "top")
        for r in (4, 9, 15, 22, 30)
        for dx, dy in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ]
    return [*near, *far]


def _within(box: Bbox, frame: Bbox) -> bool:
    return box.x0 >= frame.x0 and box.x1 <= frame.x1 and box.y0 >= frame.y0 and box.y1 <= frame.y1
