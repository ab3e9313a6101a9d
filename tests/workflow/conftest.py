"""A copy of the project to run Snakemake in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_plan import Snakemake

PARTS = ("Snakefile", "workflow", "config.yaml", "profiles", "docs/workflow.svg", "results/published")


@pytest.fixture
def project(repository: Path, tmp_path: Path) -> Path:
    """The workflow without any result."""
    for part in PARTS:
        source, target = repository / part, tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    return tmp_path


@pytest.fixture
def snakemake(project: Path) -> Snakemake:
    """Run Snakemake in the copy; output on both streams together."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", "--cores", "2", *words]
        return subprocess.run(
            command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )

    return run
