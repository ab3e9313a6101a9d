"""The rest of the fault table, what a site brings: modules, disks, other controllers, `doctor`, `status`."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from project import Project, contents
from rig import Rig, wait_for
from scenario import SLOW, Finished, trainings

pytestmark = pytest.mark.slurm_full


MODULE = "#%Module1.0\nsetenv IRED_TEST_MODULE loaded\n"


def test_t13a_modules_of_the_site_file(rig: Rig, project: Project, finished: Finished) -> None:
    init = Path("/etc/profile.d/modules.sh")
    if not init.exists():
        pytest.skip("no `module` command: apt-get install environment-modules")
    folder = project.root / "modulefiles"
    (folder / "accelerator").mkdir(parents=True)
    (folder / "accelerator" / "1.0").write_text(MODULE)
    project.site(f"modules: [accelerator/1.0]\nmodules_init: {init}\n")
    project.append(
        "src/ired/training/engine.py", '\nimport os\nassert os.environ["IRED_TEST_MODULE"] == "loaded"\n'
    )
    good = project.run(*project.metrics(0), MODULEPATH=str(folder))
    assert good.code == 0 and (project.run_dir(0) / "metrics.json").exists()
    project.site(f"modules: [accelerator/9.9]\nmodules_init: {init}\n")
    started = time.monotonic()
    bad = project.run(*project.metrics(1), "--retries", "0", MODULEPATH=str(folder))
    assert bad.code == 1 and time.monotonic() - started < 120 and trainings(project, 1) == 0
    logs = "".join(p.read_text() for p in (project.root / "results/.state/slurm_logs").rglob("*.log"))
    assert "accelerator/9.9" in logs, "the module's own words"
    finished(good, 0)


def test_t13b_no_environment_on_the_node(rig: Rig, project: Project) -> None:
    started = time.monotonic()
    project.site("precommand: export PATH=/nowhere\n")
    controller = project.run(*project.metrics(0), "--retries", "0")
    assert controller.code == 1 and time.monotonic() - started < 120
    logs = "".join(p.read_text() for p in (project.root / "results/.state/slurm_logs").rglob("*.log"))
    assert "not found" in logs or "No such file" in logs, logs[-2000:]


@pytest.fixture
def tmpfs(project: Project):  # type: ignore[no-untyped-def]
    """Mount a small or read-only file system at a folder of the project."""
    mounted = []

    def mount(folder: Path, options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("this machine mounts nothing")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def test_t14a_a_full_log_folder(rig: Rig, project: Project, finished: Finished, tmpfs) -> None:  # type: ignore[no-untyped-def]
    logs = project.root / "results/tiny/logs"
    tmpfs(logs, "size=64k")
    (logs / "train/none").mkdir(parents=True)
    with contextlib.suppress(OSError):
        (logs / "filler").write_bytes(b"x" * 65536)
    controller = project.run(*project.metrics(0), "--retries", "0")
    assert controller.code == 0, "words are lost, not a run"
    finished(controller, 0)
    assert project.log(0) == ""
    assert "the log cannot be written: No space left on device" in [e.get("why") for e in project.events(0)]


@pytest.mark.parametrize("options", ["size=12k", "ro"])
def test_t14b_a_full_or_read_only_run_folder(
    rig: Rig, project: Project, finished: Finished, tmpfs, options: str
) -> None:  # type: ignore[no-untyped-def]
    folder = project.root / "results/tiny/runs/none/seed0"
    tmpfs(folder, options)
    controller = project.run(*project.metrics(0, 1), "--retries", "0")
    assert controller.code == 1
    finished(controller, 1)
    log = project.log(0) if options != "ro" else ""  # there, Snakemake itself ends before the training
    logs = "".join(p.read_text() for p in (project.root / "results/.state/slurm_logs").rglob("*.log"))
    assert ("Read-only file system" if options == "ro" else "No space left on device") in log + logs
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    shutil.rmtree(folder, ignore_errors=True)
    before = trainings(project, 0)
    again = project.run(*project.metrics(0))
    finished(again, 0)
    assert again.code == 0 and trainings(project, 0) <= max(before, 1), "what was finished is republished"


def test_t16a_a_second_controller_in_the_same_folder(rig: Rig, project: Project, finished: Finished) -> None:
    project.pace(SLOW)
    first = project.start(*project.metrics(0))
    project.wait_trained(0)
    second = project.run(*project.metrics(0))
    assert second.code == 1 and "lock" in second.said.lower() and second.submitted == []
    project.pace(0)
    assert first.wait() == 0
    finished(first, 0)


def test_t16b_the_same_results_from_another_checkout(
    rig: Rig, project: Project, finished: Finished, tmp_path: Path
) -> None:
    project.pace(5 * SLOW)
    first = project.start(*project.metrics(0))
    project.wait_trained(0)
    job = rig.jobs()[0]["id"]
    other = Project(tmp_path / "other")
    ignore = shutil.ignore_patterns("results", ".snakemake", "controller-*")
    shutil.copytree(project.root, other.root, ignore=ignore)
    (other.root / "results").symlink_to(project.root / "results")
    second = other.start(*other.metrics(0), "--retries", "0")
    wait_for(
        lambda: any(rig.waits(found) for found in second.submitted), 180, "the second's return to the queue"
    )
    assert f"is being trained by job {job}" in project.log(0)
    project.pace(0)
    assert first.wait() == 0
    rig.release(*second.submitted)
    assert second.wait() == 0
    finished(first, 0)
    assert trainings(project, 0) == 1


def test_doctor_and_its_probe_on_the_cluster(rig: Rig, project: Project) -> None:
    good = project.ired("doctor", "--submit", "--json")
    checks = json.loads(good.stdout)
    assert good.returncode == 0, [c for c in checks if c["level"] == "FAIL"]
    facts = "\n".join(c["fact"] for c in checks)
    assert "stopped by SIGTERM with a checkpoint and resumed" in facts and "sees no accelerator" in facts

    project.site("gpu_partition: short\n")
    bad = project.ired("doctor")
    assert bad.returncode == 1
    assert (
        "FAIL partition: train: short allows 1:00, the last attempt asks 480 min -> set `max_minutes: 1`"
        in bad.stdout
    )


def test_status_while_jobs_wait_and_run(rig: Rig, project: Project, finished: Finished) -> None:
    rig.ask("scontrol", "update", "PartitionName=gpu", "State=DOWN")
    try:
        controller = project.start(*project.metrics(0, 1))
        wait_for(rig.jobs, 60, "a job in the queue")
        said = project.ired("status").stdout
        controller.send(signal.SIGINT)
        controller.wait(120)
        wait_for(lambda: not rig.jobs(), 60, "jobs to end")
    finally:
        rig.ask("scontrol", "update", "PartitionName=gpu", "State=UP")
    assert re.search(r"pending +none/seed\d +job \d+: ", said), said
    project.pace(5 * SLOW)
    running = project.start(*project.metrics(0))
    project.wait_trained(0)
    said = project.ired("status").stdout
    project.pace(0)
    assert re.search(r"running +none/seed0 +job \d+ on", said), said
    assert running.wait() == 0
    finished(running, 0)
    assert "done" in project.ired("status").stdout


def test_no_more_accelerators_than_the_limit_however_they_are_asked_for(
    rig: Rig, project: Project, finished: Finished
) -> None:
    project.site("gres: gpu:1\nmax_gpus: 1\n")
    project.pace(SLOW)
    controller = project.start(*project.metrics(0, 1))
    wait_for(lambda: any(project.trained(seed) for seed in (0, 1)), 180, "a checkpoint")
    assert len(controller.submitted) == 1
    project.pace(0)
    assert controller.wait() == 0
    finished(controller, 0, 1)
    shown = rig.ask("scontrol", "show", "job", controller.submitted[0])
    assert "gres:gpu:1" in shown or "gres/gpu:1" in shown, shown


def test_the_controller_inside_a_job_and_several_diagnoses_in_one(
    rig: Rig, project: Project, finished: Finished
) -> None:
    project.site("diagnoses_per_job: 2\nsbatch_options: [--nice=5]\n")
    files = [str(Path(path).with_name("error_sizes.csv")) for path in project.metrics(0, 1)]
    script = project.root / "controller.sh"
    script.write_text(f"#!/bin/sh\nexec {shlex.join(project.command(*files))}\n")
    environment = project.environment
    said = subprocess.run(
        ["sbatch", "--parsable", "--wait", "--output=controller-inside.log", str(script)],
        cwd=project.root, env=environment, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    log = (project.root / "controller-inside.log").read_text()
    assert said.returncode == 0, log[-4000:]
    assert all((project.root / path).exists() for path in files)
    ids = [
        line.split("SLURM jobid ")[1].split()[0] for line in log.splitlines() if "with SLURM jobid " in line
    ]
    assert len(ids) == 3, "two trainings, and one job for both diagnoses"
    shown = [rig.ask("scontrol", "show", "job", job) for job in ids]
    assert sum("TimeLimit=00:20:00" in text for text in shown) == 1, "their times are added up"
    assert all("Nice=5" in text for text in shown)
    assert contents(project.run_dir(0)) and project.ends(0) == ["finished"]
