"""The captured training step, with a stand-in for CUDA graphs: a replay repeats the update on the tensors
that the capture saw, and on no others."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from factories import REPLAYED, tiny_config
from ired.job.build import build_engine
from ired.training.cuda_graph import CapturedUpdate
from ired.training.engine import Engine

CASES: dict[str, dict[str, Any]] = {
    "none": {"negatives": {"strategy": "none"}, "contrast": None},
    "adversarial": {"negatives": {"strategy": "adversarial"}},
    "replayed": REPLAYED,
    "warm-up": {"contrast": {"weight": {"warmup_steps": 3, "max_weight": 0.5}}},
}


def held(engine: Engine) -> dict[str, int]:
    """Where the tensors lie that an update reads or changes."""
    tensors = {"flat": engine.flat, "rate": engine.learning_rate, "weight": engine.contrast_weight}
    tensors |= engine.moments | engine.strategy.state()
    return {name: tensor.data_ptr() for name, tensor in tensors.items()}


class Graph:
    """Stands in for torch.cuda.CUDAGraph. Unlike a real one it computes while it captures, which has
    to be undone as well."""

    def __init__(self) -> None:
        self.generators: list[torch.Generator] = []
        self.replays = 0
        self.captured: CapturedUpdate
        self.engine: weakref.ref[Engine]
        self.seen: dict[str, int] = {}

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        engine = self.engine()
        assert engine is not None
        assert held(engine) == self.seen, "a tensor was replaced: a real replay would go on with the old one"
        used = [g for generators in engine.streams._generators.values() for g in generators]
        assert {id(g) for g in used} <= {id(g) for g in self.generators}, "a stream the graph does not know"
        assert self.captured.inputs is not None and self.captured.outputs is not None
        # No Python runs in a real replay: what is not seeded by now stays where the last step left it.
        engine.streams._current.update(engine.streams.names())
        results = engine.update(*self.captured.inputs)
        for buffer, value in zip(self.captured.outputs, results, strict=True):
            buffer.copy_(value)
        self.replays += 1


class Stream:
    def wait_stream(self, other: Stream) -> None:
        pass


@pytest.fixture
def captured_engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an engine whose step is captured."""

    def make(config: Any) -> tuple[Engine, CapturedUpdate]:
        engine = build_engine(config, (0, 1))
        captured = CapturedUpdate()
        engine._captured = captured

        @contextmanager
        def capture(graph: Graph) -> Iterator[None]:
            assert not gc.isenabled(), "what another graph held may be freed within a capture"
            yield
            graph.engine, graph.captured, graph.seen = weakref.ref(engine), captured, held(engine)

        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "current_stream", Stream)
        monkeypatch.setattr(torch.cuda, "stream", nullcontext)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
        monkeypatch.setattr(torch.cuda, "graph", capture)
        return engine, captured

    return make


@pytest.mark.parametrize("case", CASES)
def test_a_replayed_step_is_the_plain_one(case: str, captured_engine: Any) -> None:
    config = tiny_config(**CASES[case])
    plain = build_engine(config, (0, 1))
    engine, captured = captured_engine(config)
    # Warming up leaves an empty buffer where the plain first step has none yet: the same terms are then added
    # in another order. A wrong draw or a step too many would move weights by the learning rate, 1e-3.
    tolerance = 2e-6 if case == "replayed" else 0.0
    for _ in range(6):
        plain.advance()
        engine.advance()
        assert torch.allclose(engine.flat, plain.flat, rtol=0, atol=tolerance)
    assert torch.allclose(engine.average, plain.average, rtol=0, atol=tolerance)
    assert np.allclose(engine.take_losses(), plain.take_losses(), rtol=1e-5, atol=0)
    assert captured.graph is not None and captured.graph.replays == 6  # type: ignore[attr-defined]
    if case == "replayed":
        written = engine.strategy.state()["written"]
        assert torch.equal(written, plain.strategy.state()["written"]) and written.sum() == 2 * 6 * 16


def test_a_resumed_run_is_captured_where_it_stands(captured_engine: Any) -> None:
    config = tiny_config(**CASES["replayed"])
    plain = build_engine(config, (0, 1))
    for _ in range(4):
        plain.advance()
    engine, _ = captured_engine(config)
    engine.load_state({name: value.clone() for name, value in plain.state().items()}, plain.step, 4)
    for _ in range(3):
        plain.advance()
        engine.advance()
    assert torch.equal(engine.flat, plain.flat)


def test_a_dropped_engine_is_freed_at_once(captured_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By counting references: the garbage collector would free its graph whenever it likes, within another capture
    too."""
    engine, captured = captured_engine(tiny_config(**CASES["adversarial"]))
    engine.advance()
    gone, graph = weakref.ref(engine), weakref.ref(captured.graph)
    captured.graph.captured = None
    gc.disable()
    try:
        del engine, captured
        monkeypatch.undo()  # the stand-ins hold what they were made for
        left = (gone(), graph())
    finally:
        gc.enable()
    assert left == (None, None)


@pytest.mark.parametrize("fails", [False, True])
def test_garbage_is_collected_before_a_capture_and_not_within(fails: bool, captured_engine: Any) -> None:
    engine, captured = captured_engine(tiny_config(**CASES["none"]))
    circle: list[Any] = [Held()]
    circle.append(circle)
    gone, calls, update = weakref.ref(circle[0]), [0], engine.update
    del circle

    def watched(*inputs: Any) -> Any:
        calls[0] += 1
        if calls[0] == CapturedUpdate.WARMUP + 1:
            assert gone() is None and not gc.isenabled()
            if fails:
                raise MemoryError
        return update(*inputs)

    engine.update = watched
    before = {name: value.clone() for name, value in engine.state().items()}
    with pytest.raises(MemoryError) if fails else nullcontext():
        engine.advance()
    assert calls[0] > CapturedUpdate.WARMUP and gc.isenabled()
    if fails:  # nothing is left of it, and the next step captures anew
        assert all(torch.equal(value, before[name]) for name, value in engine.state().items())
        assert captured.graph is None and engine.step == 0


def test_a_collector_that_was_off_stays_off(captured_engine: Any) -> None:
    engine, _ = captured_engine(tiny_config(**CASES["none"]))
    gc.disable()
    try:
        engine.advance()
        assert not gc.isenabled()
    finally:
        gc.enable()


class Held:
    """Something that a weak reference can follow."""
