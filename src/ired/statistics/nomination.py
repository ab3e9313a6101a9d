"""runs.csv -> nominations.csv: the best level of a sweep, chosen on some seeds and judged on others.

The lowest of many means is low partly by luck. A level that is chosen and judged on the same seeds looks
better than it is, and no correction for the number of levels gives an honest interval of its gain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ired.record import schema
from ired.record.metrics import METRICS
from ired.statistics.contrasts import contrast
from ired.statistics.family import judge
from ired.statistics.summary import by_variant

JUDGED, CHOSEN_BY = next(iter(METRICS)), "mse_validation"


def nominate(
    runs: pd.DataFrame,
    comparisons: Sequence[tuple[str, str]],
    margin: float = 0.05,
    reference: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """nominations.csv: at most one row. Empty unless levels of a factor are compared with a baseline.

    The first half of the seeds (rounded down) tunes: the level with the lowest mean validation error on them is
    nominated, unless one of its tuning runs diverged. The other seeds are fresh: the nominee and the baseline are
    compared on them alone, by the test error, in one test, which `family.judged` then adjusts with its page.

    Args:
        runs: rows of runs.csv of one experiment; those with a `level` are the sweep.
        comparisons: (treatment, baseline) names of variants, as of `contrast`.
        margin, reference: as of `contrast`.
    """
    empty = schema.NOMINATIONS.frame([])
    levels = runs.dropna(subset=["level"]).drop_duplicates("variant").set_index("variant")
    baselines = dict(comparisons)
    candidates = [str(name) for name in levels.index if str(name) in baselines]
    seeds = sorted(runs["seed"].unique())
    tuning, fresh = seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :]
    if not candidates or not tuning:
        return empty
    means = {
        name: _mean_on(group, tuning)
        for name, group in by_variant(runs, [CHOSEN_BY]).items()
        if name in candidates
    }
    nominee = min(means, key=lambda name: (math.isnan(means[name]), means[name]))
    if math.isnan(means[nominee]):
        return empty
    pair = (nominee, baselines[nominee])
    judged = runs[runs["seed"].isin(fresh) & runs["variant"].isin(pair)]
    if judged["variant"].nunique() < 2:
        return empty
    found = contrast(judged, [pair], margin, [JUDGED], accompany=False, reference=reference).iloc[0]
    row: dict[str, Any] = {
        **{str(name): value for name, value in found.items()},
        "factor": levels.loc[nominee, "factor"],
        "level": levels.loc[nominee, "level"],
        "levels": len(candidates),
        "tuning_seeds": " ".join(map(str, tuning)),
        "fresh_seeds": " ".join(map(str, fresh)),
        "tuning_mean": means[nominee],
    }
    row = {name: row[name] for name in schema.NOMINATIONS.names}
    judge([], [], [row])
    return schema.NOMINATIONS.frame([row])


def _mean_on(group: pd.DataFrame, seeds: list[int]) -> float:
    """The mean over these seeds; NaN if one of them is missing or did not finish."""
    values = group.set_index("seed")[CHOSEN_BY].reindex(seeds).to_numpy(dtype=np.float64)
    return float(values.mean())
