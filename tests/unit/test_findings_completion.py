"""What docs/findings.md says of the completion is what the shipped tables say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from scipy import stats
from worth_readings import readings, with_ends, words_of, worth_tables

from ired.base.format_numbers import percent
from ired.record.schema import TABLES, WORTH


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return words_of(repository / "docs/findings.md")


@pytest.fixture(scope="module")
def completed() -> dict:
    return worth_tables("completion_small/tables/worth")


@pytest.fixture(scope="module")
def larger() -> dict:
    return worth_tables("workstation/tables/worth")


@pytest.fixture(scope="module")
def smaller() -> dict:
    return worth_tables("small/tables/worth")


def test_what_was_found_on_a_completion(
    page: str, completed: dict, larger: dict, smaller: dict, repository: Path
) -> None:
    text = page.split("## What was found on a completion")[1].split("## What of a negative matters")[0]
    shared, largest = (readings(completed["multipliers"], reading) for reading in ("all", "at"))
    assert set(largest["steps"]) == {400} and set(shared["n"]) == {50}
    deep, near, draws = (largest.loc[arm] for arm in ("deep", "near_truth", "none_2_draws"))
    assert f"m = {deep['value']:.2f} (at least {deep['ci_low']:.2f}), mining" in text and pd.isna(
        deep["ci_high"]
    )
    assert f"near the truth {with_ends(near, 'value')}: their errors" in text
    assert f"m = {with_ends(draws, 'value')} at 400 steps" in text
    for row, words in ((deep, " and"), (near, " times")):
        ends = f"({row['error_ratio_low']:.3f} to {row['error_ratio_high']:.3f})"
        assert f"{row['error_ratio']:.3f}{'' if words == ' and' else ' times'} {ends}" in text
    verdicts = shared["verdict"].to_dict()
    assert [arm for arm, verdict in verdicts.items() if verdict == "saves"] == [
        "none_2_draws",
        "deep",
        "near_truth",
    ]
    assert {verdicts[arm] for arm in ("random", "adversarial", "on_policy")} == {"wastes"}
    assert set(largest.loc[["deep", "near_truth"], "verdict"]) == {"saves"}
    recipe = shared.loc["adversarial"]
    assert (
        f"m = {with_ends(recipe, 'value')}" in text
        and f"wastes {round(100 * (1 - recipe['value']))} %" in text
    )
    assert (
        f"m = {with_ends(shared.loc['on_policy'], 'value')}, random negatives {shared.loc['random', 'value']:.3f}"
        in text
    )
    slopes = readings(completed["multipliers"], "slope")["value"]
    assert (
        f"\u2212{-slopes['deep']:.3f} for deep mining, \u2212{-slopes['near_truth']:.3f} for near the truth"
        in text
    )
    errors = (
        completed["worth_curves"].query("metric == 'mse_id'").set_index(["arm", "steps"])["geometric_mean"]
    )
    assert f"its error is {errors['none', 50] / errors['deep', 50]:.1f} times that of deep mining" in text
    assert min(errors["none", 25], errors["none", 50]) > errors["none", 12]
    chosen = completed["tuning"].query("nominated").set_index("arm")
    assert (
        set(chosen.drop("random")["learning_rate"]) == {0.012}
        and chosen.loc["random", "learning_rate"] != 0.012
    )
    assert (set(chosen.loc[["deep", "near_truth"], "weight"]), chosen.loc["adversarial", "weight"]) == (
        {0.5},
        0.1,
    )
    trial = completed["equal_rates"].set_index(["arm", "weight"]).loc[("adversarial", 0.5)]
    assert (
        f"{trial['error_ratio']:.2f} times that of plain denoising, over five rates" in text
        and trial["rates"] == 5
    )
    folder = repository / "results/shipped/completion_small/tables/worth"
    reference = TABLES["reference"].read(folder / "reference.csv").query("split == 'id'")
    reference = reference.set_index("predictor")["mse"]
    assert (
        f"an error of {reference['soft_impute']:.6f} and the Bayesian answer {reference['bayes']:.6f}" in text
    )
    before = WORTH["multipliers"].read(
        repository / "results/shipped/completion_small/worth_ten_seeds/multipliers.csv"
    )
    first = readings(before, "at")["value"]
    assert f"Ten seeds had said {first['deep']:.2f} and {first['near_truth']:.2f}." in text
    arms = ["none_2_draws", "random", "adversarial", "deep", "near_truth", "on_policy"]
    ranks = [
        stats.spearmanr(
            largest.loc[arms, "value"], readings(other["multipliers"]).loc[arms, "value"]
        ).statistic
        for other in (larger, smaller)
    ]
    assert f"not so: {ranks[0]:.2f} with n = 20, \u2212{-ranks[1]:.2f} with n = 8" in text


def test_what_draws_give(page: str, repository: Path) -> None:
    text = page.split("**Most of it is what more noise draws give.**")[1].split("| | hypothesis")[0]
    folder = repository / "results/shipped/completion_small/tables/draws"
    rows = (
        TABLES["contrasts"].read(folder / "contrasts.csv").query("metric == 'mse_id'").set_index("treatment")
    )
    ends = {
        name: [
            100 * v
            for v in (
                row["relative_difference"],
                *(row[c] / row["baseline_mean"] for c in ("ci_low", "ci_high")),
            )
        ]
        for name, row in rows.iterrows()
    }
    for name in ("deep_1_draw", "none_4_draws_each"):
        change, low, high = (f"{-v:#.3g}" for v in ends[name])
        assert (
            f"the error by {change} % ({high} to {low} %)" in text and rows.loc[name, "verdict"] == "better"
        )
    own = [percent(v / 100, signed=True) for v in ends["deep_4_draws_each"]]
    assert "deep mining is at {} ({} to {})".format(*own) in text
    assert rows.loc["deep_4_draws_each", "verdict"] == "undecided"
    costs = TABLES["summary"].read(folder / "summary.csv").set_index("variant")["madds_per_step"]
    assert costs["none_4_draws_each"].iloc[0] < costs["deep_1_draw"].iloc[0]
    other = TABLES["contrasts"].read(
        repository / "results/shipped/completion_solvable/tables/recipes/contrasts.csv"
    )
    deep = other.query("metric == 'mse_id' and treatment == 'deep'").iloc[0]
    assert f"worse than none by {percent(deep['relative_difference'])}" in text
