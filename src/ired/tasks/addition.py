"""Addition: the condition is two matrices, the solution is their sum.

As in the released IRED data set (`Addition` in its dataset.py): both n x n, every entry uniform on (-1, 1), or
on (-2.5, 2.5) out of distribution. (The released class makes them 2 x 1 at n = 2; here they are n x n
throughout.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from ired.base.settings import Positive
from ired.tasks.base import Predictor, ProblemSet, Task, TaskSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from ired.base.streams import Streams


class AdditionSettings(TaskSettings):
    """Which matrices are added: entries are uniform on (-bound, bound)."""

    task: Literal["addition"] = "addition"
    bound_id: Positive = 1.0
    bound_ood: Positive = 2.5


class Addition(Task):
    """[A, B] -> A + B, both n x n."""

    Settings = AdditionSettings
    settings: AdditionSettings
    line = "sum"

    @property
    def condition_shape(self) -> tuple[int, ...]:
        return 2, self.settings.n, self.settings.n

    @property
    def solution_shape(self) -> tuple[int, ...]:
        return self.settings.n, self.settings.n

    def draw(self, streams: Streams, count: int, split: str) -> tuple[Tensor, Tensor]:
        """(S, count, 2 n^2) and (S, count, n^2). Summed in float64 and rounded once, as the released code
        does."""
        bound = self.settings.bound_ood if split == "ood" else self.settings.bound_id
        terms = streams.uniform("terms", count, *self.condition_shape, dtype=torch.float64)
        terms.mul_(2 * bound).sub_(bound)
        return terms.flatten(2).float(), terms.sum(2).flatten(2).float()

    def predictors(self, fit: ProblemSet) -> list[Predictor]:
        """Zero and the sum; nothing is fitted."""
        return [Predictor("zero", 0, zero_error, label="zero"), Predictor("sum", 0, sum_error, label="sum")]

    def residual(self, condition: Tensor, answer: Tensor) -> Tensor:
        """|| Y - A - B ||_F: (..., 2 n^2), (..., n^2) -> (...)."""
        return (answer - condition.unflatten(-1, (2, -1)).sum(-2)).norm(dim=-1)


def zero_error(problems: ProblemSet) -> NDArray[np.float64]:
    """What answering zero costs, per problem and element: (N,)."""
    return problems.solution.double().square().mean(1).numpy()


def sum_error(problems: ProblemSet) -> NDArray[np.float64]:
    """What the sum of the float32 terms costs, per problem and element: (N,), the floor of the number
    format."""
    total = problems.condition.double().unflatten(1, (2, -1)).sum(1)
    return (total - problems.solution.double()).square().mean(1).numpy()
