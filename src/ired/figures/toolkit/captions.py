"""What captions share: sentences, and the facts that are filled in from a figure's own tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ired.base.format_numbers import count, plain_percent

# Each caption states what is shown, how many runs, what the bars or bands are, and which test,
# if any, it rests on.
MEANS = """Small marks: seeds. Large marks with bars: mean with its 95 % t-interval over seeds;
{seeds}.{diverged} No test is made here; the paired differences have it."""
LINES = (
    "Dashed and dotted lines: closed-form predictors fitted by least squares; an arrow names one off scale."
)
BANDS = """Lines: mean over seeds; bands: the full range of the seeds, not an interval (of three seeds or fewer thin
lines: the seeds); {seeds}.{diverged} No test is made."""


def facts(tables: Mapping[str, pd.DataFrame], own: tuple[str, ...]) -> dict[str, str]:
    """What a template may mention. `own`: the figure's tables, from which seeds are counted first."""
    contrasts = tables.get("contrasts", pd.DataFrame())
    return {
        "seeds": _seeds(tables, own),
        "diverged": _diverged(tables),
        "test_matrices": _largest(tables.get("runs"), "test_matrices"),
        "conditioning_matrices": _largest(tables.get("conditioning"), "matrices"),
        "profile_matrices": _largest(tables.get("energy_profile"), "matrices"),
        "size_matrices": _largest(tables.get("error_sizes"), "matrices"),
        "pairs": _span(contrasts["n_pairs"]) if len(contrasts) else "no",
        "contrasts": _contrasts(contrasts),
        "margin": plain_percent(float(contrasts["margin_relative"].iloc[0])) if len(contrasts) else "unset",
    }


def _seeds(tables: Mapping[str, pd.DataFrame], own: tuple[str, ...]) -> str:
    """\u201cn = 5 seeds per variant\u201d, from the first of the figure's own tables that knows."""
    for name in own:
        table = tables.get(name, pd.DataFrame())
        if len(table) and "arm" in table and "n" in table:
            return f"n = {_span(table['n'])} seeds"
        if table.empty or "variant" not in table:
            continue
        if "status" in table:
            table = table[table["status"] == "finished"]
        if "phase" in table:  # a run that stopped early has none of the later ones
            ends = table[table["phase"] == table["phase"].max()].groupby("variant")["seed"].nunique()
            return _per_variant(ends.reindex(table["variant"].unique(), fill_value=0))
        if "seed" in table and len(table):
            return _per_variant(table.groupby("variant")["seed"].nunique())
        if "n" in table and len(table):
            return _per_variant(table["n"])
    return "no finished run"


def _per_variant(seeds: pd.Series) -> str:
    return f"n = {_span(seeds)} {'seed' if seeds.max() == 1 else 'seeds'} per variant"


def _diverged(tables: Mapping[str, pd.DataFrame]) -> str:
    runs = tables.get("runs", pd.DataFrame())
    lost = int((runs["status"] == "diverged").sum()) if "status" in runs else 0
    return f" {count(lost, 'run')} diverged: no final error to average." if lost else ""


def _contrasts(contrasts: pd.DataFrame) -> str:
    return str(contrasts.groupby("metric").size().max()) if len(contrasts) else "no"


def _span(values: pd.Series) -> str:
    """ "5", or "3 to 5"."""
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def _largest(table: pd.DataFrame | None, column: str) -> str:
    if table is None or column not in table or table[column].isna().all():
        return "an unknown number of"
    return f"{int(table[column].max()):,}"
