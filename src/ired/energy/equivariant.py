"""An energy that knows what a matrix is: channels of n x n maps, mixed per entry and multiplied as matrices.

trunk, of A alone, once per batch and shared by every evaluation of the energy:

    H <- input [A / s, I]                                                      s = || A A^T ||_F^(1/2)
    H <- H + product ((left H) (right H)) + entry_out swish(entry_in H)        for each block

head, of y at noise level t:

    u = (maps H) gain_t y + (offset H) gain_t + shift_t
    o = (y + out swish(u)) outer_gain_t / sqrt(2) + (answer H) answer_gain_t 32 / s
    E = || o ||_F^2                                                            one output channel

The names (`left`, `maps`, ...) are weights that mix channels, stacked where they mix the same maps:
`trunk.inner` has left, right and entry_in of every block, `trunk.outer` product and entry_out, `head.mix` maps,
offset and answer. Two maps beside each other are multiplied as matrices (Maron et al. 2019, Invariant and
Equivariant Graph Networks, has the linear maps; the product is added to them). Permuting rows and columns of A
and y together permutes every map alike and leaves the energy unchanged. Nothing depends on n, so weights
trained at one n run at another.

The trunk's maps are near polynomials of A / s of degree 2^blocks, and a polynomial of high degree explodes
beyond where it was fitted. s is at least the largest singular value of A and close to it, so the spectrum of
A / s lies within (0, 1) for every matrix, the rare ones included. The answer is an inverse and scales as one.
docs/network.md says what else was tried.

This is the text to read and to test against. What runs (`equivariant_forms.py`) has the same formulas and weights and
the derivatives written out.
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

if TYPE_CHECKING:
    from torch import Tensor


_ANSWER_SCALE = 32.0  # between the s of n = 10 and n = 20: maps of order one make answers of order one


class EquivariantNetwork(NetworkSettings):
    """The equivariant network's size: `channels` and `blocks` of the trunk, `head_channels` of the head."""

    kind: Literal["equivariant"] = "equivariant"
    channels: Count = 8
    blocks: Count = 5
    head_channels: Count = 4

    def least_floats(self, n: int, batch: int) -> int:
        """The maps after every block of the trunk."""
        return batch * self.channels * self.blocks * n * n


def mix(weight: Tensor, maps: Tensor) -> Tensor:
    """Mix channels, which lead the batch so that a mix is one product: (S, out, in), (S, in, B, n, n) ->
    (S, out, B, n, n)."""
    return torch.bmm(weight, maps.flatten(2)).unflatten(2, maps.shape[2:])


