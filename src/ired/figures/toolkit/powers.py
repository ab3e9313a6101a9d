"""Powers of ten in plain letters, because to set mathematics takes as long as the rest of a figure."""

from __future__ import annotations

import re
from typing import Any

from matplotlib.ticker import Formatter

from ired.base.format_numbers import MINUS, SUPERSCRIPTS


def power(exponent: int) -> str:
    """10 to an integer, with a superscript."""
    return "10" + str(exponent).translate(SUPERSCRIPTS)


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
