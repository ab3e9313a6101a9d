"""An energy for tasks whose rows and columns have no order, each on their own: completion and addition.

trunk, of the condition C (channels of n x n maps; an entry that is zero in all of them is unknown), once per
batch. K = input C / s is what is known, s^2 the sum of C's squares by the number of known entries, m the mask (1
where known), Z = 0 at first, and N(.) scales to Frobenius norm 1:

    F1, F2, F3 = K + (1 - m) fill Z                        what is known, and guesses where nothing is
    P = N(F1) N(F2)^T F3                                   drawn towards their leading singular vectors,
    Q = N(F1) N(F2)^T P ||F3|| / ||P||                     and further, as large as ever
    g = 1 + tanh(gate [log(||P|| / ||F3||), m, m's mean by column, by row, 1])
    Z <- Z + join [F3, g P, Q, Z]                          for each block
    X = s (K + (1 - m) answer Z)

head, of y at noise level t, with d = y - answer_gain_t X the distance from the answer, and L = X X^T / ||X||^2,
R = X^T X / ||X||^2 its column and row spaces:

    u = inside [d, L d, d R, L d R] gain_t + shift_t
    o = (d + straight_t [L d, d R, L d R] + out swish(u)) (known_gain_t m + guess_gain_t (1 - m)) / sqrt(2)
    E = || o ||_F^2

The names are weights that mix channels. A block is a step of imputation (Mazumder, Hastie, Tibshirani 2010,
Spectral regularization algorithms for learning large incomplete matrices) with a learned shrinkage: odd
polynomials of the filled matrix in place of soft thresholds of its singular values. Permuting the rows of C and
y, or their columns, permutes every map alike and leaves the energy unchanged; nothing depends on n, and X scales
as C does. Without its swish the energy would be a quadratic form of y with its minimum at the answer, and there
would be little that negatives could teach it.

The gradient by y is written out, since descent asks for it sixty times an answer; derivatives by weights are torch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from ired.base.settings import Count
from ired.energy.base import MultiplyAdds, NetworkSettings, Weights
from ired.energy.equivariant import mix

if TYPE_CHECKING:
    from torch import Tensor

_TINY = 1e-12  # keeps a root's derivative finite where a map is zero


class RowColumnNetwork(NetworkSettings):
    """The network's size: `channels` and `blocks` of the trunk, `head_channels` of the head."""

    kind: Literal["row_column"] = "row_column"
    channels: Count = 8
    blocks: Count = 6
    head_channels: Count = 4

    def least_floats(self, n: int, batch: int) -> int:
        """The maps after every block of the trunk."""
        return batch * self.channels * self.blocks * n * n


