"""`status` with a scheduler that says what the test wants; classes of failure."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml
from fake_slurm import FakeSlurm, held

from ired.cluster.failure_kinds import classify
from ired.cluster.status import Layout, RunStatus, as_lines, statuses
from ired.job.events import Events
from ired.job.train import pack_folder, seed_folder
from ired.record.publish import RESULT_FILES
from ired.study.resolve import ResolvedStudy


@pytest.fixture
def layout(repository: Path, tmp_path: Path) -> Layout:
    values = yaml.safe_load((repository / "config.yaml").read_text())
    values["scales"]["smoke"] |= {"seeds": list(range(8)), "experiments": ["strategies"]}
    study = ResolvedStudy(values | {"seeds_per_job": 1})
    return Layout(tmp_path / "results", study, "smoke", "profiles/slurm")


def seeds(layout: Layout) -> dict[int, RunStatus]:
    """The runs of the variant `none`."""
    found = [status for status in statuses(layout) if status.run.startswith("none/")]
    return {int(status.run.removeprefix("none/seed")): status for status in found}


def test_every_kind_of_run(layout: Layout, slurm: FakeSlurm) -> None:
    def folder(seed: int) -> Path:
        config = layout.study.run_config("smoke", "none", seed)
        path = seed_folder(layout.state("none"), config)
        path.mkdir(parents=True)
        return path

    def published(seed: int, mark: str) -> None:
        layout.metrics("none", seed).parent.mkdir(parents=True)
        for name in RESULT_FILES:
            layout.metrics("none", seed).with_name(name).touch()
        layout.metrics("none", seed).write_text(json.dumps({"fingerprint": mark, "status": "finished"}))

    published(0, layout.study.run_config("smoke", "none", 0).fingerprint())
    published(1, "another")
    lock = {"token": "t", "host": "n1", "pid": 1, "job": "12", "heartbeat": time.time() - 30, "step": 70}
    (folder(2) / "lock.json").write_text(json.dumps(lock))
    (folder(3) / "lock.json").write_text(json.dumps(lock | {"job": "13"}))
    broken = Events(folder(4))
    broken.note("started")
    broken.note("ended", why="the job's time limit is 60 s away; step 5 is saved in x", step=5)
    (folder(5) / "STOP").touch()
    rows = [f"{n}|{s}|{r}||ired_x|{os.getcwd()}|rule_train_wildcards_smoke_none_{k}" for n, s, r, k in (
        (12, "RUNNING", "None", 2), (13, "NODE_FAIL", "None", 3), (16, "PENDING", "QOSMaxGRESPerUser", 6),
    )]  # fmt: skip
    text = "\\n".join(rows)
    slurm.says(
        "squeue", f'case "$*" in *--me*) printf "{text}\\n";; *13*) echo NODE_FAIL;; *) echo RUNNING;; esac'
    )

    found = seeds(layout)
    kinds = {seed: status.kind for seed, status in found.items()}
    assert kinds == {
        0: "done", 1: "outdated", 2: "running", 3: "lost", 4: "failed", 5: "failed", 6: "pending",
        7: "not started",
    }  # fmt: skip
    assert "job 12 on n1, step 70, SLURM says RUNNING, heartbeat 30 s ago" in found[2].detail
    assert "job 13 on n1" in found[3].detail and "ended without a word" in found[3].detail
    assert found[4].detail.startswith("timeout: ") and found[5].detail.startswith("stopped: ")
    assert found[6].detail == "job 16: QOSMaxGRESPerUser"
    assert found[3].rerun == f"snakemake --profile profiles/slurm {layout.metrics('none', 3)}"
    lines = list(as_lines(statuses(layout)))
    assert lines[0].startswith("1 lost, 2 failed, 1 running, 1 pending, 1 outdated")
    assert any(line.strip() == f"again  {found[3].rerun}" for line in lines)


def jobs_are(slurm: FakeSlurm, *rows: tuple[int, str, int], folder: str = "$PWD") -> None:
    """squeue lists (job, state, seed), sorted by the name of the state as it does; asked by id it says the state."""
    lines = [f"{n}|{s}|None|n1|ired_x|{folder}|rule_train_wildcards_smoke_none_{seed}" for n, s, seed in rows]
    listing = " ".join(f'"{line}"' for line in sorted(lines, key=lambda line: line.split("|")[1]))
    states = "".join(f"*{n}*) echo {s};; " for n, s, _ in rows)
    slurm.says("squeue", f'case "$*" in *--me*) printf "%s\\n" {listing};; {states} esac')


def state_of(layout: Layout, seed: int) -> Path:
    """The run's state folder, made."""
    folder = seed_folder(layout.state("none"), layout.study.run_config("smoke", "none", seed))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_retry_that_starts_is_no_lost_run(layout: Layout, slurm: FakeSlurm) -> None:
    """The stale lock is of the attempt before until the retry has loaded torch."""
    for seed in range(3):
        held(state_of(layout, seed), job=str(10 + seed), host="n1", step=70)
    jobs_are(
        slurm,
        *(
            (10, "NODE_FAIL", 0),
            (20, "RUNNING", 0),
            (11, "TIMEOUT", 1),
            (21, "PENDING", 1),
            (12, "FAILED", 2),
        ),
    )
    found = seeds(layout)
    assert (found[0].kind, found[0].detail) == ("running", "job 20 on n1: RUNNING, starting")
    assert (found[1].kind, found[2].kind) == ("pending", "lost")


