"""The equivariant energy as it runs: by `equivariant_native.py`, compiled from C, where that can be had, or else by
`equivariant_fast.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ired.energy.base import Weights
from ired.energy.equivariant import EquivariantEnergy

if TYPE_CHECKING:
    from torch import Tensor

    from ired.energy.equivariant_fast import FastPreparedEquivariant
    from ired.energy.equivariant_native import NativePreparedEquivariant


class FastEquivariantEnergy(EquivariantEnergy):
    """The same network with its derivatives written out, in C or in torch's operations: what training and
    inference use."""

    def prepare(  # type: ignore[override]  # the other forms', and no kind of it
        self, weights: Weights, condition: Tensor, t: Tensor
    ) -> FastPreparedEquivariant | NativePreparedEquivariant:
        """As of the plain text."""
        from ired.energy import equivariant_fast, equivariant_native  # here, since they load torch

        kernel = equivariant_native.kernel(condition.device, condition.dtype)
        if kernel is None:
            return equivariant_fast.prepare(self, weights, condition, t)
        return equivariant_native.prepare(kernel, self.settings, self.levels, weights, condition, t)

    @staticmethod
    def has_kernel(device: torch.device) -> bool:
        """Whether the C files compute float32 numbers on a device."""
        from ired.energy import equivariant_native

        return equivariant_native.kernel(device, torch.float32) is not None
