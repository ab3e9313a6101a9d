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


def check_units(precision: PrecisionName, device: str) -> None:
    """Whether the device has units for a precision: without them it would be no faster, or slower.

    Raises:
        UserError: it has none.
    """
    accelerator = torch.device(device).type == "cuda"
    if precision == "tf32" and not accelerator:
        raise UserError("training.precision: tf32 is for accelerators, and this run is on a CPU; use float32")
    if precision == "bf16" and accelerator:
        raise UserError("training.precision: bf16 is for CPUs, and this run is on an accelerator; use tf32")
    if precision == "bf16" and not torch.cpu.get_capabilities().get("avx512_bf16", False):
        raise UserError(
            "training.precision: bf16 would be slower on this CPU, which has no units for it; use float32"
        )
