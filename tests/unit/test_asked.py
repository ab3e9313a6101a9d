"""What a person writes on the command line of Snakemake: values take effect or are refused, targets are explained."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ired.base.errors import UserError
from ired.study.asked import refuse_files_for_folders, refuse_unknown, refuse_without_effect, typed
from ired.study.resolve import ResolvedStudy

CONFIG: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
STUDY = ResolvedStudy(copy.deepcopy(CONFIG))


def test_text_that_is_a_number_becomes_one_and_words_stay() -> None:
    given = {"margin": "0.9", "on": "true", "seeds": ["0", "1"], "scale": "smoke", "kind": "a: b", "steps": 5}
    assert typed(given) == {
        "margin": 0.9, "on": True, "seeds": [0, 1], "scale": "smoke", "kind": "a: b", "steps": 5,
    }  # fmt: skip
    assert typed({"x": "[1"}) == {"x": "[1"}  # no YAML: left for the check of the configuration to name


def test_a_value_that_the_scale_sets_as_well_is_refused_and_the_option_that_works_is_named() -> None:
    config = {**CONFIG, "scale": "smoke"}
    with pytest.raises(
        UserError, match=r"run\.training\.steps has no effect, since scale 'smoke'"
    ) as refused:
        refuse_without_effect({"run": {"training": {"steps": 5}}}, config)
    option = str(refused.value).partition("--config 'scales=")[2].rstrip("'")
    asked = typed(yaml.safe_load(option))  # as Snakemake reads it
    assert asked == {"smoke": {"run": {"training": {"steps": 5}}}}
    refuse_without_effect({"scales": asked, "scale": "smoke"}, config)
    refuse_without_effect({"run": {"training": {"weight_decay": 0.1}}}, config)  # no scale sets it: it acts


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("strategeis", "no target of this name. Did you mean 'strategies'?"),
        ("results/smoek/report.html", "no scale 'smoek'. Did you mean 'smoke'?"),
        ("results/smoke/runs/nome/seed0/metrics.json", "no variant 'nome'. Did you mean 'none'?"),
        ("results/smoke/tables/strategys/runs.csv", "no experiment 'strategys'. Did you mean 'strategies'?"),
        ("results/smoke/figures/strategys/budget.png", "no experiment 'strategys'"),
        ("results/smoke/runs/none/seed0", "it is a folder: ask for a file in it, as results/smoke/runs/none/seed0/"),
        ("results/smoke/run/none", "has no 'run'. Did you mean 'runs'?"),
        ("results/smoke/runs/none/seed0/metrics.jsn", "no step of the pipeline makes a file 'metrics.jsn'"),
        ("results/smoke/runs/deep_opt_steps=0.5/seed0/metrics.json", "no variant 'deep_opt_steps=0.5'"),
        ("results/smoke/tables/refrence.csv", "makes a file 'refrence.csv' there"),
        ("results/shipped/laptop/figures/strategies/sweep.pdf", "makes a file 'sweep.pdf' there"),
        ("figures/budget.png", "results lie in results/SCALE/"),
        ("/somewhere/else/metrics.json", "outside of this folder"),
        (os.path.abspath("results/smoke/x.csv"), "write it as results/smoke/x.csv"),
    ],
)  # fmt: skip
def test_a_target_that_nothing_makes_says_what_was_probably_meant(target: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        refuse_unknown([target], STUDY, ["all", "strategies"], lambda path: False)
    assert str(refused.value).startswith(f"target '{target}': ") and says in str(refused.value)


def test_a_name_that_is_not_in_the_configuration_is_refused_though_a_pattern_would_take_it() -> None:
    """Patterns take every well-formed name, since a list of all would slow a plan."""
    for made in ("results/smoke/runs/nome/seed0/metrics.json", "results/smoke/tables/mining_/runs.csv"):
        with pytest.raises(UserError, match=r"config\.yaml has no"):
            refuse_unknown([made], STUDY, [], lambda path: True)
    refuse_unknown(["results/smoke/runs/none/seed0/metrics.json"], STUDY, [], lambda path: True)
    refuse_unknown(["results/smoke/tables/reference.csv"], STUDY, [], lambda path: True)


def test_a_study_of_worth_is_a_name_where_a_scale_has_one() -> None:
    for place in ("results/smoke/tables", "results/shipped/workstation/figures"):
        refuse_unknown([f"{place}/worth/multipliers"], STUDY, [], lambda path: True)
    with pytest.raises(UserError, match="no experiment 'worth'"):
        refuse_unknown(["results/paper/tables/worth/multipliers.csv"], STUDY, [], lambda path: True)


def test_rules_files_at_hand_and_what_is_made_are_targets(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    refuse_unknown(["all", str(tmp_path / "there"), "made"], STUDY, ["all"], lambda path: path == "made")


@pytest.mark.parametrize("place", ["", ".state", "smoke", "smoke/logs", "smoke/runs"])
def test_a_file_where_a_folder_is_made(tmp_path: Path, place: str) -> None:
    path = tmp_path / "results" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    with pytest.raises(UserError, match="is a file, and results need a folder of this name"):
        refuse_files_for_folders(tmp_path / "results", "smoke")
    path.unlink()
    refuse_files_for_folders(tmp_path / "results", "smoke")
