"""The cells of a study of worth: their names, their trials, and what tuning chooses between budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ired.base.errors import UserError
from ired.record.schema import TUNING
from ired.study.resolve import ResolvedStudy
from ired.study.worth import Choice, chosen
from synthetic_worth import tuning


def test_trials_are_equally_many_for_every_arm(study_values: dict[str, Any]) -> None:
    study = ResolvedStudy(study_values)
    for scale in ("smoke", "small"):
        worth = study.worth.settings(scale)
        for arm in worth.arms:
            cells = [c for c in study.worth.at(scale).values() if c.arm == arm and c.trial]
            assert len(cells) == len(worth.tuning.finer_learning_rates) * len(worth.tuning.steps)


def test_a_trial_is_configured_as_its_name_says(study_values: dict[str, Any]) -> None:
    study = ResolvedStudy(study_values)
    run = study.run_config("small", "near_truth_steps=240_learning_rate=0.012_weight=0.1", 100)
    assert (run.training.steps, run.optimiser.learning_rate) == (240, 0.012)
    assert run.contrast is not None and run.contrast.weight == 0.1
    assert run.optimiser.ema is None and run.negatives.noise_scale == 0.1  # type: ignore[union-attr]


def test_the_judged_runs_take_what_tuning_chose(study_values: dict[str, Any], tmp_path: Path) -> None:
    table = tuning()
    table["arm"] = table["arm"].replace({"near_truth_over_sigma": "near_truth"})
    TUNING.write(table, tmp_path / "small/tables/worth/tuning.csv")
    study = ResolvedStudy(study_values, results=tmp_path)
    won = table[(table["arm"] == "adversarial") & table["nominated"]].set_index("steps")["learning_rate"]
    for steps, expected in ((240, won[240]), (960, won[960]), (120, won[240]), (60, won[240])):
        run = study.run_config("small", f"adversarial_steps={steps}", 3)
        assert run.optimiser.learning_rate == pytest.approx(expected)
        assert (run.training.steps, run.seed) == (steps, 3)
    between = study.run_config("small", "adversarial_steps=480", 0).optimiser.learning_rate
    assert between == pytest.approx((won[240] * won[960]) ** 0.5, rel=5e-3)
    with pytest.raises(UserError, match="says nothing of arm 'deep'"):
        study.run_config("small", "deep_steps=480", 0)


def test_without_tuning_a_judged_run_is_refused_in_a_line(
    study_values: dict[str, Any], tmp_path: Path
) -> None:
    study = ResolvedStudy(study_values, results=tmp_path)
    assert not study.worth.tuned("small")
    with pytest.raises(UserError, match=r"tuning\.csv"):
        study.run_config("small", "adversarial_steps=480", 0)


def test_choices_lie_on_a_line_of_logarithms_and_end_at_the_tuned_budgets() -> None:
    choices = [Choice(100, 1e-2, 0.1), Choice(10_000, 1e-4, 0.4)]
    assert chosen(choices, 1000) == Choice(1000, 1e-3, 0.2)
    assert chosen(choices, 10) == Choice(10, 1e-2, 0.1)
    assert chosen(choices, 10**6) == Choice(10**6, 1e-4, 0.4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": [480, 240, 960]}, "steps must ascend"),
        ({"arms": ["random", "adversarial"]}, "the baseline 'none' is not among its arms"),
        ({"arms": ["none", "advers"]}, "unknown variant 'advers'"),
        ({"tuning": {"seeds": [50, 100]}}, "seeds [50] tune and are judged"),
        ({"tuning": {"weights": [0.1, 0.5, 1.0]}}, "same number of trials"),
        ({"run": {"optimiser": {"learning_rat": 1.0}}}, "learning_rat"),
    ],
)
def test_a_study_that_could_not_be_judged_is_refused(
    study_values: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    worth = study_values["scales"]["small"]["worth"]
    for key, value in change.items():
        worth[key] = worth[key] | value if isinstance(value, dict) else value
    with pytest.raises(UserError, match=words.replace("[", r"\[")):
        ResolvedStudy(study_values)


def test_a_scale_without_worth_says_which_have_one(study_values: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"has no `worth` section; those that have one: .*small"):
        ResolvedStudy(study_values).worth.settings("paper")


def test_the_baseline_alone_is_tuned_at_budgets_that_it_alone_has(study_values: dict[str, Any]) -> None:
    study = ResolvedStudy(study_values)
    tuned: dict[str, set[int]] = {}
    for cell in study.worth.at("workstation").values():
        if cell.trial is not None:
            tuned.setdefault(cell.arm, set()).add(cell.steps)
    assert tuned.pop("none") == {600, 1200}
    assert set(map(frozenset, tuned.values())) == {frozenset({600})} and len(tuned) == 8
    trials = [cell for cell in study.worth.at("workstation").values() if cell.trial and cell.steps == 1200]
    assert len(trials) == 10
