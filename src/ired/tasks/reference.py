"""reference.csv: every reference predictor of a task on its test sets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ired.tasks.base import ProblemSet, Task


def reference_table(task: Task, fit: ProblemSet, tests: dict[str, ProblemSet]) -> pd.DataFrame:
    """Mean squared error per element of every predictor on every test set, with its standard error over problems.

    Args:
        fit: what the predictors' coefficients are fitted on.
        tests: split -> test set.
    """
    rows = []
    fitted = task.predictors(fit)
    for split, problems in tests.items():
        for predictor in fitted:
            error = predictor.squared_error(problems.first(predictor.most or len(problems)))
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
