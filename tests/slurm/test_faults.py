"""What must be survived, on a real scheduler. The cases' numbers are those of docs/slurm.md."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from project import Project, contents
from rig import Rig, wait_for
from scenario import COMMANDS, SLOW, Begins, Finished, fake, resumed_at, trainings

pytestmark = pytest.mark.slurm


def test_t1_a_clean_run_its_repetition_one_seed_by_path_and_figures(
    rig: Rig, project: Project, finished: Finished, repository: Path
) -> None:
    first = project.run(*project.metrics(0, 1), "--config", "scale=tiny")
    finished(first, 0, 1)
    assert first.code == 0 and len(first.submitted) == 2
    assert project.ends(0) == ["finished"]

    again = project.run(*project.metrics(0, 1))
    assert again.code == 0 and again.submitted == []

    before = contents(project.run_dir(1))
    (project.run_dir(1) / "metrics.json").unlink()
    one = project.run(*project.metrics(1))
    finished(one, 0, 1)
    assert one.code == 0 and len(one.submitted) == 1 and contents(project.run_dir(1)) == before
    assert project.ends(1) == ["finished"], "republished, not trained again"

    shutil.copytree(repository / "results/shipped/laptop_mlp", project.root / "results/shipped/tiny")
    shutil.copytree(repository / "results/published", project.root / "results/published")
    logs = [fake(project, command, f'echo {command} "$@" >> $log') for command in COMMANDS]
    drawn = project.run("figures")
    assert drawn.code == 0 and drawn.submitted == []
    assert list((project.root / "results/shipped/tiny/figures/strategies").glob("*.png"))
    calls = {line for log in logs if log.exists() for line in log.read_text().splitlines()}
    assert calls <= {"scontrol show config"}, "all that the executor asks when it is loaded"
    assert trainings(project, 0) == trainings(project, 1) == 1


def test_t2_a_cancelled_job_resumes_in_its_retry(rig: Rig, project: Project, finished: Finished) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0, 1))
    project.wait_trained(0)
    job = project.events(0)[0]["job"]
    rig.ask("scancel", job)
    project.wait_ended(0)
    project.pace(0)
    assert controller.wait() == 0
    finished(controller, 0, 1)
    assert len(controller.submitted) == 3 and f"SLURM-job '{job}' failed" in controller.said
    assert project.ends(0) == [Begins("received SIGTERM"), "finished"] and project.ends(1) == ["finished"]
    assert resumed_at(project, 0) > 0


def test_t4_a_job_stops_before_its_time_limit_and_asks_for_more(
    rig: Rig, project: Project, finished: Finished
) -> None:
    project.pace(2 * SLOW)  # longer than the minute of the first attempt
    project.site("train_minutes: 1\n")
    controller = project.start(*project.metrics(0))
    project.wait_ended(0)
    project.pace(0)
    assert controller.wait() == 0
    finished(controller, 0)
    assert 2 <= len(controller.submitted) <= 3
    assert Begins("the job's time limit is") in project.ends(0) and project.ends(0)[-1] == "finished"
    assert resumed_at(project, 0) > 0


def test_t5_work_of_a_dead_node_moves_to_the_other(rig: Rig, project: Project, finished: Finished) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0))
    project.wait_trained(0)
    dead = rig.jobs()[0]["node"]
    rig.ask("scontrol", "update", f"NodeName={dead}", "State=DOWN", "Reason=test")
    try:
        wait_for(lambda: rig.jobs("NODE_FAIL"), 60, "the job's failure")
        project.pace(0)
        assert controller.wait() == 0
    finally:
        rig.ask("scontrol", "update", f"NodeName={dead}", "State=RESUME")
    finished(controller, 0)
    assert len(controller.submitted) == 2 and "NODE_FAIL" in controller.said
    nodes = {job["id"]: job["node"] for job in rig.jobs("COMPLETED,NODE_FAIL")}
    assert {nodes[job] for job in controller.submitted} == {"n1", "n2"} and nodes[
        controller.submitted[0]
    ] == dead
    assert len(project.ends(0)) == 2 and resumed_at(project, 0) > 0


def test_t5c_a_preempted_job_is_submitted_again(rig: Rig, project: Project, finished: Finished) -> None:
    """The executor leaves it to SLURM, which starts nothing again that it has cancelled."""
    project.pace(SLOW)
    controller = project.start(*project.metrics(0))
    project.wait_trained(0)
    job = rig.jobs()[0]["id"]
    rig.ask(
        "sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 5"
    )
    wait_for(lambda: job in [found["id"] for found in rig.jobs("PREEMPTED")], 90, "the preemption")
    project.pace(0)
    assert controller.wait(180) == 0
    finished(controller, 0)
    assert len(controller.submitted) == 2 and resumed_at(project, 0) > 0
    assert project.ends(0) == [Begins("received SIGTERM"), "finished"]


def test_t6_refused_submissions(rig: Rig, project: Project, finished: Finished) -> None:
    """Seed 0 meets a submission limit three times and waits; seed 1 is refused for good, at once."""
    calls = fake(project, "sbatch", SBATCH)
    controller = project.start(*project.metrics(0, 1), IRED_SBATCH_PAUSE="1")
    assert controller.wait() == 1
    finished(controller, 0)
    assert not (project.run_dir(1) / "metrics.json").exists()
    log = calls.read_text().splitlines()
    assert len([c for c in log if c.endswith("_0")]) == 4 and len([c for c in log if c.endswith("_1")]) == 3
    assert "invalid partition specified: nowhere" in controller.said, "sbatch's own words"
    assert len(controller.submitted) == 1 and project.ends(0) == ["finished"]
    shown = rig.ask("scontrol", "show", "job", controller.submitted[0])
    assert "MinMemoryNode=16000M" in shown, "no attempt was burnt: the memory is that of the first"


def test_t12_a_commit_while_jobs_queue(rig: Rig, versioned: Project, finished: Finished) -> None:
    project = versioned
    before = project.git("rev-parse", "HEAD")
    rig.ask("scontrol", "update", "PartitionName=gpu", "State=DOWN")
    controller = project.start(*project.metrics(0), "--retries", "1")
    try:
        wait_for(rig.jobs, 60, "a job in the queue")
        source = project.root / "src/ired/training/objective.py"
        source.write_text(source.read_text() + "\n# changed\n")
        project.git("commit", "--quiet", "-a", "-m", "second")
    finally:
        rig.ask("scontrol", "update", "PartitionName=gpu", "State=UP")
    assert controller.wait() == 1
    after = project.git("rev-parse", "HEAD")
    log = (project.root / "results/tiny/logs/train/none/seed0.log").read_text()
    assert f"submitted from {before} but finds {after}" in log and log.count("\n") == 1
    assert not project.events(0) and not project.run_dir(0).joinpath("metrics.json").exists()
    assert len(controller.submitted) == 2

    again = project.run(*project.metrics(0))
    finished(again, 0)
    assert again.code == 0


SBATCH = """
case "$*" in
    *_none_0*) echo "call _0" >> $log
        [ $(grep -c _0 $log) -gt 3 ] || { echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1; } ;;
    *_none_1*) echo "call _1" >> $log; set -- "$@" --partition=nowhere ;;
esac
"""
