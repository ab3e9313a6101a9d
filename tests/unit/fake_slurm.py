"""Stand-ins for SLURM's commands: shell scripts first in PATH."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest


class FakeSlurm:
    """`says` gives a command a script; the others of SLURM are not found."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def says(self, command: str, script: str) -> None:
        path = self.folder / command
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def state(self, state: str) -> None:
        """What squeue says of every job."""
        if state == "unknown":
            self.says("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
        elif state == "down":
            self.says("squeue", "echo 'error: Unable to contact slurm controller' >&2; exit 1")
        else:
            self.says("squeue", f"echo {state}")


def held(folder: Path, **facts: object) -> None:
    """A lock of somebody else."""
    folder.mkdir(parents=True, exist_ok=True)
    holder = {"token": "other", "host": "node7", "pid": 1, "job": "41", "heartbeat": time.time(), "step": 3}
    (folder / "lock.json").write_text(json.dumps(holder | facts))
