"""What every evaluation of the equivariant energy at one batch shares, and its derivative by the weights,
written out.

The trunk's maps are channels first, (S, C, B, n, n), so that a mix of channels is one product with the whole
batch as columns; the three mixes into a block are one product, and so are the two out of it. The product of
two maps is one call over all channels and samples of a seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ired.energy.swish import silu_backward, silu_out

# torch multiplies matrices of fewer elements than this by a scalar loop, six times as slow as its kernels:
# smaller maps are padded with zeros, which every operation of the trunk keeps zero.
_SMALLEST = 8


def _parts(columns: Tensor, parts: int, size: int, transposed: bool = False) -> list[tuple[Tensor, ...]]:
    """Views of (blocks, S, parts C, B n^2), or of their transposes: for every block and seed a tuple of (C B, n,
    n), the channels of one part and all samples as a batch of maps.

    They are made for all blocks at once, since a view costs a tenth of an operation on small maps.
    """
    blocks, seeds = columns.shape[:2]
    flat = columns.view(blocks * seeds, parts, -1, size, size)
    return [one.unbind(0) for one in (flat.mT if transposed else flat).unbind(0)]


@dataclass(frozen=True)
class Passed:
    """What the backward pass needs of the forward pass: the stacked input (S, 2, B n^2); of every block its maps (S, C,
    B n^2), the mixes into it and what they gave, (blocks, S, 3 C or 2 C, B n^2); and the last maps."""

    stacked: Tensor
    maps: list[Tensor]
    mixed: Tensor
    result: Tensor
    last_maps: Tensor


def _forward(matrix: Tensor, first: Tensor, inner: Tensor, outer: Tensor) -> Passed:
    """The trunk's blocks."""
    seeds, batch, n, _ = matrix.shape
    size, channels, blocks = max(n, _SMALLEST), first.shape[1], inner.shape[1]
    stacked = matrix.new_zeros(seeds, 2, batch, size, size)
    stacked[:, 0, :, :n, :n] = matrix
    stacked[:, 1].diagonal(dim1=-2, dim2=-1)[..., :n] = 1
    stacked = stacked.flatten(2)
    before, maps = [], torch.bmm(first, stacked)
    mixed = maps.new_empty(blocks, seeds, 3 * channels, maps.shape[-1])
    result = maps.new_empty(blocks, seeds, 2 * channels, maps.shape[-1])
    mixed_parts, result_parts = _parts(mixed, 3, size), _parts(result, 2, size)
    weights = zip(inner.unbind(1), outer.unbind(1), mixed.unbind(0), result.unbind(0), strict=True)
    for block, (inward, outward, mixed_here, result_here) in enumerate(weights):
        torch.bmm(inward, maps, out=mixed_here)
        for seed in range(block * seeds, (block + 1) * seeds):
            left, right, entry = mixed_parts[seed]
            product, active = result_parts[seed]
            torch.bmm(left, right, out=product)
            silu_out(entry, out=active)
        before.append(maps)
        maps = torch.baddbmm(maps, outward, result_here)
    return Passed(stacked, before, mixed, result, maps)


def trunk(matrix: Tensor, first: Tensor, inner: Tensor, outer: Tensor, last: Tensor) -> Tensor:
    """The trunk's maps as the head takes them, before gains: scaled matrices (S, B, n, n) and the weights
    `trunk.input`, `trunk.inner`, `trunk.outer`, `head.mix` -> (S, 2 K + 1, B, n, n)."""
    return _last_mix(_forward(matrix, first, inner, outer), last, matrix.shape[-1])


def _last_mix(passed: Passed, last: Tensor, n: int) -> Tensor:
    size = max(n, _SMALLEST)
    return torch.bmm(last, passed.last_maps).unflatten(2, (-1, size, size))[..., :n, :n]


