"""Every figure by name: how it is drawn, which tables it needs, what its caption says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from ired.errors import UserError
from ired.figures.comparison import budget, cd_ablation, strategy_comparison
from ired.figures.compat import compat_2x2
from ired.figures.curves import learning_curves, sweep
from ired.figures.diagnostics import conditioning, energy_gap, false_negatives
from ired.figures.differences import paired_differences
from ired.figures.gradients import error_directions, gradient_conflict
from ired.figures.relations import hardness_benefit, published_reproduced
from ired.figures.texts import CAPTIONS


@dataclass(frozen=True)
class FigureSpec:
    """One figure: `function` takes the tables named in `tables` (and those of `optional` that exist)."""

    name: str
    title: str
    function: Callable[..., Figure]
    tables: tuple[str, ...]
    caption: str
    optional: tuple[str, ...] = ()


def _spec(
    function: Callable[..., Figure], title: str, tables: tuple[str, ...], reference: bool = False
) -> FigureSpec:
    name = function.__name__
    return FigureSpec(name, title, function, tables, CAPTIONS[name], ("reference",) if reference else ())


SPECS = (
    _spec(strategy_comparison, "Test error of every strategy", ("runs", "summary"), reference=True),
    _spec(paired_differences, "Difference to the baseline, seed by seed", ("contrasts", "runs")),
    _spec(learning_curves, "Validation error over training", ("learning_curves",), reference=True),
    _spec(budget, "Equal steps against equal compute", ("budget",), reference=True),
    _spec(conditioning, "Conditioning of positives and negatives", ("conditioning",)),
    _spec(error_directions, "Where the error points", ("error_directions",)),
    _spec(energy_gap, "Energy gap and misranked negatives", ("energy_profile",)),
    _spec(false_negatives, "False negatives, measured and predicted", ("energy_profile",)),
    _spec(gradient_conflict, "Does the energy term pull against denoising?", ("energy_profile",)),
    _spec(hardness_benefit, "Hardness of the negatives and what it brought", ("energy_profile", "contrasts")),
    _spec(sweep, "Dose and response", ("runs", "summary"), reference=True),
    _spec(cd_ablation, "Ablation of contrastive divergence", ("runs", "summary"), reference=True),
    _spec(compat_2x2, "The released defects, one by one", ("runs", "summary"), reference=True),
    _spec(published_reproduced, "Published and reproduced", ("published", "runs", "summary"), reference=True),
)
FIGURES: dict[str, FigureSpec] = {spec.name: spec for spec in SPECS}


def figure_spec(name: str) -> FigureSpec:
    """The figure of that name.

    Raises:
        UserError: no figure has that name.
    """
    if name not in FIGURES:
        raise UserError(f"no figure is called {name!r}; there are {', '.join(FIGURES)}")
    return FIGURES[name]


def draw(name: str, tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw one figure from tables by name (see docs/tables.md); optional ones may be missing.

    Raises:
        UserError: the figure is unknown or one of its tables is missing.
    """
    spec = figure_spec(name)
    missing = [table for table in spec.tables if table not in tables]
    if missing:
        raise UserError(f"figure {name} needs the table {', '.join(missing)}; make the tables first")
    present: Iterable[str] = [t for t in (*spec.tables, *spec.optional) if t in tables]
    return spec.function(**{table: tables[table] for table in present})
