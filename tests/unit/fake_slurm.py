"""Stand-ins for SLURM's commands: shell scripts first in PATH."""

from __future__ import annotations

import os
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
