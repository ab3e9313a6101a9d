"""What a soak does to a study: each fault strikes where it finds something to strike, and says what it did."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from project import Controller, Project
from rig import Rig

Fault = Callable[["Victim"], "str | None"]
PREEMPTING = "soak-preempts"  # a fault's own jobs


class Victim:
    """The study under test: its project, its cluster, and the controller of the moment."""

    def __init__(self, rig: Rig, project: Project, chance: random.Random) -> None:
        self.rig, self.project, self.chance = rig, project, chance
        self.controller: Controller | None = None

    def trainers(self) -> list[tuple[Path, dict[str, Any]]]:
        """State folders with a live trainer, and its lock."""
        found = []
        for path in sorted(self.project.root.glob("results/.state/tiny/*/seed*/lock.json")):
            with contextlib.suppress(OSError, ValueError):
                holder = json.loads(path.read_text())
                os.kill(holder["pid"], 0)
                found.append((path.parent, holder))
        return found

    def trainer(self) -> tuple[Path, dict[str, Any]] | None:
        """One of them, and one that has a checkpoint if there is any."""
        found = self.trainers()
        saved = [each for each in found if list(each[0].glob("checkpoints/*.json"))]
        return self.chance.choice(saved or found) if found else None

    def job(self) -> str | None:
        """The SLURM job of a live trainer."""
        found = self.trainer()
        return str(found[1]["job"]) if found else None


def cancelled(v: Victim) -> str | None:
    job = _scancel(v)
    return job and f"scancel {job}"


def _scancel(v: Victim, *flags: str) -> str | None:
    job = v.job()
    if job:
        v.rig.ask("scancel", *flags, job)
    return job


def cancelled_while_it_starts(v: Victim) -> str | None:
    training = {str(holder["job"]) for _, holder in v.trainers()}
    starting = [
        job["id"] for job in v.rig.jobs("R") if "rule_train" in job["comment"] and job["id"] not in training
    ]
    if not starting:
        return None
    v.rig.ask("scancel", starting[0])
    return f"scancel {starting[0]}, which was starting"


def killed_job(v: Victim) -> str | None:
    job = _scancel(v, "--signal=KILL")
    return job and f"scancel --signal=KILL {job}"


def terminated_whole_job(v: Victim) -> str | None:
    job = _scancel(v, "--signal=TERM", "--full")
    return job and f"scancel --signal=TERM --full {job}"


def killed_trainer(v: Victim) -> str | None:
    found = v.trainer()
    if found is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(found[1]["pid"], signal.SIGKILL)
    return f"SIGKILL to the trainer of {found[0].name}"


def torn_checkpoint(v: Victim) -> str | None:
    return _damaged(
        v, ".safetensors", lambda content: content[: len(content) // 2], "its newest checkpoint halved"
    )


def power_cut(v: Victim) -> str | None:
    return _damaged(v, ".json", lambda content: b"", "its newest manifest and its lock emptied")


def _damaged(v: Victim, ending: str, change: Callable[[bytes], bytes], words: str) -> str | None:
    found = v.trainer()
    if found is None:
        return None
    folder, holder = found
    with contextlib.suppress(ProcessLookupError):
        os.kill(holder["pid"], signal.SIGKILL)
    while Path(f"/proc/{holder['pid']}/exe").exists():
        time.sleep(0.01)
    for path in sorted(folder.glob(f"checkpoints/*{ending}"))[-1:]:
        path.write_bytes(change(path.read_bytes()))
    if ending == ".json" and (folder / "lock.json").exists():
        (folder / "lock.json").write_bytes(b"")
    return f"SIGKILL to the trainer of {folder.name}, {words}"


def frozen_trainer(v: Victim) -> str | None:
    found = v.trainer()
    if found is None:
        return None
    os.kill(found[1]["pid"], signal.SIGSTOP)
    time.sleep(10)
    with contextlib.suppress(ProcessLookupError):
        os.kill(found[1]["pid"], signal.SIGCONT)
    return f"the trainer of {found[0].name} frozen for 10 s"


def suspended_job(v: Victim) -> str | None:
    job = v.job()
    if job is None:
        return None
    v.rig.ask("scontrol", "suspend", job)
    time.sleep(10)
    v.rig.ask("scontrol", "resume", job)
    return f"job {job} suspended for 10 s"


def time_limit_cut(v: Victim) -> str | None:
    job = v.job()
    if job is None:
        return None
    v.rig.ask("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    return f"the time limit of job {job} cut to a minute"


def node_down(v: Victim) -> str | None:
    node = v.chance.choice(["n1", "n2"])
    v.rig.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=soak")
    time.sleep(v.chance.uniform(5, 15))
    v.rig.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
    return f"node {node} DOWN and back"


def node_daemon_killed(v: Victim) -> str | None:
    node = v.chance.choice(["n1", "n2"])
    v.rig.end(f"slurmd {node}", signal.SIGKILL)
    time.sleep(v.chance.uniform(5, 15))
    v.rig.start_node(node)
    return f"slurmd of {node} killed and back"


def scheduler_away(v: Victim) -> str | None:
    seconds = v.chance.uniform(15, 40)
    v.rig.end("slurmctld")
    time.sleep(seconds)
    v.rig.launch("slurmctld", "slurmctld", "-D")
    return f"slurmctld away for {seconds:.0f} s"


def preempted(v: Victim) -> str | None:
    if not v.trainers():
        return None
    words = (
        "--partition=urgent",
        f"--job-name={PREEMPTING}",
        "--nodes=2",
        "--exclusive",
        "--output=/dev/null",
        "--wrap=sleep 3",
    )
    v.rig.ask("sbatch", *words)
    return "both nodes preempted"


def full_disk(v: Victim) -> str | None:
    """The results lie on a file system of their own, where the machine lets a test mount one."""
    results = v.project.root / "results"
    if not results.is_mount():
        return None
    filler = results / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as handle:
        while True:
            handle.write(b"x" * 65536)
    time.sleep(8)
    filler.unlink()
    return "the disk full for 8 s"


def stop_file(v: Victim) -> str | None:
    found = v.trainer()
    if found is None:
        return None
    stop = found[0].parent / "STOP"
    stop.touch()
    time.sleep(15)
    stop.unlink()
    return f"a STOP file for {found[0].parent.name}, removed after 15 s"


def deleted_metrics(v: Victim) -> str | None:
    published = sorted(v.project.root.glob("results/tiny/runs/*/seed*/metrics.json"))
    if not published:
        return None
    path = v.chance.choice(published)
    when = "after" if path.with_name("error_sizes.csv").exists() else "before"
    path.unlink(missing_ok=True)
    return f"{path.parent.parent.name}/{path.parent.name}/metrics.json deleted {when} its diagnosis"


def controller_interrupted(v: Victim) -> str | None:
    return _signalled(v, signal.SIGINT, "Ctrl-C in the controller")


def controller_terminated(v: Victim) -> str | None:
    return _signalled(v, signal.SIGTERM, "SIGTERM to the controller")


def controller_killed(v: Victim) -> str | None:
    return _signalled(v, signal.SIGKILL, "SIGKILL to the controller")


def _signalled(v: Victim, number: int, words: str) -> str | None:
    if v.controller is None or v.controller.code is not None or not v.trainers():
        return None
    v.controller.send(number)
    return words


FAULTS: tuple[Fault, ...] = (
    *(
        cancelled,
        cancelled_while_it_starts,
        killed_job,
        terminated_whole_job,
        killed_trainer,
        torn_checkpoint,
    ),
    *(
        power_cut,
        frozen_trainer,
        suspended_job,
        time_limit_cut,
        node_down,
        node_daemon_killed,
        scheduler_away,
    ),
    *(preempted, full_disk, stop_file, deleted_metrics),
    *(controller_interrupted, controller_terminated, controller_killed),
)
