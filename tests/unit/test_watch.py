"""The live view: what it says of runs that leave their progress, and what a mistake looks like on a pipe."""

from __future__ import annotations

import io
import logging
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from fake_slurm import FakeSlurm
from rich.console import Console
from snakemake_interface_logger_plugins.common import LogEvent

from factories import tiny_config
from ired.base.errors import UserError
from ired.cluster.live_status import board_of, chosen_runs
from ired.cluster.status import Layout, RunStatus, statuses
from ired.job.train import Execution, train_and_publish
from ired.study.resolve import ResolvedStudy
from ired.training.progress import FILE, Progress, Reading
from ired.training.stopping import Stopper
from ired.watch.board import Board, Failure, Work
from ired.watch.screen import Screen, is_plain
from snakemake_logger_plugin_ired import LogHandler, again


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A training at step 30 of 60, and a line of 0.04."""
    progress = Progress("none seed 3", 60, tmp_path / ".state/smoke/none/seed3-ab", [3])
    progress.validation = 0.02
    time.sleep(0.01)
    progress.update(30, 0.5)
    table = tmp_path / "smoke/tables/reference.csv"
    table.parent.mkdir(parents=True)
    table.write_text("predictor,line,split,mse\naffine,True,id,0.04\nmean,False,id,1\n")
    return tmp_path


def test_a_run_shows_step_rate_loss_and_its_error_against_the_line(results: Path) -> None:
    work = Work("train none seed 3", "smoke", "none", (3,))
    board = Board(results, done=1, total=4, running=[work], started=time.time() - 60)
    line = board.line()
    for part in (
        "1/4 jobs done",
        "train none seed 3",
        "step 30/60",
        "loss 0.5000",
        "(0.5 x the line)",
        " left",
    ):
        assert part in line, line
    assert "about 3:00 left" in line  # a minute for one, three are left
    for width in (40, 200):
        shown = Console(file=io.StringIO(), width=width)
        shown.print(board.view())
        assert "30/60" in shown.file.getvalue().replace("\n", "")  # type: ignore[attr-defined]


def test_a_run_that_has_trained_is_being_tested(sets: Path, tmp_path: Path) -> None:
    """Its last step may come long before the next reading was due."""
    config, state = tiny_config(), tmp_path / ".state/smoke/none"
    train_and_publish([config], [tmp_path / "run"], Execution(sets, state), Stopper())
    work = Work("train", "smoke", "none", (config.seed,))
    reading = work.reading(tmp_path)
    assert reading is not None and reading.step == reading.total == config.training.steps
    assert "testing" in Board(tmp_path, running=[work]).line()


def test_a_run_that_ended_early_has_nothing_left(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(training__steps=2000, training__validate_every=5, early_stopping={"patience": 10})
    train_and_publish(
        [config], [tmp_path / "run"], Execution(sets, tmp_path / ".state/smoke/none"), Stopper()
    )
    last = [line for line in capsys.readouterr().err.splitlines() if "steps/s" in line][-1]
    assert last.endswith("trained") and "left" not in last and "/2000" in last
    line = Board(tmp_path, running=[Work("train", "smoke", "none", (config.seed,))]).line()
    assert "testing" in line and "left" not in line.partition("train ")[2]


def test_progress_of_another_seed_or_of_an_earlier_attempt_is_not_shown(results: Path) -> None:
    assert Work("w", "smoke", "none", (4,)).reading(results) is None
    assert Work("w", "smoke", "none", (3,), since=time.time() + 5).reading(results) is None
    path = next(results.rglob(FILE))
    path.write_text("{")
    assert Reading.read(path) is None and "step" not in Board(results, running=[Work("w")]).line()


@pytest.mark.parametrize("name, value", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_asks_for_plain_lines_gets_them(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = SimpleNamespace(isatty=lambda: True)
    assert not is_plain(terminal) and is_plain(io.StringIO())  # type: ignore[arg-type]
    monkeypatch.setenv(name, value)
    assert is_plain(terminal)  # type: ignore[arg-type]


def test_a_pipe_gets_a_line_when_something_is_new(results: Path) -> None:
    stream, board = io.StringIO(), Board(results, total=2)
    screen = Screen(lambda: board, stream, every=60)
    screen.say_now()
    screen.say_now()
    board.done = 1
    screen.say_now()
    screen.close()
    assert [line[:13] for line in stream.getvalue().splitlines()] == ["0/2 jobs done", "1/2 jobs done"]


def handler(**settings: object) -> LogHandler:
    quiet = {"dryrun": False, "stdout": False} | settings
    made = LogHandler(SimpleNamespace(**quiet), None)  # type: ignore[arg-type]
    made.setFormatter(logging.Formatter("%(message)s"))
    return made


def record(message: str = "", **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelno": logging.INFO, "levelname": "INFO", **extra})


JOB = {"jobid": 4, "rule_name": "train", "wildcards": {"scale": "smoke", "variant": "none", "seed": "3"}}


@pytest.mark.parametrize(
    "word, said",
    [
        ("error: x.npz is truncated", "failed: train none seed 3: error: x.npz is truncated"),
        ("interrupted: received SIGINT; step 30 is saved in y", "paused: train none seed 3: received SIGINT"),
        ("", "stopped before its log had a word"),
    ],
)
def test_a_mistakes_one_line_reaches_the_terminal(
    word: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, command = tmp_path / "seed3.log", ["snakemake", "--profile", "p", "all", "--config", "scale=smoke"]
    log.write_text(f"step 1\n{word}\n" if word else "")
    monkeypatch.setattr("sys.argv", command)
    made = handler()
    made.emit(record(event=LogEvent.RUN_INFO, stats={"total": 2}))
    made.emit(record(event=LogEvent.JOB_INFO, rule_msg="train none seed 3, log: x", **JOB))
    told = {"log": [str(log)], "output": ["m.json"], "rule_msg": None} | JOB
    made.emit(record(event=LogEvent.JOB_ERROR, shellcmd="a" * 1200, **told))
    made.emit(record("b" * 1200, event=LogEvent.ERROR, exception="RuleException", levelno=logging.ERROR))
    made.emit(record("Nothing else is swallowed"))
    made.close()
    printed = capsys.readouterr().err
    assert said in printed and "Nothing else is swallowed" in printed and "0 of 2 jobs done" in printed
    assert "a" * 100 not in printed and "b" * 100 not in printed
    assert ("again  snakemake --profile p m.json --config scale=smoke" in printed) == (
        "failed" in said or not word
    )
    assert "goes on from its last checkpoint" in printed


def test_a_plan_is_printed_as_snakemake_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    made = handler(dryrun=True)
    made.emit(record("job counts", event=LogEvent.RUN_INFO, stats={}))
    made.close()
    assert capsys.readouterr().err == "job counts\n"


def test_the_command_that_mends_keeps_profile_and_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.argv", ["s", "--config", "scale=a b", "seeds_per_job=2", "-n", "--profile", "p", "all"]
    )
    assert again(["x", "y z"]) == "snakemake --profile p 'y z' --config 'scale=a b' seeds_per_job=2"
    assert again([]) == ""


def test_what_the_executor_says_of_a_failed_job_is_told_without_its_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = handler()
    words = "SLURM sbatch failed. The error message was 'no such partition'.\n    sbatch call:\n        sbatch --wrap=x"
    made.emit(record(event=LogEvent.JOB_INFO, rule_msg="train none seed 3, log: x", **JOB))
    made.emit(record(event=LogEvent.JOB_ERROR, **({"log": [], "output": [], "rule_msg": words} | JOB)))
    made.close()
    printed = capsys.readouterr().err
    assert "no such partition" in printed and "--wrap" not in printed


def test_a_failure_that_a_retry_mended_is_forgotten() -> None:
    made = handler()
    made.emit(record(event=LogEvent.JOB_ERROR, rule_msg="w", jobid=1, rule_name="r", log=[], output=[]))
    assert made._board().failures == [Failure("w", "stopped before its log had a word")]
    made.emit(record(event=LogEvent.JOB_FINISHED, job_id=1))
    made.emit(record(event=LogEvent.PROGRESS, done=1, total=1))
    board = made._board()
    assert not board.failures and (board.done, board.total) == (1, 1)


def test_a_full_disk_stops_no_training_for_the_sake_of_a_view(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    Progress("x", 2, blocked, [0]).update(1, None)
    assert blocked.read_text() == ""


def test_a_study_that_somebody_else_started(repository: Path, tmp_path: Path, slurm: FakeSlurm) -> None:
    study = ResolvedStudy(yaml.safe_load((repository / "config.yaml").read_text()))
    layout = Layout(tmp_path / "results", study, "smoke", "profiles/local")
    found = [
        RunStatus("none/seed0", "done", "finished", None, None),
        RunStatus("none/seed1", "running", "", None, None),
        RunStatus("random/seed0", "failed", "bug: Traceback", "r.log", "snakemake x"),
    ]
    Progress("", 60, layout.state("none") / "seed1-ab", [1]).update(20, 0.25)
    board = board_of(found, layout)
    assert (board.done, board.total) == (1, 3) and "step 20/60" in board.line()
    assert board.failures[0].lines()[2].split() == ["again", "snakemake", "x"]

    listed = chosen_runs(layout, [], every=False)
    assert ("none", 0) in listed and ("adversarial_opt_steps=1", 0) not in listed
    assert ("adversarial_opt_steps=1", 0) in chosen_runs(layout, ["opt_steps"], every=False)
    (tmp_path / "results/.state/smoke/none/seed7-cd").mkdir(parents=True)
    every = chosen_runs(layout, [], every=True)
    assert {("none", 7), ("adversarial_opt_steps=1", 0)} <= set(every) and set(listed) <= set(every)
    assert {status.run for status in statuses(layout, [("none", 7)])} == {"none/seed7"}
    with pytest.raises(UserError, match=r"Did you mean 'opt_steps'\?"):
        chosen_runs(layout, ["opt_stps"], every=False)
