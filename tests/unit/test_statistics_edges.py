"""Awkward studies (one seed, divergence, unequal seeds, no spread) and laws that any data must obey."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs
from study_tables import NO_REFERENCE, runs

from ired.statistics import contrast, summarise

NAN = math.nan


TESTS = ["p_paired", "p_sign_flip", "p_wilcoxon", "p_welch", "p_brown_forsythe", "p_tost", "p_holm"]
INVARIANT = ["p_paired", "p_sign_flip", "p_wilcoxon", "p_welch", "p_brown_forsythe"]


def one(values: dict, **options) -> pd.Series:
    """The single contrast of treatment against baseline."""
    seeds = options.pop("seeds", None)
    return contrast(runs(values, seeds=seeds), [("t", "b")], **options).iloc[0]


def test_one_seed_has_a_mean_and_no_interval() -> None:
    row = summarise(runs({"a": [2.0]}), NO_REFERENCE).iloc[0]
    assert (row["mean"], row["n"]) == (2.0, 1)
    assert row[["sd", "ci_low", "ci_high", "seed_variance"]].isna().all()


def test_one_pair_decides_nothing() -> None:
    row = one({"t": [1.0], "b": [2.0]})
    assert (row["n_pairs"], row["difference"], row["relative_difference"]) == (1, -1.0, -0.5)
    assert row[[*TESTS, "ci_low", "hedges_g", "d_z", "minimum_detectable_effect"]].isna().all()
    assert row["verdict"] == "undecided"


def test_one_identical_pair_decides_nothing_either() -> None:
    assert one({"t": [2.0], "b": [2.0]})["verdict"] == "undecided"


def test_diverged_runs_drop_their_pair_and_are_counted() -> None:
    table = runs({"t": [1.0, NAN, 1.2, 1.1], "b": [2.0, 2.1, NAN, 2.3]})
    row = contrast(table, [("t", "b")]).iloc[0]
    assert (row["n_pairs"], row["n_dropped"]) == (2, 2)
    assert row["difference"] == pytest.approx(-1.1)
    assert row["baseline_mean"] == pytest.approx(2.15)
    assert row["probability_of_improvement"] == 1  # of the 3 x 3 finished ones
    assert summarise(table, NO_REFERENCE)["n_diverged"].tolist() == [1, 1]


def test_a_number_left_in_a_diverged_row_is_not_used() -> None:
    table = runs({"t": [1.0, 1.1, 1.2], "b": [2.0, 2.1, 2.3]})
    table.loc[0, ["status", "mse_id"]] = ["diverged", 1e9]
    assert contrast(table, [("t", "b")]).iloc[0]["n_dropped"] == 1
    assert summarise(table, NO_REFERENCE).iloc[0]["mean"] == pytest.approx(1.15)


def test_no_pair_at_all() -> None:
    row = one({"t": [1.0, 1.1], "b": [2.0, 2.2]}, seeds={"t": [0, 1], "b": [5, 6]})
    assert (row["n_pairs"], row["n_dropped"], row["verdict"]) == (0, 0, "undecided")
    assert row["p_welch"] < 0.05  # shown, but a verdict rests on pairs


def test_unequal_seeds_pair_where_both_have_a_run() -> None:
    row = one({"t": [1.0, 1.1, 1.4], "b": [2.2, 2.0]}, seeds={"t": [0, 1, 2], "b": [2, 1]})
    assert row["n_pairs"] == 2
    assert row["difference"] == pytest.approx(((1.1 - 2.0) + (1.4 - 2.2)) / 2)


def test_identical_runs_are_called_suspicious_and_with_seeds_enough_equivalent() -> None:
    row = one({"t": [1.0, 1.3, 1.2], "b": [1.0, 1.3, 1.2]})
    assert (row["p_paired"], row["p_tost"], row["p_sign_flip"], row["verdict"]) == (1, 0, 1, "undecided")
    assert "identical" in row["sentence"] and "check" in row["sentence"]
    many = [1.0, 1.3, 1.2, 1.1, 1.4] * 2
    row = one({"t": many, "b": many})
    assert row["verdict"] == "equivalent" and "identical" in row["sentence"]


def test_a_difference_without_spread_is_not_a_certain_one() -> None:
    row = one({"t": [1.5, 1.8, 1.7], "b": [1.0, 1.3, 1.2]})
    assert math.isnan(row["p_paired"]) and math.isnan(row["p_tost"])
    assert row["p_sign_flip"] == 0.25
    assert row["verdict"] == "undecided" and "no spread" in row["sentence"]


def test_no_variance_at_all() -> None:
    row = one({"t": [1.5, 1.5, 1.5], "b": [1.0, 1.0, 1.0]})
    assert row["verdict"] == "undecided"
    assert row[["p_welch", "p_brown_forsythe", "hedges_g"]].isna().all()
    summary = summarise(runs({"a": [1.0, 1.0]}), NO_REFERENCE).iloc[0]
    assert (summary["sd"], summary["ci_low"], summary["ci_high"]) == (0, 1, 1)


def test_two_runs_of_one_seed_are_refused() -> None:
    doubled = runs({"t": [1.0, 1.1], "b": [1.0, 2.0]}, seeds={"t": [0, 0]})
    with pytest.raises(ValueError, match="two runs of variant 't', seed 0"):
        contrast(doubled, [("t", "b")])


def test_a_comparison_of_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown variant x"):
        contrast(runs({"t": [1.0]}), [("t", "x")])


def test_no_comparison_makes_an_empty_table_with_every_column() -> None:
    assert "sentence" in contrast(runs({"t": [1.0, 2.0]}), [])


values = hs.lists(
    hs.tuples(hs.integers(1000, 3000), hs.integers(1000, 3000)), min_size=3, max_size=7
).map(lambda rows: {"t": [t / 1000 for t, _ in rows], "b": [b / 1000 for _, b in rows]})  # fmt: skip
law = settings(max_examples=30, deadline=None)


def same(left: pd.Series, right: pd.Series, names: list[str]) -> None:
    for name in names:
        assert left[name] == pytest.approx(right[name], rel=1e-6, abs=1e-9, nan_ok=True), name


@law
@given(values)
def test_swapping_the_arms_turns_the_sign_and_keeps_the_tests(data: dict) -> None:
    there, back = one(data), one({"t": data["b"], "b": data["t"]})
    same(there, back, INVARIANT)
    mirrored = ("difference", "hedges_g", "d_z")
    same(there[list(mirrored)], -back[list(mirrored)], list(mirrored))
    assert (there["ci_low"], there["ci_high"]) == pytest.approx(
        (-back["ci_high"], -back["ci_low"]), abs=1e-12
    )
    assert there["probability_of_improvement"] == pytest.approx(1 - back["probability_of_improvement"])


@law
@given(values, hs.sampled_from([1e-6, 0.5, 1e5]))
def test_the_unit_does_not_matter(data: dict, factor: float) -> None:
    scaled = one({name: [factor * value for value in numbers] for name, numbers in data.items()})
    plain = one(data)
    same(plain, scaled, [*TESTS, "relative_difference", "hedges_g", "d_z", "probability_of_improvement"])
    assert scaled["difference"] == pytest.approx(factor * plain["difference"], abs=factor * 1e-12)
    assert scaled["margin"] == pytest.approx(factor * plain["margin"])
    assert scaled["verdict"] == plain["verdict"]


@law
@given(values, hs.integers(1, 50))
def test_a_common_shift_moves_means_and_no_test_of_difference(data: dict, shift: int) -> None:
    moved = one({name: [value + shift for value in numbers] for name, numbers in data.items()})
    plain = one(data)
    same(plain, moved, [*INVARIANT, "difference", "hedges_g", "d_z", "minimum_detectable_effect"])


@law
@given(values)
def test_numbers_are_in_their_ranges_and_agree_with_each_other(data: dict) -> None:
    row = one(data)
    for name in [*TESTS, "probability_of_improvement"]:
        assert math.isnan(row[name]) or 0 <= row[name] <= 1 + 1e-12, name
    if math.isfinite(row["p_paired"]) and row["p_paired"] not in (0, 1):
        assert (row["p_paired"] < 0.05) == (row["ci_low"] > 0 or row["ci_high"] < 0)
    assert row["ci_low"] <= row["difference"] + 1e-12 and row["difference"] <= row["ci_high"] + 1e-12


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    table = runs({"b": list(rng.normal(2, 0.1, 6)), "t": list(rng.normal(2, 0.1, 6))})
    shuffled = table.sample(frac=1, random_state=4)
    pd.testing.assert_frame_equal(contrast(table, [("t", "b")]), contrast(shuffled, [("t", "b")]))
