"""Completion: the condition is a low-rank matrix with noise, known at some entries, the solution all of it.

As in the released IRED data set (`LowRankDataset` in its dataset.py): M = scale U V^T + 0.1 E with U, V (n x 10)
and E standard Gaussian, scale 1/20, or 1/5 out of distribution, and a mask of independent fair coins. The noise
is part of the solution and is added before the mask; an unknown entry of the condition is zero, and the mask
itself is not given.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from ired.base.settings import Count, Positive
from ired.base.streams import Streams
from ired.tasks.base import Predictor, ProblemSet, Task, TaskSettings
from ired.tasks.low_rank_posterior import LowRankModel, bayes_error
from ired.tasks.soft_impute import fit_fraction, soft_impute
from ired.tasks.spectral import fit_spectral, predict_spectral

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

SOFT_IMPUTE_FIT = 200  # problems on which the penalty is fitted
SOFT_IMPUTE_MOST = 1000
BAYES_MOST = 400
BAYES_ID_MOST = 200
OOD_FIT = 2000


class CompletionSettings(TaskSettings):
    """Which matrices are completed; the defaults are the released ones."""

    task: Literal["completion"] = "completion"
    rank: Count = 10
    scale_id: Positive = 0.05
    scale_ood: Positive = 0.2
    noise: Positive = 0.1
    observed: Annotated[float, Field(gt=0, lt=1)] = 0.5
    # Whether the condition has the mask as a second channel. It says nothing new, since an entry is exactly zero
    # only where it is masked, but a network need not find that out.
    mask_given: bool = False


class Completion(Task):
    """M * mask -> M, n x n."""

    Settings = CompletionSettings
    settings: CompletionSettings
    line = "copy"

    @property
    def condition_shape(self) -> tuple[int, ...]:
        n = self.settings.n
        return (2, n, n) if self.settings.mask_given else (n, n)

    @property
    def solution_shape(self) -> tuple[int, ...]:
        return self.settings.n, self.settings.n

    def draw(self, streams: Streams, count: int, split: str) -> tuple[Tensor, Tensor]:
        """(S, count, C) and (S, count, n^2). Computed in float64 and rounded once, as the released code does."""
        n, rank = self.settings.n, self.settings.rank
        left = streams.normal("left", count, n, rank).double()
        right = streams.normal("right", count, n, rank).double()
        noise = streams.normal("entry_noise", count, n, n).double()
        mask = (streams.uniform("mask", count, n, n) < self.settings.observed).double()
        solution = self.scale(split) * (left @ right.mT) + self.settings.noise * noise
        known = solution * mask
        condition = torch.stack([known, mask], 2) if self.settings.mask_given else known
        return condition.flatten(2).float(), solution.flatten(2).float()

    def residual(self, condition: Tensor, answer: Tensor) -> Tensor:
        """|| mask * (Y - M) ||_F, the distance from the known entries: (..., C), (..., n^2) -> (...)."""
        known, mask = self.known(condition)
        return (mask * (answer - known)).norm(dim=-1)

    def facts(self, problems: ProblemSet) -> dict[str, float]:
        known, mask = self.known(problems.condition.double())
        return {
            "observed_share": float(mask.mean()),
            "observed_rms": float((known.square().sum() / mask.sum()).sqrt()),
        }

    def scale(self, split: str) -> float:
        """The factor of U V^T in `split`."""
        return self.settings.scale_ood if split == "ood" else self.settings.scale_id

    def known(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(known entries, mask), flattened, zero where unknown: (..., C) -> two of (..., n^2)."""
        if self.settings.mask_given:
            known, mask = condition.unflatten(-1, (2, -1)).unbind(-2)
            return known, mask
        return condition, (condition != 0).to(condition.dtype)

    def predictors(self, fit: ProblemSet) -> list[Predictor]:
        """Zero, copy, spectral polynomials, soft-impute and the Bayesian posterior mean.

        All but the last two copy the known entries and differ in the unknown ones. A polynomial named `_ood` has
        coefficients that were fitted out of distribution, on problems of its own: what its form could do there.
        """
        # Fitted at first use: a diagnosis asks for the line to beat alone.
        elsewhere = cache(self.ood_fit)
        fraction = cache(lambda: fit_fraction(*self.matrices(fit, SOFT_IMPUTE_FIT)))
        return [
            Predictor("zero", 0, zero_error, label="zero"),
            Predictor("copy", 0, self.error_of(lambda known, mask: torch.zeros_like(known)), label="copy"),
            *(
                self.spectral(degree, relative, lambda: fit)
                for relative in (False, True)
                for degree in (3, 5)
            ),
            *(self.spectral(degree, False, elsewhere, "_ood") for degree in (3, 5)),
            Predictor(
                "soft_impute",
                1,
                self.error_of(lambda known, mask: soft_impute(known, mask, fraction())),
                SOFT_IMPUTE_MOST,
                "soft-impute",
            ),
            Predictor("bayes_id", 0, lambda problems: self.bayes(problems, "id"), BAYES_ID_MOST),
            Predictor(
                "bayes",
                0,
                lambda problems: self.bayes(problems, self.split_of(problems)),
                BAYES_MOST,
                "Bayes",
            ),
        ]

    def spectral(
        self, degree: int, relative: bool, fit: Callable[[], ProblemSet], suffix: str = ""
    ) -> Predictor:
        """An odd polynomial of the known entries' singular values, on the unknown entries."""
        coefficients = cache(lambda: fit_spectral(*self.matrices(fit()), degree, relative))
        name = f"{'relative_' if relative else ''}polynomial{degree}{suffix}"
        error = self.error_of(lambda known, mask: predict_spectral(known, coefficients(), relative))
        return Predictor(name, (degree - 1) // 2, error, label="cubic" if name == "polynomial3" else "")

    def bayes(self, problems: ProblemSet, split: str) -> NDArray[np.float64]:
        """The posterior mean's squared error under the prior of `split`: (N,)."""
        model = LowRankModel(self.scale(split), self.settings.rank, self.settings.noise)
        return bayes_error(*self.matrices(problems), model)

    def split_of(self, problems: ProblemSet) -> str:
        """Which split's prior these problems have: the one whose entries' variance is nearer."""
        known, mask = self.known(problems.condition.double())
        variance = float(known.square().sum() / mask.sum().clamp(min=1))
        expected = {
            split: self.scale(split) ** 2 * self.settings.rank + self.settings.noise**2
            for split in self.splits
        }
        return min(expected, key=lambda split: abs(variance - expected[split]))

    def ood_fit(self) -> ProblemSet:
        """Problems out of distribution to fit on. Held-out sets have the steps 0, 1, ... of negative seeds, and
        training has seeds from 0, so that step -1 of a negative seed meets neither."""
        condition, solution = self.draw(Streams([-1]), OOD_FIT, "ood")
        return ProblemSet(condition[0], solution[0])

    def matrices(self, problems: ProblemSet, most: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(known entries, mask, solution), each (N, n, n) float64."""
        n = self.settings.n
        known, mask = self.known(problems.condition[:most].double())
        solution = problems.solution[:most].double()
        return known.unflatten(-1, (n, n)), mask.unflatten(-1, (n, n)), solution.unflatten(-1, (n, n))

    def error_of(
        self, complete: Callable[[Tensor, Tensor], Tensor]
    ) -> Callable[[ProblemSet], NDArray[np.float64]]:
        """The squared error of `complete(known, mask)` on the unknown entries; the known ones are copied."""

        def squared_error(problems: ProblemSet) -> NDArray[np.float64]:
            known, mask, solution = self.matrices(problems)
            return ((complete(known, mask) - solution) * (1 - mask)).square().mean((1, 2)).numpy()

        return squared_error


def zero_error(problems: ProblemSet) -> NDArray[np.float64]:
    """What answering zero costs, per problem and element: (N,)."""
    return problems.solution.double().square().mean(1).numpy()
