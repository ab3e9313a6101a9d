"""The equivariant energy with its derivatives written out, in torch's operations: what training and inference use
where no C files are compiled.

`equivariant.py` is the text to read; this file has the same formulas and weights, and tests compare the two.
What every evaluation at a batch shares is in `equivariant_trunk.py`; the head is here. With v = y + out a, a =
swish(u), u = M y + c for every channel, o = v g + r (M: maps, c: offset, g: outer_gain, r: answer of
`HeadOperands`):

    p = 2 g o        q = swish'(u) out p        grad_y E = p + sum over channels M^T q

The derivative of <x, grad_y E> by the weights is that of dE, the change of E along x, since <x, grad_y E> = dE:

    du = M x      da = swish'(u) du      do = (x + out da) g      dE = 2 <o, do>

and one backward pass through both rows gives it; p and q are met again there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import silu

from ired.energy.base import Weights
from ired.energy.equivariant import EquivariantEnergy
from ired.energy.equivariant_trunk import LevelFunction, TrunkFunction, at_level, trunk
from ired.energy.swish import Layer, activate, silu_backward


class HeadOperands(NamedTuple):
    """maps, offset: (maps H) gain and (offset H) gain + shift, (S B, K n, n), the channels' rows below each
    other. out: the weight, (S, 1, K). outer_gain: outer_gain / sqrt(2), (S B, 1, 1). answer: (answer H)
    answer_gain, (S B, n, n)."""

    maps: Tensor
    offset: Tensor
    out: Tensor
    outer_gain: Tensor
    answer: Tensor

    def out_per_sample(self) -> Tensor:
        """(S B, 1, K): a batched product wants the weight beside each sample."""
        seeds, _, channels = self.out.shape
        samples = self.maps.shape[0] // seeds
        return self.out[:, None].expand(-1, samples, -1, -1).reshape(-1, 1, channels)


def prepare(
    network: EquivariantEnergy, weights: Weights, condition: Tensor, t: Tensor
) -> FastPreparedEquivariant:
    """The trunk, and the head's share of it, once for all evaluations at matrices (S, B, n^2) of any n and noise
    levels (S, B)."""
    matrix, scale = network.scaled(condition)
    names = ("trunk.input", "trunk.inner", "trunk.outer", "head.mix")
    operands = (matrix, *(weights[name] for name in names))
    maps = TrunkFunction.apply(*operands) if torch.is_grad_enabled() else trunk(*operands)
    return FastPreparedEquivariant(network, maps, weights["head.film"], weights["head.out"], scale, t)


class FastPreparedEquivariant:
    """The equivariant energy at fixed weights, matrices and noise levels; see `energy.PreparedEnergy`."""

    def __init__(
        self, network: EquivariantEnergy, maps: Tensor, film: Tensor, out: Tensor, scale: Tensor, t: Tensor
    ) -> None:
        self._network, self._shared = network, (maps, film, out, scale)
        level = torch.nn.functional.one_hot(t, network.levels).to(maps)
        deal = LevelFunction.apply if torch.is_grad_enabled() else at_level
        scaled, offset, outer_gain, answer = deal(maps, level, film, network.answer_scale(scale))
        self._operands = HeadOperands(scaled, offset, out, outer_gain, answer)
        self._size = maps.shape[-2:]

    def at_level(self, t: Tensor) -> FastPreparedEquivariant:
        """The same weights and matrices at other noise levels (S, B)."""
        return FastPreparedEquivariant(self._network, *self._shared, t)

    def energy(self, y: Tensor) -> Tensor:
        """E(A, y, t): (S, B, D) -> (S, B). Differentiable by the weights, not by y."""
        point = self._point(y)
        if torch.is_grad_enabled():
            energy = EnergyFunction.apply(point, *self._operands)
        else:
            _, _, _, output = forward(point, self._operands)
            energy = squared_norm(output)
        return energy.view(y.shape[:-1])

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and its gradient by y, both differentiable by the weights: (S, B, D) -> (S, B), (S, B, D)."""
        point = self._point(y)
        if torch.is_grad_enabled():
            energy, gradient = EnergyAndGradientFunction.apply(point, *self._operands)
        else:
            energy, gradient = plain_energy_and_gradient(point, self._operands)
        return energy.view(y.shape[:-1]), gradient.view(y.shape)

    def _point(self, y: Tensor) -> Tensor:
        """(S, B, D) -> (S B, n, n), without a graph through y."""
        return y.detach().reshape(-1, *self._size)


def squared_norm(output: Tensor) -> Tensor:
    """(S B, n, n) -> (S B,)"""
    return output.flatten(1).square().sum(-1)


def by_channel(rows: Tensor, channels: int) -> Tensor:
    """(S B, K n, n) -> (S B, K, n^2)"""
    return rows.view(rows.shape[0], channels, -1)


