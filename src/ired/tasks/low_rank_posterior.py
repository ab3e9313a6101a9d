"""The Bayesian posterior mean of a low-rank matrix from some of its entries, by Gibbs sampling.

The model is the data's own: M = scale U V^T + noise E, with U (n x r), V (m x r) and E standard Gaussian, and
the entries of M in `mask` are known. Given V, the rows of U are independent Gaussians with

    precision  I + (scale / noise)^2 sum_j mask_ij v_j v_j^T
    mean       precision^-1 (scale / noise^2) sum_j mask_ij M_ij v_j

and so for V given U (Salakhutdinov and Mnih 2008, with fixed hyperparameters). No estimator has a smaller mean
squared error than the posterior mean, so its error is what can be reached at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ired.base.streams import stream

if TYPE_CHECKING:
    from torch import Tensor

COOLING = 0.02  # the sampler's noise falls by so much a sweep until it is the model's
BURN_IN = 20  # sweeps at the model's noise before the average begins
SWEEPS = 30  # sweeps that are averaged
CHUNK = 200  # problems at once: they fit into the processor's cache


@dataclass(frozen=True)
class LowRankModel:
    """M = scale U V^T + noise E, U and V with `rank` columns."""

    scale: float
    rank: int
    noise: float


def conditional(
    observed: Tensor, mask: Tensor, other: Tensor, model: LowRankModel, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(mean, draw) of one factor given the `other`: (N, n, m), (N, n, m), (N, m, r) -> two of (N, n, r)."""
    rank = other.shape[-1]
    squares = (other[..., :, None] * other[..., None, :]).flatten(-2)
    precision = (mask @ squares).unflatten(-1, (rank, rank)) * (model.scale / model.noise) ** 2
    precision.diagonal(dim1=-2, dim2=-1).add_(1)
    root = torch.linalg.cholesky(precision)
    mean = torch.cholesky_solve((observed @ other * (model.scale / model.noise**2))[..., None], root)
    white = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    draw = mean + torch.linalg.solve_triangular(root.mT, white, upper=True)
    return mean[..., 0], draw[..., 0]


def cooling(observed: Tensor, mask: Tensor, model: LowRankModel) -> list[float]:
    """The noise of the sweeps before the model's own: from where entries say little, down by 2 % a sweep.

    A chain that starts at a small noise can stay in a wrong mode for ever; one that is cooled finds the right
    one (measured: docs/completion.md).
    """
    share = float(mask.mean())
    if not share:
        return []
    rms = math.sqrt(float(observed.square().mean()) / share)
    start = rms * math.sqrt(observed.shape[-1] * share / model.rank)
    steps = max(0, math.ceil(math.log(start / model.noise) / COOLING))
    return [model.noise * math.exp(COOLING * k) for k in range(steps, 0, -1)]


def chain(
    observed: Tensor, mask: Tensor, model: LowRankModel, generator: torch.Generator, sweeps: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """One cooled Gibbs chain: after cooling and burn-in, `sweeps` times (U, V, mean of V given U).

    Shapes: observed (zero where unknown) and mask (N, n, m), float64 -> (N, n, r), (N, m, r), (N, m, r).
    """
    right = torch.randn(
        len(observed), observed.shape[2], model.rank, generator=generator, dtype=observed.dtype
    )
    noises = cooling(observed, mask, model) + [model.noise] * (BURN_IN + sweeps)
    for step, noise in enumerate(noises):
        now = LowRankModel(model.scale, model.rank, noise)
        _, left = conditional(observed, mask, right, now, generator)
        mean, right = conditional(observed.mT, mask.mT, left, now, generator)
        if step >= len(noises) - sweeps:
            yield left, right, mean


def posterior_mean(observed: Tensor, mask: Tensor, model: LowRankModel, index: int, sweeps: int) -> Tensor:
    """One chain's estimate of E[scale U V^T | known entries], (N, n, m). `index`: which chain, its random
    numbers are its own."""
    generator = stream(index, "gibbs")
    # U E[V | U] has the mean of U V^T and a smaller variance (Rao and Blackwell).
    total = sum(left @ mean.mT for left, _, mean in chain(observed, mask, model, generator, sweeps))
    return torch.as_tensor(total) * (model.scale / sweeps)


def bayes_error(
    observed: Tensor, mask: Tensor, solution: Tensor, model: LowRankModel, sweeps: int = SWEEPS
) -> NDArray[np.float64]:
    """An unbiased estimate of the posterior mean's squared error, per problem and element: (N,).

    The product of the errors of two independent chains on the unknown entries. A finite chain's own error is
    too large by its variance; in the product of two the variance is absent, so a few sweeps are enough. A
    single problem's value can therefore lie below zero.
    """
    parts: list[Tensor] = []
    for known, where, truth in zip(
        observed.split(CHUNK), mask.split(CHUNK), solution.split(CHUNK), strict=True
    ):
        first, second = (
            (truth - posterior_mean(known, where, model, 2 * len(parts) + k, sweeps)) * (1 - where)
            for k in (0, 1)
        )
        parts.append((first * second).mean((1, 2)))
    return torch.cat(parts).numpy()
