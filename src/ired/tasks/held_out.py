"""Held-out sets: made once by a rule, shared by all runs, described by a sidecar that a reader checks.

Splits: `fit` (reference predictors are fitted on it), `validation`, `test_id` and `test_ood`.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ired.base.errors import PassingError, UserError
from ired.base.files import read_json, write_bytes, write_json
from ired.base.streams import Streams
from ired.study.run_config import HeldOut
from ired.tasks.inversion import Problem, draw_chunked

SPLITS = ("fit", "validation", "test_id", "test_ood")


@dataclass(frozen=True)
class MatrixSet:
    """Matrices and their inverses, both (N, n^2) float32."""

    condition: Tensor
    solution: Tensor

    def __len__(self) -> int:
        return len(self.condition)

    @property
    def n(self) -> int:
        return round(self.condition.shape[1] ** 0.5)


def draw_split(split: str, problem: Problem, settings: HeldOut) -> MatrixSet:
    """Draw a split. Splits have streams of their own, so that none holds another's matrices."""
    count = {"fit": settings.fit_matrices, "validation": settings.validation_matrices}.get(
        split, settings.test_matrices
    )
    diagonal = problem.diagonal_ood if split == "test_ood" else problem.diagonal_id
    # A seed space of its own: training streams are (seed, "matrices", step), and held-out seeds must never
    # meet them.
    streams = Streams([-(1 + settings.seed * len(SPLITS) + SPLITS.index(split))])
    return MatrixSet(*draw_chunked(streams, count, problem, diagonal))


def spectrum(matrices: Tensor) -> dict[str, float]:
    """Quantiles of the condition number and of the smallest eigenvalue of (N, n^2) matrices."""
    n = round(matrices.shape[1] ** 0.5)
    values = np.linalg.eigvalsh(matrices.double().numpy().reshape(-1, n, n))
    condition, smallest = values[:, -1] / values[:, 0], values[:, 0]
    quantiles = (0.05, 0.5, 0.95)
    result = {f"condition_number_q{round(100 * q):02d}": float(np.quantile(condition, q)) for q in quantiles}
    return result | {
        f"eigenvalue_min_q{round(100 * q):02d}": float(np.quantile(smallest, q)) for q in quantiles
    }


def write_split(split: str, problem: Problem, settings: HeldOut, target: Path) -> dict[str, Any]:
    """Draw a split, write `target` (npz: condition, solution) and its sidecar .json, and return the
    sidecar."""
    matrices = draw_split(split, problem, settings)
    buffer = io.BytesIO()
    np.savez(buffer, condition=matrices.condition.numpy(), solution=matrices.solution.numpy())
    content = buffer.getvalue()
    sidecar = {
        "split": split,
        "matrices": len(matrices),
        "seed": settings.seed,
        "problem": problem.model_dump(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "spectrum": spectrum(matrices.condition),
    }
    write_bytes(target, content)
    write_json(target.with_suffix(".json"), sidecar)
    return sidecar


def read_split(path: Path, problem: Problem) -> MatrixSet:
    """Read a split and check it against its sidecar and the problem.

    Raises:
        UserError: the file is missing, truncated, altered, or was made for another problem; the line names it
        and the cure.
    """
    path = Path(path)
    cure = f"delete it and ask Snakemake for {path}"
    if not path.exists():
        raise PassingError(f"{path} is missing; ask Snakemake for it")
    sidecar = read_json(path.with_suffix(".json"))
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sidecar.get("sha256"):
        raise UserError(f"{path} is truncated or altered: its checksum is not that of its .json; {cure}")
    if sidecar["problem"] != problem.model_dump():
        raise UserError(f"{path} was made for another problem ({sidecar['problem']}); {cure}")
    with np.load(io.BytesIO(content)) as arrays:
        return MatrixSet(torch.from_numpy(arrays["condition"]), torch.from_numpy(arrays["solution"]))
