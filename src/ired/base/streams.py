"""Random numbers: one generator for each (seed, stream name, step), and no global generator anywhere.

A training step's random numbers depend on nothing but these three and the kind of device (cpu, cuda), so a
resumed run needs no generator state, two variants at one seed see equal matrices and noise, and a seed in a
pack draws what it draws alone. Kinds of device draw different numbers: a checkpoint of one is refused on the
other, and so are experiments that mix them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

INITIALISATION = -1  # the step of everything drawn before training


def stream_seed(seed: int, name: str, step: int) -> int:
    """The generator seed of a stream: the first 63 bits of a SHA-256 over its three coordinates."""
    digest = hashlib.sha256(f"{seed}/{name}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(
    seed: int, name: str, step: int = INITIALISATION, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A fresh generator for one (seed, stream name, step)."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name, step))


class Streams:
    """The streams of a pack of seeds. Draws have the pack as leading dimension: (S, *shape).

    Generators are kept and reseeded, not made anew, because a captured CUDA graph replays the very generator
    objects that it was captured with; their numbers are those of `stream`. purpose: set in front of every name, so that
    what is drawn for it (a diagnosis, say) is nothing that training draws.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        step: int = INITIALISATION,
        purpose: str = "",
    ) -> None:
        self.seeds, self.purpose = tuple(seeds), purpose
        self.device = torch.device(device)
        self._generators: dict[str, list[torch.Generator]] = {}
        self._current: set[str] = set()
        self.step = step

    def at(self, step: int) -> Streams:
        """Move every stream to the beginning of `step` and return self."""
        self.step = step
        self._current.clear()
        return self

    def generators(self, name: str) -> list[torch.Generator]:
        """The generators of one stream, a seed each, where this step's drawing has brought them."""
        if name not in self._generators:
            self._generators[name] = [torch.Generator(self.device) for _ in self.seeds]
        if name not in self._current:
            for seed, generator in zip(self.seeds, self._generators[name], strict=True):
                generator.manual_seed(stream_seed(seed, self.purpose + name, self.step))
            self._current.add(name)
        return self._generators[name]

    def names(self) -> list[str]:
        """The streams used so far."""
        return list(self._generators)

    def normal(self, name: str, *shape: int) -> Tensor:
        """Standard Gaussians, (S, *shape), float32."""
        return self._stack(torch.randn, name, shape, torch.float32)

    def uniform(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Uniforms on [0, 1), (S, *shape), float32 unless told otherwise."""
        return self._stack(torch.rand, name, shape, dtype or torch.float32)

    def integers(self, name: str, high: int, *shape: int) -> Tensor:
        """Integers 0 .. high - 1, (S, *shape), int64."""
        draws = [torch.randint(high, shape, generator=g, device=self.device) for g in self.generators(name)]
        return draws[0][None] if len(draws) == 1 else torch.stack(draws)

    def _stack(self, draw: object, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        make = [draw(shape, generator=g, device=self.device, dtype=dtype) for g in self.generators(name)]  # type: ignore[operator]
        return make[0][None] if len(make) == 1 else torch.stack(make)
