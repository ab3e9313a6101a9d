"""Odd spectral polynomials: the least that can be said of a matrix' unknown entries from its known ones.

With C = U diag(s) V^T the matrix that is zero where unknown, U diag(p(s)) V^T with p(s) = c_1 s^3 + c_2 s^5 + ...
is (C C^T) C, (C C^T)^2 C, ... and needs no decomposition. Degree 1 is C itself, which says nothing of unknown
entries: they are zero in it, so that its coefficient has nothing to fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def powers(known: Tensor, count: int, relative: bool) -> Tensor:
    """(C C^T)^k C for k = 1 .. count: (N, n, m) -> (count, N, n, m).

    `relative`: with C C^T divided by its mean eigenvalue, so that a matrix twice as large has a completion twice
    as large.
    """
    gram = known @ known.mT
    if relative:
        gram = gram / gram.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    result = [gram @ known]
    for _ in range(count - 1):
        result.append(gram @ result[-1])
    return torch.stack(result)


def fit_spectral(known: Tensor, mask: Tensor, solution: Tensor, degree: int, relative: bool) -> Tensor:
    """Least squares coefficients on the unknown entries, ((degree - 1) / 2,)."""
    unknown = mask == 0
    terms = powers(known, (degree - 1) // 2, relative)
    columns = torch.stack([term[unknown] for term in terms], 1)
    return torch.linalg.lstsq(columns, solution[unknown][:, None]).solution[:, 0]


def predict_spectral(known: Tensor, coefficients: Tensor, relative: bool) -> Tensor:
    """The polynomial at every entry: (N, n, m), (k,) -> (N, n, m)."""
    return torch.einsum("k,kbnm->bnm", coefficients, powers(known, len(coefficients), relative))
