"""How each variant looks, and what it is called: its strategy's colour in a shade of its own, a marker, a dash."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ired.figures.toolkit.style import DASHES, is_missing, shade, strategy_colour, strategy_marker


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
