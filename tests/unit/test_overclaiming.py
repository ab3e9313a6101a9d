"""Thousands of simulated studies: how often the generator claims what is not so.

Each column of one table is a study of its own, judged by itself, so 2,000 studies pass through the very code that
writes contrasts.csv.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from study_tables import runs

from ired.statistics import contrast
from ired.statistics.family import judge

STUDIES = 2000
DIFFERS = {"better", "worse", "better_within_margin", "worse_within_margin"}
WITHIN = {"equivalent", "better_within_margin", "worse_within_margin"}


def simulated(
    effects: dict[str, float],
    seeds: int,
    comparisons: list,
    margin: float,
    entropy: int,
    studies: int = STUDIES,
) -> pd.DataFrame:
    """Contrasts of many studies. An arm is a common part (seeds share data) plus its own, 2 % each."""
    rng = np.random.default_rng(entropy)
    common = rng.normal(1.0, 0.02, (seeds, studies))
    values = np.vstack([common + effect + rng.normal(0, 0.02, common.shape) for effect in effects.values()])
    frame = runs({name: [1.0] * seeds for name in effects})[["experiment", "variant", "seed", "status"]]
    names = [f"study{index}" for index in range(studies)]
    table = pd.concat([frame, pd.DataFrame(values, columns=names)], axis=1)
    rows = contrast(table, comparisons, margin=margin, metrics=names, accompany=False).to_dict("records")
    for study in range(studies):
        judge(rows[study * len(comparisons) : (study + 1) * len(comparisons)], [], [])
    return pd.DataFrame(rows)


def rate(table: pd.DataFrame, claims: set[str]) -> float:
    """The share of studies with at least one of the claims."""
    return float(table["verdict"].isin(claims).groupby(table["metric"]).any().mean())


def is_at_most(share: float, bound: float, studies: int) -> bool:
    """Whether a share of studies is compatible with a true rate of at most `bound` (wrong once in 1,000)."""
    return stats.binomtest(round(share * studies), studies, bound, alternative="greater").pvalue > 0.001


def test_one_contrast_without_effect_is_called_different_in_at_most_5_percent() -> None:
    table = simulated({"t": 0, "b": 0}, 10, [("t", "b")], margin=0.01, entropy=11)
    share = rate(table, DIFFERS)
    assert share <= 0.05
    assert share > 0.03  # nor is it timid: the test has its size
    claims = table["sentence"].str.contains("is better than|is worse than")
    assert (claims == table["verdict"].isin(DIFFERS)).all()


def test_several_contrasts_without_effect_together_err_in_at_most_5_percent() -> None:
    arms = {"b": 0.0, "x": 0.0, "y": 0.0}
    table = simulated(arms, 10, [("x", "b"), ("y", "b"), ("x", "y")], margin=0.01, entropy=12)
    assert len(table) == 3 * STUDIES
    assert rate(table, DIFFERS) <= 0.05
    unadjusted = (table["p_paired"] < 0.05).groupby(table["metric"]).any().mean()
    assert unadjusted > 0.1  # so the adjustment had something to do


def test_an_effect_at_the_margin_is_called_within_it_in_at_most_5_percent() -> None:
    table = simulated({"t": 0.05, "b": 0.0}, 10, [("t", "b")], margin=0.05, entropy=13, studies=800)
    assert is_at_most(rate(table, WITHIN), 0.05, 800)


def test_several_effects_at_the_margin_together_err_in_at_most_5_percent() -> None:
    arms = {"b": 0.0, "x": 0.05, "y": 0.05, "z": -0.05}
    table = simulated(arms, 10, [("x", "b"), ("y", "b"), ("z", "b")], margin=0.05, entropy=14, studies=400)
    assert is_at_most(rate(table, WITHIN), 0.05, 400)


def test_a_large_effect_is_found_on_the_right_side_and_a_small_one_called_small() -> None:
    table = simulated({"t": -0.2, "b": 0.0}, 10, [("t", "b")], margin=0.05, entropy=15, studies=300)
    assert set(table["verdict"]) == {"better"}
    table = simulated({"t": 0.0, "b": 0.0}, 20, [("t", "b")], margin=0.05, entropy=16, studies=300)
    assert rate(table, WITHIN) > 0.95
