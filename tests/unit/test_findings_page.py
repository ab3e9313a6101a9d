"""What docs/findings.md says in words is what the shipped tables say: n = 8, and studies of their own."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from worth_readings import words_of, worth_tables

from ired.base.format_numbers import percent
from ired.record.schema import TABLES, WORTH


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return words_of(repository / "docs/findings.md")


@pytest.fixture(scope="module")
def tables() -> dict:
    return worth_tables("small/tables/worth")


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
