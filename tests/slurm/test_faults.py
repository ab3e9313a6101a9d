"""What must be survived, on a real scheduler. The cases' numbers are those of docs/slurm.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from project import Project, contents
from rig import Rig

pytestmark = pytest.mark.slurm
Finished = Callable[..., None]


def test_t1_a_clean_run_its_repetition_and_one_seed_by_path(
    rig: Rig, project: Project, finished: Finished
) -> None:
    first = project.run(*project.metrics(0, 1))
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


def test_t2_a_cancelled_job_resumes_in_its_retry(rig: Rig, project: Project, finished: Finished) -> None:
    controller = project.start(*project.metrics(0, 1))
    project.wait_trained(0)
    job = project.events(0)[0]["job"]
    rig.ask("scancel", job)
    assert controller.wait() == 0
    finished(controller, 0, 1)
    assert len(controller.submitted) == 3 and f"SLURM-job '{job}' failed" in controller.said
    assert project.ends(0) == [stopped("received SIGTERM"), "finished"] and project.ends(1) == ["finished"]
    assert resumed_at(project, 0) > 0


class stopped(str):
    """Equal to any text that begins with this one."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.startswith(str(self))

    __hash__ = str.__hash__


def resumed_at(project: Project, seed: int) -> int:
    """The step at which the last attempt began; 0 where it began anew."""
    steps = [event["step"] for event in project.events(seed) if event["event"] == "resumed"]
    return steps[-1] if steps else 0
