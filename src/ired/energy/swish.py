"""Swish and its first two derivatives from one exponential.

With s the sigmoid of u: swish = u s, swish' = s + swish (1 - s) and swish'' = (1 - s)(2 swish' - swish).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

silu_backward = torch.ops.aten.silu_backward  # (dE/dh, u) -> dE/du
silu_out = torch.ops.aten.silu.out


@dataclass(frozen=True)
class Layer:
    """One activation: h = swish(u), its slope swish'(u) and the complement 1 - sigmoid(u)."""

    h: Tensor
    slope: Tensor
    complement: Tensor

    def half_curvature(self) -> Tensor:
        """swish''(u) / 2."""
        return torch.sub(self.slope, self.h, alpha=0.5).mul_(self.complement)


def activate(u: Tensor) -> Layer:
    """Swish and its slope from one sigmoid."""
    s = torch.sigmoid(u)
    h, complement = u * s, 1 - s
    return Layer(h, torch.addcmul(s, h, complement), complement)
