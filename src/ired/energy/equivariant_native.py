"""The equivariant energy by the C files of `equivariant_c/`: what runs on CPUs that have a compiler beside them.
`equivariant_fast.py` is the same in torch's operations, for everything else.

The trunk's maps stay as the C files lay them out, samples innermost; nothing here looks into them.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_int, c_int32, c_long, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ired.base import native
from ired.base.errors import UserError
from ired.energy.base import Weights
from ired.energy.equivariant import EquivariantNetwork

CHOICE = "IRED_KERNEL"  # environment variable: `torch` leaves the C files aside
_SOURCES = Path(__file__).parent / "equivariant_c"
_DEFINES: dict[torch.dtype, tuple[str, ...]] = {torch.float32: (), torch.float64: ("DOUBLE",)}
_TRUNK = ("trunk.input", "trunk.inner", "trunk.outer", "head.mix")


class _Sizes(Structure):
    _fields_ = [
        (name, c_int32)
        for name in ("seeds", "batch", "n", "channels", "blocks", "head_channels", "levels", "threads")
    ]


class _TrunkWeights(Structure):
    _fields_ = [(name, c_void_p) for name in _TRUNK] + [(f"{name} by seed", c_long) for name in _TRUNK]


class _HeadOperands(Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("maps", "scale", "level", "film", "out")),
        *((name, c_long) for name in ("film by seed", "out by seed")),
    ]


class Kernel:
    """The functions of the C files, compiled for one kind of numbers."""

    def __init__(self, library: ctypes.CDLL) -> None:
        sizes, trunk, head = POINTER(_Sizes), POINTER(_TrunkWeights), POINTER(_HeadOperands)
        self.kept_size = self._declared(library.kept_size, c_long, sizes)
        self.maps_size = self._declared(library.maps_size, c_long, sizes)
        tensors = (c_void_p,) * 5
        self.trunk_forward = self._declared(
            library.trunk_forward, c_int, sizes, c_void_p, trunk, *tensors[:3], errcheck=True
        )
        self.trunk_backward = self._declared(
            library.trunk_backward, c_int, sizes, *tensors[:2], trunk, *tensors[:4], errcheck=True
        )
        self.head_forward = self._declared(
            library.head_forward, c_int, sizes, head, *tensors[:3], errcheck=True
        )
        self.head_backward = self._declared(
            library.head_backward, c_int, sizes, head, *tensors, c_void_p, errcheck=True
        )

    @staticmethod
    def _declared(function: Any, result: Any, *arguments: Any, errcheck: bool = False) -> Any:
        function.restype, function.argtypes = result, arguments
        if errcheck:
            function.errcheck = _no_failure
        return function


def _no_failure(result: int, *_: Any) -> int:
    if result:
        raise MemoryError("the equivariant network's kernel: no memory for its maps")
    return result


@cache
def _kernel(dtype: torch.dtype) -> Kernel | None:
    library = native.load(_SOURCES, *_DEFINES[dtype])
    return Kernel(library) if library else None


def kernel(device: torch.device, dtype: torch.dtype) -> Kernel | None:
    """The kernel where it can be had and is wanted: not on accelerators, not for other kinds of numbers, not where
    products are to be rounded.

    Raises:
        UserError: the environment asks for a form that does not exist.
    """
    choice = os.environ.get(CHOICE, "native")
    if choice not in ("native", "torch"):
        raise UserError(f"{CHOICE}={choice}: must be native or torch, or unset")
    if choice == "torch" or device.type != "cpu" or dtype not in _DEFINES:
        return None
    rounded = torch.backends.mkldnn.matmul.fp32_precision == "bf16"  # type: ignore[attr-defined]
    return None if rounded else _kernel(dtype)


class Shared:
    """What the calls at one batch share: the kernel and the sizes."""

    def __init__(self, kernel: Kernel, settings: EquivariantNetwork, levels: int, condition: Tensor) -> None:
        seeds, batch, size = condition.shape
        self.kernel, self.shape, self.dtype = kernel, condition.shape, condition.dtype
        self.sizes = _Sizes(
            *(seeds, batch, round(size**0.5), settings.channels, settings.blocks, settings.head_channels),
            *(levels, torch.get_num_threads()),
        )


def check(tensor: Tensor, shape: torch.Size, dtype: torch.dtype) -> None:
    """Refuse what the C files would misread.

    Raises:
        ValueError: another shape or kind of numbers.
    """
    if tensor.shape != shape or tensor.dtype != dtype or tensor.device.type != "cpu":
        raise ValueError(f"{tuple(tensor.shape)} {tensor.dtype}, where {tuple(shape)} {dtype} is needed")


def _of_seeds(weight: Tensor, shared: Shared) -> Tensor:
    """A weight (S, ...) as the C files take it: each seed's numbers beside each other."""
    check(weight, torch.Size((shared.shape[0], *weight.shape[1:])), shared.dtype)
    return weight if weight[0].is_contiguous() else weight.contiguous()


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _trunk_weights(weights: tuple[Tensor, ...]) -> _TrunkWeights:
    return _TrunkWeights(*(w.data_ptr() for w in weights), *(w.stride(0) for w in weights))


def trunk(shared: Shared, condition: Tensor, weights: tuple[Tensor, ...], keep: bool) -> tuple[Tensor, ...]:
    """The trunk's maps, s (S, B), and what the backward pass needs (empty unless kept)."""
    kernel, sizes = shared.kernel, shared.sizes
    maps = condition.new_empty(kernel.maps_size(sizes))
    scale = condition.new_empty(condition.shape[:2])
    kept = condition.new_empty(kernel.kept_size(sizes) if keep else 0)
    operands = _trunk_weights(weights)
    kernel.trunk_forward(
        sizes,
        condition.data_ptr(),
        operands,
        maps.data_ptr(),
        scale.data_ptr(),
        kept.data_ptr() if keep else None,
    )
    return maps, scale, kept


