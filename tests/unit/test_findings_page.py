"""What docs/findings.md says in words is what the shipped tables say."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from ired.base.format_numbers import percent
from ired.record.schema import TABLES, WORTH


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return " ".join((repository / "docs/findings.md").read_text().split())


@pytest.fixture(scope="module")
def tables(repository: Path) -> dict:
    folder = repository / "results/shipped/small/tables/worth"
    return {name: table.read(folder / f"{name}.csv") for name, table in WORTH.items()}


@pytest.fixture(scope="module")
def at_8(page: str) -> str:
    return page.split("## What was found at n = 8")[1].split("<!--")[0]


def test_the_learning_rate_was_worth_more_than_any_negative(at_8: str, tables: dict) -> None:
    tuning = tables["tuning"].set_index(["arm", "steps", "learning_rate"])["mse_validation"]
    assert f"by a factor of {tuning['none', 960, 0.006] / tuning['none', 960, 0.034]:.0f}." in at_8
    chosen = tables["tuning"].query("nominated").set_index("arm")["learning_rate"]
    assert set(chosen.drop("none_2_draws")) == {0.024} and set(chosen["none_2_draws"]) == {0.034}


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
    assert f"m = {value:.3f} ({low:.3f} to {high:.3f}), which the adjustment" in at_8
    assert shared["verdict"].to_dict() == {
        **dict.fromkeys(("random", "adversarial", "on_policy"), "undecided"),
        **dict.fromkeys(("deep", "near_truth"), "wastes"),
        "none_2_draws": "saves",
    }
    lost = [round(100 * (1 - shared.loc[arm, "value"])) for arm in ("deep", "near_truth")]
    assert "deep mining wastes {} %, mining from near the truth {} %".format(*lost) in at_8
    ends = [
        f"{v:.2f}"
        for metric in ("mse_id", "mse_ood")
        for v in rows.loc["none_2_draws", metric][["value", "ci_low", "ci_high"]]
    ]
    assert "m = {} ({} to {}) in distribution and {} ({} to {}) out of it".format(*ends) in at_8
    assert (
        f"the highest upper end is {shared.loc[['random', 'adversarial', 'deep', 'near_truth'], 'ci_high'].max():.3f}"
        in at_8
    )
    assert f"m is at most {shared.loc['on_policy', 'ci_high']:.2f}" in at_8
    errors = (
        tables["worth_curves"].query("metric == 'mse_id' and steps == 960").set_index("arm")["geometric_mean"]
    )
    ratio = errors / errors["none"]
    negatives = ratio[["random", "adversarial", "deep", "near_truth", "on_policy"]]
    assert (
        f"a factor of {ratio['none_2_draws']:.2f}, negatives by {negatives.min():.2f} to {negatives.max():.2f}"
        in at_8
    )
    assert negatives.idxmax() == "deep"


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
    assert any("at_2000_steps" in line and "| better |" in line for line in rows)


def test_what_is_said_of_n_20(page: str, repository: Path) -> None:
    section = page.split("## What was found at n = 20")[1].split("## What was found at n = 8")[0]
    folder = repository / "results/shipped/workstation"
    worth = {name: table.read(folder / f"tables/worth/{name}.csv") for name, table in WORTH.items()}
    by = worth["multipliers"].query("compute == 'madds' and metric == 'mse_id'")
    shared = by[by["reading"] == "all"].set_index("arm")
    assert (
        set(shared["verdict"]) == {"wastes"}
        and len(shared) == 8
        and "All eight arms are told from 1" in section
    )
    for arm in ("adversarial", "near_truth", "on_policy"):
        value, low, high = shared.loc[arm, ["value", "ci_low", "ci_high"]]
        assert f"{value:.3f} ({low:.3f} to {high:.3f})" in section
    raw = shared.loc[["random", "adversarial", "deep", "near_truth"], "ci_high"]
    assert f"the highest upper end is {raw.max():.3f}" in section
    wasted = f"{1 - shared.loc['none_2_draws', 'value']:.0%}".replace("%", " %")
    assert f"that they should waste {wasted} of the compute" in section
    slope = by[(by["reading"] == "slope") & (by["arm"] == "semi_hard_sigma")].iloc[0]
    ends = [f"{v:.3g}".replace("-", "\u2212") for v in (slope["value"], slope["ci_low"], slope["ci_high"])]
    assert (
        "slope {} [{}, {}]".format(*ends) in section
        and f"m = {shared.loc['semi_hard_sigma', 'value']:.3f}" in section
    )
    chosen = worth["tuning"].query("nominated and steps == 600").set_index("arm")["learning_rate"]
    assert (chosen["none"], chosen["random"], chosen["adversarial"], chosen["none_2_draws"]) == (
        0.034,
        0.012,
        0.012,
        0.0085,
    )
    curves = (
        worth["worth_curves"].query("metric == 'mse_id' and steps == 600").set_index("arm")["geometric_mean"]
    )
    for arm in ("near_truth", "deep"):
        assert f"{1e5 * curves[arm]:.2f} \u00d7 10\u207b\u2075" in section
    runs = worth["worth_runs"]
    assert len(runs) == 290 and (runs["status"] == "finished").all() and (runs["mse_id"] < 1e-3).all()
    rows = TABLES["contrasts"].read(folder / "at_one_rate/contrasts.csv").query("metric == 'mse_id'")
    assert set(rows["verdict"]) == {"undecided"}
    relative = {
        name.split("_steps")[0]: value
        for name, value in rows[["treatment", "relative_difference"]].to_numpy()
    }
    for arm in ("adversarial", "none_2_draws", "none_4_draws", "near_truth", "on_policy"):
        assert percent(relative[arm], signed=True) in section


def test_what_tuning_could_choose_at_n_20(page: str, repository: Path) -> None:
    tuning = WORTH["tuning"].read(repository / "results/shipped/workstation/tables/worth/tuning.csv")
    at_600 = tuning[tuning["steps"] == 600]
    none = at_600[at_600["arm"] == "none"].set_index("learning_rate")["mse_validation"]
    assert (
        1 - none[0.034] / none[0.006] == pytest.approx(0.25, abs=0.03) and "falls by a quarter only" in page
    )
    mined = at_600[(at_600["arm"] == "adversarial") & (at_600["weight"] == 0.5)].set_index("learning_rate")
    assert mined.loc[0.048, "n_diverged"] > 0 and pd.isna(mined.loc[0.024, "steady"])
    assert mined.loc[0.012, "nominated"]
