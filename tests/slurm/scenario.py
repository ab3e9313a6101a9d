"""What the cases share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from project import Project

Finished = Callable[..., None]
# Seconds a step: training takes 40 s and more, of which a test waits for the first few.
SLOW = 0.1
COMMANDS = ("sbatch", "squeue", "scontrol", "sinfo", "sacct", "sacctmgr", "scancel", "srun")


class Begins(str):
    """Equal to any text that begins with this one."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.startswith(str(self))

    __hash__ = str.__hash__


def resumed_at(project: Project, seed: int) -> int:
    """The step at which the last attempt began; 0 where it began anew."""
    steps = [event["step"] for event in project.events(seed) if event["event"] == "resumed"]
    return steps[-1] if steps else 0


def trainings(project: Project, seed: int) -> int:
    """How often training began."""
    return sum(event["event"] == "started" for event in project.events(seed))


def fake(project: Project, command: str, script: str) -> Path:
    """Put a command before SLURM's own one: `script`, and then the real one. Returns its log."""
    folder, log, real = project.root / "fake", project.root / f"{command}.calls", shutil.which(command)
    folder.mkdir(exist_ok=True)
    path = folder / command
    path.write_text(f'#!/bin/sh\nlog={log}\n{script}\nexec {real} "$@"\n')
    path.chmod(0o755)
    project.environment["PATH"] = f"{folder}:{project.environment['PATH']}"
    return log
