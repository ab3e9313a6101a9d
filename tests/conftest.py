"""One CPU thread for every test process: numbers on a CPU depend on the thread count, and tests run side by
side."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def torch_as_it_starts() -> None:
    """One thread, and numbers below 1e-38 kept: a command that trained in this process has set both, and
    Hypothesis refuses to draw floats where such numbers are taken as zero."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def environment_as_it_was() -> Iterator[None]:
    """What a test puts into the environment, as the cluster's profile does, ends with it."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)
