"""A training job among others: deadlines, remembered mistakes, drift, STOP files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_slurm import FakeSlurm, held
from typer.testing import CliRunner

from factories import tiny_config
from ired.base.errors import PassingError, UserError
from ired.cli import app
from ired.job import code_version
from ired.job.deadline import stopper_for
from ired.job.events import Events, attempts
from ired.job.failure_memory import remembered
from ired.job.slurm import duration, job_state, queue
from ired.job.train import Execution, seed_folder, train_and_publish
from ired.tasks import build_task
from ired.tasks.held_out import SPLITS, write_split
from ired.training.stopping import Interrupted, Stopper


@pytest.mark.parametrize("text", ["1-02:03:04", "02:03:04", "3:04", "UNLIMITED", "NOT_SET", ""])
def test_durations(text: str) -> None:
    expected = {"1-02:03:04": 93784.0, "02:03:04": 7384.0, "3:04": 184.0}
    assert duration(text) == expected.get(text)


def test_a_run_whose_lock_is_lost_writes_nothing(tmp_path: Path, slurm: FakeSlurm) -> None:
    config, execution = prepared(tmp_path)
    folder = seed_folder(execution.state, config)

    class Robbed(Stopper):
        def reason(self) -> str | None:
            held(folder, job=None, host=os.uname().nodename, pid=os.getpid())
            return None

    with pytest.raises(Interrupted, match="leaving the run to its new owner"):
        train_and_publish([config], [tmp_path / "run"], execution, Robbed())
    assert not (tmp_path / "run").exists() and not list(folder.glob("checkpoints/*"))


def prepared(root: Path) -> tuple:  # type: ignore[type-arg]
    """A configuration, its data, and where its state goes."""
    config = tiny_config()
    for split in SPLITS:
        write_split(split, build_task(config.problem), config.held_out, root / "data" / f"{split}.npz")
    return config, Execution(root / "data", root / "state" / "scale" / "variant")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_stop_file_of_run_variant_or_scale_stops_and_keeps_from_starting(
    tmp_path: Path, slurm: FakeSlurm, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, execution = prepared(tmp_path)
    folder = seed_folder(execution.state, config)
    monkeypatch.setattr("ired.job.attempt.LOOK_SECONDS", 0.01)
    stop = [folder, *folder.parents][level] / "STOP"

    class Slow(Stopper):
        def reason(self) -> str | None:
            stop.touch()
            time.sleep(0.2)
            return super().reason()

    with pytest.raises(Interrupted, match=r"STOP exists; step \d+ is saved"):
        train_and_publish([config], [tmp_path / "run"], execution, Slow())
    with pytest.raises(Interrupted, match="remove it to let this run go on"):
        train_and_publish([config], [tmp_path / "run"], execution, Stopper())
    stop.unlink()
    train_and_publish([config], [tmp_path / "run"], execution, Stopper())
    tried = json.loads((tmp_path / "run" / "provenance.json").read_text())["attempts"]
    assert len(tried) == 2 and "STOP exists" in tried[0]["end"] and tried[1]["end"] == "finished"
    assert [attempt["kernel"] for attempt in tried] == ["torch", "torch"]  # an mlp has no kernel of its own


@pytest.mark.parametrize("why", ["stop", "lock", "signal", "refused", "no job"])
def test_what_holds_a_run_puts_its_job_back_into_the_queue(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """It costs no attempt of Snakemake's. A signal is nobody's wish to go on later."""
    config, execution = prepared(tmp_path)
    folder = seed_folder(execution.state, config)
    slurm.state("RUNNING")
    slurm.says("scontrol", 'echo "$*" >> "$0.calls"' + ("; exit 1" if why == "refused" else ""))
    monkeypatch.setattr("ired.job.hold.END_SECONDS", 0)
    if why != "no job":
        monkeypatch.setenv("SLURM_JOB_ID", "7")
    if why == "lock":
        held(folder, job="41")
    else:
        folder.mkdir(parents=True)
        (folder / "STOP").touch()
    stopper = Stopper()
    stopper.signalled = why == "signal"
    with pytest.raises(Interrupted):
        train_and_publish([config], [tmp_path / "run"], execution, stopper)
    calls = slurm.folder / "scontrol.calls"
    found = calls.read_text().splitlines() if calls.exists() else []
    requeued = ["update JobId=7 Requeue=1", "requeue 7", "update JobId=7 StartTime=now+300"]
    assert found == {"signal": [], "no job": [], "refused": requeued[:1]}.get(why, requeued)


def test_a_killed_attempt_has_no_end_and_leaves_no_temporary_file(tmp_path: Path, slurm: FakeSlurm) -> None:
    config, execution = prepared(tmp_path)
    folder = seed_folder(execution.state, config)
    Events(folder).note("started", commit="abc")
    for stray in (folder / "checkpoints" / ".step1.99.tmp", tmp_path / "run" / ".metrics.json.99.tmp"):
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.touch()
    train_and_publish([config], [tmp_path / "run"], execution, Stopper())
    tried = json.loads((tmp_path / "run" / "provenance.json").read_text())["attempts"]
    assert [attempt["end"] for attempt in tried] == [None, "finished"]
    assert not list(tmp_path.rglob("*.tmp")) and not list(tmp_path.rglob("lock.json"))


def test_too_little_space_is_said_before_training(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, execution = prepared(tmp_path)
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("ired.job.attempt.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(PassingError, match="0 MiB are free, 3 checkpoints need 1 MiB"):
        train_and_publish([config], [tmp_path / "run"], execution, Stopper())


def test_the_deadline_comes_from_the_scheduler_less_a_margin(
    slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.says("squeue", "echo 0:40")
    assert stopper_for(None).reason() is None, "outside a job nobody is asked"
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    stopper = stopper_for(600)
    assert stopper.reason() is None
    stopper.checkpoint_took(9)
    assert stopper.reason() == "the job's time limit is 40 s away", (
        "five slow checkpoints do not fit any more"
    )
    slurm.says("squeue", "echo 0:00")
    assert stopper_for(600).reason() is not None
    slurm.says("squeue", "echo UNLIMITED")
    assert stopper_for(None).reason() is None


def test_without_an_answer_the_deadline_is_the_rules_own(
    slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slurm.state("down")
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    assert stopper_for(10).reason() is None
    assert "taking 480 s" in capsys.readouterr().err


def test_a_mistake_is_remembered_for_one_call_of_snakemake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def attempt(config: str = "{}", error: type[UserError] = UserError) -> str:
        try:
            with remembered([config], tmp_path):
                calls.append(config)
                raise error("the data are altered")
        except UserError as caught:
            return str(caught)

    attempt()
    attempt()
    assert len(calls) == 2 and not list(tmp_path.iterdir()), "by hand every call tries"
    monkeypatch.setenv(code_version.RUN_ID, "one")
    attempt(error=PassingError)
    assert not list(tmp_path.iterdir()), "what may pass is tried again"
    attempt()
    calls.clear()
    assert "the data are altered (so it was in job" in attempt() and calls == []
    attempt(config='{"seed": 1}')
    monkeypatch.setenv(code_version.RUN_ID, "two")
    attempt()
    monkeypatch.setenv(code_version.EXPECT_SHA, "another")
    attempt()
    assert len(calls) == 3, "a new configuration, call or commit starts afresh"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (code_version.EXPECT_SHA, code_version.EXPECT_CONFIG, code_version.RUN_ID):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    root = tmp_path / "checkout"
    (root / "src").mkdir(parents=True)
    (root / "src" / "code.py").write_text("a = 1\n")
    monkeypatch.chdir(root)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    return root


def git(*words: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words], check=True)


def test_code_that_changed_is_refused_in_a_job_and_nowhere_else(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_version.plan({"scale": "tiny"})
    planned = os.environ[code_version.EXPECT_SHA]
    (checkout / "README.md").write_text("words\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "documentation")
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    code_version.refuse_drift()
    (checkout / "src" / "code.py").write_text("a = 2\n")
    with pytest.raises(UserError, match=rf"submitted from {planned} but finds \w+\+\w+; check"):
        code_version.refuse_drift()
    git("commit", "--quiet", "-a", "-m", "second")
    with pytest.raises(
        UserError, match=rf"submitted from {planned} but finds {code_version.code_identity()};"
    ):
        code_version.refuse_drift()
    monkeypatch.delenv("SLURM_JOB_ID")
    code_version.refuse_drift()


def test_uncommitted_code_may_be_planned(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / "src" / "code.py").write_text("a = 3\n")
    code_version.plan({})
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    code_version.refuse_drift()
    git("checkout", "--quiet", "src/code.py")
    with pytest.raises(UserError, match="submitted from"):
        code_version.refuse_drift()


def test_a_configuration_that_changed_is_refused(checkout: Path) -> None:
    code_version.plan({"scale": "tiny"})
    code_version.plan({"scale": "tiny"})
    with pytest.raises(UserError, match=r"config\.yaml changed"):
        code_version.plan({"scale": "paper"})


def test_events_survive_a_torn_line_and_a_full_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = Events(tmp_path)
    events.note("started")
    with events.path.open("a") as handle:
        handle.write('{"time": "2')
    assert len(events.read()) == 1 and attempts(events.read())[0]["end"] is None
    (tmp_path / "file").touch()
    Events(tmp_path / "file").note("started")
    assert "cannot note 'started'" in capsys.readouterr().err


def test_job_states_and_the_queue(slurm: FakeSlurm) -> None:
    slurm.state("down")
    assert job_state("4") is None and queue("ired") is None
    slurm.state("unknown")
    assert job_state("4") == "GONE"
    here = os.getcwd()
    rows = [
        f"7|PENDING|QOSMaxGRESPerUser||ired_x|{here}|rule_train",
        "8|RUNNING|None|n1|b|/|c",
        "10|CANCELLED|None|n1|ired_x|/another/checkout|c|d",
        f"9|TIMEOUT|None|n1|ired_x|{here}|c",
    ]
    slurm.says("squeue", f"printf '%s\\n' {' '.join(repr(row) for row in rows)}")
    jobs = queue("ired")
    assert jobs is not None and [(j.job, j.reason, j.live, j.here, j.comment) for j in jobs] == [
        ("7", "QOSMaxGRESPerUser", True, True, "rule_train"),
        ("9", "None", False, True, "c"),
        ("10", "None", False, False, "c|d"),
    ]


def test_a_run_meant_for_an_accelerator_does_not_train_without(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile says in the environment what the site means; other random numbers must not come in unasked."""
    config, execution = prepared(tmp_path)
    monkeypatch.setenv("IRED_TRAIN_DEVICE", "cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    words = ["--config", config.to_json(), "--data", str(execution.data), "--state", str(execution.state)]
    done = CliRunner().invoke(app, ["train", *words, "--run-dir", str(tmp_path / "run")])
    assert isinstance(done.exception, PassingError) and "torch sees none" in str(done.exception)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
@pytest.mark.parametrize(("config", "code"), [(tiny_config().to_json(), 0), ('{"seeds": 0}', 78)])
def test_a_full_log_costs_words_and_no_run(tmp_path: Path, config: str, code: int) -> None:
    tiny = tiny_config()
    for split in SPLITS:
        write_split(split, build_task(tiny.problem), tiny.held_out, tmp_path / f"{split}.npz")
    folders = ["--data", str(tmp_path), "--state", f"{tmp_path}/state", "--run-dir", f"{tmp_path}/run"]
    words = [sys.executable, "-m", "ired", "train", "--config", config, *folders, "--device", "cpu"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, stdout=full, stderr=full, check=False)
    assert done.returncode == code
    if code == 0:
        noted = Events(seed_folder(tmp_path / "state", tiny)).read()
        assert "the log cannot be written: No space left on device" in [event.get("why") for event in noted]
        assert (tmp_path / "run" / "metrics.json").exists()
