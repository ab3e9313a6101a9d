"""What docs/findings.md says in words is what the shipped tables say."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
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
    return {name: table.read(folder / f"{name}.csv") for name, table in WORTH.items()}


def test_the_learning_rate_was_worth_more_than_any_negative(page: str, tables: dict) -> None:
    tuning = tables["tuning"].set_index(["arm", "steps", "learning_rate"])["mse_validation"]
    ratio = tuning["none", 960, 0.006] / tuning["none", 960, 0.034]
    assert f"by a factor of {ratio:.0f}." in page
    best = tables["tuning"].query("steps == 960 and nominated")["mse_validation"]
    assert round(best.max() / best.min()) == 2 and "lies a factor of two" in page


def test_the_edge_of_stability(page: str, tables: dict) -> None:
    runs, tuning = tables["worth_runs"], tables["tuning"]
    lost = runs[runs["status"] == "diverged"]
    assert f"{len(lost)} of {len(runs)} judged runs diverged, all at 960 steps" in page
    assert set(lost["steps"]) == {960}
    assert lost.groupby("arm").size().to_dict() == {
        "deep": 2,
        "adversarial": 1,
        "random": 1,
        "none_2_draws": 1,
    }
    chosen = tuning[tuning["nominated"]]
    assert not chosen["at_edge"].any()
    assert f"at {chosen['learning_rate'].min()} to {chosen['learning_rate'].max()}" in page
    none = runs[runs["arm"] == "none"]
    assert f"of plain denoising 0 of {len(none)}" in page


def test_the_room_that_is_left(page: str, tables: dict) -> None:
    rows = (
        tables["multipliers"]
        .query("compute == 'madds' and metric == 'mse_id' and reading == 'all'")
        .set_index("arm")
    )
    near, policy = rows.loc["near_truth"], rows.loc["on_policy"]
    assert (rows["verdict"] == "undecided").all()
    assert (
        f"m is at most {near['ci_high']:.2f}" in page and f"more than {near['ci_high'] - 1:.0%}"[:-1] in page
    )
    assert f"m is at most {policy['ci_high']:.2f}" in page
    width = near["ci_high"] / near["ci_low"]
    assert f"spans a factor of {width:.2f} with five seeds" in page
    # With more seeds the half-width of log m goes as Student's quantile over the root of their number.
    for seeds, words in ((10, "ten narrow it to about"), (20, "twenty to")):
        shrink = (stats.t.ppf(0.975, seeds - 1) / np.sqrt(seeds)) / (stats.t.ppf(0.975, 4) / np.sqrt(5))
        assert f"{words} {width**shrink:.2f}" in page


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
