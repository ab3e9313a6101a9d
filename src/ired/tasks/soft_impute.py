"""Soft-impute: matrix completion by the nuclear norm (Mazumder, Hastie and Tibshirani 2010).

Z minimises 1/2 || mask * (M - Z) ||_F^2 + penalty || Z ||_*, by filling the unknown entries with Z and shrinking
the singular values of the filled matrix, again and again: a proximal gradient step, here with Nesterov's momentum
(Beck and Teboulle 2009), without which small penalties take thousands of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def shrink(matrix: Tensor, penalty: Tensor) -> Tensor:
    """Singular values less `penalty`, cut at zero: (N, n, m), (N,) -> (N, n, m).

    By the eigenvectors of the Gram matrix, which a batch has several times sooner than singular vectors; the
    small singular values that this blurs are cut.
    """
    squares, vectors = torch.linalg.eigh(matrix.mT @ matrix)
    values = squares.clamp(min=torch.finfo(matrix.dtype).tiny).sqrt()
    factor = (1 - penalty[:, None] / values).clamp(min=0)
    return (matrix @ vectors * factor[:, None]) @ vectors.mT


def soft_impute(
    observed: Tensor, mask: Tensor, fraction: float, iterations: int = 500, tolerance: float = 1e-4
) -> Tensor:
    """Z for every matrix: (N, n, m) float64, zero where unknown -> (N, n, m).

    `fraction`: the penalty over each matrix's largest singular value, above which Z would be zero; relative, so
    that what was fitted at one scale can be used at another. A matrix ends when a step moves it by no more than
    `tolerance` of its norm.
    """
    result = torch.zeros_like(observed)
    left = torch.arange(len(observed))  # the matrices that still move
    known, unknown = observed, 1 - mask
    enough = tolerance * torch.linalg.matrix_norm(observed)
    penalty = fraction * torch.linalg.matrix_norm(observed, 2)
    estimate = ahead = torch.zeros_like(observed)
    age = torch.zeros_like(penalty)  # steps since momentum began
    for _ in range(iterations):
        previous, estimate = estimate, shrink(known + unknown * ahead, penalty)
        change = estimate - previous
        moves = torch.linalg.matrix_norm(change) > enough
        result[left[~moves]] = estimate[~moves]
        parts = left, known, unknown, enough, penalty, estimate, ahead, age, change
        left, known, unknown, enough, penalty, estimate, ahead, age, change = (x[moves] for x in parts)
        if not len(left):
            break
        # Momentum that leads uphill begins anew (O'Donoghue and Candes 2015).
        age = torch.where(((ahead - estimate) * change).sum((1, 2)) > 0, 0, age)
        ahead = estimate + (age / (age + 3))[:, None, None] * change
        age = age + 1
    result[left] = estimate
    return result


def fit_fraction(observed: Tensor, mask: Tensor, solution: Tensor) -> float:
    """The penalty fraction with the least squared error on the unknown entries of these problems."""
    # Not with the others: every training would wait for it, and only predictors are fitted.
    from scipy.optimize import minimize_scalar

    def error(log_fraction: float) -> float:
        estimate = soft_impute(observed, mask, 10**log_fraction)
        return float(((estimate - solution) * (1 - mask)).square().mean())

    return float(10 ** minimize_scalar(error, bounds=(-2.5, 0), method="bounded", options={"xatol": 0.03}).x)
