"""The ensemble of symmetric positive definite (SPD) matrices and their inverses.

A = gram_scale R R^T + c I with R uniform on (-1, 1)^(n x n): the ensemble of the released IRED data set at
gram_scale = 2 and c = 0.5 (in distribution, `id`) or 0.1 (out of distribution, `ood`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field

from ired.base.settings import Positive, Strict
from ired.base.streams import Streams

if TYPE_CHECKING:
    from torch import Tensor


class Problem(Strict):
    """Which matrices are inverted."""

    n: Annotated[int, Field(ge=2)]
    gram_scale: Positive = 2.0
    diagonal_id: Positive = 0.5
    diagonal_ood: Positive = 0.1


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


def pair(factor: Tensor, problem: Problem, diagonal: float) -> tuple[Tensor, Tensor]:
    """(A, X = A^-1) as float32, flattened row-major: (..., n, n) float64 -> two of (..., n^2).

    Everything is computed in float64: a float32 inverse of the hardest matrices is wrong in its third digit.
    """
    matrix = gram(factor, problem.gram_scale, diagonal)
    return matrix.flatten(-2).float(), invert(matrix).flatten(-2).float()


def draw_pairs(streams: Streams, batch_size: int, problem: Problem, diagonal: float) -> tuple[Tensor, Tensor]:
    """One batch of the endless training stream for each seed of a pack: two of (S, B, n^2)."""
    uniform = streams.uniform("matrices", batch_size, problem.n, problem.n, dtype=torch.float64)
    return pair(uniform.mul_(2).sub_(1), problem, diagonal)


def draw_chunked(
    streams: Streams,
    count: int,
    problem: Problem,
    diagonal: float,
    chunk: int = 8192,
) -> tuple[Tensor, Tensor]:
    """A held-out set of `count` pairs in chunks of bounded memory: two of (count, n^2). The chunk's index is
    the step."""
    parts = []
    for index, start in enumerate(range(0, count, chunk)):
        matrix, solution = draw_pairs(streams.at(index), chunk, problem, diagonal)
        parts.append((matrix[0, : count - start], solution[0, : count - start]))
    return torch.cat([matrix for matrix, _ in parts]), torch.cat([solution for _, solution in parts])


def residual_norm(condition: Tensor, answer: Tensor) -> Tensor:
    """||A Y - I||_F for flattened matrices: (..., n^2), (..., n^2) -> (...)."""
    n = round(condition.shape[-1] ** 0.5)
    product = condition.unflatten(-1, (n, n)) @ answer.unflatten(-1, (n, n))
    return (product - torch.eye(n, dtype=product.dtype, device=product.device)).flatten(-2).norm(dim=-1)
