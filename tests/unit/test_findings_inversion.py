"""What docs/findings.md says of inversion at n = 20 is what the shipped tables say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from scipy import stats
from worth_readings import readings, with_ends, words_of, worth_tables

from ired.record.schema import TABLES, WORTH


@pytest.fixture(scope="module")
def at_20(repository: Path) -> str:
    page = words_of(repository / "docs/findings.md")
    return page.split("## What was found at n = 20")[1].split("## What was found on a completion")[0]


@pytest.fixture(scope="module")
def larger() -> dict:
    return worth_tables("workstation/tables/worth")


def test_the_multipliers_at_n_20(at_20: str, larger: dict) -> None:
    shared = readings(larger["multipliers"])
    assert set(shared["n"]) == {50} and len(shared) == 8
    for arm in ("adversarial", "near_truth", "on_policy", "semi_hard_sigma"):
        assert f"m = {with_ends(shared.loc[arm], 'value')}" in at_20
    assert shared["verdict"].to_dict() == {
        **dict.fromkeys(("none_4_draws", "adversarial", "semi_hard_sigma", "on_policy"), "undecided"),
        **dict.fromkeys(("none_2_draws", "random", "deep"), "wastes"),
        "near_truth": "saves",
    }
    lost = [round(100 * (1 - shared.loc[arm, "value"])) for arm in ("random", "none_2_draws", "deep")]
    assert "Random negatives waste {} %, two noise draws {} %, deep mining {} %".format(*lost) in at_20
    recipe, near = shared.loc["adversarial"], shared.loc["near_truth"]
    assert f"adjusted p = {recipe['p_holm']:.2f} over eight arms" in at_20
    assert f"adjusted p = {near['p_holm']:.4f}. Its trials" in at_20
    assert recipe["ci_low"] > 1, "R2 is refuted: no part of the interval lies below 1"
    assert f"m is at most {shared.loc['on_policy', 'ci_high']:.2f}" in at_20
    slope = readings(larger["multipliers"], "slope").loc["semi_hard_sigma"]
    ends = [f"{v:.3g}".replace("-", "\u2212") for v in (slope["value"], slope["ci_low"], slope["ci_high"])]
    assert "slope {} [{}, {}]".format(*ends) in at_20


def test_the_ten_seeds_before(at_20: str, larger: dict, repository: Path) -> None:
    folder = repository / "results/shipped/workstation/worth_ten_seeds"
    before = {name: table.read(folder / f"{name}.csv") for name, table in WORTH.items()}
    shared = readings(before["multipliers"])
    said = "the recipe {}, mining from near the truth {}."
    assert (
        said.format(*(with_ends(shared.loc[arm], "value") for arm in ("adversarial", "near_truth"))) in at_20
    )
    for name in ("tuning", "equal_rates"):
        assert before[name].equals(larger[name]), "the same choices"
    assert not set(before["worth_runs"]["seed"]) & set(larger["worth_runs"]["seed"])
    assert not set(before["worth_runs"]["seed"]) & set(range(10)), "seeds that no study had used"


def test_rates_at_n_20(at_20: str, repository: Path) -> None:
    folder = repository / "results/shipped/workstation/rates"
    table = TABLES["effects"].read(folder / "effects.csv")
    pairs = table[table["kind"] == "pair"].set_index(["treatment", "metric"])
    near, mined, regressed = (pairs.loc[f"{name}_600", "mse_id"] for name in ("near", "mined", "regressed"))

    def times(row: pd.Series, words: str) -> str:
        return f"{row['ratio']:.2f} times{words} ({row['ci_low']:.2f} to {row['ci_high']:.2f}"

    assert times(near, " as high") + f"), undecided after adjusting (p = {near['p_holm']:.3f})" in at_20
    far = pairs.loc["near_600", "mse_ood"]
    assert times(far, "") + f", p = {far['p_holm']:.3f})" in at_20 and far["verdict"] == "higher"
    assert times(mined, " as high") in at_20 and times(regressed, "") in at_20
    assert {near["verdict"], mined["verdict"], regressed["verdict"]} == {"undecided"}
    trend = (
        table[(table["kind"] == "trend") & (table["metric"] == "mse_id")]
        .set_index("treatment")
        .loc["none_600"]
    )
    assert f"by a factor of {trend['ratio']:.2f} ({trend['ci_low']:.2f} to {trend['ci_high']:.2f})" in at_20
    runs = TABLES["runs"].read(folder / "runs.csv")
    assert (
        len(runs) == 800
        and set(runs["seed"]) == set(range(300, 350))
        and (runs["status"] != "finished").sum() == 1
    )


def test_arms_at_equal_rates_on_tuning_seeds(at_20: str, larger: dict) -> None:
    table = larger["equal_rates"].set_index(["arm", "weight"])
    assert set(table["verdict"]) == {"undecided"}  # six seeds
    draws = larger["equal_rates"].set_index("arm").loc["none_4_draws"]
    assert with_ends(draws, "error_ratio") in at_20 and draws["p_holm"] > 0.05 > draws["p"]
    assert f"negatives by up to {table['error_ratio'].max():.2f}" in at_20


def test_what_tuning_decided_at_n_20(at_20: str, larger: dict, repository: Path) -> None:
    folder = repository / "results/shipped/workstation"
    first = {
        name: WORTH[name].read(folder / f"worth_two_tuning_seeds/{name}.csv")
        for name in ("multipliers", "tuning")
    }
    old, chosen, before = (
        readings(first["multipliers"]),
        *(
            tuning.query("nominated and steps == 600").set_index("arm")["learning_rate"]
            for tuning in (larger["tuning"], first["tuning"])
        ),
    )
    assert set(old["verdict"]) == {"wastes"} and len(old) == 8 and "all eight arms told from 1" in at_20
    for arm in ("adversarial", "near_truth"):
        assert with_ends(old.loc[arm], "value") in at_20
    assert (chosen["none"], chosen["near_truth"]) == (0.017, 0.024)
    assert (before["none"], before["adversarial"]) == (0.034, 0.012)
    trials = larger["tuning"].query("arm == 'none' and steps == 600").set_index("learning_rate")
    assert (
        trials.loc[0.048, "n_diverged"] == 1
        and trials["n"].eq(6).all()
        and pd.isna(trials.loc[0.024, "steady"])
    )


def test_errors_and_lost_runs_at_n_20(at_20: str, larger: dict) -> None:
    curves = (
        larger["worth_curves"].query("metric == 'mse_id' and steps == 300").set_index("arm")["geometric_mean"]
    )
    for arm in ("near_truth", "deep"):
        assert f"{1e5 * curves[arm]:.2f} \u00d7 10\u207b\u2075" in at_20
    assert curves["near_truth"] < curves["deep"]
    runs = larger["worth_runs"]
    lost = runs[runs["status"] == "diverged"]
    assert f"Of {len(runs):,} judged runs {len(lost)} diverged" in at_20
    assert set(lost["steps"]) == {600} and set(lost["arm"]) == {"none_4_draws"}
    finished = runs[(runs["steps"] >= 150) & (runs["status"] == "finished")]
    assert (finished["mse_id"] < 1e-3).all()
    bad = (runs[runs["steps"] == 75].set_index("arm")["mse_id"] >= 1e-3).groupby("arm").sum()
    said = (
        "{} and {} of 50 runs stay above 0.001, of plain denoising {} (Fisher's exact p = {:.3f} and {:.3f}"
    )
    odds = [
        stats.fisher_exact([[bad[arm], 50 - bad[arm]], [bad["none"], 50 - bad["none"]]]).pvalue
        for arm in ("near_truth", "deep")
    ]
    assert said.format(bad["near_truth"], bad["deep"], bad["none"], *odds) in at_20