class TrunkFunction(Function):
    """`trunk`, differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, shared: Shared, condition: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        maps, scale, ctx.kept = trunk(shared, condition, weights, keep=True)
        ctx.shared, ctx.weights = shared, weights
        ctx.mark_non_differentiable(scale)
        return maps, scale

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_maps: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        derivatives = [torch.empty_like(w, memory_format=torch.contiguous_format) for w in ctx.weights]
        ctx.shared.kernel.trunk_backward(
            ctx.shared.sizes,
            *(d_maps.contiguous().data_ptr(), ctx.kept.data_ptr(), _trunk_weights(ctx.weights)),
            *(d.data_ptr() for d in derivatives),
        )
        return None, None, *derivatives


class Level:
    """The head at noise levels `t` (S, B)."""

    def __init__(self, shared: Shared, scale: Tensor, t: Tensor) -> None:
        check(t, shared.shape[:2], torch.int64)
        self.shared, self.scale, self.t = shared, scale, t.contiguous()

    def operands(self, maps: Tensor, film: Tensor, out: Tensor) -> _HeadOperands:
        tensors = (maps, self.scale, self.t, film, out)
        return _HeadOperands(*(t.data_ptr() for t in tensors), film.stride(0), out.stride(0))

    def evaluate(
        self, y: Tensor, weights: tuple[Tensor, ...], gradient: bool
    ) -> tuple[Tensor, Tensor | None]:
        """E (S, B) at y (S, B, D), and grad_y E where it is asked for; `weights` are the trunk's maps, film and out."""
        energy, slope = y.new_empty(y.shape[:2]), torch.empty_like(y) if gradient else None
        self.shared.kernel.head_forward(
            self.shared.sizes, self.operands(*weights), *map(_pointer, (y, energy, slope))
        )
        return energy, slope

    def derivatives(
        self, y: Tensor, weights: tuple[Tensor, ...], e: Tensor | None, x: Tensor | None
    ) -> list[Tensor]:
        """Those of sum e E + <x, grad_y E> by maps, film and out; e (S, B), x (S, B, D)."""
        given = [y, *(None if d is None else d.contiguous() for d in (e, x))]
        found = [torch.empty_like(w, memory_format=torch.contiguous_format) for w in weights]
        self.shared.kernel.head_backward(
            self.shared.sizes, self.operands(*weights), *map(_pointer, [*given, *found])
        )
        return found


class EnergyFunction(Function):
    """E, differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, level: Level, y: Tensor, *weights: Tensor) -> Tensor:
        ctx.level, ctx.y, ctx.weights = level, y, weights
        return level.evaluate(y, weights, gradient=False)[0]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.level.derivatives(ctx.y, ctx.weights, e, None)


class EnergyAndGradientFunction(Function):
    """E and grad_y E, both differentiable by the weights."""

    @staticmethod
    def forward(ctx: Any, level: Level, y: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor | None]:
        ctx.level, ctx.y, ctx.weights = level, y, weights
        ctx.set_materialize_grads(False)
        return level.evaluate(y, weights, gradient=True)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, e: Tensor | None, x: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, None, *ctx.level.derivatives(ctx.y, ctx.weights, e, x)


def prepare(
    kernel: Kernel, settings: EquivariantNetwork, levels: int, weights: Weights, condition: Tensor, t: Tensor
) -> NativePreparedEquivariant:
    """The trunk once for all evaluations at matrices (S, B, n^2) of any n and noise levels (S, B)."""
    shared, condition = Shared(kernel, settings, levels, condition), condition.contiguous()
    of_trunk = tuple(_of_seeds(weights[name], shared) for name in _TRUNK)
    if torch.is_grad_enabled():
        maps, scale = TrunkFunction.apply(shared, condition, *of_trunk)
    else:
        maps, scale, _ = trunk(shared, condition, of_trunk, keep=False)
    head = maps, *(_of_seeds(weights[name], shared) for name in ("head.film", "head.out"))
    return NativePreparedEquivariant(Level(shared, scale, t), head)


class NativePreparedEquivariant:
    """The equivariant energy at fixed weights, matrices and noise levels; see `energy.PreparedEnergy`."""

    def __init__(self, level: Level, head: tuple[Tensor, Tensor, Tensor]) -> None:
        self._level, self._head = level, head

    def at_level(self, t: Tensor) -> NativePreparedEquivariant:
        """The same weights and matrices at other noise levels (S, B)."""
        return NativePreparedEquivariant(Level(self._level.shared, self._level.scale, t), self._head)

    def energy(self, y: Tensor) -> Tensor:
        """E(A, y, t): (S, B, D) -> (S, B). Differentiable by the weights, not by y."""
        y = self._point(y)
        if torch.is_grad_enabled():
            return EnergyFunction.apply(self._level, y, *self._head)
        return self._level.evaluate(y, self._head, gradient=False)[0]

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """E and its gradient by y, both differentiable by the weights: (S, B, D) -> (S, B), (S, B, D)."""
        y = self._point(y)
        if torch.is_grad_enabled():
            return EnergyAndGradientFunction.apply(self._level, y, *self._head)
        energy, gradient = self._level.evaluate(y, self._head, gradient=True)
        assert gradient is not None
        return energy, gradient

    def _point(self, y: Tensor) -> Tensor:
        shared = self._level.shared
        check(y, shared.shape, shared.dtype)
        return y.detach().contiguous()
