"""docs/completion.md quotes the shipped tables of the networks that complete, and these reach what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import ired
from ired.base.format_numbers import with_interval
from ired.base.streams import Streams
from ired.record.schema import TABLES
from ired.sentences import live_sentence
from ired.tasks import build_task

SHIPPED = Path(__file__).parents[2] / "results/shipped"
SCALES = ("completion", "completion_solvable", "addition")


@pytest.mark.parametrize("scale", SCALES)
def test_every_row_and_sentence_is_that_of_the_shipped_tables(repository: Path, scale: str) -> None:
    page = (repository / "docs/completion.md").read_text(encoding="utf-8")
    section = page.split(f"\n### `{scale}`\n")[1].split("\n#")[0]
    folder = SHIPPED / scale / "tables/recipes"
    summary, contrasts = (TABLES[name].read(folder / f"{name}.csv") for name in ("summary", "contrasts"))
    expected = []
    for variant, rows in summary.groupby("variant", sort=False):
        by_metric, cells = rows.set_index("metric"), []
        for metric in ("mse_id", "mse_ood"):
            mean, low, high = with_interval(*by_metric.loc[metric, ["mean", "ci_low", "ci_high"]])
            cells.append(f"{mean} [{low}, {high}]")
        expected.append(f"| `{variant}` | {cells[0]} | {cells[1]} |")
    assert re.findall(r"^\| `.*$", section, re.MULTILINE) == expected
    if scale == "completion_solvable":
        assert live_sentence(TABLES["energy_profile"].read(folder / "energy_profile.csv")) in section
    said = contrasts.loc[contrasts["metric"] == "mse_id", "sentence"].tolist()
    assert re.findall(r"^> (.*)$", section, re.MULTILINE) == said


@pytest.mark.parametrize("scale", SCALES)
def test_the_shipped_run_answers_as_its_metrics_say(scale: str) -> None:
    """New problems, none of the test set's."""
    run = ired.load(SHIPPED / scale / "runs/none/seed0")
    task = build_task(run.config.problem)
    for split in task.splits:
        condition, solution = (part[0].double().numpy() for part in task.draw(Streams([-9]), 100, split))
        answers = run.solve(condition.reshape(-1, *task.condition_shape)).reshape(solution.shape)
        errors = np.square(answers - solution).mean(1)
        stated = run.metrics["test"][split]
        assert abs(errors.mean() - stated["mse"]) < 5 * max(errors.std() / 10, stated["mse_se"])


def test_the_shipped_networks_are_below_what_needs_no_reasoning() -> None:
    """Within 2 % of the Bayesian estimate in distribution, a tenth below copying out of it: means over seeds."""
    folder = SHIPPED / "completion/tables/recipes"
    reached = TABLES["summary"].read(folder / "summary.csv").set_index(["variant", "metric"])["mean"]
    known = TABLES["reference"].read(folder / "reference.csv").set_index(["predictor", "split"])["mse"]
    for variant in ("none", "random", "adversarial", "deep"):
        assert reached[variant, "mse_id"] <= 0.0166
        assert reached[variant, "mse_ood"] < 0.9 * known["copy", "ood"]


def test_the_solvable_completion_is_solved_within_a_factor_of_three_and_addition_nearly_exactly() -> None:
    """`none`, of which the page says so: Bayes and copying on the same test set; the sum's own error is rounding."""
    folder = SHIPPED / "completion_solvable/tables/recipes"
    known = TABLES["reference"].read(folder / "reference.csv").set_index(["predictor", "split"])["mse"]
    solvable, addition = (
        TABLES["summary"]
        .read(SHIPPED / scale / "tables/recipes/summary.csv")
        .set_index(["variant", "metric"])["mean"]
        for scale in ("completion_solvable", "addition")
    )
    assert solvable["none", "mse_id"] < min(2.0 * known["bayes", "id"], known["copy", "id"] / 15)
    assert addition["none", "mse_id"] <= 1e-5 and addition["none", "mse_ood"] <= 1e-3
    assert (addition.filter(like="mse_", axis=0)[["none", "random", "adversarial", "deep"]] < 1e-3).all()


def test_the_readme_says_by_how_much_negatives_are_worse(repository: Path) -> None:
    contrasts = TABLES["contrasts"].read(SHIPPED / "completion_solvable/tables/recipes/contrasts.csv")
    rows = contrasts[contrasts["metric"] == "mse_id"].set_index("treatment")
    text = " ".join((repository / "README.md").read_text(encoding="utf-8").split())
    said = [
        f"{100 * rows.loc[variant, 'relative_difference']:.0f} %"
        for variant in ("random", "deep", "adversarial")
    ]
    assert "random ones by {}, deep mining by {}, the published recipe by {}".format(*said) in text
    assert (rows["verdict"] == "worse").all()
