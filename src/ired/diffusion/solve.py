"""How well a trained pack answers a held-out set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ired.base.streams import Streams
from ired.diffusion.descent import Descender, Inference, infer
from ired.energy import EnergyNetwork, Weights
from ired.tasks import ProblemSet, Task

# A constant: the starting noise is drawn chunk by chunk, and an answer must not depend on memory settings.
CHUNK = 2048


@dataclass(frozen=True)
class Evaluation:
    """Per seed and problem, (S, N) float64: squared error per element, and the task's residual."""

    squared_error: Tensor
    residual: Tensor

    def mse(self) -> Tensor:
        """(S,)"""
        return self.squared_error.mean(1)

    def mse_se(self) -> Tensor:
        """Standard error of the MSE over problems, (S,)."""
        return self.squared_error.std(1) / self.squared_error.shape[1] ** 0.5


class Solver:
    """A network's annealed inference for a pack of seeds, on any set of problems."""

    def __init__(
        self,
        task: Task,
        network: EnergyNetwork,
        settings: Inference,
        descender: Descender,
        seeds: Sequence[int],
        device: torch.device | str,
    ) -> None:
        self.task, self.network, self.settings, self.descender = task, network, settings, descender
        self.seeds, self.device = tuple(seeds), torch.device(device)

    def answers(self, weights: Weights, problems: ProblemSet) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Conditions (N, C), solutions (N, D) and the pack's answers (S, N, D), chunk by chunk.

        The starting noise is that of (seed, "inference", chunk): every call at equal seed starts alike.
        """
        streams = Streams(self.seeds, self.device)
        for index, start in enumerate(range(0, len(problems), CHUNK)):
            condition = problems.condition[start : start + CHUNK].to(self.device)
            solution = problems.solution[start : start + CHUNK].to(self.device)
            expanded = condition.expand(len(self.seeds), -1, -1)
            answer = infer(self.network, weights, expanded, streams.at(index), self.settings, self.descender)
            yield condition, solution, answer

    def evaluate(self, weights: Weights, problems: ProblemSet) -> Evaluation:
        """Answer every problem of a set and measure the errors."""
        errors, residuals = [], []
        for condition, solution, answer in self.answers(weights, problems):
            errors.append((answer - solution).double().square().mean(-1))
            residuals.append(self.task.residual(condition, answer).double())
        return Evaluation(torch.cat(errors, 1).cpu(), torch.cat(residuals, 1).cpu())
