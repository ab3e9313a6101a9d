"""Energies: their gradients against finite differences, autograd and vmap; independence of the batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import erf, expit
from torch import Tensor

from factories import disturbed, generator, inversion
from ired.energy import NETWORKS, EnergyNetwork, WeightLayout, build_network
from ired.energy.equivariant import EquivariantNetwork
from ired.energy.mlp import MlpNetwork
from ired.energy.row_column import RowColumnNetwork
from ired.tasks import TASKS

N, D, LEVELS = 3, 9, 10
SETTINGS = {
    "mlp": MlpNetwork(hidden=12, time_features=8),
    "equivariant": EquivariantNetwork(channels=3, blocks=2, head_channels=2),
    "row_column": RowColumnNetwork(channels=3, blocks=2, head_channels=2),
}


def problem(
    kind: str, seeds: int, batch: int, dtype: torch.dtype = torch.float64
) -> tuple[EnergyNetwork, dict, Tensor, Tensor, Tensor]:
    known = NETWORKS[kind].tasks or ("inversion",)
    task = TASKS[known[0]]
    network = build_network(SETTINGS[kind], task(task.Settings(task=known[0], n=N)), LEVELS)
    g = generator(1)
    packs = [disturbed(network.initial_weights(g), g) for _ in range(seeds)]
    weights = {name: torch.stack([w[name] for w in packs]).to(dtype) for name in packs[0]}
    condition = torch.randn(seeds, batch, D, generator=g, dtype=dtype)
    y = torch.randn(seeds, batch, D, generator=g, dtype=dtype)
    t = torch.randint(LEVELS, (seeds, batch), generator=g)
    return network, weights, condition, y, t


@pytest.fixture(params=NETWORKS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def test_gradient_equals_central_differences(kind: str) -> None:
    network, weights, condition, y, t = problem(kind, 2, 3)
    energy = network.prepare(weights, condition, t)
    _, gradient = energy.energy_and_gradient(y)
    h = 1e-6
    for k in range(D):
        shift = torch.zeros(D, dtype=y.dtype)
        shift[k] = h
        slope = (energy.energy(y + shift) - energy.energy(y - shift)) / (2 * h)
        torch.testing.assert_close(gradient[..., k], slope, rtol=1e-6, atol=1e-7)


def plain_mlp(w: dict[str, Tensor], condition: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """The reference energy of one sample in the library's own layers: nothing shared with the package."""
    half = SETTINGS["mlp"].time_features // 2
    phase = t * torch.exp(-math.log(10000) / (half - 1) * torch.arange(half, dtype=y.dtype))

    def layer(name: str, x: Tensor) -> Tensor:
        return torch.nn.functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    embedding = torch.cat([phase.sin(), phase.cos()]).float().to(y.dtype)
    embedding = layer("time_mlp.3", torch.nn.functional.gelu(layer("time_mlp.1", embedding)))
    h = torch.nn.functional.silu(layer("fc1", torch.cat([condition, y])))
    for name in ("fc2", "fc3"):
        gain, shift = layer(f"t_map_{name}", embedding).chunk(2)
        h = torch.nn.functional.silu(layer(name, h) * (gain + 1) + shift)
    return layer("fc4", h).square().sum()


def test_mlp_equals_vmap_of_the_single_sample_and_its_gradient() -> None:
    network, weights, condition, y, t = problem("mlp", 1, 5)
    one = {name: value[0] for name, value in weights.items()}
    single = torch.func.vmap(torch.func.grad_and_value(plain_mlp, argnums=2), in_dims=(None, 0, 0, 0))
    gradients, values = single(one, condition[0], y[0], t[0])
    value, gradient = network.prepare(weights, condition, t).energy_and_gradient(y)
    torch.testing.assert_close(value[0], values)
    torch.testing.assert_close(gradient[0], gradients)


