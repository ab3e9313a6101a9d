"""What the aggregator refuses: one line that names the file and the cure, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from run_folders import edit_json, experiment, write_study

from ired.base.errors import UserError
from ired.base.hashing import arm_fingerprint
from ired.tables.aggregate import aggregate

FILES = ("metrics.json", "config.json", "provenance.json", "history.csv")
TABLES = ("conditioning.csv", "energy_profile.csv", "error_directions.csv", "error_sizes.csv")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path)


def refusal(root: Path, spec=None, **options) -> str:
    """The message of the error; also checks that it is one line and that nothing was written."""
    with pytest.raises(UserError) as caught:
        aggregate(
            root / "runs",
            root / "reference.csv",
            root / "reference_errors.npz",
            spec or experiment(),
            root / "out",
            **options,
        )
    message = str(caught.value)
    assert "\n" not in message
    assert not (root / "out").exists()
    return message


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scramble(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00 not a table\n")


@pytest.mark.parametrize("name", FILES + TABLES)
def test_a_missing_file(study: Path, name: str) -> None:
    path = study / "runs" / "random" / "seed2" / name
    path.unlink()
    message = refusal(study)
    assert str(path) in message and "missing" in message and f"(snakemake --profile … {path})" in message


@pytest.mark.parametrize("damage", [cut, empty, scramble])
@pytest.mark.parametrize("name", FILES + TABLES)
def test_a_damaged_file(study: Path, name: str, damage: Callable[[Path], None]) -> None:
    path = study / "runs" / "none" / "seed0" / name
    damage(path)
    message = refusal(study)
    assert str(path) in message and "delete the file" in message


def test_many_missing_runs_are_counted_and_only_three_named(study: Path) -> None:
    for variant, seed in experiment().runs():
        (study / "runs" / variant.variant / f"seed{seed}" / "metrics.json").unlink()
    message = refusal(study)
    assert message.count("metrics.json") == 2 * 3 and "and 6 more" in message


def test_another_protocol(study: Path) -> None:
    path = study / "runs" / "none" / "seed1" / "metrics.json"
    edit_json(path, protocol=2)
    message = refusal(study)
    assert (
        f"{path}: protocol 2" in message
        and "not of protocol 1" in message
        and "train these runs again" in message
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 7),
        ("protocol", 3),
        ("fingerprint", "other"),
        ("negatives", {"strategy": "random"}),
        ("problem", {"n": 20}),
    ],
)
def test_a_configuration_that_the_metrics_were_not_made_with(study: Path, key: str, value: object) -> None:
    path = study / "runs" / "none" / "seed1" / "config.json"
    edit_json(path, **{key: value})
    message = refusal(study)
    assert str(path) in message and "delete the run folder" in message


def test_a_fingerprint_computed_from_the_configuration(study: Path) -> None:
    def honest(config: dict) -> str:
        return f"{config['negatives']['strategy']}-{config['seed']}"

    aggregate(
        study / "runs",
        study / "reference.csv",
        study / "reference_errors.npz",
        experiment(),
        study / "fine",
        fingerprint_of=honest,
    )
    assert "fingerprint stale" in refusal(study, fingerprint_of=lambda config: "stale")


def test_runs_of_different_kinds_of_device_are_no_pairs(study: Path) -> None:
    for device, refused in (("cuda:1", True), ("cuda", True), ("cpu", False)):
        edit_json(study / "runs/random/seed2/provenance.json", hardware={"device": device})
        if refused:
            message = refusal(study)
            assert "8 on cpu, 1 on cuda" in message and message.endswith("again: random seed 2")
    aggregate(
        study / "runs", study / "reference.csv", study / "reference_errors.npz", experiment(), study / "fine"
    )


def test_a_configuration_that_can_no_longer_be_read(study: Path) -> None:
    def fails(config: dict) -> str:
        raise ValueError("unknown key\nand more")

    message = refusal(study, fingerprint_of=fails)
    assert "not a configuration of this version, unknown key" in message


def test_a_run_of_another_configuration_than_asked_for(study: Path) -> None:
    def arms(**changed: str) -> list[dict]:
        configs = {
            v.variant: json.loads((study / "runs" / v.variant / "seed0/config.json").read_text())
            for v in experiment().variants
        }
        return [{"variant": v, "fingerprint": changed.get(v, arm_fingerprint(c))} for v, c in configs.items()]

    aggregate(
        study / "runs",
        study / "reference.csv",
        study / "reference_errors.npz",
        experiment(variants=arms()),
        study / "fine",
    )
    message = refusal(study, experiment(variants=arms(random="new")))
    assert "random/seed0/config.json" in message and "not the configuration of variant random" in message


def test_the_folder_of_another_seed(study: Path) -> None:
    folder = study / "runs" / "none" / "seed1"
    edit_json(folder / "metrics.json", seed=2)
    edit_json(folder / "config.json", seed=2)
    assert "seed 2 in the folder of seed 1" in refusal(study)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"test": None}, "without test results"),
        ({"status": "running"}, "status"),
        ({"madds_per_step": None}, "madds_per_step"),
        ({"mse_validation": float("nan")}, "not finite"),
    ],
)
def test_metrics_that_cannot_be(study: Path, changes: dict, reason: str) -> None:
    edit_json(study / "runs" / "none" / "seed1" / "metrics.json", **changes)
    assert reason in refusal(study)


def test_a_finished_run_with_an_infinite_error(study: Path) -> None:
    path = study / "runs" / "none" / "seed1" / "metrics.json"
    test = json.loads(path.read_text())["test"]
    test["ood"]["mse"] = float("inf")
    edit_json(path, test=test)
    assert "test.ood.mse" in refusal(study)


def test_a_history_that_lost_whole_lines(study: Path) -> None:
    path = study / "runs" / "none" / "seed1" / "history.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    assert f"{path}: its last validation" in refusal(study)


def test_a_history_of_a_longer_run(study: Path) -> None:
    edit_json(study / "runs" / "none" / "seed1" / "metrics.json", steps=90)
    assert "reaches step 100, metrics.json 90" in refusal(study)


def test_a_history_that_goes_back(study: Path) -> None:
    path = study / "runs" / "none" / "seed1" / "history.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[3]]))
    assert "do not ascend" in refusal(study)


def test_a_table_without_a_column_or_with_words_for_numbers(study: Path) -> None:
    path = study / "runs" / "none" / "seed1" / "conditioning.csv"
    text = path.read_text()
    path.write_text(text.replace("residual_mean", "residual"))
    assert "without the column residual_mean" in refusal(study)
    path.write_text(text.replace("0.5\n", "much\n"))
    assert "column residual_mean is not numeric" in refusal(study)


def test_reference_predictors_missing_or_damaged(study: Path) -> None:
    path = study / "reference.csv"
    cut(path)
    assert "reference.csv: cut off" in refusal(study)
    path.unlink()
    message = refusal(study)
    assert f"{path} is missing" in message and "ask Snakemake" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"comparisons": [("adversarial", "nobody")]},
        {"comparisons": [("none", "none")]},
        {"comparisons": [("random", "none"), ("random", "none")]},
        {"seeds": []},
        {"seeds": [1, 1]},
        {"variants": []},
        {"variants": [{"variant": "none"}, {"variant": "none"}]},
        {"margin": 0},
        {"surprise": 1},
    ],
)
def test_an_experiment_that_contradicts_itself(changes: dict) -> None:
    with pytest.raises(ValidationError):
        experiment(**changes)
