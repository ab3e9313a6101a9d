"""What every evaluation of the equivariant energy at one batch shares, and its derivative by the weights,
written out.

The trunk's maps are channels first, (S, C, B, n, n), so that a mix of channels is one product with the whole
batch as columns; the three mixes into a block are one product, and so are the two out of it. The product of
two maps is one library call over all channels and samples of a seed.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ired.energy.swish import silu_backward

# The library multiplies matrices of fewer elements than this by a scalar loop, six times as slow as its kernels:
# smaller maps are padded with zeros, which every operation of the trunk keeps zero.
_SMALLEST = 8


def trunk(matrix: Tensor, first: Tensor, inner: Tensor, outer: Tensor, last: Tensor) -> Tensor:
    """The trunk's maps as the head takes them, before gains: scaled matrices (S, B, n, n) and the weights
    `trunk.input`, `trunk.inner`, `trunk.outer`, `head.mix` -> (S, 2 K + 1, B, n, n)."""
    return _forward(matrix, first, inner, outer, last, None)


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    """Products of maps (S, C, B, n, n), seed by seed: a seed's channels and samples are one batch without a
    copy."""
    for a, b, c in zip(left, right, out, strict=True):
        torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out=c.flatten(0, 1))


def _forward(
    matrix: Tensor, first: Tensor, inner: Tensor, outer: Tensor, last: Tensor, kept: list[Any] | None
) -> Tensor:
    """The trunk; `kept` takes what the way back needs: the stacked input, each block's maps, mixes into it and
    results, and the last maps."""
    seeds, batch, n, _ = matrix.shape
    size, channels = max(n, _SMALLEST), first.shape[1]
    stacked = matrix.new_zeros(seeds, 2, batch, size, size)
    stacked[:, 0, :, :n, :n] = matrix
    stacked[:, 1].diagonal(dim1=-2, dim2=-1)[..., :n] = 1
    maps = torch.bmm(first, stacked.flatten(2))
    blocks = []
    for block in range(inner.shape[1]):
        mixed = torch.bmm(inner[:, block], maps)
        result = mixed.new_empty(seeds, 2 * channels, mixed.shape[-1])
        left, right, entry = _maps(mixed, size).split(channels, 1)
        product, active = _maps(result, size).split(channels, 1)
        _multiply(left, right, product)
        torch.ops.aten.silu.out(entry, out=active)
        if kept is not None:
            blocks.append((maps, mixed, result))
        maps = torch.baddbmm(maps, outer[:, block], result)
    if kept is not None:
        kept += [stacked.flatten(2), blocks, maps]
    return _maps(torch.bmm(last, maps), size)[..., :n, :n]


def _maps(columns: Tensor, size: int) -> Tensor:
    """(S, C, B n^2) -> (S, C, B, n, n)"""
    return columns.unflatten(2, (-1, size, size))


class TrunkFunction(Function):
    """`trunk`, differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, *weights: Tensor) -> Tensor:
        ctx.kept, ctx.weights, ctx.size = [], weights, max(matrix.shape[-1], _SMALLEST)
        return _forward(matrix, *weights, ctx.kept)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_maps: Tensor) -> tuple[Tensor | None, ...]:
        first, inner, outer, last = ctx.weights
        stacked, blocks, maps = ctx.kept
        missing = ctx.size - d_maps.shape[-1]
        d_last_maps = torch.nn.functional.pad(d_maps, (0, missing, 0, missing)).flatten(2)
        # The library is faster with the smaller factor on the left.
        d_last = torch.bmm(maps, d_last_maps.mT).mT
        d = torch.bmm(last.mT, d_last_maps)
        d_inner, d_outer = torch.empty_like(inner), torch.empty_like(outer)
        channels = first.shape[1]
        d_mixed = d.new_empty(d.shape[0], 3 * channels, d.shape[-1])
        d_result = d.new_empty(d.shape[0], 2 * channels, d.shape[-1])
        d_left, d_right, d_entry = _maps(d_mixed, ctx.size).split(channels, 1)
        d_product, d_active = _maps(d_result, ctx.size).split(channels, 1)
        for block in reversed(range(inner.shape[1])):
            maps, mixed, result = blocks[block]
            left, right, entry = _maps(mixed, ctx.size).split(channels, 1)
            d_outer[:, block] = torch.bmm(d, result.mT)
            torch.bmm(outer[:, block].mT, d, out=d_result)
            _multiply(d_product, right.mT, d_left)
            _multiply(left.mT, d_product, d_right)
            silu_backward.grad_input(d_active, entry, grad_input=d_entry)
            d_inner[:, block] = torch.bmm(maps, d_mixed.mT).mT
            d.baddbmm_(inner[:, block].mT, d_mixed)
        return None, torch.bmm(d, stacked.mT), d_inner, d_outer, d_last


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
