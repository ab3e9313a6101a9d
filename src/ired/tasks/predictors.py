"""Closed-form predictors: what a mean squared error means.

Every predictor here is a function of A's eigenvalues with A's eigenvectors, X_hat = V p(lambda) V^T, so that

    || X - X_hat ||_F^2 = sum_i (1 / lambda_i - p(lambda_i))^2

and a least squares fit of polynomials in A over a whole ensemble is a fit over scalars: exact, in float64,
and quick. (The same fit on float32 matrices is wrong by a factor of two: powers of A span ten decades.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray

from ired.tasks.held_out import MatrixSet
from ired.tasks.inversion import invert

Eigenvalues = NDArray[np.float64]  # (N, n), ascending
POLYNOMIALS = {
    "mean": 0,
    "affine": 1,
    "polynomial2": 2,
    "polynomial3": 3,
    "polynomial4": 4,
    "polynomial5": 5,
    "polynomial6": 6,
}
# What figures and sentences call a predictor; the others are in the table alone.
LABELS = {
    "zero": "zero",
    "mean": "mean",
    "affine": "affine",
    "polynomial2": "quadratic",
    "polynomial3": "cubic",
}
LINE = "affine"  # the predictor to beat
NEWTON_SCHULZ_STEPS = (4, 5, 6, 8)


@dataclass(frozen=True)
class Predictor:
    """p on eigenvalues; `coefficients`: how many fitted numbers it has."""

    name: str
    coefficients: int
    apply: Callable[[Eigenvalues], Eigenvalues]

    def squared_error(self, values: Eigenvalues) -> NDArray[np.float64]:
        """Per matrix and element, (N,): the MSE's summands."""
        return np.square(1 / values - self.apply(values)).sum(1) / values.shape[1] ** 2


def eigenvalues(matrices: MatrixSet) -> Eigenvalues:
    """Ascending eigenvalues of every matrix in float64, (N, n)."""
    n = matrices.n
    return np.linalg.eigvalsh(matrices.condition.double().numpy().reshape(-1, n, n))


def fit_polynomial(values: Eigenvalues, degree: int) -> Callable[[Eigenvalues], Eigenvalues]:
    """The least squares polynomial p of `degree` with p(A) nearest A^-1 over an ensemble: sum_k c_k A^k, in a
    Chebyshev basis."""
    flat = values.ravel()
    return Chebyshev.fit(flat, 1 / flat, degree)


def newton_schulz(steps: int, start: float) -> Callable[[Eigenvalues], Eigenvalues]:
    """`steps` of Y <- Y (2 I - A Y) from Y = start I, on eigenvalues."""

    def apply(values: Eigenvalues) -> Eigenvalues:
        estimate = np.full_like(values, start)
        for _ in range(steps):
            estimate = estimate * (2 - values * estimate)
        return estimate

    return apply


def newton_schulz_start(values: Eigenvalues) -> float:
    """One scalar for a whole ensemble: 1.9 over its largest eigenvalue. It converges below 2 / lambda_max;
    the rest is a margin for unseen matrices."""
    return float(1.9 / values.max())


def predictors(fit: Eigenvalues) -> list[Predictor]:
    """The ladder, fitted on the eigenvalues of the `fit` set."""
    ladder = [Predictor("zero", 0, np.zeros_like)]
    ladder += [
        Predictor(name, degree + 1, fit_polynomial(fit, degree)) for name, degree in POLYNOMIALS.items()
    ]
    start = newton_schulz_start(fit)
    ladder += [
        Predictor(f"newton_schulz{steps}", 0, newton_schulz(steps, start)) for steps in NEWTON_SCHULZ_STEPS
    ]
    return ladder


def exact_squared_error(matrices: MatrixSet) -> NDArray[np.float64]:
    """Cholesky in float32 against the stored solution, per matrix and element, (N,): the floor of the number
    format."""
    n = matrices.n
    inverse = invert(matrices.condition.unflatten(-1, (n, n))).flatten(-2)
    return torch.square(inverse.double() - matrices.solution.double()).mean(1).numpy()


def reference_table(fit: MatrixSet, tests: dict[str, MatrixSet]) -> pd.DataFrame:
    """reference.csv (columns: docs/tables.md): every predictor on every test set, with its standard error
    over matrices."""
    ladder = predictors(eigenvalues(fit))
    rows = []
    for split, matrices in tests.items():
        values = eigenvalues(matrices)
        errors = [(p.name, p.coefficients, p.squared_error(values)) for p in ladder]
        errors.append(("exact", 0, exact_squared_error(matrices)))
        for name, coefficients, error in errors:
            mse, mse_se = error.mean(), error.std(ddof=1) / np.sqrt(len(error)) if len(error) > 1 else np.nan
            rows.append(
                {
                    "predictor": name,
                    "label": LABELS.get(name),
                    "line": name == LINE,
                    "coefficients": coefficients,
                    "split": split,
                    "n": matrices.n,
                    "matrices": len(matrices),
                    "mse": mse,
                    "mse_se": mse_se,
                }
            )
    return pd.DataFrame(rows)
