"""What every network shares: the base of its settings, the form of its weights, features of the noise level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import torch

from ired.base.settings import Strict

if TYPE_CHECKING:
    from torch import Tensor

Weights: TypeAlias = "dict[str, Tensor]"


class NetworkSettings(Strict):
    """Base of a network's settings; a subclass narrows `kind` to its own name."""

    kind: str


def time_features(levels: int, width: int) -> Tensor:
    """Sinusoidal features of t = 0 .. levels - 1: sines then cosines at frequencies 10000^(-k / (width/2 -
    1)). (levels, width)."""
    half = width // 2
    frequency = torch.exp(-math.log(10000) / (half - 1) * torch.arange(half, dtype=torch.float64))
    phase = torch.arange(levels, dtype=torch.float64)[:, None] * frequency
    return torch.cat([phase.sin(), phase.cos()], 1).float()
