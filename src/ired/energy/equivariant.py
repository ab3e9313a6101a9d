"""An energy that knows what a matrix is: channels of n x n maps, mixed per entry, multiplied as matrices,
transposed.

    Z_0 = [A, y, y^T, A y, y A, I]  -> C channels
    Z_{b+1} = Z_b + mix(swish(Z_b)), mix(L_b Z_b)(R_b Z_b), transposes        (blocks)
    E = || mix(Z_last) ||_F^2

Mixing acts on channels alone, products are matrix products, so conjugating A and y by a permutation
conjugates every map and leaves the energy unchanged; with a nonlinearity per entry this is equivariance under
permutations, not under all rotations. The products give the network the operation that inversion is made of
(Newton-Schulz: y (2 I - A y)), which a plain network must learn entry by entry.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from ired.base.settings import Count
from ired.energy.base import NetworkSettings, Weights, time_features

if TYPE_CHECKING:
    from torch import Tensor

_INPUTS = 6
_TIME_FEATURES = 16


class EquivariantNetwork(NetworkSettings):
    """The equivariant network's size."""

    kind: Literal["equivariant"] = "equivariant"
    channels: Count = 16
    blocks: Count = 4


def _mix(weight: Tensor, maps: Tensor) -> Tensor:
    """Mix channels: (S, out, in), (S, B, in, n, n) -> (S, B, out, n, n)."""
    seeds, batch, channels, n, _ = maps.shape
    mixed = torch.matmul(weight[:, None], maps.reshape(seeds, batch, channels, n * n))
    return mixed.view(seeds, batch, weight.shape[1], n, n)


class EquivariantEnergy:
    """The equivariant network for n x n matrices; see the module's docstring."""

    Settings = EquivariantNetwork
    tasks: ClassVar[tuple[str, ...] | None] = ("inversion",)

    def __init__(
        self,
        settings: EquivariantNetwork,
        condition_shape: tuple[int, ...],
        solution_shape: tuple[int, ...],
        levels: int,
    ) -> None:
        self.settings, self.levels = settings, levels
        self.n, self.solution_size = solution_shape[-1], math.prod(solution_shape)
        self._features = time_features(levels, _TIME_FEATURES)

    def initial_weights(self, generator: torch.Generator) -> Weights:
        """Gaussian mixing weights of variance 1 / fan in; products are damped by 1/n so that a block starts
        near the identity."""
        c = self.settings.channels
        shapes = {"input": (c, _INPUTS), "output": (1, c)}
        for block in range(self.settings.blocks):
            shapes |= {
                f"block{block}.{part}": (c, c) for part in ("left", "right", "product", "entry", "transpose")
            }
            shapes[f"block{block}.time"] = (2 * c, _TIME_FEATURES)
        weights = {}
        for name, (out, fan_in) in shapes.items():
            damping = 1 / self.n if name.endswith(".product") else 1.0
            weights[name] = torch.randn(out, fan_in, generator=generator) * damping / math.sqrt(fan_in)
        return weights

    def prepare(self, weights: Weights, condition: Tensor, t: Tensor) -> PreparedEquivariant:
        """Bind weights to matrices (S, B, D) and noise levels (S, B)."""
        return PreparedEquivariant(
            self, weights, condition.unflatten(-1, (self.n, self.n)), self._features.to(condition)[t]
        )

    def multiply_adds(self) -> tuple[int, int]:
        """Matrix products of one sample's energy, and those that reverse differentiation by y adds: one for a
        mix, whose weights are constants, two for a product of two maps, one each for A y and y A."""
        c, n, blocks = self.settings.channels, self.n, self.settings.blocks
        mixes = blocks * 5 * c * c * n * n + (_INPUTS + 1) * c * n * n
        products, inputs = blocks * c * n**3, 2 * n**3
        return mixes + products + inputs, mixes + 2 * products + inputs


class PreparedEquivariant:
    """The equivariant energy at fixed weights, matrices and noise levels; see `energy.PreparedEnergy`."""

    def __init__(
        self, network: EquivariantEnergy, weights: Weights, matrix: Tensor, features: Tensor
    ) -> None:
        self.network, self.weights, self.matrix, self.features = network, weights, matrix, features

    def energy(self, y: Tensor) -> Tensor:
        """E(A, y, t): (S, B, D) -> (S, B)."""
        n, weights = self.network.n, self.weights
        a, y = self.matrix, y.unflatten(-1, (n, n))
        identity = torch.eye(n, dtype=y.dtype, device=y.device).expand_as(y)
        maps = _mix(weights["input"], torch.stack([a, y, y.mT, a @ y, y @ a, identity], 2))
        for block in range(self.network.settings.blocks):
            part = {
                name: weights[f"block{block}.{name}"]
                for name in ("left", "right", "product", "entry", "transpose", "time")
            }
            gain, shift = torch.matmul(self.features, part["time"].mT)[..., None, None].chunk(2, 2)
            modulated = maps * (1 + gain) + shift * identity[:, :, None]
            product = torch.matmul(_mix(part["left"], modulated), _mix(part["right"], modulated))
            maps = (
                maps
                + _mix(part["entry"], torch.nn.functional.silu(modulated))
                + _mix(part["product"], product)
                + _mix(part["transpose"], modulated.mT)
            )
        return _mix(weights["output"], maps).square().sum((-3, -2, -1))

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and its gradient by y, by reverse differentiation; a graph through the weights is kept only where
        gradients are on."""
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            point = y.detach().requires_grad_(True)
            energy = self.energy(point)
            (gradient,) = torch.autograd.grad(energy.sum(), point, create_graph=keep)
        return (energy, gradient) if keep else (energy.detach(), gradient)
