"""What several test files of this folder train on, and the scheduler they ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_slurm import FakeSlurm

from factories import tiny_config


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The held-out sets of `tiny_config`."""
    from ired.tasks import build_task
    from ired.tasks.held_out import SPLITS, write_split

    folder = tmp_path_factory.mktemp("data")
    config = tiny_config()
    for split in SPLITS:
        write_split(split, build_task(config.problem), config.held_out, folder / f"{split}.npz")
    return folder


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """Stand-ins for SLURM's commands, outside of any job."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return FakeSlurm(tmp_path / "bin", monkeypatch)


@pytest.fixture
def study_values(repository: Path) -> dict[str, Any]:
    """config.yaml as it is written."""
    values: dict[str, Any] = yaml.safe_load((repository / "config.yaml").read_text())
    return values


@pytest.fixture(scope="session")
def sections() -> dict[str, str]:
    """The README: heading -> text."""
    page = (Path(__file__).parents[2] / "README.md").read_text()
    return {part.split("\n")[0]: part for part in page.split("\n## ")}
