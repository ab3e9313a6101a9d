"""Two sets of tables beside each other: two scales, two networks, two clones of the study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ired.base.errors import UserError
from ired.base.format_numbers import p_value, percent, with_interval
from ired.record.metrics import LEVEL, METRICS, TEST_METRICS
from ired.record.schema import RUNS
from ired.statistics.family import holm
from ired.statistics.pairs import welch_test
from ired.statistics.samples import Values, t_interval

KEYS = ["variant", "seed"]


def compared(first: Path, second: Path, experiment: str) -> Iterator[str]:
    """Lines: which runs are the same, then for each variant that both have its two means and Welch's test of their
    difference, Holm-adjusted over all of them. Seeds of two studies are not taken as pairs.

    Args:
        first, second: folders that hold `tables/{experiment}/runs.csv`.

    Raises:
        UserError: a table is missing, or no variant is in both.
    """
    a_runs, b_runs = (RUNS.read(folder / "tables" / experiment / "runs.csv") for folder in (first, second))
    both = [variant for variant in dict.fromkeys(a_runs["variant"]) if variant in set(b_runs["variant"])]
    if not both:
        raise UserError(f"{first} and {second} have no variant of {experiment} in common")
    yield f"A  {first}"
    yield f"B  {second}"
    yield _same(a_runs, b_runs)
    rows = [(v, m, *_pair(a_runs, b_runs, v, m)) for v in both for m in TEST_METRICS]
    tested = [row for row in rows if min(len(row[2]), len(row[3])) > 1]
    adjusted = iter(holm([welch_test(b, a).p for _, _, a, b in tested]).tolist() if tested else [])
    yield f"mean [{LEVEL} t-interval] of A, of B, B against A; p: Welch, Holm-adjusted over {len(tested)} tests"
    for row in rows:
        variant, metric, a, b = row
        told = [_mean(values) for values in (a, b)]
        change = percent(b.mean() / a.mean() - 1, signed=True) if len(a) and len(b) else "no result"
        p = p_value(next(adjusted)) if min(len(a), len(b)) > 1 else "too few seeds for a test"
        yield f"{variant:<22}{METRICS[metric].short:<8} {told[0]:<34} {told[1]:<34} {change:>9}  {p}"


def _same(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """How many runs have one configuration, and how many of these one result to the last digit."""
    joined = first.merge(second, on=[*KEYS, "fingerprint"], suffixes=("_a", "_b"))
    equal = int(
        sum(((joined[f"{m}_a"] == joined[f"{m}_b"]) for m in TEST_METRICS), start=0 * joined["seed"])
        .eq(2)
        .sum()
    )
    return (
        f"{len(joined)} of {len(first)} and {len(second)} runs have the same configuration and seed;"
        f" {equal} of these are equal to the last digit"
    )


def _pair(first: pd.DataFrame, second: pd.DataFrame, variant: str, metric: str) -> tuple[Values, Values]:
    a, b = (t.loc[t["variant"] == variant, metric].dropna().to_numpy(float) for t in (first, second))
    return a, b


def _mean(values: Values) -> str:
    if not len(values):
        return "no result"
    if len(values) < 2:
        return f"{values[0]:.3g} (one seed)"
    mean, low, high = with_interval(values.mean(), *t_interval(values, lowest=0.0))
    return f"{mean} [{low}, {high}]"
