"""How the error is spread over matrices: is every answer a little wrong, or a few of them far off?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ired.diagnostics.subject import Diagnostic, Subject
from ired.record.schema.diagnostics import ERROR_SIZES
from ired.tasks import Predictor, ProblemSet

# Shares of the matrices, in the order of their errors; the ends of the tail a little denser.
LEVELS: NDArray[np.float64] = np.unique(np.append(np.linspace(0, 1, 21), (0.01, 0.99)).round(2))


def carried_share(squared_error: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the whole squared error that the given shares of the matrices carry, least wrong ones first
    (the Lorenz curve; Gastwirth, Econometrica 1971): (N,) and (K,) -> (K,)."""
    total = np.append(0.0, np.sort(squared_error).cumsum())
    return np.interp(levels * len(squared_error), np.arange(len(total)), total / total[-1])


def error_size_rows(split: str, problems: ProblemSet, answer: torch.Tensor, line: Predictor) -> pd.DataFrame:
    """error_sizes.csv of one split: quantiles over matrices of the squared error per element, and the share
    of the error below each, for the run's answers (N, D) and for the task's predictor to beat."""
    own = (answer.double() - problems.solution.double()).square().mean(-1).numpy()
    of_line = line.squared_error(problems)
    return pd.DataFrame(
        {
            "split": split,
            "matrices": len(own),
            "quantile": LEVELS,
            "squared_error": np.quantile(own, LEVELS),
            "affine_squared_error": np.quantile(of_line, LEVELS),
            "carried_share": carried_share(own, LEVELS),
            "affine_carried_share": carried_share(of_line, LEVELS),
        }
    )


def compute(subject: Subject) -> pd.DataFrame:
    """error_sizes.csv: both test sets."""
    task = subject.parts.task
    line = next(p for p in task.predictors(subject.problems("fit")) if p.name == task.line)
    return pd.concat(error_size_rows(split, *found, line) for split, found in subject.answers.items())


DIAGNOSTIC = Diagnostic(ERROR_SIZES, compute)
