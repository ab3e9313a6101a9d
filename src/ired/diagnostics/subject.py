"""What a diagnostic looks at: one finished run, its parts, its snapshots at every noise level, its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ired.base.streams import Streams, stream
from ired.energy import BoundEnergy, WeightLayout
from ired.job.build import build_parts
from ired.job.finished import open_run, read_snapshots, read_weights
from ired.negatives import Positives, Proposal
from ired.record.table import Table
from ired.tasks import ProblemSet
from ired.tasks.held_out import read_split
from ired.training.parts import Parts


class Level:
    """One snapshot of the weights at one noise level, on fixed problems, with noise that is equal for every variant
    at equal seed and that training never draws.

    batch: the positives. proposal: the negatives; None without an energy term.
    """

    def __init__(
        self, parts: Parts, flat: Tensor, problems: ProblemSet, seed: int, t: int, step: int
    ) -> None:
        self.parts, self.t, self.step = parts, t, step
        device = flat.device
        self.flat = flat.detach().requires_grad_(parts.contrast is not None)
        condition, solution = problems.condition[None].to(device), problems.solution[None].to(device)
        levels = torch.full(condition.shape[:2], t, dtype=torch.int64, device=device)
        streams = Streams([seed], device, step=t, purpose="diagnosis/")
        noise = streams.normal("noise", *solution.shape[1:])
        positive = parts.schedule.noised(solution, levels, noise)
        self.batch = Positives(condition, solution, levels, noise, positive)
        self._layout = WeightLayout(parts.network.initial_weights(stream(seed, "weights")))
        self.root = parts.schedule.sqrt_alpha_bar[t].item()
        self.sigma = parts.schedule.sigma[t].item()
        self.proposal: Proposal | None = None
        if parts.contrast is not None:
            # No snapshot keeps a replay buffer: its chains start fresh here, at every level.
            parts.strategy.load_state({})
            with torch.no_grad():
                self.proposal = parts.strategy.propose(self.energy(), self.batch, streams)

    def energy(self) -> BoundEnergy:
        """The snapshot's energy at these problems, bound anew: what it keeps for a derivative by the weights would be
        gigabytes for all levels of a run."""
        weights = self._layout.unflatten(self.flat)
        return BoundEnergy(self.parts.network, weights, self.batch.condition, self.batch.t)

    @property
    def count(self) -> int:
        return self.batch.condition.shape[1]


class Subject:
    """One finished run under diagnosis.

    Args:
        run_dir: its published folder.
        data: the held-out sets of its scale.
        count: look at the first so many problems of each set.
    """

    def __init__(self, run_dir: Path, data: Path, count: int, device: torch.device | str = "cpu") -> None:
        self.run_dir, self.data, self.count, self.device = run_dir, data, count, torch.device(device)
        self.config, self.metrics = open_run(run_dir)

    @cached_property
    def parts(self) -> Parts:
        """Built from the configuration; no optimiser."""
        return build_parts(self.config, self.device)

    def problems(self, split: str) -> ProblemSet:
        """A held-out set, all of it."""
        return read_split(self.data / f"{split}.npz", self.parts.task, self.config.held_out)

    @cached_property
    def snapshots(self) -> list[tuple[int, Tensor]]:
        """(step, weights (P,)) in the order of training: the raw ones of a step, not the averaged ones that answer."""
        return [(step, flat.to(self.device)) for step, flat in read_snapshots(self.run_dir, self.metrics)]

    @cached_property
    def reported(self) -> dict[str, Tensor]:
        """The weights that answer, (1, ...) each."""
        stored = read_weights(self.run_dir, "model.safetensors", self.metrics)
        return {name: value[None].to(self.device) for name, value in stored.items()}

    @cached_property
    def levels(self) -> list[tuple[dict[str, Any], Level]]:
        """Every snapshot at every noise level, with the key columns phase, step and t."""
        validation, steps = self.problems("validation").first(self.count), self.config.training.steps
        return [
            (
                {"phase": step / steps, "step": step, "t": t},
                Level(self.parts, flat[None], validation, self.config.seed, t, step),
            )
            for step, flat in self.snapshots
            for t in range(self.parts.schedule.levels)
        ]

    @cached_property
    def answers(self) -> dict[str, tuple[ProblemSet, Tensor]]:
        """Split -> the first problems of its test set and the reported weights' answers, (count, D)."""
        solver, found = self.parts.solver((self.config.seed,), self.device), {}
        for split in self.parts.task.splits:
            chosen = self.problems(f"test_{split}").first(self.count)
            found[split] = (
                chosen,
                torch.cat([chunk[0].cpu() for _, _, chunk in solver.answers(self.reported, chosen)]),
            )
        return found


@dataclass(frozen=True)
class Diagnostic:
    """One diagnostic: the table that it fills, and how. A module of this folder that has a value `DIAGNOSTIC`
    is one, and is called as its table is.

    tasks: the names of the tasks that it makes sense of; None: any.
    """

    table: Table
    compute: Callable[[Subject], pd.DataFrame]
    tasks: tuple[str, ...] | None = None

    def applies(self, subject: Subject) -> bool:
        """Whether the run is of a task that it makes sense of, and has weights to look at: a diverged one has none."""
        task = subject.config.problem.task
        return subject.metrics["status"] == "finished" and (self.tasks is None or task in self.tasks)
