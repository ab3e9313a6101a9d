"""What a person types, and what they are told when they mistype it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from ired.base.errors import UserError
from ired.cli import app
from ired.report.terminal import configured, made_folder
from ired.study.resolve import ResolvedStudy
from ired.study.run_config import RunConfig


def call(*words: str) -> str:
    """What a command prints; an error of a user as its one line."""
    done = CliRunner().invoke(app, list(words))
    if isinstance(done.exception, UserError):
        return f"error: {done.exception}"
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(autouse=True)
def in_the_project(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)


def test_the_resolved_configuration_is_the_one_that_trains(repository: Path) -> None:
    printed = call("config", "--variant", "adversarial", "--seed", "3", "--scale", "smoke")
    study = ResolvedStudy(yaml.safe_load((repository / "config.yaml").read_text()))
    assert RunConfig.from_json(printed) == study.run_config("smoke", "adversarial", 3)
    assert json.loads(printed)["seed"] == 3
    assert "Did you mean 'adversarial'?" in call("config", "--variant", "adverserial")


@pytest.mark.parametrize(
    "words, said",
    [
        (("--experiment", "stratgies"), "Did you mean 'strategies'?"),
        (("--scale", "laptopp"), "Did you mean 'laptop'?"),
        (("--scale", "shipped/lapto"), "Did you mean 'shipped/laptop'?"),
        (("--scale", "paper"), "snakemake --profile profiles/local strategies --config scale=paper"),
    ],
)
def test_a_summary_that_is_not_there_says_what_makes_it(words: tuple[str, ...], said: str) -> None:
    assert said in call("summary", *words)


def test_a_shipped_summary_and_the_version() -> None:
    assert "affine line" in call("summary", "--scale", "shipped/laptop")
    assert re.fullmatch(r"ired \d+\.\d+\.\d+\n", call("--version"))


def test_a_fresh_clone_is_told_of_the_shipped_tables(tmp_path: Path) -> None:
    (tmp_path / "shipped/laptop/tables/strategies").mkdir(parents=True)
    with pytest.raises(UserError, match="--scale shipped/laptop"):
        made_folder(tmp_path, "laptop", "strategies", configured())


def test_make_explains_itself_and_asks_before_it_deletes(repository: Path, tmp_path: Path) -> None:
    def make(target: str, answer: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "-f", str(repository / "Makefile"), target]
        (tmp_path / "Makefile").write_text((repository / "Makefile").read_text())
        return subprocess.run(
            command, cwd=tmp_path, input=answer, capture_output=True, text=True, check=False
        )

    assert "make study" in make("help", "").stdout and "PYTHON" not in make("help", "").stdout
    state = tmp_path / "results/.state/x"
    state.mkdir(parents=True)
    (tmp_path / "config.yaml").write_text("")
    assert make("clean-results", "\n").returncode != 0 and state.exists()
    assert make("clean-results", "y\n").returncode == 0 and not state.exists()
