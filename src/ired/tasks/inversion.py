"""Matrix inversion: A in, A^-1 out, for symmetric positive definite (SPD) matrices.

A = gram_scale R R^T + c I with R uniform on (-1, 1)^(n x n): the ensemble of the released IRED data set at
gram_scale = 2 and c = 0.5 (in distribution, `id`) or 0.1 (out of distribution, `ood`).

Every reference predictor is a function of A's eigenvalues with A's eigenvectors, X_hat = V p(lambda) V^T, so that

    || X - X_hat ||_F^2 = sum_i (1 / lambda_i - p(lambda_i))^2

and a least squares fit of polynomials in A over a whole ensemble is a fit over scalars: exact, in float64, and
quick. (The same fit on float32 matrices is wrong by a factor of two: powers of A span ten decades.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray

from ired.base.settings import Positive
from ired.base.streams import Streams
from ired.tasks.base import Predictor, ProblemSet, Task, TaskSettings

if TYPE_CHECKING:
    from torch import Tensor

Eigenvalues = NDArray[np.float64]  # (N, n), ascending
Apply = Callable[[Eigenvalues], Eigenvalues]  # a function of A, as one of its eigenvalues
POLYNOMIALS = {
    "mean": 0,
    "affine": 1,
    "polynomial2": 2,
    "polynomial3": 3,
    "polynomial4": 4,
    "polynomial5": 5,
    "polynomial6": 6,
}
LABELS = {
    "zero": "zero",
    "mean": "mean",
    "affine": "affine",
    "polynomial2": "quadratic",
    "polynomial3": "cubic",
}
NEWTON_SCHULZ_STEPS = (4, 5, 6, 8)


class InversionSettings(TaskSettings):
    """Which matrices are inverted."""

    task: Literal["inversion"] = "inversion"
    gram_scale: Positive = 2.0
    diagonal_id: Positive = 0.5
    diagonal_ood: Positive = 0.1


class Inversion(Task):
    """See the module's docstring."""

    Settings = InversionSettings
    settings: InversionSettings
    line = "affine"

    @property
    def condition_shape(self) -> tuple[int, ...]:
        return self.settings.n, self.settings.n

    @property
    def solution_shape(self) -> tuple[int, ...]:
        return self.settings.n, self.settings.n

    def draw(self, streams: Streams, count: int, split: str) -> tuple[Tensor, Tensor]:
        settings = self.settings
        uniform = streams.uniform("matrices", count, settings.n, settings.n, dtype=torch.float64)
        diagonal = settings.diagonal_ood if split == "ood" else settings.diagonal_id
        return pair(uniform.mul_(2).sub_(1), settings.gram_scale, diagonal)

    def predictors(self, fit: ProblemSet) -> list[Predictor]:
        exact = Predictor("exact", 0, exact_squared_error)
        return [*(eigenvalue_predictor(*each) for each in ladder(eigenvalues(fit))), exact]

    def residual(self, condition: Tensor, answer: Tensor) -> Tensor:
        """||A Y - I||_F."""
        return residual_norm(condition, answer)

    def facts(self, problems: ProblemSet) -> dict[str, float]:
        """Quantiles of the condition number and of the smallest eigenvalue."""
        values = eigenvalues(problems)
        measured = {"condition_number": values[:, -1] / values[:, 0], "eigenvalue_min": values[:, 0]}
        return {
            f"{name}_q{round(100 * q):02d}": float(np.quantile(value, q))
            for name, value in measured.items()
            for q in (0.05, 0.5, 0.95)
        }


def gram(factor: Tensor, gram_scale: float, diagonal: float) -> Tensor:
    """A = gram_scale R R^T + diagonal I. Shapes: (..., n, n) -> (..., n, n)."""
    matrix = gram_scale * (factor @ factor.mT)
    matrix.diagonal(dim1=-2, dim2=-1).add_(diagonal)
    return matrix


