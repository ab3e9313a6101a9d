"""Every figure by name: how it is drawn, which tables it needs, what its caption says, whom it is for.

Importing this is cheap: the drawing code, and with it pandas and matplotlib, is imported by `draw` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from ired.base.errors import UserError
from ired.figures.design import Design
from ired.figures.texts import CAPTIONS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Applies = Callable[[Design], bool]


@dataclass(frozen=True)
class FigureSpec:
    """One figure: the function of its name in `ired.figures.<module>` takes the tables named in `tables` (and
    those of `optional` that exist). `applies`: whether it has something to show for a design."""

    name: str
    title: str
    module: str
    tables: tuple[str, ...]
    applies: Applies
    optional: tuple[str, ...] = ()

    @property
    def caption(self) -> str:
        """The caption's template."""
        return CAPTIONS[self.name]


def _always(design: Design) -> bool:
    return True


def _no_axis(design: Design) -> bool:
    return not (design.swept or design.ablates or design.crosses_defects)


REFERENCE = ("reference",)
# The order of a report: first the figure that answers the experiment's question, then what explains it.
SPECS = (
    FigureSpec(
        "strategy_comparison", "Test error of every variant", "comparison",
        ("runs", "summary"), _no_axis, REFERENCE,
    ),
    FigureSpec("sweep", "Dose and response", "curves", ("runs", "summary"), lambda d: d.swept, REFERENCE),
    FigureSpec(
        "cd_ablation", "Ablation of contrastive divergence", "comparison",
        ("runs", "summary"), lambda d: d.ablates, REFERENCE,
    ),
    FigureSpec(
        "compat_2x2", "The released defects, one by one", "compat",
        ("runs", "summary"), lambda d: d.crosses_defects, REFERENCE,
    ),
    FigureSpec(
        "paired_differences", "Difference to the baseline, seed by seed", "differences",
        ("contrasts", "runs"), lambda d: bool(d.contrasts),
    ),
    FigureSpec(
        "learning_curves", "Validation error over training", "curves",
        ("learning_curves",), _always, REFERENCE,
    ),
    FigureSpec(
        "budget", "Equal steps against equal compute", "comparison",
        ("budget",), lambda d: d.costs_differ, REFERENCE,
    ),
    FigureSpec(
        "conditioning", "Conditioning of positives and negatives", "diagnostics",
        ("conditioning",), lambda d: d.has_negatives,
    ),
    FigureSpec(
        "error_directions", "Where the error points", "errors",
        ("error_directions",), _always,
    ),
    FigureSpec(
        "error_sizes", "How the error is spread over matrices", "errors",
        ("error_sizes",), _always,
    ),
    FigureSpec(
        "energy_gap", "Energy gap and misranked negatives", "diagnostics",
        ("energy_profile",), lambda d: d.has_negatives,
    ),
    FigureSpec(
        "false_negatives", "False negatives, measured and predicted", "diagnostics",
        ("energy_profile",), lambda d: d.has_negatives,
    ),
    FigureSpec(
        "gradient_conflict", "Does the energy term pull against denoising?", "gradients",
        ("energy_profile",), lambda d: d.has_negatives,
    ),
    FigureSpec(
        "hardness_benefit", "Hardness of the negatives and what it brought", "relations",
        ("energy_profile", "contrasts"), lambda d: d.compares_negatives,
    ),
    FigureSpec(
        "published_reproduced", "Published and reproduced", "relations",
        ("published", "runs", "summary"), lambda d: d.repeats_the_record, REFERENCE,
    ),
)  # fmt: skip
FIGURES: dict[str, FigureSpec] = {spec.name: spec for spec in SPECS}


def figure_spec(name: str) -> FigureSpec:
    """The figure of that name.

    Raises:
        UserError: no figure has that name.
    """
    if name not in FIGURES:
        raise UserError(f"no figure is called {name!r}; there are {', '.join(FIGURES)}")
    return FIGURES[name]


def figures_of(design: Design) -> list[str]:
    """The figures that have something to show for a design, in the order of a report."""
    return [spec.name for spec in SPECS if spec.applies(design)]


def draw(name: str, tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw one figure from tables by name (see docs/tables.md); optional ones may be missing.

    `runs`, if it is among the tables, also tells how each variant looks in all figures of the experiment.

    Raises:
        UserError: the figure is unknown or one of its tables is missing.
    """
    spec = figure_spec(name)
    missing = [table for table in spec.tables if table not in tables]
    if missing:
        raise UserError(f"figure {name} needs the table {', '.join(missing)}; make the tables first")
    from ired.figures.style import roster

    function = getattr(import_module(f"ired.figures.{spec.module}"), name)
    with roster(tables.get("runs")):
        figure: Figure = function(**{t: tables[t] for t in (*spec.tables, *spec.optional) if t in tables})
    return figure
