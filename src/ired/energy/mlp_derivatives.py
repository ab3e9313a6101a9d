"""The reference energy, its gradient by y, and the derivative of both by the weights, written out.

Notation, a row per sample: u pre-activations, h = swish(u), a products before gain g and shift c, o the
output;

    u1 = share + y W1^T    u2 = (h1 W2^T) g2 + c2    u3 = (h2 W3^T) g3 + c3    o = h3 W4^T + b4    E = ||o||^2

and in the backward pass p = dE/dh, q = dE/du, m = dE/da. A training step's elementwise work costs as much as its
matrix products, so it is counted: one exponential per layer serves swish and both its derivatives (see `swish`), and
reverse differentiation would spend five.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import silu

from ired.energy.swish import Layer, activate, silu_backward

Operands = tuple[Tensor, ...]  # matrix_share, film, w1, w2, w3, w4, b4 of `mlp.PreparedMlp`


def plain_energy(operands: Operands, y: Tensor) -> Tensor:
    """E without anything kept: (S, B, D) -> (S, B)."""
    share, film, w1, w2, w3, w4, b4 = operands
    g2, c2, g3, c3 = film.chunk(4, -1)
    h = silu(torch.baddbmm(share, y, w1.mT), inplace=True)
    h = silu(torch.addcmul(c2, torch.bmm(h, w2.mT), g2), inplace=True)
    h = silu(torch.addcmul(c3, torch.bmm(h, w3.mT), g3), inplace=True)
    return torch.baddbmm(b4[:, None], h, w4.mT).square_().sum(-1)


@dataclass(frozen=True)
class Forward:
    """What the backward pass needs of the forward pass."""

    layers: tuple[Layer, Layer, Layer]
    a2: Tensor
    a3: Tensor
    output: Tensor


def forward(operands: Operands, y: Tensor) -> Forward:
    """The three layers and the output (S, B, D)."""
    share, film, w1, w2, w3, w4, b4 = operands
    g2, c2, g3, c3 = film.chunk(4, -1)
    first = activate(torch.baddbmm(share, y, w1.mT))
    a2 = torch.bmm(first.h, w2.mT)
    second = activate(torch.addcmul(c2, a2, g2))
    a3 = torch.bmm(second.h, w3.mT)
    third = activate(torch.addcmul(c3, a3, g3))
    return Forward((first, second, third), a2, a3, torch.baddbmm(b4[:, None], third.h, w4.mT))


@dataclass(frozen=True)
class Backward:
    """p = dE/dh and q = dE/du of each layer, m = dE/da of the upper two."""

    p: tuple[Tensor, Tensor, Tensor]
    q: tuple[Tensor, Tensor, Tensor]
    m2: Tensor
    m3: Tensor


def backward(operands: Operands, there: Forward) -> Backward:
    """From the output down to the first layer."""
    _, film, _, w2, w3, w4, _ = operands
    g2, _, g3, _ = film.chunk(4, -1)
    first, second, third = there.layers
    p3 = torch.bmm(2 * there.output, w4)
    q3 = p3 * third.slope
    m3 = q3 * g3
    p2 = torch.bmm(m3, w3)
    q2 = p2 * second.slope
    m2 = q2 * g2
    p1 = torch.bmm(m2, w2)
    return Backward((p1, p2, p3), (p1 * first.slope, q2, q3), m2, m3)


def plain_energy_and_gradient(operands: Operands, y: Tensor) -> tuple[Tensor, Tensor]:
    """E and grad_y E with nothing kept: (S, B, D) -> (S, B), (S, B, D).

    Where no second derivative is to come, a slope need not be kept: torch's own derivative of swish is
    one pass over the memory where `forward` and `backward` make six.
    """
    share, film, w1, w2, w3, w4, b4 = operands
    g2, c2, g3, c3 = film.chunk(4, -1)
    u1 = torch.baddbmm(share, y, w1.mT)
    u2 = torch.addcmul(c2, torch.bmm(silu(u1), w2.mT), g2)
    u3 = torch.addcmul(c3, torch.bmm(silu(u2), w3.mT), g3)
    output = torch.baddbmm(b4[:, None], silu(u3), w4.mT)
    m3 = silu_backward(torch.bmm(2 * output, w4), u3).mul_(g3)
    m2 = silu_backward(torch.bmm(m3, w3), u2).mul_(g2)
    q1 = silu_backward(torch.bmm(m2, w2), u1)
    return output.square_().sum(-1), torch.bmm(q1, w1)


def pull_back(operands: Operands, y: Tensor, there: Forward, d_output: Tensor, seed: Seed) -> Operands:
    """Derivatives of the operands from that of the output, added to what the gradient's own derivative has
    seeded.

    seed.half_du: half the derivatives by u1, u2, u3 so far (or None); seed.film, seed.weights: likewise,
    changed in place.
    """
    _, film, _, w2, w3, w4, _ = operands
    g2, _, g3, _ = film.chunk(4, -1)
    first, second, third = there.layers
    d_film = seed.film
    d_g2, d_c2, d_g3, d_c3 = d_film.chunk(4, -1)
    d_w1, d_w2, d_w3, d_w4 = seed.weights
    d_w4.baddbmm_(d_output.mT, third.h)
    _accumulate(d_c3, torch.bmm(d_output, w4).mul_(third.slope), seed.half_du[2])
    d_g3.addcmul_(d_c3, there.a3)
    d_a3 = d_c3 * g3
    d_w3.baddbmm_(d_a3.mT, second.h)
    _accumulate(d_c2, torch.bmm(d_a3, w3).mul_(second.slope), seed.half_du[1])
    d_g2.addcmul_(d_c2, there.a2)
    d_a2 = d_c2 * g2
    d_w2.baddbmm_(d_a2.mT, first.h)
    d_u1 = torch.bmm(d_a2, w2).mul_(first.slope)
    if seed.half_du[0] is not None:
        d_u1.add_(seed.half_du[0], alpha=2)
    d_w1.baddbmm_(d_u1.mT, y)
    return d_u1, d_film, d_w1, d_w2, d_w3, d_w4, d_output.sum(1)


def _accumulate(target: Tensor, value: Tensor, half_seed: Tensor | None) -> None:
    """target <- value + 2 half_seed; the derivative by a shift is that by its pre-activation."""
    if half_seed is None:
        target.copy_(value)
    else:
        torch.add(value, half_seed, alpha=2, out=target)


@dataclass(frozen=True)
class Seed:
    """Derivatives begun by the energy gradient's own derivative; zeros and None where there is none."""

    half_du: tuple[Tensor | None, Tensor | None, Tensor | None]
    film: Tensor
    weights: tuple[Tensor, Tensor, Tensor, Tensor]


