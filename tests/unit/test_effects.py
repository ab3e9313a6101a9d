"""What all levels of a sweep say together, on made-up sweeps whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from study_tables import runs

from ired.record import schema
from ired.statistics import effects, holm
from ired.statistics.effects import page_p

LEVELS = [0.5, 2.0, 8.0, 32.0]


def swept(errors: dict[str, np.ndarray]) -> pd.DataFrame:
    """runs.csv of sweeps over LEVELS: base -> errors (seeds, levels)."""
    names = {f"{base}_mu={level}": (base, level) for base in errors for level in LEVELS}
    table = runs(
        {name: errors[base][:, LEVELS.index(level)].tolist() for name, (base, level) in names.items()}
    )
    table["base"], table["level"] = (
        table["variant"].map({k: v[i] for k, v in names.items()}) for i in (0, 1)
    )
    return table.assign(factor="negatives.mu")


def made(slope: float, seeds: int, rng: np.random.Generator, start: float = 0.01) -> np.ndarray:
    """Errors (seeds, levels) that grow by 2^slope with a doubling, seeds apart by a factor."""
    logs = (
        slope * np.log(LEVELS)
        + 0.3 * rng.normal(size=(seeds, 1))
        + 0.1 * rng.normal(size=(seeds, len(LEVELS)))
    )
    return start * np.exp(logs)


def test_a_trend_is_the_slope_of_log_error_with_seeds_as_the_sample() -> None:
    """Against numpy's polyfit seed by seed and scipy's t test; Page's test against scipy on the same numbers."""
    errors = made(0.2, 10, np.random.default_rng(0))
    row = effects(swept({"mined": errors})).iloc[0]
    slopes = [np.polyfit(np.log2(LEVELS), np.log(seed), 1)[0] for seed in errors]
    test = stats.ttest_1samp(slopes, 0.0)
    assert (row["kind"], row["treatment"], row["levels"], row["n"], row["n_dropped"]) == (
        "trend",
        "mined",
        4,
        10,
        0,
    )
    assert row["ratio"] == pytest.approx(math.exp(np.mean(slopes)))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(np.exp(test.confidence_interval(0.95)))
    assert row["p"] == row["p_holm"] == pytest.approx(test.pvalue)
    assert row["p_page"] == pytest.approx(2 * stats.page_trend_test(errors).pvalue)
    assert row["verdict"] == "higher" and "rises with every doubling of mu, over 4 levels" in row["sentence"]
    # A falling sweep is the mirror of a rising one, also for Page's one-sided test.
    assert page_p(errors[:, ::-1]) == pytest.approx(page_p(errors))


def test_a_pair_of_sweeps_is_compared_seed_by_seed_over_the_levels_that_both_have() -> None:
    rng = np.random.default_rng(1)
    low, high = made(0.0, 10, rng), made(0.0, 10, rng, start=0.04)
    table = swept({"mined": low, "random": high})
    table = table[~((table["base"] == "random") & (table["level"] == 32.0))]
    found = effects(table, [("mined", "random")]).set_index("kind")
    logs = (np.log(low[:, :3]) - np.log(high[:, :3])).mean(axis=1)
    row = found.loc["pair"]
    assert row["levels"] == 3 and row["ratio"] == pytest.approx(math.exp(logs.mean()))
    assert row["p"] == pytest.approx(stats.ttest_1samp(logs, 0.0).pvalue)
    everything = effects(table, [("mined", "random")])
    np.testing.assert_allclose(everything["p_holm"], holm(list(everything["p"])))
    assert row["verdict"] == "lower" and row["sentence"].startswith(
        "mined lies below random in in-distribution test MSE over 3"
    )


def test_a_seed_with_a_diverged_run_is_left_out_of_its_sweep() -> None:
    errors = made(0.1, 4, np.random.default_rng(2))
    errors[1, 2] = math.nan
    row = effects(swept({"mined": errors})).iloc[0]
    assert (row["n"], row["n_dropped"]) == (3, 1) and "1 dropped because a run diverged" in row["sentence"]
    errors[:, 0] = math.nan
    row = effects(swept({"mined": errors})).iloc[0]
    assert (
        row["verdict"] == "undecided" and math.isnan(row["ratio"]) and "no seed finished" in row["sentence"]
    )


def test_without_a_sweep_of_numbers_there_is_no_row() -> None:
    plain = runs({"none": [1.0, 1.1], "random": [1.0, 1.2]})
    words = plain.assign(base="none", factor="contrast.loss", level=plain["variant"])
    for table in (plain.assign(base=None, factor=None, level=None), words):
        assert effects(table).empty and tuple(effects(table).columns) == schema.EFFECTS.names
    for pair, says in ((("none", "other"), "unknown sweep other"),):
        with pytest.raises(ValueError, match=says):
            effects(words, [pair])


def test_sweeps_without_an_effect_are_rarely_called_one() -> None:
    """400 studies of two sweeps where nothing does anything: a claim in at most 5 % of them, within its noise."""
    rng, studies = np.random.default_rng(3), 400
    claims = 0
    for _ in range(studies):
        table = swept({"mined": made(0.0, 5, rng), "random": made(0.0, 5, rng)})
        claims += (effects(table, [("mined", "random")])["verdict"] != "undecided").any()
    assert claims / studies <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)
