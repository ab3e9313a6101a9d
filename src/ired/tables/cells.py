"""What the tables of a study of worth are made of: arms at budgets, with their runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ired.base.settings import parsed
from ired.record.run_folder import Fingerprint, Run
from ired.tables.aggregate import provenance, read_runs
from ired.tables.specification import ExperimentSpec, VariantSpec


class CellSpec(BaseModel):
    """Runs of one arm, budget and choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    arm: str
    steps: int
    learning_rate: float
    weight: float | None
    seeds: Annotated[list[int], Field(min_length=1)]
    fingerprint: str


class WorthSpec(BaseModel):
    """What the tables have to know. precise: an error above it is that of a run which has not learned the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline: str
    protocol: int
    precise: float
    cells: Annotated[list[CellSpec], Field(min_length=1)]

    def experiment(self, name: str) -> ExperimentSpec:
        """The cells as an experiment's variants; all have the same seeds."""
        variants = [VariantSpec(variant=c.variant, fingerprint=c.fingerprint) for c in self.cells]
        return ExperimentSpec(
            name=name, seeds=self.cells[0].seeds, variants=variants, protocol=self.protocol, diagnosed=False
        )


Cells = list[tuple[CellSpec, list[Run]]]


def read_cells(
    runs_dir: Path, spec: WorthSpec, name: str, fingerprint_of: Fingerprint | None
) -> tuple[Cells, dict[str, Any]]:
    """Every cell with its runs in the order of seeds, and where they come from.

    Raises:
        UserError: names the files in trouble and the cure.
    """
    experiment = spec.experiment(name)
    runs = read_runs(runs_dir, experiment, fingerprint_of, errors=False)
    count = len(experiment.seeds)
    cells = [
        (cell, [run for _, run in runs[i * count : (i + 1) * count]]) for i, cell in enumerate(spec.cells)
    ]
    return cells, provenance(runs, experiment)


def parse(text: str) -> WorthSpec:
    """The specification from JSON.

    Raises:
        UserError: one line.
    """
    return parsed(WorthSpec, text, "--cells")


def log_validation(runs: Sequence[Run]) -> NDArray[np.float64]:
    """The seeds' log validation errors; NaN for one that diverged."""
    values = [run.metrics.mse_validation for run in runs]
    return np.log(np.array([math.nan if value is None else value for value in values], dtype=np.float64))