class EquivariantEnergy:
    """The equivariant network, differentiated by torch; see the module's docstring. n is the size that
    `multiply_adds` counts for."""

    Settings = EquivariantNetwork
    tasks: ClassVar[tuple[str, ...] | None] = ("inversion",)
    any_size: ClassVar[bool] = True

    def __init__(
        self,
        settings: EquivariantNetwork,
        condition_shape: tuple[int, ...],
        solution_shape: tuple[int, ...],
        levels: int,
    ) -> None:
        self.settings, self.levels = settings, levels
        self.n, self.solution_size = solution_shape[-1], math.prod(solution_shape)

    def initial_weights(self, generator: torch.Generator) -> Weights:
        """Gaussian mixing weights of variance 1 / fan in; zero where a branch joins its sum, and in the table
        of gains and shifts.

        So the energy begins as ||y||^2 / 2, whatever n and however deep the trunk is.
        """
        c, k, blocks = self.settings.channels, self.settings.head_channels, self.settings.blocks

        def gaussian(out: int, fan_in: int) -> Tensor:
            return torch.randn(out, fan_in, generator=generator) / math.sqrt(fan_in)

        return {
            "trunk.input": gaussian(c, 2),
            "trunk.inner": torch.stack(
                [torch.cat([gaussian(c, c) for _ in range(3)]) for _ in range(blocks)]
            ),
            "trunk.outer": torch.zeros(blocks, c, 2 * c),
            "head.mix": torch.cat([gaussian(k, c), gaussian(k, c), torch.zeros(1, c)]),
            "head.out": torch.zeros(1, k),
            "head.film": torch.zeros(self.levels, 2 * k + 2),
        }

    def prepare(self, weights: Weights, condition: Tensor, t: Tensor) -> PreparedEquivariant:
        """The trunk, and the head's share of it, once for all evaluations at matrices (S, B, n^2) of any n
        and noise levels (S, B)."""
        matrix, scale = self.scaled(condition)
        maps = mix(weights["head.mix"], self._trunk(weights, matrix))
        return self.at_level(maps, weights["head.film"], weights["head.out"], scale, t)

    def scaled(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """A / s, (S, B, n, n), and s, (S, B, 1, 1), of matrices (S, B, n^2)."""
        n = math.isqrt(condition.shape[-1])
        matrix = condition.unflatten(-1, (n, n))
        scale = (matrix @ matrix.mT).square().sum((-2, -1), keepdim=True) ** 0.25
        return matrix / scale, scale

    def at_level(
        self, maps: Tensor, film: Tensor, out: Tensor, scale: Tensor, t: Tensor
    ) -> PreparedEquivariant:
        """The trunk's maps as the head takes them, (S, 2 K + 1, B, n, n), at noise levels (S, B)."""
        k = self.settings.head_channels
        # A product with a one-hot matrix, whose derivative is a product too and not a scatter.
        level = torch.nn.functional.one_hot(t, self.levels).to(maps)
        gain, shift, outer_gain, answer_gain = torch.bmm(level, film)[..., None, None].split([k, k, 1, 1], 2)
        inside, offset, answer = maps.transpose(1, 2).split([k, k, 1], 2)
        return PreparedEquivariant(
            maps=(inside * (1 + gain)).contiguous(),
            offset=offset * (1 + gain) + shift,
            out=out,
            outer_gain=(1 + outer_gain) / math.sqrt(2),
            answer=answer * ((1 + answer_gain) * self.answer_scale(scale)[:, :, None]),
            at_level=partial(self.at_level, maps, film, out, scale),
        )

    @staticmethod
    def answer_scale(scale: Tensor) -> Tensor:
        """What the answer is multiplied by."""
        return _ANSWER_SCALE / scale

    def _trunk(self, weights: Weights, matrix: Tensor) -> Tensor:
        """The trunk's maps of scaled matrices (S, B, n, n): (S, C, B, n, n)."""
        identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
        maps = mix(weights["trunk.input"], torch.stack([matrix, identity], 1))
        for block in range(self.settings.blocks):
            left, right, entry_in = weights["trunk.inner"][:, block].chunk(3, 1)
            product, entry_out = weights["trunk.outer"][:, block].chunk(2, 2)
            products = mix(left, maps) @ mix(right, maps)
            active = torch.nn.functional.silu(mix(entry_in, maps))
            maps = maps + mix(product, products) + mix(entry_out, active)
        return maps

    def multiply_adds(self) -> MultiplyAdds:
        """See `EnergyNetwork`; the table of gains and shifts is vectors and not counted."""
        c, k, n = self.settings.channels, self.settings.head_channels, self.n
        trunk = n**3 + 2 * c * n**2 + self.settings.blocks * (5 * c * c * n**2 + c * n**3)
        way = k * n**3 + k * n**2  # `maps` y and `out`; the backward pass has the same, transposed
        return MultiplyAdds(trunk + (2 * k + 1) * c * n**2, way, way)


@dataclass(frozen=True)
class PreparedEquivariant:
    """The equivariant energy at fixed weights, matrices and noise levels; see `energy.PreparedEnergy`.

    maps, offset: (maps H) gain and (offset H) gain + shift, (S, B, K, n, n). out: the weight, (S, 1, K).
    outer_gain: outer_gain / sqrt(2), (S, B, 1, 1, 1). answer: (answer H) answer_gain, (S, B, 1, n, n).
    at_level: the same weights and matrices at other noise levels.
    """

    maps: Tensor
    offset: Tensor
    out: Tensor
    outer_gain: Tensor
    answer: Tensor
    at_level: Callable[[Tensor], PreparedEquivariant]

    def energy(self, y: Tensor) -> Tensor:
        """E(A, y, t): (S, B, D) -> (S, B)."""
        size = self.maps.shape[-2:]
        y = y.unflatten(-1, size)
        product = self.maps.flatten(2, 3) @ y  # the channels' rows below each other: one product
        active = torch.nn.functional.silu(product.view(self.maps.shape) + self.offset)
        mixed = (self.out[:, None] @ active.flatten(3)).unflatten(-1, size)
        output = (y[:, :, None] + mixed) * self.outer_gain + self.answer
        return output.square().sum((-3, -2, -1))

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and its gradient by y, by reverse differentiation; a graph through the weights is kept only where
        gradients are on."""
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            point = y.detach().requires_grad_(True)
            energy = self.energy(point)
            (gradient,) = torch.autograd.grad(energy.sum(), point, create_graph=keep, retain_graph=True)
        return (energy, gradient) if keep else (energy.detach(), gradient)
