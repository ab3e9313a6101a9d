"""What every evaluation of the reference energy at one batch shares, and its derivative by the weights,
written out.

The matrix's share of the first layer; and each sample's gains and shifts, which take T = 10 values: a table
of T rows is computed, and a product with a one-hot matrix deals it out, whose derivative is a product too and
not a scatter. A layer's bias joins the table: (x + b) gain + shift = x gain + (b gain + shift).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import gelu

SHARED_WEIGHTS = (
    "time_mlp.1.weight", "time_mlp.1.bias", "time_mlp.3.weight", "time_mlp.3.bias",
    "t_map_fc2.weight", "t_map_fc2.bias", "fc2.bias", "t_map_fc3.weight", "t_map_fc3.bias", "fc3.bias",
    "fc1.weight", "fc1.bias",
)  # fmt: skip


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x W^T + b for a pack: (S, N, in), (S, out, in), (S, out) -> (S, N, out)."""
    return torch.baddbmm(bias[:, None], x, weight.mT)


class SharedFunction(Function):
    """(S, B, D) matrices, (S, B, T) one-hot levels and (S, T, F) features of them -> share, film, w1 of
    `mlp.PreparedMlp`."""

    @staticmethod
    def forward(
        ctx: Any, condition: Tensor, level: Tensor, features: Tensor, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        time1, time1_bias, time3, time3_bias, *upper = weights
        map2, map2_bias, bias2, map3, map3_bias, bias3, first, first_bias = upper
        hidden = linear(features, time1, time1_bias)
        active = gelu(hidden)
        embedding = linear(active, time3, time3_bias)
        table = []
        for mapping, mapping_bias, bias in ((map2, map2_bias, bias2), (map3, map3_bias, bias3)):
            gain, shift = linear(embedding, mapping, mapping_bias).chunk(2, -1)
            gain = gain + 1
            table += [gain, torch.addcmul(shift, bias[:, None], gain)]
        ctx.batch, ctx.weights = (condition, level, features), weights
        ctx.hidden, ctx.active, ctx.embedding, ctx.gains = hidden, active, embedding, (table[0], table[2])
        split = condition.shape[-1]
        share = linear(condition, first[..., :split], first_bias)
        return share, torch.bmm(level, torch.cat(table, -1)), first[..., split:].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_share: Tensor, d_film: Tensor, d_w1: Tensor) -> tuple[Tensor | None, ...]:
        condition, level, features = ctx.batch
        _, _, time3, _, map2, _, bias2, map3, _, bias3, _, _ = ctx.weights
        d_table = torch.bmm(level.mT, d_film).chunk(4, -1)
        d_embedding = torch.zeros_like(ctx.embedding)
        upper: list[Tensor] = []
        for index, (mapping, bias) in enumerate(((map2, bias2), (map3, bias3))):
            d_gain, d_shift = d_table[2 * index : 2 * index + 2]
            d_both = torch.cat([torch.addcmul(d_gain, d_shift, bias[:, None]), d_shift], -1)
            d_embedding.baddbmm_(d_both, mapping)
            upper += [torch.bmm(d_both.mT, ctx.embedding), d_both.sum(1), (d_shift * ctx.gains[index]).sum(1)]
        d_hidden = torch.ops.aten.gelu_backward(torch.bmm(d_embedding, time3), ctx.hidden)
        lower = [torch.bmm(d_hidden.mT, features), d_hidden.sum(1)]
        lower += [torch.bmm(d_embedding.mT, ctx.active), d_embedding.sum(1)]
        d_first = torch.cat([torch.bmm(d_share.mT, condition), d_w1], -1)
        return None, None, None, *lower, *upper, d_first, d_share.sum(1)