def test_the_newest_job_decides_and_another_checkout_says_nothing(layout: Layout, slurm: FakeSlurm) -> None:
    jobs_are(slurm, (9, "TIMEOUT", 0), (10, "PENDING", 0), (7, "NODE_FAIL", 1), (8, "CANCELLED", 1))
    found = seeds(layout)
    assert found[0].kind == "pending" and found[1].detail.startswith("cancelled: ")
    jobs_are(slurm, (9, "RUNNING", 0), folder="/another/checkout")
    assert seeds(layout)[0].kind == "not started"


def test_a_job_that_waits_for_a_stop_file_says_so(layout: Layout, slurm: FakeSlurm) -> None:
    (state_of(layout, 0) / "STOP").touch()
    jobs_are(slurm, (9, "PENDING", 0))
    found = seeds(layout)[0]
    assert found.kind == "pending" and found.detail.endswith("/STOP exists; remove it to let the run go on")


def test_no_age_is_invented_for_a_lock_that_is_being_written(layout: Layout, slurm: FakeSlurm) -> None:
    slurm.state("down")
    lock = state_of(layout, 0) / "lock.json"
    lock.touch()
    os.utime(lock, (time.time() - 20, time.time() - 20))
    found = seeds(layout)[0]
    assert (found.kind, found.detail) == (
        "running",
        "somebody whose lock is being written, step ?, made 20 s ago",
    )
    os.utime(lock, (time.time() - 100, time.time() - 100))
    assert seeds(layout)[0].kind == "lost"


def test_a_preempted_run_says_so_and_not_the_signal_alone(layout: Layout, slurm: FakeSlurm) -> None:
    events = Events(state_of(layout, 0))
    events.note("started")
    events.note("ended", why="received SIGTERM; step 20 is saved in x", step=20)
    jobs_are(slurm, (9, "PREEMPTED", 0))
    assert (
        seeds(layout)[0].detail == "preempted: job 9 was PREEMPTED; received SIGTERM; step 20 is saved in x"
    )


@pytest.mark.parametrize("name", ["history.csv", "metrics.json"])
def test_a_deleted_file_of_a_run_comes_with_the_command_that_gives_it_back(
    layout: Layout, slurm: FakeSlurm, name: str
) -> None:
    slurm.state("down")
    mark = json.dumps(
        {"fingerprint": layout.study.run_config("smoke", "none", 0).fingerprint(), "status": "finished"}
    )
    metrics, result = layout.metrics("none", 0), state_of(layout, 0) / "result"
    for folder in (metrics.parent, result):
        folder.mkdir(parents=True)
        for each in RESULT_FILES:
            (folder / each).write_text(mark)
    assert seeds(layout)[0].kind == "done"
    metrics.with_name(name).unlink()
    (told,) = (lines := list(as_lines([seeds(layout)[0]])))[2:]
    assert lines[0] == "1 unpublished"
    assert told.strip() == f"again  snakemake --profile profiles/slurm {metrics.with_name(name)}"


def test_without_a_scheduler_the_files_speak(layout: Layout, slurm: FakeSlurm) -> None:
    slurm.state("down")
    log = layout.log("none", 0)
    log.parent.mkdir(parents=True)
    log.write_text("error: --config: unknown key 'x'\n")
    status = seeds(layout)[0]
    assert (status.kind, status.log) == ("failed", str(log)) and status.detail.startswith("config: ")


