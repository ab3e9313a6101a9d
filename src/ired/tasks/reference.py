"""Every reference predictor of a task on its test sets: reference.csv, and the errors behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ired.tasks.base import Predictor, ProblemSet, Task


class Measured(NamedTuple):
    """One predictor on one test set: the squared error per element of its first problems, (N,) float64."""

    predictor: Predictor
    split: str
    error: NDArray[np.float64]


def measure(task: Task, fit: ProblemSet, tests: Mapping[str, ProblemSet]) -> list[Measured]:
    """Every predictor, fitted on `fit`, on every test set (split -> problems); an expensive one on the first few."""
    fitted = task.predictors(fit)
    return [
        Measured(predictor, split, predictor.squared_error(problems.first(predictor.most or len(problems))))
        for split, problems in tests.items()
        for predictor in fitted
    ]


def reference_errors(measured: list[Measured]) -> dict[str, NDArray[np.float64]]:
    """What reference_errors.npz holds: `{predictor}.{split}` -> its errors."""
    return {f"{predictor.name}.{split}": error for predictor, split, error in measured}


def reference_table(task: Task, measured: list[Measured]) -> pd.DataFrame:
    """Mean squared error per element of every predictor on every test set, with its standard error over problems."""
    rows = []
    for predictor, split, error in measured:
        mse_se = error.std(ddof=1) / np.sqrt(len(error)) if len(error) > 1 else np.nan
        rows.append(
            {
                "predictor": predictor.name,
                "label": predictor.label or None,
                "line": predictor.name == task.line,
                "coefficients": predictor.coefficients,
                "split": split,
                "n": task.settings.n,
                "matrices": len(error),
                "mse": error.mean(),
                "mse_se": mse_se,
            }
        )
    return pd.DataFrame(rows)