@pytest.mark.parametrize("terms", ["energy", "gradient", "both", "energy alone"])
def test_mlp_weight_derivatives_equal_double_backward_through_a_library(terms: str) -> None:
    """Every weight's derivative of a loss of energies, of energy gradients, and of both."""
    network, weights, condition, y, t = problem("mlp", 1, 6)
    noise = torch.randn(y.shape, generator=generator(3), dtype=y.dtype)

    def loss(value: Tensor, gradient: Tensor) -> Tensor:
        parts = {"energy": value.square().mean(), "gradient": (gradient - noise).square().mean()}
        parts["both"] = parts["energy"] + parts["gradient"]
        return parts[terms.split()[0]]

    ours = {name: value.clone().requires_grad_() for name, value in weights.items()}
    prepared = network.prepare(ours, condition, t)
    if terms == "energy alone":
        loss(prepared.energy(y), noise).backward()
    else:
        loss(*prepared.energy_and_gradient(y)).backward()
    theirs = {name: value[0].clone().requires_grad_() for name, value in weights.items()}
    single = torch.func.vmap(torch.func.grad_and_value(plain_mlp, argnums=2), in_dims=(None, 0, 0, 0))
    gradients, values = single(theirs, condition[0], y[0], t[0])
    loss(values[None], gradients[None]).backward()
    for name in weights:
        torch.testing.assert_close(ours[name].grad[0], theirs[name].grad, msg=name, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("batch", [1, 7, 256])
def test_a_sample_has_its_own_gradient_whatever_the_batch(kind: str, batch: int) -> None:
    """CD-006: dividing by the batch, or summing over it, would show here."""
    network, weights, condition, y, t = problem(kind, 2, 2048 if kind == "mlp" else 256)
    _, whole = network.prepare(weights, condition, t).energy_and_gradient(y)
    part = slice(0, batch)
    _, gradient = network.prepare(weights, condition[:, part], t[:, part]).energy_and_gradient(y[:, part])
    torch.testing.assert_close(gradient, whole[:, part], rtol=1e-9, atol=1e-11)


def test_seeds_of_a_pack_do_not_meet(kind: str) -> None:
    network, weights, condition, y, t = problem(kind, 3, 4)
    _, packed = network.prepare(weights, condition, t).energy_and_gradient(y)
    for s in range(3):
        one = {name: value[s : s + 1] for name, value in weights.items()}
        part = slice(s, s + 1)
        _, alone = network.prepare(one, condition[part], t[part]).energy_and_gradient(y[part])
        torch.testing.assert_close(packed[part], alone)


def test_derivative_of_the_denoising_loss_by_the_weights(kind: str) -> None:
    """The second derivative that training needs, against central differences in random directions of weight
    space."""
    network, weights, condition, y, t = problem(kind, 1, 4)
    layout = WeightLayout({name: value[0] for name, value in weights.items()})
    flat = layout.flatten({name: value[0] for name, value in weights.items()})[None]
    noise = torch.randn(y.shape, generator=generator(2), dtype=y.dtype)

    def loss(point: Tensor) -> Tensor:
        value, gradient = network.prepare(layout.unflatten(point), condition, t).energy_and_gradient(y)
        return (gradient - noise).square().mean() + 0.3 * value.mean()

    leaf = flat.clone().requires_grad_()
    loss(leaf).backward()
    h = 1e-6
    for trial in range(5):
        direction = torch.randn(flat.shape, generator=generator(10 + trial), dtype=flat.dtype)
        slope = (loss(flat + h * direction) - loss(flat - h * direction)) / (2 * h)
        torch.testing.assert_close((leaf.grad * direction).sum(), slope, rtol=1e-5, atol=1e-7)


def test_no_graph_is_kept_where_gradients_are_off(kind: str) -> None:
    network, weights, condition, y, t = problem(kind, 1, 2)
    leaves = {name: value.requires_grad_() for name, value in weights.items()}
    energy = network.prepare(leaves, condition, t)
    with torch.no_grad():
        value, gradient = energy.energy_and_gradient(y)
    assert not value.requires_grad and not gradient.requires_grad
    assert not y.requires_grad, "the caller's tensor must not be modified"


def test_mlp_equals_an_independent_numpy_implementation() -> None:
    network, weights, condition, y, t = problem("mlp", 1, 3)
    w = {name: value[0].numpy() for name, value in weights.items()}

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def swish(x: np.ndarray) -> np.ndarray:
        return x * expit(x)

    half = SETTINGS["mlp"].time_features // 2
    for i in range(3):
        phase = t[0, i].item() * np.exp(-np.log(10000) / (half - 1) * np.arange(half))
        x = linear(
            "time_mlp.1", np.concatenate([np.sin(phase), np.cos(phase)]).astype(np.float32).astype(float)
        )
        embedding = linear("time_mlp.3", x * 0.5 * (1 + erf(x / np.sqrt(2))))
        h = swish(linear("fc1", np.concatenate([condition[0, i].numpy(), y[0, i].numpy()])))
        for layer in ("fc2", "fc3"):
            gain, shift = np.split(linear(f"t_map_{layer}", embedding), 2)
            h = swish(linear(layer, h) * (gain + 1) + shift)
        expected = np.square(linear("fc4", h)).sum()
        ours = network.prepare(weights, condition, t).energy(y)[0, i].item()
        assert ours == pytest.approx(expected, rel=1e-10)


def test_layout_round_trip() -> None:
    network = build_network(SETTINGS["mlp"], inversion(n=N), LEVELS)
    weights = network.initial_weights(generator())
    layout = WeightLayout(weights)
    back = layout.unflatten(layout.flatten(weights)[None])
    assert layout.parameters == sum(v.numel() for v in weights.values())
    assert all(torch.equal(back[name][0], value) for name, value in weights.items())


def test_counted_multiply_adds_of_the_mlp() -> None:
    """Counted from the products that a dispatcher really runs."""
    network, weights, condition, y, t = problem("mlp", 1, 1)
    counted = 0

    class Counter(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal counted
            name = func.__name__.split(".")[0]
            if name in ("bmm", "baddbmm"):
                a, b = args[-2:]
                counted += a.shape[0] * a.shape[1] * a.shape[2] * b.shape[2]
            return func(*args, **(kwargs or {}))

    prepared = network.prepare(weights, condition, t)
    with Counter():
        prepared.energy(y)
    shared, energy, gradient = network.multiply_adds()
    assert shared == 12 * D  # hidden x condition: the matrix's share, which `prepare` computes once
    assert counted == energy
    counted = 0
    with Counter():
        prepared.energy_and_gradient(y)
    assert counted == energy + gradient