def test_a_refusal_after_the_last_event_is_the_cause(layout: Layout, slurm: FakeSlurm) -> None:
    """An attempt that is refused before it begins notes no event, and its log is newer."""
    slurm.state("down")
    folder = seed_folder(layout.state("none"), layout.study.run_config("smoke", "none", 0))
    events, log = Events(folder), layout.log("none", 0)
    events.note("started")
    events.note("ended", why="the job's time limit is 60 s away; step 5 is saved in x", step=5)
    log.parent.mkdir(parents=True)
    log.write_text("error: this job was submitted from aaaa but finds bbbb; check that commit out again\n")
    os.utime(log, (time.time() - 60, time.time() - 60))
    assert seeds(layout)[0].detail.startswith("timeout: ")
    os.utime(log, (time.time() + 60, time.time() + 60))
    assert seeds(layout)[0].detail.startswith("checkout: ")


def test_packed_seeds_share_a_job_a_log_and_events(
    repository: Path, tmp_path: Path, slurm: FakeSlurm
) -> None:
    values = yaml.safe_load((repository / "config.yaml").read_text())
    values["scales"]["smoke"] |= {"seeds": list(range(6)), "experiments": ["strategies"]}
    study = ResolvedStudy(values | {"seeds_per_job": 2})
    layout = Layout(tmp_path / "results", study, "smoke", "profiles/slurm", 2)
    slurm.says(
        "squeue", 'printf "%s\\n" "16|PENDING|Priority||ired_x|$PWD|rule_train_wildcards_smoke_none_4_5"'
    )
    configs = [study.run_config("smoke", "none", seed) for seed in range(4)]
    state = layout.state("none")
    for config in configs[:2]:  # trained, and not published yet
        result = seed_folder(state, config) / "result"
        result.mkdir(parents=True)
        (result / "metrics.json").write_text(json.dumps({"fingerprint": config.fingerprint()}))
    done = Events(pack_folder(state, configs[:2]))
    done.note("started")
    done.note("ended", why="finished", step=60)
    cut = Events(pack_folder(state, configs[2:]))
    cut.note("started")
    cut.note("ended", why="No space left on device", step=9)
    found = seeds(layout)
    assert {seed: status.kind for seed, status in found.items()} == {
        0: "unpublished", 1: "unpublished", 2: "failed", 3: "failed", 4: "pending", 5: "pending",
    }  # fmt: skip
    assert found[0].detail == "trained, and still to be published" and found[3].detail.startswith("disk: ")
    again = f"snakemake --profile profiles/slurm {layout.metrics('none', 3)} --config seeds_per_job=2"
    assert found[3].rerun == again
    published = f"snakemake --profile profiles/slurm {layout.metrics('none', 1)} --config seeds_per_job=2"
    assert published in "".join(as_lines(list(found.values()))), "told what, and how"


def test_the_schedulers_word_counts_where_the_run_said_nothing(layout: Layout, slurm: FakeSlurm) -> None:
    slurm.state("down")
    for seed, said in enumerate(("oom-kill event(s) in StepId=7.0", "CANCELLED AT 2026 DUE TO TIME LIMIT")):
        folder = layout.results / ".state/slurm_logs/rule_train" / layout.job("none", seed)
        folder.mkdir(parents=True)
        (folder / "7.log").write_text(f"Building DAG of jobs...\nslurmstepd: error: {said} ***\n")
    found = seeds(layout)
    assert found[0].detail.startswith("oom: ") and found[1].detail.startswith("timeout: ")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=3.0", "oom"),
        ("slurmstepd: error: JOB 3 ON n1 CANCELLED AT 2026 DUE TO NODE FAILURE", "node"),
        ("slurmstepd: error: *** JOB 6 ON n1 CANCELLED AT 2026 DUE TO PREEMPTION ***", "preempted"),
        ("error: cannot write results/x: No space left on device; free space or mend permissions", "disk"),
        ("interrupted: received SIGTERM; step 4 is saved in x", "cancelled"),
        ("error: this job was submitted from a but finds b; check that commit out again", "checkout"),
        ("interrupted: seed0 is being trained by job 4 on n1: SLURM says RUNNING", "second writer"),
        ("error: --config: 'seed' is missing", "config"),
        ("Traceback (most recent call last):\nValueError: x", "bug"),
        ("nothing of note", "unknown"),
    ],
)
def test_classes(text: str, kind: str) -> None:
    assert classify(text) == kind
