"""Streams: reproducible, independent of what else is drawn, the same alone and in a pack."""

from __future__ import annotations

import ast
from pathlib import Path

import torch

from ired.base.streams import Streams, stream


def test_a_stream_is_a_function_of_its_three_coordinates() -> None:
    draw = torch.rand(4, generator=stream(3, "noise", 7))
    assert torch.equal(draw, torch.rand(4, generator=stream(3, "noise", 7)))
    for other in (stream(4, "noise", 7), stream(3, "levels", 7), stream(3, "noise", 8)):
        assert not torch.equal(draw, torch.rand(4, generator=other))


def test_a_pack_draws_what_its_seeds_draw_alone() -> None:
    packed = Streams([5, 2], step=9).normal("noise", 3, 4)
    for index, seed in enumerate((5, 2)):
        assert torch.equal(packed[index], torch.randn(3, 4, generator=stream(seed, "noise", 9)))
        assert torch.equal(packed[index], Streams([seed], step=9).normal("noise", 3, 4)[0])


def test_one_stream_does_not_move_another_and_a_step_begins_anew() -> None:
    streams = Streams([0])
    alone = streams.at(1).normal("noise", 5)
    streams.at(1).uniform("matrices", 100)
    first, second = streams.normal("noise", 5), streams.normal("noise", 5)
    assert torch.equal(alone, first) and not torch.equal(first, second)
    assert torch.equal(streams.at(1).normal("noise", 5), alone)


def test_draws_have_their_distributions() -> None:
    streams = Streams([0, 1], step=0)
    normal, uniform = streams.normal("a", 20_000), streams.uniform("b", 20_000, dtype=torch.float64)
    levels = streams.integers("c", 10, 20_000)
    assert normal.mean(1).abs().max() < 0.03 and (normal.std(1) - 1).abs().max() < 0.03
    assert uniform.dtype == torch.float64 and (uniform.mean(1) - 0.5).abs().max() < 0.01
    assert levels.unique().tolist() == list(range(10))
    assert (torch.bincount(levels[0], minlength=10) / 20_000 - 0.1).abs().max() < 0.01


def test_no_global_generator_in_the_package(repository: Path) -> None:
    """Every call of a drawing function names its generator."""
    drawing = {
        "rand",
        "randn",
        "randint",
        "randperm",
        "normal",
        "bernoulli",
        "multinomial",
        "rand_like",
        "randn_like",
        "manual_seed",
    }
    for path in sorted((repository / "src/ired").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                not isinstance(node, ast.Call)
                or not isinstance(node.func, ast.Attribute)
                or node.func.attr not in drawing
            ):
                continue
            owner = ast.unparse(node.func.value)
            if owner in ("torch", "np.random", "random", "numpy.random"):
                assert "generator" in {k.arg for k in node.keywords}, (
                    f"{path.name}:{node.lineno} draws from a global generator"
                )
