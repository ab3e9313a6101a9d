"""From runs to tuning.csv, curves, multipliers and their sentences."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ired.figures import worth_multipliers
from ired.figures.toolkit.arms import arm_styles
from ired.sentences.worth import consequence, equal_rates_sentence, worth_headline
from ired.tables.equal_rates import equal_rates_table
from ired.tables.worth import curves_table, multipliers_table
from synthetic_worth import ARMS, ZERO, trial_cells, worth_runs, worth_spec

BEYOND = "near_truth_over_sigma"
SHARED = "compute == 'madds' and metric == 'mse_id' and reading == 'all'"


@pytest.fixture(scope="module")
def multipliers() -> pd.DataFrame:
    return multipliers_table(worth_runs(seeds=10, spread=0.1), worth_spec(10), ZERO)


def test_the_multipliers_of_power_laws_are_found_for_both_metrics(multipliers: pd.DataFrame) -> None:
    for metric in ("mse_id", "mse_ood"):
        rows = multipliers.query(
            f"compute == 'madds' and metric == '{metric}' and reading == 'all'"
        ).set_index("arm")
        for arm, (_, _, expected) in list(ARMS.items())[1:]:
            row = rows.loc[arm]
            assert row["value"] == pytest.approx(expected, rel=0.05)
            assert row["ci_low"] < row["value"] < row["ci_high"]
            assert row["verdict"] == ("saves" if expected > 1 else "wastes")


def test_seconds_are_another_axis(multipliers: pd.DataFrame) -> None:
    """Here seconds and multiply-adds are proportional, so the multiplier is the same."""
    by = multipliers.query("reading == 'all' and metric == 'mse_id'").pivot_table(
        index="arm", columns="compute", values="value"
    )
    assert by["seconds"].to_numpy() == pytest.approx(by["madds"].to_numpy(), rel=1e-6)


def test_a_diverged_run_counts_with_the_error_of_answering_zero() -> None:
    runs = worth_runs()
    lost = (runs["arm"] == "random") & (runs["steps"] == 480) & (runs["seed"] == 2)
    runs.loc[lost, ["mse_id", "mse_id_se", "mse_ood", "mse_ood_se"]] = math.nan
    runs.loc[lost, "status"] = "diverged"
    row = (
        curves_table(runs, worth_spec(), ZERO)
        .query("arm == 'random' and steps == 480 and metric == 'mse_id'")
        .iloc[0]
    )
    others = runs[(runs["arm"] == "random") & (runs["steps"] == 480) & ~lost]["mse_id"]
    assert row["geometric_mean"] == pytest.approx(np.exp(np.log([*others, ZERO["mse_id"]]).mean()))
    assert (row["n"], row["n_diverged"]) == (5, 1)
    assert row["imprecise"] == (others > 1e-3).sum() + 1


def test_the_headline_says_what_is_decided_and_no_more(multipliers: pd.DataFrame) -> None:
    first, second, third, caution = worth_headline(multipliers)
    assert "what its few seeds could have chosen instead is not in them" in caution
    row = multipliers.query(SHARED).set_index("arm").loc["adversarial"]
    assert f"m = {row['value']:.3f}" in first and "% of the compute is wasted" in first
    assert second.startswith("The best use of hard points is near_truth_over_sigma: m = ")
    assert third.startswith("The best arm without them is none_2_draws")
    undecided = multipliers.assign(verdict="undecided")
    said = " ".join(worth_headline(undecided))
    assert said.count("neither gain nor loss is shown") == 3
    assert "wasted" not in said and "saves" not in said and "hard points with the largest estimate is" in said


def test_an_arm_that_saves_more_than_the_budgets_can_show_is_the_best(multipliers: pd.DataFrame) -> None:
    """What is known of it is its reading at the largest budget, open end and all."""
    beyond = multipliers.copy()
    own = beyond["arm"] == BEYOND
    shared = own & (beyond["reading"] == "all")
    beyond.loc[shared, ["value", "ci_low", "ci_high"]] = math.nan
    beyond.loc[shared, ["bound", "verdict"]] = "at_least", "saves"
    at = own & (beyond["reading"] == "at")
    largest = at & (beyond["steps"] == beyond.loc[at, "steps"].max())
    beyond.loc[at, ["value", "ci_low", "ci_high"]] = 9.0, 8.0, 9.5
    beyond.loc[largest, ["value", "ci_low", "ci_high"]] = 1.5, 1.4, math.nan
    beyond.loc[at, "verdict"] = "saves"
    _, second, *_ = worth_headline(beyond)
    assert second.startswith(
        f"The best use of hard points is {BEYOND}: more than what the baseline's budgets can show"
    )
    assert "m = 1.50 (95 % interval at least 1.40), so it saves as much as 50 % more compute would" in second
    beyond.loc[largest, "verdict"] = "undecided"
    assert "so neither gain nor loss is shown" in worth_headline(beyond)[1]
    beyond.loc[shared, "verdict"] = "undecided"
    assert BEYOND not in " ".join(worth_headline(beyond))


def test_an_open_end_is_said() -> None:
    row = pd.Series(
        {
            "n": 10,
            "value": math.nan,
            "bound": "at_least",
            "ci_low": 2.0,
            "ci_high": math.nan,
            "verdict": "saves",
            "p_holm": 0.01,
        }
    )
    assert consequence(row).startswith("neither gain nor loss"), "beyond the budgets no share is known"


def test_arms_are_compared_with_the_baseline_at_the_rates_that_both_finished_at() -> None:
    """Seeds differ by factors of e, arms by 35 %: pairing finds it. A rate at which one run diverged is left out."""
    rates = (0.006, 0.012, 0.024)
    cells = trial_cells({"none": 0.0, "random": 0.3, "adversarial": 0.0}, rates, seeds=10)
    logs = {
        (cell.arm, cell.learning_rate): np.log([run.metrics.mse_validation for run in runs])
        for cell, runs in cells
    }
    lost = next(runs for cell, runs in cells if (cell.arm, cell.learning_rate) == ("random", 0.024))
    lost[2].metrics.mse_validation = None
    table = equal_rates_table(cells, "none").set_index("arm")
    row = table.loc["random"]
    ratio = np.mean([logs["random", rate] - logs["none", rate] for rate in rates[:2]], axis=0)
    assert (row["rates"], row["lowest_rate"], row["highest_rate"], row["n"]) == (2, 0.006, 0.012, 10)
    assert row["error_ratio"] == pytest.approx(np.exp(ratio.mean())) and row["madds_ratio"] == pytest.approx(
        1.06
    )
    test = stats.ttest_1samp(ratio, 0.0)
    assert row["p"] == pytest.approx(test.pvalue)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(np.exp(test.confidence_interval(0.95)))
    assert row["verdict"] == "higher" and table.loc["adversarial", "verdict"] == "undecided"
    assert table.loc["adversarial", "rates"] == 3 and "none" not in table.index
    said = equal_rates_sentence(table.reset_index())
    assert "is shown for no arm, a higher one for random (weight 0.5)." in said
    few = equal_rates_table(trial_cells({"none": 0.0, "random": 0.3}, rates, seeds=6), "none")
    assert few["p_holm"].iloc[0] < 0.05 and set(few["verdict"]) == {"undecided"}
    assert "nothing is judged, since a verdict takes 10 seeds." in equal_rates_sentence(few)


def test_two_identical_arms_say_nothing_in_95_of_100_studies() -> None:
    """The whole family of arms at once: any claim counts."""
    rng, claims, studies = np.random.default_rng(0), 0, 200
    template = worth_runs(10)
    for _ in range(studies):
        runs = template.copy()
        runs["mse_id"] = np.exp(-1.2 * np.log(runs["madds"]) + rng.normal(0, 0.4, len(runs)))
        found = multipliers_table(runs, worth_spec(10), ZERO).query(SHARED)
        claims += bool((found["verdict"] != "undecided").any())
    assert claims / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


def test_an_arm_beyond_the_budgets_is_an_arrow_at_the_edge(multipliers: pd.DataFrame) -> None:
    table = multipliers.copy()
    shared = (table["arm"] == BEYOND) & (table["reading"] == "all")
    table.loc[shared, ["value", "ci_low", "ci_high"]] = math.nan
    for bound, arrow, end in (("at_least", ">", 1), ("at_most", "<", 0)):
        table.loc[shared, "bound"] = bound
        axes = worth_multipliers.draw(table).axes[0]
        marks = [line for line in axes.lines if line.get_marker() == arrow and not line.get_clip_on()]
        assert [mark.get_xdata()[0] for mark in marks] == [axes.get_xlim()[end]]  # type: ignore[index]
        row = [style for style in arm_styles(table[table["metric"] == "mse_id"])].index(BEYOND)
        assert round(float(np.ravel(marks[0].get_ydata())[0])) == row
