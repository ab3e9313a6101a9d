"""What every network shares: the base of its settings, the form of its weights, what it costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch

from ired.base.settings import Strict

if TYPE_CHECKING:
    from torch import Tensor

Weights: TypeAlias = "dict[str, Tensor]"


class MultiplyAdds(NamedTuple):
    """Multiply-adds of one sample, matrix products only.

    shared: what `prepare` does once for all evaluations at a batch. energy: one energy. gradient: its
    gradient by y, beyond the energy.
    """

    shared: int
    energy: int
    gradient: int


class NetworkSettings(Strict):
    """Base of a network's settings; a subclass narrows `kind` to its own name."""

    kind: str

    def gains_from_bf16(self) -> bool:
        """Whether products in bf16 make a training step faster, where a CPU has units for them."""
        return False

    def least_floats(self, n: int, batch: int) -> int:
        """How many numbers a training step of `batch` problems of size n keeps at the very least: a bound from below
        for plans, which must not build the network."""
        return 0


def time_features(levels: int, width: int) -> Tensor:
    """Sinusoidal features of t = 0 .. levels - 1: sines then cosines at frequencies 10000^(-k / (width/2 -
    1)). (levels, width)."""
    half = width // 2
    frequency = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half, dtype=torch.float64))
    phase = torch.arange(levels, dtype=torch.float64)[:, None] * frequency
    return torch.cat([phase.sin(), phase.cos()], 1).float()
