"""What a run is made of, beside its weights: a task, an energy, a schedule, and where negatives come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ired.diffusion.descent import Descender, Inference
from ired.diffusion.schedule import NoiseSchedule
from ired.diffusion.solve import Solver
from ired.energy import EnergyNetwork
from ired.negatives import Strategy
from ired.tasks import Task
from ired.training.objective import Contrast, Objective


@dataclass(frozen=True)
class Parts:
    """The parts that training, diagnosis and inference share. `contrast`: None without an energy term. `steps`: how
    many training takes. `turns`: what it draws its batches from, one after the other, each with the network at its
    size; empty: from the task."""

    task: Task
    network: EnergyNetwork
    descender: Descender
    strategy: Strategy
    contrast: Contrast | None
    inference: Inference
    steps: int
    turns: tuple[tuple[Task, EnergyNetwork], ...] = ()

    @property
    def schedule(self) -> NoiseSchedule:
        return self.descender.schedule

    def contrast_weight(self, step: int) -> float:
        """The energy term's weight at a training step; 0 without one."""
        return 0.0 if self.contrast is None else self.contrast.weight_at(step, self.steps)

    def objective(self, noise_draws: int = 1) -> Objective:
        """The loss of a step that denoises each problem at `noise_draws` noise levels."""
        return Objective(
            self.network, self.schedule, self.strategy, self.contrast, self.task.residual, noise_draws
        )

    def solver(self, seeds: Sequence[int], device: torch.device | str) -> Solver:
        """Annealed inference for a pack of seeds."""
        return Solver(self.task, self.network, self.inference, self.descender, seeds, device)
