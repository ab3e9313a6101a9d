"""How the matrix products of a training step are rounded.

`tf32` (accelerators) and `bf16` (CPUs with units for it) round the factors of a product to 10 and 7 bits of mantissa
and add up in float32. Weights, averages, Adam, the problems and every evaluation stay in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ired.base.errors import UserError
from ired.training.settings import PrecisionName

_BACKENDS = {"tf32": torch.backends.cuda.matmul, "bf16": torch.backends.mkldnn.matmul}  # type: ignore[attr-defined]


@contextmanager
def products(precision: PrecisionName) -> Iterator[None]:
    """Within it, float32 matrix products are computed as `precision` says."""
    backend = _BACKENDS.get(precision)
    if backend is None:
        yield
        return
    before = backend.fp32_precision
    backend.fp32_precision = precision
    try:
        yield
    finally:
        backend.fp32_precision = before


def has_units(precision: PrecisionName, device: str) -> bool:
    """Whether a device has units for a precision: without them a step would be no faster, or slower."""
    accelerator = torch.device(device).type == "cuda"
    if precision == "bf16":
        return not accelerator and torch.cpu.get_capabilities().get("avx512_bf16", False)
    return accelerator or precision != "tf32"


def check_units(precision: PrecisionName, device: str) -> None:
    """Refuse a precision that a device has no units for.

    Raises:
        UserError: it has none.
    """
    if not has_units(precision, device):
        raise UserError(
            f"training.precision: {precision} would be no faster on {device}, which has no units for it; use float32"
            " (tf32 is for accelerators, bf16 for CPUs with AVX512-BF16 or AMX)"
        )
