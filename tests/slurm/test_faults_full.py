"""The rest of the fault table: `make test-slurm-all`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest
from project import Project
from rig import Rig, wait_for
from scenario import SLOW, Begins, Finished, fake, resumed_at, trainings

pytestmark = pytest.mark.slurm_full


def test_t3a_a_requeue_is_refused_and_the_job_goes_on(rig: Rig, project: Project, finished: Finished) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0))
    project.wait_trained(0)
    job = rig.jobs()[0]["id"]
    said = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    assert said.returncode != 0, "no-requeue"
    project.pace(0)
    assert controller.wait() == 0
    finished(controller, 0)
    assert controller.submitted == [job] and project.ends(0) == ["finished"]


def test_t3b_on_a_preemptible_partition_the_same_job_resumes(
    rig: Rig, project: Project, finished: Finished
) -> None:
    project.site("preemptible: true\n")
    project.pace(SLOW)
    controller = project.start(*project.metrics(0))
    project.wait_trained(0)
    job = rig.jobs()[0]["id"]
    rig.ask("scontrol", "requeue", job)
    rig.wait_over(job)
    project.pace(0)
    assert controller.wait(420) == 0
    finished(controller, 0)
    assert controller.submitted == [job] and len(project.ends(0)) == 2 and resumed_at(project, 0) > 0
    log = next((project.root / "results/.state/slurm_logs").rglob(f"{job}.log")).read_text()
    assert log.count("Building DAG of jobs") >= 4, "appended, not truncated"


NO_LIMIT = 'case "$*" in *%L*) echo UNLIMITED; exit 0;; esac'


def test_t4b_a_job_that_knows_no_limit_saves_at_the_schedulers_signal(
    rig: Rig, project: Project, finished: Finished
) -> None:
    fake(project, "squeue", NO_LIMIT)
    project.site("train_minutes: 1\n")
    # The rule's own --max-minutes must not be what stops it.
    rule = project.root / "workflow/rules/train.smk"
    rule.write_text(re.sub(r'" \$\{\{SLURM_JOB_ID.*\n', '""\n', rule.read_text()))
    project.pace(5 * SLOW)
    controller = project.start(*project.metrics(0))
    project.wait_trained(0)
    rig.wait_over(rig.jobs()[0]["id"], 240)
    project.pace(0)
    controller.wait()
    finished(controller, 0)
    assert controller.code == 0 and Begins("received SIGTERM") in project.ends(0)


@pytest.mark.parametrize(
    ("flags", "command"),
    [(["--signal=TERM"], "exec "), (["--signal=TERM", "--full"], "exec "), (["--signal=TERM"], "")],
    ids=["steps", "full", "without exec"],
)
def test_t7a_sigterm_reaches_the_trainer(
    rig: Rig, project: Project, finished: Finished, flags: list[str], command: str
) -> None:
    rule = project.root / "workflow/rules/train.smk"
    assert '"exec {PY} -m ired train"' in rule.read_text()
    rule.write_text(rule.read_text().replace("exec {PY} -m ired train", command + "{PY} -m ired train"))
    project.pace(SLOW)
    controller = project.start(*project.metrics(0))
    project.wait_trained(0)
    job = rig.jobs()[0]["id"]
    rig.ask("scancel", *flags, job)
    rig.wait_over(job)
    project.pace(0)
    assert controller.wait() == 0
    finished(controller, 0)
    # With --full, srun itself is signalled and kills the step at once: the last periodic checkpoint counts.
    first = project.ends(0)[0]
    assert first == Begins("received SIGTERM") or (first is None and "--full" in flags)
    assert project.ends(0)[1:] == ["finished"] and resumed_at(project, 0) > 0


def test_t7b_a_killed_trainer_loses_no_more_than_the_steps_since_its_checkpoint(
    rig: Rig, project: Project, finished: Finished
) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0))
    project.wait_trained(0, step=50)
    job = rig.jobs()[0]["id"]
    os.kill(json.loads((project.state(0) / "lock.json").read_text())["pid"], signal.SIGKILL)
    rig.wait_over(job)
    project.pace(0)
    assert controller.wait() == 0
    finished(controller, 0)
    assert project.ends(0) == [None, "finished"] and resumed_at(project, 0) >= 50
    assert any(event["event"] == "lock taken over" for event in project.events(0))


# More than the first attempt may have and less than the second; all of it touched, and held while it trains.
HOG = """
HOG = b"x" * 1_100_000_000
"""


def test_t8_more_memory_at_the_second_attempt(rig: Rig, project: Project, finished: Finished) -> None:
    project.append("src/ired/training/engine.py", HOG)
    project.pace(SLOW)
    project.site("train_minutes: 10\ntrain_mem_mb: 1000\nmax_mem_mb: 2000\n")
    controller = project.start(*project.metrics(0), "--retries", "1")
    wait_for(lambda: controller.submitted, 60, "a job")
    job = controller.submitted[0]
    wait_for(lambda: job in [found["id"] for found in rig.jobs("F,OOM,CA")], 120, "out of memory")
    project.pace(0)
    assert controller.wait() == 0
    finished(controller, 0)
    assert len(controller.submitted) == 2
    assert trainings(project, 0) <= 2 and project.ends(0)[-1] == "finished"
    asked = [rig.ask("scontrol", "show", "job", job) for job in controller.submitted]
    assert "MinMemoryNode=1000M" in asked[0] and "MinMemoryNode=2000M" in asked[1]


def test_t8b_status_says_oom_where_memory_never_suffices(rig: Rig, project: Project) -> None:
    project.append("src/ired/training/engine.py", HOG)
    project.pace(SLOW)
    project.site("train_minutes: 10\ntrain_mem_mb: 1000\n")
    controller = project.run(*project.metrics(0), "--retries", "0")
    assert controller.code == 1
    report = {run["run"]: run for run in json.loads(project.ired("status", "--json").stdout)}
    assert report["none/seed0"]["kind"] in ("failed", "lost"), report["none/seed0"]
    assert "oom" in report["none/seed0"]["detail"], report["none/seed0"]


def test_t9_a_scheduler_that_is_away_for_ninety_seconds(
    rig: Rig, project: Project, finished: Finished
) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0, 1))
    project.wait_trained(0)
    rig.end("slurmctld")
    time.sleep(45)
    project.pace(0)  # the jobs end while nobody listens
    time.sleep(45)
    rig.launch("slurmctld", "slurmctld", "-D")
    assert controller.wait(400) == 0
    finished(controller, 0, 1)
    assert len(controller.submitted) == 2 and trainings(project, 0) == trainings(project, 1) == 1


def test_t10a_ctrl_c_cancels_with_checkpoints(rig: Rig, project: Project, finished: Finished) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0))
    project.wait_trained(0)
    controller.send(signal.SIGINT)
    assert controller.wait(120) != 0
    wait_for(lambda: not rig.jobs(), 60, "jobs to end")
    project.pace(0)
    assert not (project.state(0) / "lock.json").exists()
    again = project.run(*project.metrics(0))
    finished(again, 0)
    assert again.code == 0 and project.ends(0) == [Begins("received SIGTERM"), "finished"]


def test_t10b_sigterm_waits_for_what_runs(rig: Rig, project: Project, finished: Finished) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0, 1), "--jobs", "1")
    wait_for(rig.jobs, 60, "a job")
    controller.send(signal.SIGTERM)
    time.sleep(3)
    project.pace(0)
    controller.wait()
    done = [seed for seed in (0, 1) if (project.run_dir(seed) / "metrics.json").exists()]
    finished(controller, *done)
    assert len(controller.submitted) == 1 and len(done) == 1


def test_t10c_a_killed_controller_leaves_orphans_that_are_named_and_finish(
    rig: Rig, project: Project, finished: Finished
) -> None:
    project.pace(5 * SLOW)
    first = project.start(*project.metrics(0))
    project.wait_trained(0)
    job = rig.jobs()[0]["id"]
    first.kill()
    said = project.ired("doctor").stdout
    assert f"{job} RUNNING rule_train_wildcards_tiny_none_0" in said and "FAIL orphans" in said
    assert project.run("--unlock", *project.metrics(0)).code == 0
    second = project.start(*project.metrics(0), "--retries", "0")  # a forced duplicate
    wait_for(
        lambda: any(rig.waits(found) for found in second.submitted),
        180,
        "the duplicate's return to the queue",
    )
    assert f"is being trained by job {job}" in project.log(0), "never two writers"
    project.pace(0)
    rig.wait_over(job)
    rig.release(*second.submitted)
    assert second.wait() == 0, "and no attempt is used up"
    finished(second, 0)
    assert trainings(project, 0) == 1, "nothing is trained twice"


def test_t17_a_stop_file_costs_no_attempt(rig: Rig, project: Project, finished: Finished) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0), "--retries", "0")
    project.wait_trained(0)
    job = rig.jobs()[0]["id"]
    (project.state(0) / "STOP").touch()
    wait_for(lambda: rig.waits(job), 90, "the job's return to the queue")
    assert "STOP exists; remove it to let the run go on" in project.ired("status").stdout
    (project.state(0) / "STOP").unlink()
    project.pace(0)
    rig.release(job)
    assert controller.wait() == 0
    finished(controller, 0)
    assert controller.submitted == [job] and resumed_at(project, 0) > 0
    first, last = project.ends(0)
    assert "STOP exists" in (first or "") and last == "finished"


def test_t18_ctrl_c_while_the_scheduler_is_away(rig: Rig, project: Project, finished: Finished) -> None:
    project.pace(SLOW)
    controller = project.start(*project.metrics(0), IRED_SCANCEL_PAUSE="2")
    project.wait_trained(0)
    job = rig.jobs()[0]["id"]
    rig.end("slurmctld")
    controller.send(signal.SIGINT)
    assert controller.wait(200) != 0
    rig.launch("slurmctld", "slurmctld", "-D")
    assert "cancels the jobs when it does" in controller.said and f"scancel {job}" in controller.said
    wait_for(lambda: job in [found["id"] for found in rig.jobs("CA")], 120, "the job's end")
    project.pace(0)
    again = project.run(*project.metrics(0))
    finished(again, 0)
    assert again.code == 0 and project.ends(0) == [Begins("received SIGTERM"), "finished"]
