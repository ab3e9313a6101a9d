"""Which directions are wrong: the error of an answer along the eigenvectors of A."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ired.diagnostics.subject import Diagnostic, Subject
from ired.record.schema.diagnostics import ERROR_DIRECTIONS
from ired.tasks import ProblemSet
from ired.tasks.inversion import Apply, eigenvalues, fit_polynomial, spectral_error


def error_shares(condition: Tensor, solution: Tensor, answer: Tensor) -> Tensor:
    """Share of the squared error along each eigenvector v_i of A, eigenvalues ascending: three (N, n^2) ->
    (n,) float64.

    (||(Y - X) v_i||^2 + ||v_i^T (Y - X)||^2) / 2, summed over matrices: an answer need not be symmetric, and
    its columns and rows count alike, so that an error u v_1^T and its transpose have equal shares.
    """
    n = round(condition.shape[-1] ** 0.5)
    _, vectors = torch.linalg.eigh(condition.double().unflatten(-1, (n, n)))
    error = (answer.double() - solution.double()).unflatten(-1, (n, n))
    energy = ((error @ vectors).square() + (error.mT @ vectors).square()).sum((0, 1))
    return energy / energy.sum()


def error_direction_rows(split: str, problems: ProblemSet, answer: Tensor, affine: Apply) -> pd.DataFrame:
    """error_directions.csv of one split: the run's shares beside the affine predictor's."""
    values = eigenvalues(problems)
    n, affine_error = values.shape[1], spectral_error(values, affine).sum(0)
    return pd.DataFrame(
        {
            "split": split,
            "direction": np.arange(1, n + 1),
            "error_share": error_shares(problems.condition, problems.solution, answer).numpy(),
            "affine_error_share": affine_error / affine_error.sum(),
            "eigenvalue_median": np.median(values, 0),
        }
    )


def compute(subject: Subject) -> pd.DataFrame:
    """error_directions.csv: both test sets."""
    affine = fit_polynomial(eigenvalues(subject.problems("fit")), 1)
    return pd.concat(error_direction_rows(split, *found, affine) for split, found in subject.answers.items())


DIAGNOSTIC = Diagnostic(ERROR_DIRECTIONS, compute, tasks=("inversion",))