def forward(y: Tensor, operands: HeadOperands) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """u, a, v and o of the module's docstring; u and a are (S B, K n, n), v and o (S B, n, n)."""
    u = torch.baddbmm(operands.offset, operands.maps, y)
    active = silu(u)
    return u, active, *outputs(y, active, operands)


def outputs(y: Tensor, active: Tensor, operands: HeadOperands) -> tuple[Tensor, Tensor]:
    """v and o from y and a."""
    weight = operands.out_per_sample()
    v = torch.baddbmm(y.view(y.shape[0], 1, -1), weight, by_channel(active, weight.shape[-1])).view(y.shape)
    return v, torch.addcmul(operands.answer, v, operands.outer_gain)


def through_out(p: Tensor, operands: HeadOperands) -> Tensor:
    """out p for every channel: (S B, n, n) -> (S B, K n, n)."""
    weight = operands.out_per_sample()
    return torch.bmm(weight.mT, p.view(p.shape[0], 1, -1)).view(operands.maps.shape)


def plain_energy_and_gradient(y: Tensor, operands: HeadOperands) -> tuple[Tensor, Tensor]:
    """E (S B,) and grad_y E (S B, n, n) with nothing kept."""
    u, _, _, output = forward(y, operands)
    p = (output * operands.outer_gain).mul_(2)
    q = silu_backward(through_out(p, operands), u)
    return squared_norm(output), torch.baddbmm(p, operands.maps.mT, q)


class EnergyFunction(Function):
    """E, differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, *operands: Tensor) -> Tensor:
        ctx.y, ctx.operands = y, HeadOperands(*operands)
        ctx.there = forward(y, ctx.operands)
        return squared_norm(ctx.there[-1])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        operands, (u, active, v, output) = ctx.operands, ctx.there
        d_output = output * (2 * e)[:, None, None]
        m = d_output * operands.outer_gain
        d_u = silu_backward(through_out(m, operands), u)
        d_outer_gain = (v * d_output).sum((1, 2), keepdim=True)
        d_out = out_derivative(m, active, operands)
        return None, torch.bmm(d_u, ctx.y.mT), d_u, d_out, d_outer_gain, d_output


def out_derivative(m: Tensor, active: Tensor, operands: HeadOperands) -> Tensor:
    """The derivative of the weight `out`, (S, 1, K), from that of out a."""
    seeds, _, channels = operands.out.shape
    per_sample = torch.bmm(m.view(m.shape[0], 1, -1), by_channel(active, channels).mT)
    return per_sample.view(seeds, -1, 1, channels).sum(1)


@dataclass(frozen=True)
class There:
    """What the backward pass needs of the forward pass; `out_p` is out p."""

    layer: Layer
    v: Tensor
    output: Tensor
    p: Tensor
    out_p: Tensor
    q: Tensor


class EnergyAndGradientFunction(Function):
    """E and grad_y E, both differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        operands = HeadOperands(*given)
        layer = activate(torch.baddbmm(operands.offset, operands.maps, y))
        v, output = outputs(y, layer.h, operands)
        p = (output * operands.outer_gain).mul_(2)
        out_p = through_out(p, operands)
        q = out_p * layer.slope
        ctx.y, ctx.operands, ctx.there = y, operands, There(layer, v, output, p, out_p, q)
        ctx.set_materialize_grads(False)
        return squared_norm(output), torch.baddbmm(p, operands.maps.mT, q)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, e: Tensor | None, x: Tensor | None) -> tuple[Tensor | None, ...]:
        operands, there, y = ctx.operands, ctx.there, ctx.y
        layer = there.layer
        x = torch.zeros_like(y) if x is None else x.contiguous()
        change_u = torch.bmm(operands.maps, x)
        change_active = change_u * layer.slope
        change_v, change_output = outputs_of_change(x, change_active, operands)
        d_output = 2 * change_output
        if e is not None:
            d_output.addcmul_(there.output, (2 * e)[:, None, None])
        m = d_output * operands.outer_gain
        d_u = change_u.mul_(layer.half_curvature()).mul_(there.out_p).mul_(2)
        d_u.addcmul_(through_out(m, operands), layer.slope)
        d_maps = torch.bmm(d_u, y.mT).baddbmm_(there.q, x.mT)
        d_out = out_derivative(m, layer.h, operands) + out_derivative(there.p, change_active, operands)
        d_outer_gain = (there.v * d_output).addcmul_(change_v, there.output, value=2)
        return None, d_maps, d_u, d_out, d_outer_gain.sum((1, 2), keepdim=True), d_output


def outputs_of_change(x: Tensor, change_active: Tensor, operands: HeadOperands) -> tuple[Tensor, Tensor]:
    """dv and do from x and da: `outputs` without what does not change."""
    weight = operands.out_per_sample()
    change = by_channel(change_active, weight.shape[-1])
    v = torch.baddbmm(x.view(x.shape[0], 1, -1), weight, change).view(x.shape)
    return v, v * operands.outer_gain
