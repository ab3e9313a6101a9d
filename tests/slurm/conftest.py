"""Fixtures: the cluster for the session, an uninterrupted reference, and a fresh project for every case."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from project import Controller, Project, contents, end_leftovers, strays
from rig import NoCluster, Rig, why_not


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    reason = why_not()
    if reason:
        pytest.skip(f"no SLURM: {reason}")
    cluster = Rig()
    try:
        try:
            cluster.start()
        except (NoCluster, OSError) as error:
            pytest.skip(f"SLURM does not start on this machine: {error}")
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def reference(repository: Path, rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Seeds 0 and 1 trained without a scheduler or an interruption."""
    project = Project.create(tmp_path_factory.mktemp("slurm") / "reference", repository)
    command = project.command(*project.metrics(0, 1), profile="local")
    done = subprocess.run(
        command, cwd=project.root, env=project.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return project


@pytest.fixture
def project(reference: Project, rig: Rig, tmp_path: Path) -> Iterator[Project]:
    """The reference project with its held-out sets, and no run."""
    root = tmp_path / "project"
    ignore = shutil.ignore_patterns("runs", ".state", "logs", "benchmarks", "__pycache__", "controller-*")
    shutil.copytree(reference.root, root, ignore=ignore)
    yield Project(root)
    rig.clear()
    end_leftovers(root)


@pytest.fixture
def versioned(project: Project) -> Project:
    """The project under version control, as a person has it."""
    (project.root / ".gitignore").write_text(
        "results/\n.snakemake/\n__pycache__/\ncontroller-*\n*.egg-info/\n"
    )
    project.git("init", "--quiet")
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "first")
    return project


@pytest.fixture
def finished(reference: Project, project: Project) -> Callable[..., None]:
    """Assert what every case asserts of runs that are done."""

    def check(controller: Controller, *seeds: int) -> None:
        for seed in seeds:
            assert (project.run_dir(seed) / "metrics.json").exists(), controller.said[-4000:]
            assert contents(project.run_dir(seed)) == contents(reference.run_dir(seed)), (
                f"seed {seed} differs"
            )
        assert strays(project.root) == []

    return check


@pytest.fixture(autouse=True)
def timed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print each case's time, for the table in docs/slurm.md."""
    started = time.monotonic()
    yield
    print(f"\n{request.node.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
