"""Soft-impute: matrix completion by the nuclear norm (Mazumder, Hastie and Tibshirani 2010).

Z minimises 1/2 || mask * (M - Z) ||_F^2 + penalty || Z ||_*, by filling the unknown entries with Z and shrinking
the singular values of the filled matrix, again and again: a proximal gradient step, here with Nesterov's momentum
(Beck and Teboulle 2009), without which small penalties take thousands of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scipy.optimize import minimize_scalar

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
    observed: Tensor, mask: Tensor, fraction: float, iterations: int = 500, tolerance: float = 3e-4
) -> Tensor:
    """Z for every matrix: (N, n, m) float64, zero where unknown -> (N, n, m).

    `fraction`: the penalty over each matrix's largest singular value, above which Z would be zero; relative, so
    that what was fitted at one scale can be used at another. Ends when no step moves a matrix by more than
    `tolerance` of its norm.
    """
    size = torch.linalg.matrix_norm(observed)
    penalty = fraction * torch.linalg.matrix_norm(observed, 2)
    estimate = ahead = torch.zeros_like(observed)
    for step in range(iterations):
        previous, estimate = estimate, shrink(observed + (1 - mask) * ahead, penalty)
        moved = torch.linalg.matrix_norm(estimate - previous)
        if bool((moved <= tolerance * size).all()):
            break
        ahead = estimate + step / (step + 3) * (estimate - previous)
    return estimate


def fit_fraction(observed: Tensor, mask: Tensor, solution: Tensor) -> float:
    """The penalty fraction with the least squared error on the unknown entries of these problems."""

    def error(log_fraction: float) -> float:
        estimate = soft_impute(observed, mask, 10**log_fraction)
        return float(((estimate - solution) * (1 - mask)).square().mean())

    return float(10 ** minimize_scalar(error, bounds=(-2.5, 0), method="bounded", options={"xatol": 0.03}).x)
