"""Fonts of PDF files in little time.

A PDF embeds the outlines of its own glyphs. To find them matplotlib parses the whole of DejaVu Sans, 6,000 glyphs and
the tables that shape text, twice or thrice for every file: a fifth of the time of a figure. Here the font is parsed
once a process and reduced to the glyphs that figures write, and every file's own are taken out of that.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from fontTools import subset
from matplotlib.backends import _backend_pdf_ps

WRITTEN = "".join(map(chr, range(0x20, 0x7F))) + "°±²³·¹×–—‘’“”…−≤≥←↑→↓⁰⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉αβσ"
# Glyphs lie where the layout put them, so a viewer shapes no text; FFTM is its editor's date.
NOT_EMBEDDED = ("GDEF", "GPOS", "GSUB", "kern", "FFTM")

_of_whole = _backend_pdf_ps.get_glyphs_subset
# Path of a font -> the reduced font, and each glyph's number in the whole font -> that in the reduced one.
_reduced: dict[str, tuple[bytes, dict[int, int]]] = {}


class _File(io.BytesIO):
    """A font in memory, where matplotlib expects a path."""

    face_index = 0


def _reduce(path: Any, glyphs: frozenset[int]) -> None:
    """Keep these glyphs of the font at `path`, and those of WRITTEN."""
    options = subset.Options(glyph_names=True, recommended_glyphs=True, font_number=path.face_index)
    font = subset.load_font(path, options)
    for table in NOT_EMBEDDED:
        if table in font:
            del font[table]
    letters = font.getBestCmap()
    own = {font.getGlyphID(letters[ord(letter)]) for letter in WRITTEN if ord(letter) in letters}
    subsetter = subset.Subsetter(options)
    subsetter.populate(gids=own | glyphs)
    subsetter.subset(font)
    buffer = io.BytesIO()
    font.save(buffer)
    _reduced[path] = buffer.getvalue(), dict(subsetter.glyph_index_map)


@contextmanager
def _of_reduced(path: Any, glyphs: Iterable[int]) -> Iterator[_backend_pdf_ps.SubsetResults]:
    """What matplotlib asks for: the font of these glyphs, and their numbers in it."""
    wanted = frozenset(glyphs)
    if not wanted <= set(_reduced.get(path, (b"", {}))[1]):
        _reduce(path, wanted | set(_reduced.get(path, (b"", {}))[1]))
    font, numbers = _reduced[path]
    with _of_whole(_File(font), {numbers[glyph] for glyph in wanted}) as found:
        own = {glyph: found.glyph_index_map[numbers[glyph]] for glyph in wanted}
        yield _backend_pdf_ps.SubsetResults(found.font, own)


@contextmanager
def parsed_once() -> Iterator[None]:
    """Save PDF files so for as long as this lasts."""
    with mock.patch.object(_backend_pdf_ps, "get_glyphs_subset", _of_reduced):
        yield
