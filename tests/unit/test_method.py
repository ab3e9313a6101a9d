"""The plain text of the method and the engine are one method."""

from __future__ import annotations

import pytest
import torch

from factories import inversion, tiny_config
from ired.base.streams import Streams
from ired.diffusion.descent import annealed_levels
from ired.job.build import build_engine
from ired.method import Method


@pytest.mark.parametrize("strategy", ["none", "random", "adversarial"])
def test_the_text_trains_and_answers_as_the_engine_does(strategy: str) -> None:
    contrast = None if strategy == "none" else {}
    config = tiny_config(negatives={"strategy": strategy}, contrast=contrast)
    engine = build_engine(config, (3,))
    weights = {
        name: value[0].detach().clone() for name, value in engine.layout.unflatten(engine.flat).items()
    }
    text = Method(inversion(n=3), weights, seed=3, strategy=strategy, rate=config.optimiser.learning_rate)
    text.train(steps=12, batch=config.training.batch_size)
    for _ in range(12):
        engine.advance()
    trained = engine.weights(engine.flat)
    for name, value in text.weights.items():
        torch.testing.assert_close(trained[name][0], value.detach(), rtol=1e-4, atol=2e-6)
        assert not torch.equal(value.detach(), weights[name])
    # From equal weights and in float64: a last digit may decide whether a step is taken.
    exact = {name: value.double() for name, value in trained.items()}
    text = Method(inversion(n=3), {name: value[0] for name, value in exact.items()}, seed=3)
    condition = inversion(n=3).draw(Streams([9], step=0), 20, "id")[0].double()
    start = Streams([3], step=0).normal("inference", 20, 9).double()
    arguments = (engine.network, exact, condition, start, config.inference, engine.parts.descender)
    with torch.no_grad():
        *_, ours = annealed_levels(*arguments)
    torch.testing.assert_close(text.answer(condition[0], start[0]), ours[0], rtol=1e-6, atol=1e-8)
