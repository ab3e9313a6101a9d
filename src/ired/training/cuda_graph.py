"""A training step as one CUDA graph."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

from ired.base.streams import Streams


class Engine(Protocol):
    """What a capture needs of the engine (`engine.py`)."""

    streams: Streams

    def update(self, condition: Tensor, solution: Tensor) -> tuple[Tensor, Tensor, Tensor]: ...

    def state(self) -> dict[str, Tensor]: ...

    def put_back(self, state: dict[str, Tensor]) -> None: ...


class CapturedUpdate:
    """`Engine.update` as one CUDA graph: hundreds of small launches become one replay.

    The generators are registered with the graph, which then reads their seed at each replay; inputs are
    copied into fixed buffers. The engine is handed in at each call and not kept: an engine that is dropped then frees
    its graph and the graph's memory at once, where a circle of references would leave both to the garbage collector.
    """

    WARMUP = 3  # torch's own advice: lazy initialisation must be over before the capture

    def __init__(self) -> None:
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: tuple[Tensor, Tensor] | None = None
        self.outputs: tuple[Tensor, Tensor, Tensor] | None = None

    def __call__(self, engine: Engine, condition: Tensor, solution: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.graph is None:
            self._capture(engine, condition, solution)
        assert self.graph is not None and self.inputs is not None and self.outputs is not None
        for buffer, value in zip(self.inputs, (condition, solution), strict=True):
            buffer.copy_(value)
        for name in engine.streams.names():
            engine.streams.generators(name)  # reseed to this step
        self.graph.replay()
        return self.outputs

    def _capture(self, engine: Engine, condition: Tensor, solution: Tensor) -> None:
        """Warm up on a side stream, capture, and put everything that the warm-up changed back."""
        before = {name: value.clone() for name, value in engine.state().items()}
        self.inputs = (condition.clone(), solution.clone())
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(self.WARMUP):
                    engine.update(*self.inputs)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            for name in engine.streams.names():
                for generator in engine.streams.generators(name):
                    graph.register_generator_state(generator)
            with _no_garbage(), torch.cuda.graph(graph):
                self.outputs = engine.update(*self.inputs)
        finally:
            engine.put_back(before)
        self.graph = graph  # not of a capture that failed


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Collect garbage now and none within: to free what another graph held is forbidden while one is captured."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
