"""How well a trained pack inverts a held-out set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ired.base.streams import Streams
from ired.diffusion.descent import Descender, Inference, infer
from ired.energy import EnergyNetwork, Weights
from ired.tasks.held_out import MatrixSet
from ired.tasks.inversion import residual_norm

# A constant: the starting noise is drawn chunk by chunk, and an answer must not depend on memory settings.
CHUNK = 2048


@dataclass(frozen=True)
class Evaluation:
    """Per seed and matrix, (S, N) float64: squared error per element, and ||A Y - I||_F."""

    squared_error: Tensor
    residual: Tensor

    def mse(self) -> Tensor:
        """(S,)"""
        return self.squared_error.mean(1)

    def mse_se(self) -> Tensor:
        """Standard error of the MSE over matrices, (S,)."""
        return self.squared_error.std(1) / self.squared_error.shape[1] ** 0.5


class Solver:
    """A network's annealed inference for a pack of seeds, on any set of matrices."""

    def __init__(
        self, network: EnergyNetwork, settings: Inference, descender: Descender, streams: Streams
    ) -> None:
        self.network, self.settings, self.descender = network, settings, descender
        self.seeds, self.device = streams.seeds, streams.device

    def answers(self, weights: Weights, matrices: MatrixSet) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Condition (C, D), solution (C, D) and the pack's answers (S, C, D), chunk by chunk.

        The starting noise is that of (seed, "inference", chunk): every call at equal seed starts alike.
        """
        streams = Streams(self.seeds, self.device)
        for index, start in enumerate(range(0, len(matrices), CHUNK)):
            condition = matrices.condition[start : start + CHUNK].to(self.device)
            solution = matrices.solution[start : start + CHUNK].to(self.device)
            expanded = condition.expand(len(self.seeds), -1, -1)
            answer = infer(self.network, weights, expanded, streams.at(index), self.settings, self.descender)
            yield condition, solution, answer

    def evaluate(self, weights: Weights, matrices: MatrixSet) -> Evaluation:
        """Answer every matrix of a set and measure the errors."""
        errors, residuals = [], []
        for condition, solution, answer in self.answers(weights, matrices):
            errors.append((answer - solution).double().square().mean(-1))
            residuals.append(residual_norm(condition, answer).double())
        return Evaluation(torch.cat(errors, 1).cpu(), torch.cat(residuals, 1).cpu())
