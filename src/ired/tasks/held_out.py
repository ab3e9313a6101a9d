"""Held-out sets: made once by a rule, shared by all runs, described by a sidecar that a reader checks.

Splits: `fit` (reference predictors are fitted on it), `validation`, `test_id` and `test_ood`.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from ired.base.errors import PassingError, UserError
from ired.base.files import read_json, write_bytes, write_json
from ired.base.settings import Count, Seed, SeveralMatrices, Strict
from ired.base.streams import Streams
from ired.tasks.base import ProblemSet, Task

SPLITS = ("fit", "validation", "test_id", "test_ood")
CHUNK = 8192  # problems drawn at a time; their numbers depend on it, so it is no setting
BLOCK = 16  # torch draws Gaussians in blocks: the beginning of a shorter draw is that of a longer one by whole blocks


class HeldOut(Strict):
    """The fixed sets made once and shared by all runs; `test_matrices` of each of the two test sets."""

    seed: Seed = 0
    fit_matrices: Count = 20_000
    validation_matrices: Count = 5_000
    test_matrices: SeveralMatrices = 100_000

    def count(self, split: str) -> int:
        """How many problems a split holds."""
        return {"fit": self.fit_matrices, "validation": self.validation_matrices}.get(
            split, self.test_matrices
        )


def draw_split(split: str, task: Task, settings: HeldOut) -> ProblemSet:
    """Draw a split. Splits have streams of their own, so that none holds another's problems."""
    # A seed space of its own: training streams are (seed, "matrices", step), and held-out seeds must never
    # meet them.
    streams = Streams([-(1 + settings.seed * len(SPLITS) + SPLITS.index(split))])
    kind, count = ("ood" if split == "test_ood" else "id"), settings.count(split)
    conditions, solutions = [], []
    for index, start in enumerate(range(0, count, CHUNK)):
        drawn = min(CHUNK, -(-(count - start) // BLOCK) * BLOCK)
        condition, solution = task.draw(streams.at(index), drawn, kind)
        conditions.append(condition[0, : count - start])
        solutions.append(solution[0, : count - start])
    return ProblemSet(torch.cat(conditions), torch.cat(solutions))


def write_split(split: str, task: Task, settings: HeldOut, target: Path) -> dict[str, Any]:
    """Draw a split, write `target` (npz: condition, solution) and its sidecar .json, and return the
    sidecar."""
    problems = draw_split(split, task, settings)
    buffer = io.BytesIO()
    np.savez(buffer, condition=problems.condition.numpy(), solution=problems.solution.numpy())
    content = buffer.getvalue()
    sidecar = {
        "split": split,
        "matrices": len(problems),
        "seed": settings.seed,
        "problem": task.settings.model_dump(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "facts": task.facts(problems),
    }
    write_bytes(target, content)
    write_json(target.with_suffix(".json"), sidecar)
    return sidecar


def read_split(path: Path, task: Task, settings: HeldOut) -> ProblemSet:
    """Read a split, named by the file, and check it against its sidecar, the task and the held-out settings.

    Raises:
        UserError: the file is missing, truncated, altered, or was made with other settings; the line names it
        and the cure.
    """
    path = Path(path)
    cure = f"delete it and ask Snakemake for {path}"
    if not path.exists():
        raise PassingError(f"{path} is missing; ask Snakemake for it")
    sidecar = read_json(path.with_suffix(".json"))
    if not isinstance(sidecar, dict):
        raise UserError(f"{path.with_suffix('.json')} is not the description of a set; {cure}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sidecar.get("sha256"):
        raise UserError(f"{path} is truncated or altered: its checksum is not that of its .json; {cure}")
    wanted = {
        "problem": task.settings.model_dump(),
        "split": path.stem,
        "seed": settings.seed,
        "matrices": settings.count(path.stem),
    }
    for key, value in wanted.items():
        if sidecar.get(key) != value:
            raise UserError(f"{path} was made with {key} {sidecar.get(key)}, not {value}; {cure}")
    try:
        with np.load(io.BytesIO(content)) as arrays:
            condition, solution = (torch.from_numpy(arrays[name]) for name in ("condition", "solution"))
    except (OSError, KeyError, ValueError, TypeError, BadZipFile) as error:
        raise UserError(f"{path} holds no arrays `condition` and `solution` ({error}); {cure}") from None
    if not (condition.isfinite().all() and solution.isfinite().all()):
        raise UserError(f"{path} holds values that are not finite; {cure}")
    return ProblemSet(condition, solution)
