"""Mistakes that no retry can mend are remembered, so that the scheduler's next attempts fail at once.

FATAL-{key}.json lies in the state folder; the key is made of the configurations, the commit and the run of
Snakemake, so a new configuration, a new commit or a new call of Snakemake starts afresh. This module imports
no torch: on a loaded file system that import alone can take a minute.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ired.base.errors import PassingError, UserError
from ired.base.files import read_json, write_json
from ired.job.code_version import EXPECT_SHA, RUN_ID
from ired.job.events import now
from ired.job.slurm import job_id


@contextmanager
def remembered(configs: Sequence[str], state: Path) -> Iterator[None]:
    """Run the block; remember its `UserError`, or repeat one that is remembered.

    A `PassingError` is never remembered.
    """
    run = os.environ.get(RUN_ID)
    if run is None:
        yield
        return
    commit = os.environ.get(EXPECT_SHA, "")
    key = hashlib.sha256("\n".join([*configs, commit, run]).encode()).hexdigest()[:16]
    path = state / f"FATAL-{key}.json"
    if path.exists():
        before = read_json(path)
        raise UserError(f"{before['error']} (so it was in job {before['job']}; not tried again)")
    try:
        yield
    except UserError as error:
        if not isinstance(error, PassingError):
            facts = {"error": str(error), "job": job_id(), "time": now(), "seeds": _seeds(configs)}
            with suppress(UserError):
                write_json(path, facts)
        raise


def _seeds(configs: Sequence[str]) -> list[Any]:
    found = []
    for text in configs:
        try:
            found.append(json.loads(text).get("seed"))
        except (ValueError, AttributeError):
            continue
    return found
