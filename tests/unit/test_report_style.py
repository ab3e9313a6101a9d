"""The page's colours, computed from its style sheet: every pair of text and ground, in both colour schemes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ired.report

CSS = (Path(ired.report.__file__).parent / "report.css").read_text(encoding="utf-8")
DARK = "@media screen and (prefers-color-scheme: dark)"
# Which text stands on which ground, as the style sheet's rules have it.
PAIRS = [
    *((text, ground) for text in ("ink", "quiet", "accent") for ground in ("paper", "ground", "hover")),
    ("ink", "pill"), ("good-ink", "good"), ("bad-ink", "bad"), ("same-ink", "same"),
]  # fmt: skip


def colours(scheme: str) -> dict[str, str]:
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", text)) for text in CSS.split(DARK, 1))
    return light | (dark if scheme == "dark" else {})


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    shares = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_the_formula_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(
        4.48, abs=0.01
    )  # the well-known grey that just fails


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_ground(scheme: str) -> None:
    known = colours(scheme)
    assert {f"{a} on {b}": round(contrast(known[a], known[b]), 2) for a, b in PAIRS
            if contrast(known[a], known[b]) < 4.5} == {}  # fmt: skip
    assert all(contrast(known["focus"], known[ground]) >= 3 for ground in ("paper", "ground"))


def test_every_colour_has_a_name_and_both_schemes() -> None:
    """A colour written in a rule would be the same in the dark."""
    rules = re.sub(r"--[\w-]+: #[0-9a-f]{6};", "", CSS)
    assert not re.findall(r"#[0-9a-f]{3,8}\b", rules)
    light, dark = (set(re.findall(r"--([\w-]+): #", text)) for text in CSS.split(DARK, 1))
    assert light == dark
    assert {name for name in re.findall(r"var\(--([\w-]+)\)", CSS)} == light
    assert {name for pair in PAIRS for name in pair} | {"line", "focus"} == light