class TrunkFunction(Function):
    """`trunk`, differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, *weights: Tensor) -> Tensor:
        ctx.weights, ctx.passed = weights, _forward(matrix, *weights[:3])
        return _last_mix(ctx.passed, weights[3], matrix.shape[-1])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_maps: Tensor) -> tuple[Tensor | None, ...]:
        first, inner, outer, last = ctx.weights
        passed = ctx.passed
        size, channels, (seeds, blocks) = max(d_maps.shape[-1], _SMALLEST), first.shape[1], inner.shape[:2]
        missing = size - d_maps.shape[-1]
        if missing:
            d_maps = torch.nn.functional.pad(d_maps, (0, missing, 0, missing))
        d_maps = d_maps.flatten(2)
        # Derivatives by weights are made transposed: torch is faster with the smaller factor on the left.
        d_last = torch.bmm(passed.last_maps, d_maps.mT).mT
        d = torch.bmm(last.mT, d_maps)
        d_inner, d_outer = (d.new_empty(blocks, seeds, channels, k * channels) for k in (3, 2))
        # One buffer serves all blocks and stays in the cache.
        d_mixed, d_result = (d.new_empty(seeds, k * channels, d.shape[-1]) for k in (3, 2))
        d_mixed_parts, d_result_parts = _parts(d_mixed[None], 3, size), _parts(d_result[None], 2, size)
        parts, transposed = _parts(passed.mixed, 3, size), _parts(passed.mixed, 3, size, transposed=True)
        inward, outward, result = inner.unbind(1), outer.mT.unbind(1), passed.result.mT.unbind(0)
        for block in reversed(range(blocks)):
            torch.bmm(d, result[block], out=d_outer[block])
            torch.bmm(outward[block], d, out=d_result)
            for seed in range(seeds):
                entry = parts[block * seeds + seed][2]
                left, right, _ = transposed[block * seeds + seed]
                d_left, d_right, d_entry = d_mixed_parts[seed]
                d_product, d_active = d_result_parts[seed]
                torch.bmm(d_product, right, out=d_left)
                torch.bmm(left, d_product, out=d_right)
                silu_backward.grad_input(d_active, entry, grad_input=d_entry)
            torch.bmm(passed.maps[block], d_mixed.mT, out=d_inner[block])
            d.baddbmm_(inward[block].mT, d_mixed)
        d_first = torch.bmm(d, passed.stacked.mT)
        return None, d_first, d_inner.permute(1, 0, 3, 2), d_outer.transpose(0, 1), d_last


def _dealt(level: Tensor, film: Tensor) -> tuple[Tensor, ...]:
    """gain and shift (S, K, B, 1, 1), outer and answer gain (S, B) of every sample; gains about one.

    A product with a one-hot matrix, whose derivative is a product too and not a scatter.
    """
    channels = film.shape[-1] // 2 - 1
    dealt = torch.bmm(level, film)
    gain, shift = dealt[..., : 2 * channels].mT[..., None, None].split(channels, 1)
    return 1 + gain, shift, 1 + dealt[..., -2], 1 + dealt[..., -1]


def at_level(maps: Tensor, level: Tensor, film: Tensor, answer_scale: Tensor) -> tuple[Tensor, ...]:
    """Maps (S, 2 K + 1, B, n, n), one-hot levels (S, B, T), the table (S, T, 2 K + 2) and the answer's scale
    (S, B, 1, 1) -> maps, offset, outer_gain, answer of `equivariant_fast.HeadOperands`."""
    gain, shift, outer_gain, answer_gain = _dealt(level, film)
    seeds, _, batch, n, _ = maps.shape
    channels = gain.shape[1]
    # Samples first from here on: a sample's channels lie below each other, and one product sees them all.
    scaled, offset = maps.new_empty(2, seeds, batch, channels, n, n).transpose(2, 3)
    torch.mul(maps[:, :channels], gain, out=scaled)
    torch.addcmul(shift, maps[:, channels : 2 * channels], gain, out=offset)
    answer = maps[:, -1] * (answer_gain[..., None, None] * answer_scale)
    rows = (seeds * batch, channels * n, n)
    return (
        scaled.transpose(1, 2).view(rows),
        offset.transpose(1, 2).view(rows),
        (outer_gain / math.sqrt(2)).view(-1, 1, 1),
        answer.view(-1, n, n),
    )


class LevelFunction(Function):
    """`at_level`, differentiable by the maps and the table."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, level: Tensor, film: Tensor, answer_scale: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.operands = (maps, level, film, answer_scale)
        return at_level(maps, level, film, answer_scale)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, d_scaled: Tensor, d_offset: Tensor, d_outer: Tensor, d_answer: Tensor
    ) -> tuple[Tensor | None, ...]:
        maps, level, film, answer_scale = ctx.operands
        gain, _, _, answer_gain = _dealt(level, film)
        seeds, _, batch, n, _ = maps.shape
        channels = gain.shape[1]
        d_scaled, d_offset = (
            d.view(seeds, batch, channels, n, n).transpose(1, 2) for d in (d_scaled, d_offset)
        )
        d_answer = d_answer.view(seeds, batch, n, n)
        d_maps = torch.empty(maps.shape, dtype=maps.dtype, device=maps.device)
        torch.mul(d_scaled, gain, out=d_maps[:, :channels])
        torch.mul(d_offset, gain, out=d_maps[:, channels : 2 * channels])
        torch.mul(d_answer, answer_gain[..., None, None] * answer_scale, out=d_maps[:, -1])
        d_gain = (d_scaled * maps[:, :channels]).addcmul_(d_offset, maps[:, channels : 2 * channels])
        d_answer_gain = (d_answer * maps[:, -1]).sum((-2, -1)) * answer_scale[..., 0, 0]
        d_dealt = torch.cat(
            [
                d_gain.sum((-2, -1)).mT,
                d_offset.sum((-2, -1)).mT,
                d_outer.view(seeds, batch, 1) / math.sqrt(2),
                d_answer_gain[..., None],
            ],
            -1,
        )
        return d_maps, None, torch.bmm(level.mT, d_dealt), None
