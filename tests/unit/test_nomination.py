"""A sweep's best level, chosen on some seeds and judged on others: on made-up sweeps whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from study_tables import runs

from ired.record import schema
from ired.statistics import nominate, paired_test

LEVELS = {"a=1": 1, "a=2": 2, "a=3": 3}
COMPARISONS = [(name, "none") for name in LEVELS]


def sweep(values: dict[str, list[float]]) -> pd.DataFrame:
    table = runs(values)
    table["factor"] = table["variant"].map(dict.fromkeys(LEVELS, "a"))
    table["level"] = table["variant"].map(LEVELS)
    return table.assign(mse_validation=table["mse_id"])


def test_the_validation_error_chooses_and_not_the_test_error() -> None:
    table = sweep({"none": [1.0] * 4, "a=1": [0.1, 0.1, 0.9, 0.8], "a=2": [0.9, 0.9, 0.7, 0.6]})
    table["mse_validation"] = table["variant"].map({"none": 1.0, "a=1": 0.5, "a=2": 0.4})
    row = nominate(table, COMPARISONS[:2]).iloc[0]
    assert (row["treatment"], row["tuning_mean"]) == ("a=2", 0.4)
    assert row["difference"] == pytest.approx(-0.35)


def test_the_first_half_of_the_seeds_chooses_and_the_others_judge() -> None:
    none, chosen = [1.0, 1.1, 0.9, 1.0, 1.2], [0.2, 0.3, 0.95, 1.03, 1.16]
    table = sweep({"none": none, "a=1": [0.9, 0.9, 0.1, 0.1, 0.1], "a=2": chosen, "a=3": [0.5] * 5})
    row = nominate(table, COMPARISONS).iloc[0]
    assert (row["treatment"], row["baseline"], row["level"], row["levels"]) == ("a=2", "none", 2, 3)
    assert (row["tuning_seeds"], row["fresh_seeds"], row["n_pairs"]) == ("0 1", "2 3 4", 3)
    assert row["tuning_mean"] == pytest.approx(0.25)
    # a=1 is far lower on the fresh seeds, which have no say; the difference is that of a=2 there.
    fresh = np.array(chosen[2:]), np.array(none[2:])
    assert row["difference"] == pytest.approx((0.05 + 0.03 - 0.04) / 3)
    assert row["p_paired"] == pytest.approx(paired_test(*fresh).p)
    assert row["verdict"] == "undecided"
    assert "a = 2 had the lowest" in row["sentence"]
    assert "seeds 2, 3 and 4, which had no say" in row["sentence"]


def test_nothing_is_nominated_without_a_sweep_a_baseline_or_a_seed_to_spare() -> None:
    full = {"none": [1.0, 1.0], "a=1": [0.9, 0.8]}
    for table, comparisons in (
        (runs(full), COMPARISONS[:1]),
        (sweep(full), []),
        (sweep({name: numbers[:1] for name, numbers in full.items()}), COMPARISONS[:1]),
        (sweep({"none": [1.0, 1.0], "a=1": [math.nan, 0.8]}), COMPARISONS[:1]),
    ):
        empty = nominate(table, comparisons)
        assert empty.empty and tuple(empty.columns) == schema.NOMINATIONS.names


def test_a_level_that_diverged_while_tuning_is_not_nominated() -> None:
    table = sweep({"none": [1.0] * 4, "a=1": [0.1, math.nan, 0.1, 0.1], "a=2": [0.9, 0.9, 0.9, 0.8]})
    assert nominate(table, COMPARISONS[:2]).iloc[0]["treatment"] == "a=2"


def test_the_winner_of_equal_levels_is_flattered_on_its_own_seeds_and_not_on_fresh_ones() -> None:
    """No level does anything: the winner's mean on tuning seeds is too low by the expected minimum of six
    means, 1.267 sigma / sqrt(10) (Harter 1961), and on fresh seeds it is right; claims are rare."""
    rng, studies, sigma = np.random.default_rng(0), 400, 0.02
    levels = {f"a={k}": k for k in range(6)}
    comparisons = [(name, "none") for name in levels]
    rows = []
    for _ in range(studies):
        table = runs({name: list(rng.normal(1.0, sigma, 20)) for name in ("none", *levels)})
        table["factor"], table["level"] = "a", table["variant"].map(levels)
        table["mse_validation"] = table["mse_id"]
        rows.append(nominate(table, comparisons).iloc[0])
    found = pd.DataFrame(rows)
    flattery = 1.0 - found["tuning_mean"].mean()
    assert flattery == pytest.approx(1.267 * sigma / math.sqrt(10), abs=4 * sigma / math.sqrt(10 * studies))
    assert found["difference"].mean() == pytest.approx(0, abs=4 * sigma * math.sqrt(2 / 10 / studies))
    claimed = found["verdict"].isin(["better", "worse", "better_within_margin", "worse_within_margin"]).mean()
    assert claimed < 0.05 + 4 * math.sqrt(0.05 * 0.95 / studies)
    assert claimed > 0