class RowColumnEnergy:
    """The row and column network; see the module's docstring. n is the size that `multiply_adds` counts for."""

    Settings = RowColumnNetwork
    tasks: ClassVar[tuple[str, ...] | None] = ("completion", "addition")
    any_size: ClassVar[bool] = True

    def __init__(
        self,
        settings: RowColumnNetwork,
        condition_shape: tuple[int, ...],
        solution_shape: tuple[int, ...],
        levels: int,
    ) -> None:
        self.settings, self.levels = settings, levels
        self.solution_shape, self.solution_size = solution_shape, math.prod(solution_shape)
        self.inputs = math.prod(condition_shape) // self.solution_size

    def initial_weights(self, generator: torch.Generator) -> Weights:
        """Gaussian mixing weights of variance 1 / fan in; zero where a branch joins its sum. The answer begins as the
        mean of the condition's channels where it is known, zero elsewhere."""
        c, k, blocks = self.settings.channels, self.settings.head_channels, self.settings.blocks

        def gaussian(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator) / math.sqrt(shape[-1])

        return {
            "trunk.input": torch.full((1, self.inputs), 1 / self.inputs),
            "trunk.fill": gaussian(blocks, 3 * c, c),
            "trunk.join": gaussian(blocks, c, 4 * c) / blocks,
            "trunk.gate": torch.zeros(blocks, c, c + 4),
            "trunk.answer": torch.zeros(1, c),
            "head.inside": gaussian(k, 4),
            "head.out": torch.zeros(1, k),
            "head.film": torch.zeros(self.levels, 2 * k + 6),
        }

    def prepare(self, weights: Weights, condition: Tensor, t: Tensor) -> PreparedRowColumn:
        """The trunk once for all evaluations at conditions (S, B, C) and noise levels (S, B)."""
        maps = condition.unflatten(-1, (self.inputs, *self.solution_shape)).transpose(1, 2)
        mask = (maps != 0).any(1, keepdim=True).to(maps)
        scale = (maps.square().sum((1, 3, 4), True) / mask.sum((1, 3, 4), True).clamp(min=1)).sqrt()
        scale = scale.clamp(min=_TINY)
        known = mix(weights["trunk.input"], maps / scale)
        answer = (known + (1 - mask) * self._guess(weights, known, mask)) * scale
        left, right = answer @ answer.mT, answer.mT @ answer
        size = answer.square().sum((-2, -1), keepdim=True) + _TINY
        spaces = (left / size)[:, 0], (right / size)[:, 0]
        return self.at_level(weights, answer[:, 0], mask[:, 0], spaces, t)

    def at_level(
        self, weights: Weights, answer: Tensor, mask: Tensor, spaces: tuple[Tensor, Tensor], t: Tensor
    ) -> PreparedRowColumn:
        """The trunk's answer, mask, L and R, all (S, B, n, n), at noise levels (S, B)."""
        k = self.settings.head_channels
        # A product with a one-hot matrix, whose derivative is a product too and not a scatter.
        level = torch.nn.functional.one_hot(t, self.levels).to(answer)
        film = torch.bmm(level, weights["head.film"])
        gain, shift, straight, rest = film.split([k, k, 3, 3], -1)
        known, guess, scale = (1 + rest)[..., None].unbind(2)
        return PreparedRowColumn(
            answer=answer * scale[..., None],
            spaces=spaces,
            inside=weights["head.inside"][:, None] * (1 + gain)[..., None],
            shift=shift[..., None],
            straight=torch.cat([torch.ones_like(straight[..., :1]), straight], -1)[:, :, None],
            out=weights["head.out"][:, None],
            gain=(guess[..., None] + (known - guess)[..., None] * mask) / math.sqrt(2),
            at_level=partial(self.at_level, weights, answer, mask, spaces),
        )

    def _guess(self, weights: Weights, known: Tensor, mask: Tensor) -> Tensor:
        """What the trunk says of unknown entries in units of s: K and m (S, 1, B, n, n) -> the same."""
        c, unknown, root = self.settings.channels, 1 - mask, (-2, -1)
        rows, columns = (mask.mean(axis, True).expand_as(mask) for axis in root)
        facts = torch.cat([mask, rows, columns, torch.ones_like(mask)], 1)
        maps = known.new_zeros(known.shape[0], c, *known.shape[2:])
        for block in range(self.settings.blocks):
            fill, join, gate = (weights[f"trunk.{name}"][:, block] for name in ("fill", "join", "gate"))
            first, second, third = torch.addcmul(known, unknown, mix(fill, maps)).chunk(3, 1)
            norms = (torch.linalg.vector_norm(f, dim=root, keepdim=True) for f in (first, second, third))
            one, two, three = (norm.clamp(min=_TINY) for norm in norms)
            once = first @ second.mT @ third
            twice = first @ (second.mT @ once)
            size, length = one * two, torch.linalg.vector_norm(once, dim=root, keepdim=True).clamp(min=_TINY)
            ratio = (length / (size * three)).clamp(min=_TINY).log()
            opened = 1 + (mix(gate[..., :c], ratio) + mix(gate[..., c:], facts)).tanh()
            parts = (third, once * (opened / size), twice * (three / (size * length)), maps)
            maps = maps + sum(mix(w, part) for w, part in zip(join.split(c, 2), parts, strict=True))
        return mix(weights["trunk.answer"], maps)

    def multiply_adds(self) -> MultiplyAdds:
        """See `EnergyNetwork`; gains and shifts are vectors and not counted."""
        c, k, n = self.settings.channels, self.settings.head_channels, self.solution_shape[-1]
        block = 4 * c * n**3 + c * (7 * c + 4) * n**2 + c * c
        trunk = self.inputs * n**2 + self.settings.blocks * block + c * n**2 + 2 * n**3
        there, back = 3 * n**3 + (5 * k + 4) * n**2, 3 * n**3 + (4 * k + 4) * n**2
        return MultiplyAdds(trunk, there, back)


@dataclass(frozen=True)
class PreparedRowColumn:
    """The row and column energy at fixed weights, conditions and noise levels; see `energy.PreparedEnergy`.

    answer: X answer_gain, (S, B, n, n). spaces: L and R, (S, B, n, n). inside: (S, B, K, 4), shift: (S, B, K, 1).
    straight: (S, B, 1, 4), beginning with 1. out: (S, 1, 1, K). gain: by entry, over sqrt(2), (S, B, n, n).
    at_level: the same weights and conditions at other noise levels.
    """

    answer: Tensor
    spaces: tuple[Tensor, Tensor]
    inside: Tensor
    shift: Tensor
    straight: Tensor
    out: Tensor
    gain: Tensor
    at_level: Callable[[Tensor], PreparedRowColumn]

    def energy(self, y: Tensor) -> Tensor:
        """E(C, y, t): (S, B, D) -> (S, B). Differentiable by the weights, not by y."""
        _, output = self._output(self._seen(y))
        return output.square().sum(-1)

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and its gradient by y, both differentiable by the weights: (S, B, D) -> (S, B), (S, B, D).

        With p = dE/do before its gain, the gradient by [d, L d, d R, L d R] is straight^T p + inside^T (out^T
        swish'(u) p); L and R are symmetric.
        """
        u, output = self._output(seen := self._seen(y))
        p = 2 * (output * self.gain.flatten(2))[:, :, None]
        sigmoid = u.sigmoid()
        slope = sigmoid * (1 + u * (1 - sigmoid))
        back = self.straight.mT @ p + self.inside.mT @ (slope * (self.out.mT * p))
        (left, right), size = self.spaces, self.answer.shape[-2:]
        along, by_left, by_right, by_both = back.unflatten(-1, size).unbind(2)
        gradient = along + by_right @ right + left @ (by_left + by_both @ right)
        return output.square().sum(-1), gradient.view(seen.shape[0], seen.shape[1], -1)

    def _seen(self, y: Tensor) -> Tensor:
        """[d, L d, d R, L d R]: (S, B, D) -> (S, B, 4, D)."""
        left, right = self.spaces
        distance = y.detach().unflatten(-1, self.answer.shape[-2:]) - self.answer
        across = distance @ right
        return torch.stack([distance, left @ distance, across, left @ across], 2).flatten(3)

    def _output(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """u, (S, B, K, D), and o, (S, B, D)."""
        u = self.inside @ seen + self.shift
        output = self.straight @ seen + self.out @ torch.nn.functional.silu(u)
        return u, output[:, :, 0] * self.gain.flatten(2)