def gradient_seed(operands: Operands, there: Forward, back: Backward, r: Tensor) -> tuple[Seed, Tensor]:
    """The derivative of grad_y E against its cotangent r (S, B, D), up to the output; and that by the
    output."""
    _, film, w1, w2, w3, w4, _ = operands
    g2, _, g3, _ = film.chunk(4, -1)
    first, second, third = there.layers
    d_film = torch.empty_like(film)
    d_g2, _, d_g3, _ = d_film.chunk(4, -1)
    dq1 = torch.bmm(r, w1.mT)
    d_w1 = torch.bmm(back.q[0].mT, r)
    dp1 = dq1 * first.slope
    d_w2 = torch.bmm(back.m2.mT, dp1)
    dm2 = torch.bmm(dp1, w2.mT)
    torch.mul(dm2, back.q[1], out=d_g2)
    dq2 = dm2.mul_(g2)
    dp2 = dq2 * second.slope
    d_w3 = torch.bmm(back.m3.mT, dp2)
    dm3 = torch.bmm(dp2, w3.mT)
    torch.mul(dm3, back.q[2], out=d_g3)
    dq3 = dm3.mul_(g3)
    dp3 = dq3 * third.slope
    d_w4 = torch.bmm((2 * there.output).mT, dp3)
    d_output = torch.bmm(dp3, w4.mT).mul_(2)
    half_du = tuple(
        dq.mul_(p).mul_(layer.half_curvature())
        for dq, p, layer in zip((dq1, dq2, dq3), back.p, there.layers, strict=True)
    )
    return Seed(half_du, d_film, (d_w1, d_w2, d_w3, d_w4)), d_output  # type: ignore[arg-type]


def empty_seed(operands: Operands) -> Seed:
    """Nothing begun: the derivative of the energy alone."""
    _, film, w1, w2, w3, w4, _ = operands
    film_zeros = torch.zeros_like(film)
    zeros = tuple(torch.zeros(w.shape, dtype=w.dtype, device=w.device) for w in (w1, w2, w3, w4))
    return Seed((None, None, None), film_zeros, zeros)  # type: ignore[arg-type]


class MlpEnergyFunction(Function):
    """E, differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, *operands: Tensor) -> Tensor:
        ctx.there, ctx.y, ctx.operands = forward(operands, y), y, operands
        return ctx.there.output.square().sum(-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        d_output = 2 * ctx.there.output * e[..., None]
        return None, *pull_back(ctx.operands, ctx.y, ctx.there, d_output, empty_seed(ctx.operands))


class MlpEnergyAndGradientFunction(Function):
    """E and grad_y E, both differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, *operands: Tensor) -> tuple[Tensor, Tensor]:
        there = forward(operands, y)
        back = backward(operands, there)
        ctx.there, ctx.back, ctx.y, ctx.operands = there, back, y, operands
        ctx.set_materialize_grads(False)
        return there.output.square().sum(-1), torch.bmm(back.q[0], operands[2])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, e: Tensor | None, r: Tensor | None) -> tuple[Tensor | None, ...]:
        if r is None:
            seed, d_output = empty_seed(ctx.operands), torch.zeros_like(ctx.there.output)
        else:
            seed, d_output = gradient_seed(ctx.operands, ctx.there, ctx.back, r)
        if e is not None:
            d_output = torch.addcmul(d_output, 2 * ctx.there.output, e[..., None])
        return None, *pull_back(ctx.operands, ctx.y, ctx.there, d_output, seed)
