"""Sizes that cannot fit into memory, refused before any job by a bound from below: nothing that fits is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ired.base.errors import UserError
from ired.study.run_config import RunConfig

if TYPE_CHECKING:
    from ired.study.resolve import ResolvedStudy

FLOAT, GIB = 4, 2**30


def machine_memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def least_bytes(run: RunConfig, pack: int = 1) -> dict[str, int]:
    """What a run holds at once at the very least, by what it is held for: condition and solution of the largest
    held-out set, and a training step's batch with what its network keeps for the backward pass."""
    entries, held_out, training = run.problem.n**2, run.held_out, run.training
    largest = max(held_out.fit_matrices, held_out.validation_matrices, held_out.test_matrices)
    step = 2 * entries * training.batch_size + run.network.least_floats(run.problem.n, training.batch_size)
    return {
        "held_out (fit_matrices, validation_matrices, test_matrices) and problem.n": FLOAT
        * 2
        * entries
        * largest,
        "training.batch_size, problem.n and the network's size": FLOAT * pack * step,
    }


def refuse_what_cannot_fit(study: ResolvedStudy, scale: str, memory: int) -> None:
    """Look at every variant of a scale.

    Raises:
        UserError: one needs more memory than there is; the line says how much, for what, and what to lower.
    """
    for variant in study.variants.at(scale):
        run = study.run_config(scale, variant, 0)
        for what, needed in least_bytes(run, study.study.seeds_per_job).items():
            if needed > memory:
                raise UserError(
                    f"{study.origin}: variant '{variant}' at scale '{scale}' needs at least {needed / GIB:,.0f} GiB "
                    f"of memory, and this machine has {memory / GIB:,.1f}; lower {what}"
                )