def invert(matrix: Tensor) -> Tensor:
    """The inverse of SPD matrices by Cholesky, in the dtype given. Shapes: (..., n, n) -> (..., n, n).

    No check is made for a failed factorisation, since that would make an accelerator wait: c > 0 keeps A
    positive.
    """
    factor = torch.linalg.cholesky_ex(matrix, check_errors=False).L
    return torch.cholesky_inverse(factor)


def pair(factor: Tensor, gram_scale: float, diagonal: float) -> tuple[Tensor, Tensor]:
    """(A, X = A^-1) as float32, flattened row-major: (..., n, n) float64 -> two of (..., n^2).

    Everything is computed in float64: a float32 inverse of the hardest matrices is wrong in its third digit.
    """
    matrix = gram(factor, gram_scale, diagonal)
    return matrix.flatten(-2).float(), invert(matrix).flatten(-2).float()


def residual_norm(condition: Tensor, answer: Tensor) -> Tensor:
    """||A Y - I||_F for flattened matrices: (..., n^2), (..., n^2) -> (...)."""
    n = round(condition.shape[-1] ** 0.5)
    product = condition.unflatten(-1, (n, n)) @ answer.unflatten(-1, (n, n))
    return (product - torch.eye(n, dtype=product.dtype, device=product.device)).flatten(-2).norm(dim=-1)


def eigenvalues(problems: ProblemSet) -> Eigenvalues:
    """Ascending eigenvalues of every matrix in float64, (N, n)."""
    n = round(problems.condition.shape[1] ** 0.5)
    return np.linalg.eigvalsh(problems.condition.double().numpy().reshape(-1, n, n))


def fit_polynomial(values: Eigenvalues, degree: int) -> Apply:
    """The least squares polynomial p of `degree` with p(A) nearest A^-1 over an ensemble: sum_k c_k A^k, in a
    Chebyshev basis."""
    flat = values.ravel()
    return Chebyshev.fit(flat, 1 / flat, degree)


def newton_schulz(steps: int, start: float) -> Apply:
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


def ladder(fit: Eigenvalues) -> list[tuple[str, int, Apply]]:
    """(name, coefficients, p on eigenvalues) of every predictor, fitted on the eigenvalues of the `fit` set."""
    steps: list[tuple[str, int, Apply]] = [("zero", 0, np.zeros_like)]
    for name, degree in POLYNOMIALS.items():
        steps.append((name, degree + 1, at_first_use(partial(fit_polynomial, fit, degree))))
    start = newton_schulz_start(fit)
    return steps + [(f"newton_schulz{k}", 0, newton_schulz(k, start)) for k in NEWTON_SCHULZ_STEPS]


def at_first_use(make: Callable[[], Apply]) -> Apply:
    """A function that is made when it is first called: a diagnosis asks for the line alone, of many ensembles."""
    made = cache(make)
    return lambda values: made()(values)


def spectral_error(values: Eigenvalues, apply: Apply) -> NDArray[np.float64]:
    """Squared error along each eigenvector of A, (N, n)."""
    return np.square(1 / values - apply(values))


def eigenvalue_predictor(name: str, coefficients: int, apply: Apply) -> Predictor:
    """A predictor from its function of eigenvalues."""

    def squared_error(problems: ProblemSet) -> NDArray[np.float64]:
        values = eigenvalues(problems)
        return spectral_error(values, apply).sum(1) / values.shape[1] ** 2

    return Predictor(name, coefficients, squared_error, label=LABELS.get(name, ""))


def exact_squared_error(problems: ProblemSet) -> NDArray[np.float64]:
    """Cholesky in float32 against the stored solution, per matrix and element, (N,): the floor of the number
    format."""
    n = round(problems.condition.shape[1] ** 0.5)
    inverse = invert(problems.condition.unflatten(-1, (n, n))).flatten(-2)
    return torch.square(inverse.double() - problems.solution.double()).mean(1).numpy()
