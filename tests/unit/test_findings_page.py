"""What docs/findings.md says in words is what the shipped tables say."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ired.base.format_numbers import percent
from ired.record.schema import TABLES, WORTH


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return " ".join((repository / "docs/findings.md").read_text().split())


@pytest.fixture(scope="module")
def tables(repository: Path) -> dict:
    folder = repository / "results/shipped/small/tables/worth"
    return {name: WORTH[name].read(folder / f"{name}.csv") for name in WORTH}


@pytest.fixture(scope="module")
def at_8(page: str) -> str:
    return page.split("## What was found at n = 8")[1].split("<!--")[0]


def test_the_learning_rate_was_worth_more_than_any_negative(at_8: str, tables: dict) -> None:
    tuning = tables["tuning"].set_index(["arm", "steps", "learning_rate"])["mse_validation"]
    assert f"by a factor of {tuning['none', 960, 0.006] / tuning['none', 960, 0.024]:.0f}." in at_8
    chosen = tables["tuning"].query("nominated").set_index(["arm", "steps"])["learning_rate"]
    others = {("near_truth", 960): 0.012, ("none_2_draws", 240): 0.034}
    assert chosen[chosen != 0.024].to_dict() == others


def test_the_edge_of_stability(at_8: str, tables: dict, repository: Path) -> None:
    runs = tables["worth_runs"]
    assert (runs["status"] == "finished").all() and f"none of {len(runs)} runs diverged" in at_8
    folder = repository / "results/shipped/small/worth_lowest_rate"
    first = WORTH["worth_runs"].read(folder / "worth_runs.csv")
    lost = first[first["status"] == "diverged"]
    assert f"{len(lost)} of its {len(first)} judged runs diverged, all at 960 steps" in at_8
    assert set(lost["steps"]) == {960} and not set(first["seed"]) & set(runs["seed"])
    old = WORTH["multipliers"].read(folder / "multipliers.csv")
    row = old.query(
        "compute == 'madds' and metric == 'mse_id' and reading == 'all' and arm == 'adversarial'"
    ).iloc[0]
    assert f"m = {row['value']:.3f}, at most {row['ci_high']:.2f}" in at_8
    above = runs[runs["steps"].isin([60, 120, 240, 480, 960])].assign(bad=lambda r: r["mse_id"] > 1e-3)
    bad = above.groupby("arm")["bad"].agg(["sum", "count"])
    assert (bad["count"] == 50).all()
    said = [bad.loc[arm, "sum"] for arm in ("near_truth", "deep", "none")]
    assert (
        "{} and {} of 50 stay above 0.001, of plain denoising at the same budgets {} of 50".format(*said)
        in at_8
    )


def test_the_multipliers_at_n_8(at_8: str, tables: dict) -> None:
    rows = tables["multipliers"].query("compute == 'madds' and reading == 'all'").set_index(["arm", "metric"])
    shared = rows.xs("mse_id", level="metric")
    value, low, high = shared.loc["adversarial", ["value", "ci_low", "ci_high"]]
    p = shared.loc["adversarial", "p_holm"]
    assert f"m = {value:.3f} ({low:.3f} to {high:.3f}), adjusted p = {p:.3f}." in at_8
    assert shared["verdict"].to_dict() == {
        **dict.fromkeys(("on_policy", "adversarial_sigma"), "undecided"),
        **dict.fromkeys(("random", "adversarial", "deep", "near_truth", "adversarial_fading"), "wastes"),
        "none_2_draws": "saves",
    }
    lost = [round(100 * (1 - shared.loc[arm, "value"])) for arm in ("deep", "near_truth", "random")]
    words = "Deep mining wastes {} %, mining from near the truth {} %, random negatives {} %"
    assert words.format(*lost) in at_8
    for arm in ("adversarial_fading", "adversarial_sigma"):
        assert "{:.3f} ({:.3f} to {:.3f})".format(*shared.loc[arm, ["value", "ci_low", "ci_high"]]) in at_8
        assert f"{shared.loc[arm, 'value']:.3f} and {value:.3f} |" in at_8
    assert (
        "m = {:.3f} ({:.3f} to {:.2f})".format(*shared.loc["on_policy", ["value", "ci_low", "ci_high"]])
        in at_8
    )
    ends = [
        f"{v:#.3g}"
        for metric in ("mse_id", "mse_ood")
        for v in rows.loc["none_2_draws", metric][["value", "ci_low", "ci_high"]]
    ]
    assert (
        "m = {} ({} to {}) in distribution, and {} ({} to {}) out of it, which is undecided".format(*ends)
        in at_8
    )
    assert rows.loc[("none_2_draws", "mse_ood"), "verdict"] == "undecided"
    raw = shared.loc[["random", "adversarial", "deep", "near_truth", "adversarial_fading"], "ci_high"]
    assert f"the highest upper end is {raw.max():.3f}" in at_8
    assert f"m is at most {shared.loc['on_policy', 'ci_high']:.2f}" in at_8
    errors = (
        tables["worth_curves"].query("metric == 'mse_id' and steps == 960").set_index("arm")["geometric_mean"]
    )
    ratio = errors / errors["none"]
    negatives = ratio.drop(["none", "none_2_draws"])
    deep, published = ratio["deep"], ratio["adversarial"]
    assert f"{deep:.2f} times the error of no negatives, the published recipe {published:.2f} times" in at_8
    assert (
        f"a factor of {ratio['none_2_draws']:.2f}, negatives by {negatives.min():.2f} to {negatives.max():.2f}"
        in at_8
    )


def test_equal_rates_at_n_8(at_8: str, tables: dict) -> None:
    rows = tables["equal_rates"].set_index(["arm", "steps"])
    draws = rows.loc[("none_2_draws", 960)]
    ratio, low, high = (f"{draws[name]:.2f}" for name in ("error_ratio", "ci_low", "ci_high"))
    assert (
        f"have {ratio} times the error of one ({low} to {high}, adjusted p = {draws['p_holm']:.3f})" in at_8
    )
    assert set(rows["verdict"]) == {"undecided"} and set(rows["n"]) == {6}
    told = rows[rows["p_holm"] < 0.05]
    assert list(told.index) == [("none_2_draws", 960), ("random", 960)]
    worse = told.loc[("random", 960)]
    assert worse["weight"] == 0.5 and f"weight 0.5 end {worse['error_ratio']:.1f} times as high;" in at_8


def test_the_study_with_two_tuning_seeds_at_n_8(at_8: str, repository: Path, tables: dict) -> None:
    folder = repository / "results/shipped/small/worth_two_tuning_seeds"
    rows = WORTH["multipliers"].read(folder / "multipliers.csv")
    shared = rows.query("compute == 'madds' and reading == 'all' and metric == 'mse_id'").set_index("arm")
    value, low, high = shared.loc["adversarial", ["value", "ci_low", "ci_high"]]
    assert f"the recipe at m = {value:.3f} ({low:.3f} to {high:.3f}), undecided" in at_8
    verdicts = shared.loc[["adversarial", "deep", "near_truth", "none_2_draws"], "verdict"].tolist()
    assert verdicts == ["undecided", "wastes", "wastes", "saves"]
    seeds = [
        set(WORTH["worth_runs"].read(folder / "worth_runs.csv")["seed"]),
        set(tables["worth_runs"]["seed"]),
    ]
    assert not seeds[0] & seeds[1]


def test_every_design_with_a_primary_contrast_is_told(repository: Path) -> None:
    """Also those that were given up, as the one in which mining was better."""
    page = (repository / "docs/findings.md").read_text()
    rows = [
        line for line in page.split("## Every design that was run")[1].splitlines() if line.startswith("| ")
    ][1:]
    shipped, expected = repository / "results/shipped", 0
    for path in shipped.rglob("contrasts.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            primary = [
                row for row in csv.DictReader(file) if row["primary"] == "True" and row["metric"] == "mse_id"
            ]
        folder = path.parent.relative_to(shipped)
        for row in primary:
            told = [line for line in rows if f"| {row['experiment']} | `{folder}` |" in line]
            assert len(told) == 1 and f"`{row['treatment']}` against `{row['baseline']}`" in told[0]
            change = told[0].split("| ")[7].split(" %")[0].replace("\u2212", "-")
            assert float(change.replace(",", "")) == pytest.approx(
                100 * float(row["relative_difference"]), rel=5e-3
            )
        expected += len(primary)
    assert len(rows) == expected
    assert any("at_2000_steps" in line and "−8.33 %" in line for line in rows)


@pytest.fixture(scope="module")
def at_20(page: str) -> str:
    return page.split("## What was found at n = 20")[1].split("## What was found on a completion")[0]


@pytest.fixture(scope="module")
def larger(repository: Path) -> dict:
    folder = repository / "results/shipped/workstation/tables/worth"
    return {name: table.read(folder / f"{name}.csv") for name, table in WORTH.items()}


def with_ends(row: pd.Series, name: str, digits: str = "#.3g") -> str:
    """A value and its interval as the page writes them."""
    value, low, high = (f"{row[column]:{digits}}" for column in (name, "ci_low", "ci_high"))
    return f"{value} ({low} to {high})"


def readings(multipliers: pd.DataFrame, reading: str = "all") -> pd.DataFrame:
    """One reading an arm; of `at`, that at the largest budget."""
    by = multipliers.query("compute == 'madds' and metric == 'mse_id'").sort_values("steps")
    return by[by["reading"] == reading].drop_duplicates("arm", keep="last").set_index("arm")


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


@pytest.fixture(scope="module")
def completed(repository: Path) -> dict:
    folder = repository / "results/shipped/completion_small/tables/worth"
    return {name: table.read(folder / f"{name}.csv") for name, table in WORTH.items()}


def test_what_was_found_on_a_completion(
    page: str, completed: dict, larger: dict, tables: dict, repository: Path
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
        for other in (larger, tables)
    ]
    assert f"not so: {ranks[0]:.2f} with n = 20, \u2212{-ranks[1]:.2f} with n = 8" in text


def test_what_draws_give(page: str, repository: Path) -> None:
    text = page.split("**Most of it is what more noise draws give.**")[1].split("| | hypothesis")[0]
    folder = repository / "results/shipped/completion_small/draws"
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


@pytest.fixture(scope="module")
def causes(repository: Path) -> dict[str, pd.DataFrame]:
    folder = repository / "results/shipped/small/causes"
    names = ("runs", "effects", "contrasts", "energy_profile")
    return {name: TABLES[name].read(folder / f"{name}.csv") for name in names}


def test_what_of_a_negative_matters(page: str, causes: dict) -> None:
    section = page.split("## What of a negative matters")[1].split("## What was found at n = 8")[0]
    contrasts = causes["contrasts"].query("metric == 'mse_id'").set_index(["treatment", "baseline"])

    def change(treatment: str, baseline: str) -> list[str]:
        row = contrasts.loc[(treatment, baseline)]
        ends = (row["relative_difference"], *(row[c] / row["baseline_mean"] for c in ("ci_low", "ci_high")))
        return [percent(end, signed=True) for end in ends]

    turned, aware = (
        [text.removeprefix("+").removesuffix(" %") for text in change(*pair)]
        for pair in (("turned", "mined_at_rate"), ("aware", "symmetric"))
    )
    assert "ends {} % above the mined one ({} to {} %)".format(*turned) in section
    assert "{} % above an isotropic symmetric displacement ({} to {} %)".format(*aware) in section
    assert "{} ({} to {})".format(*change("mined_at_rate", "none_at_rate")) in section
    assert f"{change('turned', 'none_at_rate')[0].removeprefix('+')} above no negatives" in section
    verdicts = contrasts["verdict"].droplevel(1).to_dict()
    assert verdicts == {
        "turned": "worse", "mined_at_rate": "undecided", "aware": "worse", "symmetric": "undecided"
    }  # fmt: skip
    effects = causes["effects"].query("metric == 'mse_id'").set_index(["treatment", "kind"])
    said = {}
    for key, verdict in (
        (("directed_sigma", "pair"), None), (("directed", "pair"), "undecided"),
        (("displaced_sigma", "trend"), "lower"), (("displaced", "trend"), "undecided"),
        (("displaced_sigma", "pair"), "higher"),
        (("directed", "trend"), "undecided"), (("directed_sigma", "trend"), "undecided"),
    ):  # fmt: skip
        for row in effects.loc[[key]].to_dict("records"):
            said[*key, row["baseline"]] = f"{row['ratio']:.2f} ({row['ci_low']:.2f} to {row['ci_high']:.2f})"
            assert verdict is None or row["verdict"] == verdict, key
    for key in (
        ("directed_sigma", "pair", "displaced_sigma"), ("directed", "pair", "displaced"),
        ("displaced_sigma", "pair", "displaced"),
    ):  # fmt: skip
        assert said[key] in section, key
    trends = {base: text for (base, kind, _), text in said.items() if kind == "trend"}
    assert all(trends[base] in section for base in ("displaced", "displaced_sigma"))
    by = effects.reset_index().set_index(["treatment", "baseline"])["verdict"]
    assert (
        by["directed_sigma", "displaced_sigma"] == "lower" and by["directed_sigma", "directed"] == "undecided"
    )
    runs = causes["runs"]
    assert (runs["status"] == "finished").all() and set(runs["seed"]) == set(range(30, 40))
    means = np.exp(np.log(runs.set_index("variant")["mse_id"]).groupby("variant").mean())
    ratio = means / means["none_at_rate"]
    assert len(ratio) == 21 and ratio.drop("none_at_rate").min() > 1
    far = ratio[[name for name in ratio.index if name.endswith("hardness=32.0")]]
    assert f"all four end {far.min():.2f} to {far.max():.2f} times as high" in section
    assert f"{ratio['aware']:.2f} times as high as no negatives" in section
    half = causes["energy_profile"].query("phase == 0.5")
    live = 1 - half.groupby("variant")["saturation_share"].mean()
    kinds = ratio.index.drop("none_at_rate")
    assert f"Spearman {stats.spearmanr(live[kinds], ratio[kinds]).statistic:.2f} over the twenty" in section
    assert round(100 * live[far.index].max()) == 6 and "at most 6 % of the negatives are live" in section
    assert (
        f"{live['directed']:.0%} of them are live, of random ones {live['displaced']:.0%}.".replace("%", " %")
        in section
    )


def test_where_seeds_differ(repository: Path) -> None:
    """Standard deviations, their intervals by the chi-square distribution, shares and F tests, from runs.csv."""
    text = (repository / "docs/findings.md").read_text().split("## Where seeds differ")[1].split("\n## ")[0]
    folder, words = repository / "results/shipped/small/variance", " ".join(text.split())
    runs = TABLES["runs"].read(folder / "runs.csv")
    errors = np.log(runs.pivot(index="seed", columns="variant", values="mse_id"))
    variance, free = errors.var(ddof=1), len(errors) - 1
    names = {"at_rate": "all three", "weights": "initial weights", "problems": "problems", "noise": "noise"}
    for source, shown in names.items():
        cells = [shown]
        for arm in ("none", "mined"):
            own = variance[f"{arm}_{source}"]
            low, high = np.sqrt(own * free / stats.chi2.ppf([0.975, 0.025], free))
            share = f"{100 * own / variance[f'{arm}_at_rate']:.0f} %" if source != "at_rate" else ""
            cells += [f"{np.sqrt(own):.3f} [{low:.3f}, {high:.3f}]", share]
        assert "| " + " | ".join(cells).replace("|  |", "| |").strip() in text.replace("|  |", "| |"), cells

    def beyond(more: str, less: str) -> float:
        return float(stats.f.sf(variance[more] / variance[less], free, free))

    alone = [beyond("none_at_rate", f"none_{source}") for source in ("problems", "noise", "weights")]
    assert "p = {:.3f}) and noise alone (p = {:.4f}) vary".format(*alone) in words
    assert f"not shown (p = {alone[2]:.2f})" in words
    two_sided = [2 * beyond(f"{arm}_problems", f"{arm}_noise") for arm in ("none", "mined")]
    assert "not told apart (p = {:.2f} and {:.2f})".format(*two_sided) in words
    between = [2 * min(beyond(f"mined_{s}", f"none_{s}"), beyond(f"none_{s}", f"mined_{s}")) for s in names]
    assert f"(p from {min(between):.2f} to {max(between):.2f})" in words
    assert 1.9 < np.sqrt(stats.f.ppf(0.975, free, free)) < 2.1  # a ratio of two
    paired = [errors[f"none_{source}"].corr(errors[f"mined_{source}"]) for source in ("at_rate", "weights")]
    assert "correlate by {:.2f}, and by {:.2f} where".format(*paired) in words
    summary = TABLES["summary"].read(folder / "summary.csv").query("metric == 'mse_id'")
    share = 100 * (summary["evaluation_variance"] / summary["sd"] ** 2).max()
    assert f"at most {np.ceil(share):.0f} % of the variance" in words
    crossed = [
        TABLES["contrasts"].read(repository / "results/shipped" / where / "contrasts.csv").iloc[0]
        for where in ("small/variance", "laptop/tables/strategies")
    ]
    assert [row["treatment"] for row in crossed] == ["mined_at_rate", "adversarial"]
    assert max(row["matrix_share"] for row in crossed) <= 0.003 and "at most 0.3 % of the squared" in words
    for row in crossed:
        widths = row["crossed_high"] - row["crossed_low"], row["ci_high"] - row["ci_low"]
        assert widths[0] == pytest.approx(widths[1], rel=0.01)
