"""The conflict of two gradients as training adds them, with the noise of each."""

from __future__ import annotations

import pytest
import torch

from factories import generator, inversion, tiny_config
from ired.base.streams import Streams
from ired.diagnostics.gradient_conflict import DRAWS, conflict, half_gradients
from ired.job.build import build_engine
from ired.tasks import ProblemSet


def test_pure_noise_is_known_by_its_floor() -> None:
    """Each half's two gradients share their noise: `cosine` is -1, only the others say that it is noise."""
    noise = torch.randn(2, 20_000, generator=generator())
    row = conflict(noise, -2 * noise)
    assert row["cosine"] == pytest.approx(-1) and row["norm_ratio"] == pytest.approx(2)
    for name in ("cosine_across", "denoising_floor", "energy_floor"):
        assert row[name] == pytest.approx(0, abs=4 / 20_000**0.5)


def test_a_signal_is_found_through_noise() -> None:
    signal = torch.randn(20_000, generator=generator(1)).expand(2, -1)
    denoise, energy = (
        signal * s + torch.randn(2, 20_000, generator=generator(k)) for s, k in ((1, 2), (-1, 3))
    )
    row = conflict(denoise, energy)
    assert row["denoising_floor"] == pytest.approx(0.5, abs=0.03) == row["energy_floor"]
    assert row["cosine"] == pytest.approx(-1 / 1.5, abs=0.03) and row["cosine_across"] == pytest.approx(
        -0.5, abs=0.03
    )


def test_a_loss_without_gradient_has_no_cosine() -> None:
    row = conflict(torch.ones(2, 5), torch.zeros(2, 5))
    assert row["cosine"] is None and row["energy_floor"] is None and row["norm_ratio"] == 0


def test_the_two_gradients_add_up_to_the_one_that_training_descends_on() -> None:
    """Against one backward pass of the training objective's total, with all levels and noise of their own."""
    config = tiny_config(contrast={"loss": "nce", "weight": {"warmup_steps": 10, "max_weight": 0.5}})
    engine = build_engine(config, (0,))
    problems = ProblemSet(*(x[0] for x in inversion(n=3).draw(Streams([0], step=0), 30, "id")))
    flat = engine.flat.detach()[0]
    denoise, energy = half_gradients(engine.parts, flat, problems, 0, 5, 1)
    expected = torch.zeros_like(denoise)
    leaf, streams = flat[None].clone().requires_grad_(), Streams([0], purpose="diagnosis/gradient_conflict/")
    from ired.base.streams import stream
    from ired.energy import WeightLayout

    layout = WeightLayout(engine.parts.network.initial_weights(stream(0, "weights")))
    for draw in range(DRAWS):
        terms = engine.parts.objective()(
            layout.unflatten(leaf),
            problems.condition[None],
            problems.solution[None],
            streams.at(DRAWS + draw),
            0.25,
        )
        expected += torch.autograd.grad(terms.total.sum(), leaf)[0][0].double() / DRAWS
    torch.testing.assert_close(denoise + energy, expected, rtol=1e-4, atol=1e-5)
    assert energy.norm() > 0
