"""The reference energy of IRED for continuous tasks: a three-layer network whose squared output norm is the
energy.

    h1 = swish(W1 [A, y] + b1)
    h2 = swish((W2 h1 + b2) (1 + gain2(t)) + shift2(t))
    h3 = swish((W3 h2 + b3) (1 + gain3(t)) + shift3(t))
    E  = || W4 h3 + b4 ||^2

(Du, Mao, Tenenbaum, ICML 2024; layer names are those of the released weights.) The gradient by y is written
out in closed form: it needs no graph while sampling, gives each sample its own gradient whatever the batch,
and training differentiates it by the weights once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from pydantic import Field

from ired.base.settings import Count
from ired.energy.base import MultiplyAdds, NetworkSettings, Weights, time_features

if TYPE_CHECKING:
    from torch import Tensor


class MlpNetwork(NetworkSettings):
    """The reference network's size."""

    kind: Literal["mlp"] = "mlp"
    hidden: Count = 512
    time_features: Annotated[int, Field(ge=4, multiple_of=2)] = 128

    def gains_from_bf16(self) -> bool:
        """Measured on one core: 0.85 to 0.9 times as fast at 128 hidden units, 1.0 to 1.25 at 256, 1.3 to 2 at 512."""
        return self.hidden >= 256

    def least_floats(self, n: int, batch: int) -> int:
        """Weights of the three inner layers with gradient and Adam's moments, and one activation of each."""
        return 4 * self.hidden * (2 * self.hidden + n * n) + 3 * batch * self.hidden


class MlpEnergy:
    """The reference network; see the module's docstring."""

    Settings = MlpNetwork
    tasks: ClassVar[tuple[str, ...] | None] = None
    any_size: ClassVar[bool] = False

    def __init__(
        self,
        settings: MlpNetwork,
        condition_shape: tuple[int, ...],
        solution_shape: tuple[int, ...],
        levels: int,
    ) -> None:
        self.settings, self.levels = settings, levels
        self.condition_size, self.solution_size = math.prod(condition_shape), math.prod(solution_shape)
        self._features: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def layer_shapes(self) -> dict[str, tuple[int, int]]:
        """(out, in) of every linear layer, under the released names."""
        hidden, features, dimension = self.settings.hidden, self.settings.time_features, self.solution_size
        return {
            "time_mlp.1": (features, features),
            "time_mlp.3": (features, features),
            "fc1": (hidden, self.condition_size + dimension),
            "fc2": (hidden, hidden),
            "fc3": (hidden, hidden),
            "fc4": (dimension, hidden),
            "t_map_fc2": (2 * hidden, features),
            "t_map_fc3": (2 * hidden, features),
        }

    def initial_weights(self, generator: torch.Generator) -> Weights:
        """Uniform on +-1/sqrt(fan in) for weights and biases, the default of the released layers."""
        weights = {}
        for name, (out, fan_in) in self.layer_shapes().items():
            bound = 1 / math.sqrt(fan_in)
            for part, shape in (("weight", (out, fan_in)), ("bias", (out,))):
                weights[f"{name}.{part}"] = (2 * torch.rand(shape, generator=generator) - 1) * bound
        return weights

    def prepare(self, weights: Weights, condition: Tensor, t: Tensor) -> PreparedMlp:
        """The matrix's share of the first layer and each sample's gains and shifts, once for all
        evaluations."""
        from ired.energy.mlp_shared import SHARED_WEIGHTS, SharedFunction  # here, since it loads torch

        level = torch.nn.functional.one_hot(t, self.levels).to(condition)
        features = self._features_like(condition).expand(condition.shape[0], -1, -1)
        shared = SharedFunction.apply(condition, level, features, *(weights[name] for name in SHARED_WEIGHTS))
        names = ("fc2.weight", "fc3.weight", "fc4.weight", "fc4.bias")
        return PreparedMlp(
            partial(self.prepare, weights, condition), *shared, *(weights[name] for name in names)
        )

    def _features_like(self, condition: Tensor) -> Tensor:
        """Features of the noise levels, (T, F), brought to a device once: while a step is captured as a graph nothing
        may be copied from the processor."""
        place = condition.device, condition.dtype
        if place not in self._features:
            self._features[place] = time_features(self.levels, self.settings.time_features).to(condition)
        return self._features[place]

    def multiply_adds(self) -> MultiplyAdds:
        """Matrix products of one sample: forward, and the closed-form gradient's backward pass (the same layers
        transposed). The matrix's share of the first layer is computed once for all of a batch's evaluations.
        """
        hidden, dimension = self.settings.hidden, self.solution_size
        layers = 2 * hidden * hidden + 2 * hidden * dimension
        return MultiplyAdds(hidden * self.condition_size, layers, layers)


@dataclass(frozen=True)
class PreparedMlp:
    """The reference energy at fixed weights, matrices and noise levels; see `energy.PreparedEnergy`.

    matrix_share: (S, B, H). film: gain2, shift2, gain3, shift3 side by side, (S, B, 4 H). w1: the columns of
    the first layer that see y. at_level: the same weights and matrices at other noise levels, by preparing
    anew: the matrix's share is a small part of an evaluation.
    """

    at_level: Callable[[Tensor], PreparedMlp]
    matrix_share: Tensor
    film: Tensor
    w1: Tensor
    w2: Tensor
    w3: Tensor
    w4: Tensor
    b4: Tensor

    def _operands(self) -> tuple[Tensor, ...]:
        return self.matrix_share, self.film, self.w1, self.w2, self.w3, self.w4, self.b4

    def energy(self, y: Tensor) -> Tensor:
        """E(A, y, t): (S, B, D) -> (S, B). Differentiable by the weights, not by y."""
        from ired.energy.mlp_derivatives import MlpEnergyFunction, plain_energy

        if not torch.is_grad_enabled():
            return plain_energy(self._operands(), y)
        return MlpEnergyFunction.apply(y, *self._operands())

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and its gradient by y, both differentiable by the weights: (S, B, D) -> (S, B), (S, B, D)."""
        from ired.energy.mlp_derivatives import MlpEnergyAndGradientFunction, plain_energy_and_gradient

        if not torch.is_grad_enabled():
            return plain_energy_and_gradient(self._operands(), y)
        return MlpEnergyAndGradientFunction.apply(y, *self._operands())
