"""The fast form of the equivariant energy in the library's operations against the plain text, in float64:
energies, gradients, and every weight's derivative of what training descends on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from closed_forms import SCHEDULE
from factories import disturbed, generator, tiny_config
from ired.energy import Weights
from ired.energy.equivariant import EquivariantEnergy, EquivariantNetwork
from ired.energy.equivariant_forms import FastEquivariantEnergy
from ired.energy.equivariant_trunk import TrunkFunction
from ired.job.build import build_engine
from ired.training.objective import Contrast, sample_contrast

LEVELS = 10
SETTINGS = EquivariantNetwork(channels=3, blocks=2, head_channels=2)
SIZES = pytest.mark.parametrize("n", [2, 7, 8, 9])  # below 8 the trunk's maps are padded


@pytest.fixture(autouse=True)
def without_the_c_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRED_KERNEL", "torch")


def problem(
    n: int, seeds: int = 2, batch: int = 3
) -> tuple[list[EquivariantEnergy], Weights, list[Tensor], Tensor]:
    """Both forms; weights away from the start, where branches are zero; matrices and three points each."""
    forms = [form(SETTINGS, (n, n), (n, n), LEVELS) for form in (EquivariantEnergy, FastEquivariantEnergy)]
    g = generator(n)
    packs = [disturbed(forms[0].initial_weights(g), g) for _ in range(seeds)]
    weights = {name: torch.stack([w[name] for w in packs]).double() for name in packs[0]}
    shape = (seeds, batch, n * n)
    condition = n * torch.randn(shape, generator=g, dtype=torch.float64)
    points = [torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(3)]
    return forms, weights, [condition, *points], torch.randint(LEVELS, (seeds, batch), generator=g)


@SIZES
def test_energy_and_gradient_with_and_without_a_graph(n: int) -> None:
    (plain, fast), weights, (condition, y, *_), t = problem(n)
    expected, expected_gradient = plain.prepare(weights, condition, t).energy_and_gradient(y)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            prepared = fast.prepare(weights, condition, t)
            energy, gradient = prepared.energy_and_gradient(y)
            torch.testing.assert_close(prepared.energy(y), expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(energy, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-11, atol=1e-11)


def training_loss(terms: str, prepared: Any, points: list[Tensor], t: Tensor) -> Tensor:
    """Sums of what training descends on: denoising, and the two contrasts with both regularisers."""
    noisy, noise, negative = points
    total = torch.zeros((), dtype=noise.dtype)
    if "denoise" in terms:
        total = total + (prepared.energy_and_gradient(noisy)[1] - noise).square().mean()
    for loss, of in (("nce", "gap"), ("cd", "energy")):
        if loss in terms:
            settings = Contrast.model_validate({"loss": loss, "regulariser": {"of": of, "weight": 0.01}})
            low, high = prepared.energy(noise), prepared.energy(negative)
            total = total + sample_contrast(settings, low, high, SCHEDULE.sigma[t].double()).mean()
    if "both" in terms:
        energy, gradient = prepared.energy_and_gradient(noisy)
        total = total + (energy.square() * 1e-3).mean() + (gradient - noise).square().mean()
    if "energy alone" in terms:
        total = total + prepared.energy_and_gradient(noisy)[0].mean()
    return total


@SIZES
@pytest.mark.parametrize("terms", ["denoise", "nce", "cd", "denoise, nce, cd", "both", "energy alone"])
def test_every_weight_s_derivative(n: int, terms: str) -> None:
    forms, weights, (condition, *points), t = problem(n)
    derivatives = []
    for form in forms:
        leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
        loss = training_loss(terms, form.prepare(leaves, condition, t), points, t)
        derivatives.append(torch.autograd.grad(loss, list(leaves.values())))
    for name, expected, ours in zip(weights, *derivatives, strict=True):
        assert expected.abs().max() > 0, name
        scale = expected.abs().max().item()
        torch.testing.assert_close(
            ours, expected, rtol=1e-9, atol=1e-11 * scale, msg=lambda m, k=name: f"{k}: {m}"
        )


def test_a_graph_can_be_differentiated_twice_over() -> None:
    """The diagnostics ask for the derivatives of two losses at one batch."""
    (_, fast), weights, (condition, *points), t = problem(5)
    leaves = {name: value.requires_grad_() for name, value in weights.items()}
    loss = training_loss("denoise, nce", fast.prepare(leaves, condition, t), points, t)
    first = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True)
    again = torch.autograd.grad(loss, list(leaves.values()))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_other_levels_at_the_same_matrices() -> None:
    forms, weights, (condition, y, *_), t = problem(4)
    other = (t + 3) % LEVELS
    for form in forms:
        leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
        moved = form.prepare(leaves, condition, t).at_level(other).energy_and_gradient(y)
        anew = form.prepare(leaves, condition, other).energy_and_gradient(y)
        assert torch.equal(moved[0], anew[0]) and torch.equal(moved[1], anew[1])
        derivatives = [
            torch.autograd.grad(gradient.square().sum(), leaves["trunk.inner"])[0]
            for _, gradient in (moved, anew)
        ]
        assert torch.equal(*derivatives)


@pytest.mark.parametrize("strategy", ["none", "random", "adversarial"])
def test_the_trunk_is_evaluated_and_differentiated_once_a_step(
    monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    calls = []
    for way in ("forward", "backward"):
        true = getattr(TrunkFunction, way)

        def counted(*arguments: Any, true: Any = true, way: str = way) -> Any:
            calls.append(way)
            return true(*arguments)

        monkeypatch.setattr(TrunkFunction, way, staticmethod(counted))
    more = {"contrast": None} if strategy == "none" else {}
    config = tiny_config(network={"kind": "equivariant"}, negatives={"strategy": strategy}, **more)
    build_engine(config, (0,)).advance()
    assert calls == ["forward", "backward"]


def trained(form: type[EquivariantEnergy], dtype: torch.dtype, steps: int = 20) -> Tensor:
    """Weights of two seeds after a short training with that form, starting alike."""
    config = tiny_config(network={"kind": "equivariant"}, problem__n=6, optimiser__learning_rate=0.006)
    engine = build_engine(config, (0, 1))
    engine.network = engine.objective.network = form(config.network, (6, 6), (6, 6), LEVELS)
    engine.flat = engine.flat.detach().to(dtype).requires_grad_()
    engine.average = engine.flat.detach().clone()
    engine.moments = {k: v if k == "step" else v.to(dtype) for k, v in engine.moments.items()}
    draw = engine.task.draw
    engine.task.draw = lambda *a: tuple(x.to(dtype) for x in draw(*a))  # type: ignore[method-assign,assignment]
    for _ in range(steps):
        engine.advance()
    return engine.flat.detach()


def test_training_gives_the_plain_form_s_weights() -> None:
    plain, fast = (trained(form, torch.float64) for form in (EquivariantEnergy, FastEquivariantEnergy))
    assert (plain - trained(EquivariantEnergy, torch.float64, steps=0)).abs().max() > 0.03
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-7)


def test_counted_multiply_adds() -> None:
    """At a size without padding; the library's counter has two operations for a multiply-add."""
    (_, fast), weights, (condition, y, *_), t = problem(8, seeds=1, batch=1)
    film = LEVELS * (2 * 2 + 2)
    costs = fast.multiply_adds()
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            prepared = fast.prepare(weights, condition, t)
        assert counter.get_total_flops() / 2 - film == costs.shared
        with FlopCounterMode(display=False) as counter:
            prepared.energy(y)
        assert counter.get_total_flops() / 2 == costs.energy
        with FlopCounterMode(display=False) as counter:
            prepared.energy_and_gradient(y)
        assert counter.get_total_flops() / 2 == costs.energy + costs.gradient
