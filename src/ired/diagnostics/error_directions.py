"""Which directions are wrong: the error of an answer along the eigenvectors of A."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ired.tasks.held_out import MatrixSet
from ired.tasks.predictors import Predictor, eigenvalues


def error_shares(condition: Tensor, solution: Tensor, answer: Tensor) -> Tensor:
    """Share of the squared error sum ||(Y - X) v_i||^2 along each eigenvector v_i of A, eigenvalues
    ascending: three (N, n^2) -> (n,) float64."""
    n = round(condition.shape[-1] ** 0.5)
    _, vectors = torch.linalg.eigh(condition.double().unflatten(-1, (n, n)))
    error = (answer.double() - solution.double()).unflatten(-1, (n, n))
    energy = (error @ vectors).square().sum((0, 1))
    return energy / energy.sum()


def error_direction_rows(split: str, matrices: MatrixSet, answer: Tensor, affine: Predictor) -> pd.DataFrame:
    """error_directions.csv of one split: the run's shares beside the affine predictor's."""
    n, values = matrices.n, eigenvalues(matrices)
    affine_error = np.square(1 / values - affine.apply(values)).sum(0)
    return pd.DataFrame(
        {
            "split": split,
            "direction": np.arange(1, n + 1),
            "error_share": error_shares(matrices.condition, matrices.solution, answer).numpy(),
            "affine_error_share": affine_error / affine_error.sum(),
            "eigenvalue_median": np.median(values, 0),
        }
    )
