"""Energy networks E(A, y, t), low = good, behind one protocol. A new one is a file beside these and a line in
NETWORKS.

Must not import negatives, training, or anything that reads tables.

A network is stateless: its weights are a dictionary of tensors with the pack of seeds as leading dimension,
so one batched model trains many seeds at once. `prepare` binds weights to a batch of matrices and noise
levels and does once what every evaluation at that batch shares; the result evaluates energies and energy
gradients.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

import torch
from pydantic import Field, SerializeAsAny

from ired.base.settings import also_plugged
from ired.energy.base import MultiplyAdds, NetworkSettings, Weights
from ired.energy.equivariant_forms import FastEquivariantEnergy
from ired.energy.mlp import MlpEnergy
from ired.energy.row_column import RowColumnEnergy
from ired.tasks import Task

if TYPE_CHECKING:
    from torch import Tensor


class PreparedEnergy(Protocol):
    """An energy at fixed weights, conditions and noise levels. S seeds, B samples, solutions of size D."""

    def energy(self, y: Tensor) -> Tensor:
        """E(A, y, t): (S, B, D) -> (S, B)."""

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and grad_y E: (S, B, D) -> (S, B), (S, B, D). Each sample's gradient is its own; differentiable
        by the weights."""


class RelevelledEnergy(PreparedEnergy, Protocol):
    """One that can go to other noise levels, which inference does ten times at the same conditions."""

    def at_level(self, t: Tensor) -> RelevelledEnergy:
        """The same weights and conditions at noise levels t (S, B); what does not depend on t is shared."""


class EnergyNetwork(Protocol):
    """A family of energies with weights kept outside.

    tasks: the names of the tasks whose conditions it can take; None: any task's. any_size: whether the same weights
    take problems of any n. solution_size: D.
    """

    Settings: ClassVar[Any]
    tasks: ClassVar[tuple[str, ...] | None]
    any_size: ClassVar[bool]
    solution_size: int

    def __init__(
        self,
        settings: Any,
        condition_shape: tuple[int, ...],
        solution_shape: tuple[int, ...],
        levels: int,
    ) -> None: ...

    def initial_weights(self, generator: torch.Generator) -> Weights:
        """The weights of one seed, without the pack dimension."""

    def prepare(self, weights: Weights, condition: Tensor, t: Tensor) -> RelevelledEnergy:
        """Bind (S, ...) weights to conditions (S, B, C) and noise levels (S, B)."""

    def multiply_adds(self) -> MultiplyAdds:
        """What one sample's evaluations cost."""


class BoundEnergy:
    """A network at fixed weights, prepared for one batch, and able to prepare for another."""

    def __init__(self, network: EnergyNetwork, weights: Weights, condition: Tensor, t: Tensor) -> None:
        self._network, self._weights = network, weights
        prepared = network.prepare(weights, condition, t)
        self.energy = prepared.energy
        self.energy_and_gradient = prepared.energy_and_gradient
        self.at_level = prepared.at_level

    def rebound(self, condition: Tensor, t: Tensor) -> BoundEnergy:
        """The same weights at other conditions (S, B, C) and noise levels (S, B)."""
        return BoundEnergy(self._network, self._weights, condition, t)


# Every value is an EnergyNetwork; a protocol with class attributes cannot be the type of a class.
NETWORKS: dict[str, type[Any]] = {
    "mlp": MlpEnergy,
    "equivariant": FastEquivariantEnergy,
    "row_column": RowColumnEnergy,
}

if TYPE_CHECKING:
    AnyNetworkSettings = NetworkSettings
else:
    # The settings of any network, told apart by their `kind` key; built from the registry, so a checker cannot follow.
    _UNION = reduce(or_, (network.Settings for network in NETWORKS.values()))
    AnyNetworkSettings = Annotated[
        _UNION, Field(discriminator="kind"), also_plugged(NETWORKS, "kind"), SerializeAsAny()
    ]


def build_network(settings: NetworkSettings, task: Task, levels: int) -> EnergyNetwork:
    """The network that settings name, for a task's problems and `levels` noise levels."""
    return NETWORKS[settings.kind](settings, task.condition_shape, task.solution_shape, levels)


def kernel_of(network: EnergyNetwork, device: torch.device | str) -> str:
    """What computes a network's float32 numbers on a device: `native` (C files of its own) or `torch`."""
    has_kernel = getattr(network, "has_kernel", None)
    return "native" if has_kernel is not None and has_kernel(torch.device(device)) else "torch"


class WeightLayout:
    """Where each weight lies in one flat vector.

    All weights of a pack are one tensor (S, P): clipping, Adam and averaging are then one operation each
    instead of one per layer, which is most of a small network's step.
    """

    def __init__(self, example: Weights) -> None:
        self.shapes = {name: tuple(value.shape) for name, value in example.items()}
        self.sizes = [value.numel() for value in example.values()]

    @property
    def parameters(self) -> int:
        """P, how many numbers one seed trains."""
        return sum(self.sizes)

    def flatten(self, weights: Weights) -> Tensor:
        """The weights of one seed as a vector (P,)."""
        return torch.cat([weights[name].reshape(-1) for name in self.shapes])

    def unflatten(self, flat: Tensor) -> Weights:
        """Views of a pack's vector (S, P) as (S, ...) weights, differentiable."""
        parts = flat.split(self.sizes, dim=1)
        return {
            name: part.unflatten(1, shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }
