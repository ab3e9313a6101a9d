"""runs.csv -> effects.csv: what all levels of a sweep say together.

A sweep of six levels is six pair tests, of which each is weak and the lowest lucky. Its question is one: does the error
rise or fall with the level? And of two sweeps over equal levels: does one lie below the other, on average over levels?
Every seed gives one number to each question, so the seeds are the sample. The scale is log error, where seeds that
differ by a factor count alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ired.record import schema
from ired.statistics.family import judge
from ired.statistics.pairs import paired_test
from ired.statistics.samples import mean
from ired.statistics.summary import by_variant, judged_metrics

Matrix = NDArray[np.float64]
FEWEST_RANKED = 3  # levels and seeds that Page's test needs


def effects(
    runs: pd.DataFrame, pairs: Sequence[tuple[str, str]] = (), metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """effects.csv: for each metric a row per sweep of numbers (its trend) and per pair of sweeps (their ratio), judged
    as if nothing else were on their page.

    Args:
        runs: rows of runs.csv of one experiment; those with a `base` are members of the sweep of that name.
        pairs: (treatment, baseline) names of sweeps.
        metrics: columns of `runs`; those that verdicts are given in if None.

    Raises:
        ValueError: a pair names a sweep without runs, or two without a level in common.
    """
    tabulated = judged_metrics(runs, metrics)
    swept = runs.dropna(subset=["base"])
    rows: list[dict[str, Any]] = []
    for metric in tabulated:
        sweeps = {str(base): _by_level(group, metric) for base, group in swept.groupby("base", sort=False)}
        unknown = {name for pair in pairs for name in pair} - set(sweeps)
        if unknown:
            raise ValueError(f"effect of unknown sweep {', '.join(sorted(unknown))}")
        family = [_trend(base, levels) for base, levels in sweeps.items() if _ordered(levels)]
        family += [_pair(sweeps, *pair) for pair in pairs]
        for row in family:
            row |= {"experiment": runs["experiment"].iloc[0], "metric": metric}
            row["factor"] = swept.loc[swept["base"] == row["treatment"], "factor"].iloc[0]
        rows += family
    judge([], rows, [])
    return schema.EFFECTS.frame(rows)


def _by_level(group: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Log errors, a row per seed and a column per level; NaN where a run diverged."""
    names = group.drop_duplicates("variant").set_index("variant")["level"]
    found = by_variant(group, [metric])
    table = pd.DataFrame({names[name]: rows.set_index("seed")[metric] for name, rows in found.items()})
    return table.where(table > 0).map(math.log)


def _ordered(levels: pd.DataFrame) -> bool:
    """Whether the levels are two or more positive numbers, so that there is a doubling."""
    numbers = pd.to_numeric(pd.Series(levels.columns), errors="coerce").to_numpy(float)
    return (
        numbers.size > 1
        and bool((numbers > 0).all())
        and not any(isinstance(v, bool) for v in levels.columns)
    )


def _trend(base: str, levels: pd.DataFrame) -> dict[str, Any]:
    """The factor by which a doubling of the level multiplies the error: each seed's least-squares slope."""
    values = pd.to_numeric(pd.Series(levels.columns)).to_numpy(float)
    order = np.argsort(values)
    x = np.log2(values[order])
    x = x - x.mean()
    complete = levels.dropna().to_numpy(float)[:, order]
    row = _effect("trend", base, None, len(levels), complete @ x / np.square(x).sum())
    return {**row, "levels": x.size, "p_page": page_p(complete)}


def page_p(values: Matrix) -> float:
    """Page's test of an ordered trend either way, two-sided: (seeds, levels in order) -> p (Page 1963)."""
    if min(values.shape) < FEWEST_RANKED:
        return math.nan
    upward, downward = (stats.page_trend_test(v).pvalue for v in (values, values[:, ::-1]))
    return min(1.0, 2 * float(min(upward, downward)))


def _pair(sweeps: Mapping[str, pd.DataFrame], treatment: str, baseline: str) -> dict[str, Any]:
    """The ratio of two sweeps' errors, each seed's geometric mean over the levels that both have."""
    left, right = sweeps[treatment], sweeps[baseline]
    shared = [level for level in left.columns if level in right.columns]
    if not shared:
        raise ValueError(f"effect of {treatment} against {baseline}: they have no level in common")
    difference = left[shared] - right[shared]
    row = _effect(
        "pair", treatment, baseline, len(difference), difference.dropna().to_numpy(float).mean(axis=1)
    )
    return {**row, "levels": len(shared)}


def _effect(
    kind: str, treatment: str, baseline: str | None, seeds: int, logs: NDArray[np.float64]
) -> dict[str, Any]:
    """What one log ratio a seed, (S,), says."""
    test = paired_test(logs, np.zeros_like(logs))
    return {
        "kind": kind,
        "treatment": treatment,
        "baseline": baseline,
        "n": logs.size,
        "n_dropped": seeds - logs.size,
        "ratio": math.exp(mean(logs)) if logs.size else math.nan,
        "ci_low": math.exp(test.interval.low),
        "ci_high": math.exp(test.interval.high),
        "p": test.p,
    }
