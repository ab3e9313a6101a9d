"""The row and column energy: against numpy, its symmetries, its sizes at the start, and its counted products.

Its gradients, the independence of samples and of a pack's seeds are tested with the other networks' in
test_energy.py.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from factories import disturbed, generator
from ired.base.streams import Streams
from ired.diffusion.schedule import ScheduleSettings, noise_schedule
from ired.energy import Weights, build_network
from ired.energy.row_column import RowColumnEnergy, RowColumnNetwork
from ired.tasks import TASKS

LEVELS = 10
SETTINGS = RowColumnNetwork(channels=3, blocks=2, head_channels=2)


def problem(
    n: int, channels: int = 1, seeds: int = 1, batch: int = 3
) -> tuple[RowColumnEnergy, Weights, Tensor, Tensor, Tensor]:
    """Weights away from the start, where branches are zero; conditions of which a third is unknown."""
    network = RowColumnEnergy(SETTINGS, (channels, n, n), (n, n), LEVELS)
    g = generator(4)
    packs = [disturbed(network.initial_weights(g), g) for _ in range(seeds)]
    weights = {name: torch.stack([w[name] for w in packs]).double() for name in packs[0]}
    mask = torch.rand(seeds, batch, 1, n * n, generator=g) < 2 / 3
    condition = mask * torch.randn(seeds, batch, channels, n * n, generator=g, dtype=torch.float64)
    y = torch.randn(seeds, batch, n * n, generator=g, dtype=torch.float64)
    return network, weights, condition.flatten(2), y, torch.randint(LEVELS, (seeds, batch), generator=g)


@pytest.mark.parametrize("channels", [1, 2])
def test_equals_an_independent_numpy_implementation(channels: int) -> None:
    n = 4
    network, weights, condition, y, t = problem(n, channels)
    w = {name: value[0].numpy() for name, value in weights.items()}

    def mixed(weight: np.ndarray, maps: np.ndarray) -> np.ndarray:
        return np.einsum("oc,cij->oij", weight, maps)

    energies = network.prepare(weights, condition, t).energy(y)[0]
    for i in range(3):
        c, point = condition[0, i].numpy().reshape(channels, n, n), y[0, i].numpy().reshape(n, n)
        m = (np.abs(c).sum(0) > 0).astype(float)
        s = np.sqrt(np.square(c).sum() / m.sum())
        known, z = mixed(w["trunk.input"], c / s)[0], np.zeros((3, n, n))
        one = np.ones((n, n))
        for b in range(2):
            f1, f2, f3 = np.split(known + (1 - m) * mixed(w["trunk.fill"][b], z), 3)

            def drawn(maps: np.ndarray, f1: np.ndarray = f1, f2: np.ndarray = f2) -> np.ndarray:
                pairs = zip(f1, f2, maps, strict=True)
                return np.stack([u @ v.T @ x / np.linalg.norm(u) / np.linalg.norm(v) for u, v, x in pairs])

            p = drawn(f3)
            q = drawn(
                np.stack([a * np.linalg.norm(x) / np.linalg.norm(a) for a, x in zip(p, f3, strict=True)])
            )
            ratios = [np.log(np.linalg.norm(a) / np.linalg.norm(x)) * one for a, x in zip(p, f3, strict=True)]
            facts = np.stack([*ratios, m, m.mean(0) * one, m.mean(1)[:, None] * one, one])
            gate = 1 + np.tanh(mixed(w["trunk.gate"][b], facts))
            z = z + mixed(w["trunk.join"][b], np.concatenate([f3, gate * p, q, z]))
        x = s * (known + (1 - m) * mixed(w["trunk.answer"], z)[0])
        left, right = x @ x.T / np.square(x).sum(), x.T @ x / np.square(x).sum()
        gain, shift, straight, rest = np.split(w["head.film"][t[0, i]], [2, 4, 7])
        d = point - (1 + rest[2]) * x
        seen = np.stack([d, left @ d, d @ right, left @ d @ right])
        u = mixed(w["head.inside"], seen) * (1 + gain)[:, None, None] + shift[:, None, None]
        o = mixed(np.array([[1, *straight]]), seen)[0] + mixed(w["head.out"], u * expit(u))[0]
        o = o * np.where(m == 1, 1 + rest[0], 1 + rest[1]) / np.sqrt(2)
        assert energies[i].item() == pytest.approx(np.square(o).sum(), rel=1e-10)


@pytest.mark.parametrize("axis", [-2, -1])
def test_rows_and_columns_are_permuted_each_on_their_own(axis: int) -> None:
    n, order = 5, torch.tensor([3, 0, 4, 1, 2])
    network, weights, condition, y, t = problem(n, 2)

    def permuted(x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, n, n)).index_select(axis, order).flatten(2)

    energy, gradient = network.prepare(weights, condition, t).energy_and_gradient(y)
    moved, moved_gradient = network.prepare(weights, permuted(condition), t).energy_and_gradient(permuted(y))
    torch.testing.assert_close(moved, energy)
    torch.testing.assert_close(moved_gradient, permuted(gradient))
    half, _ = network.prepare(weights, condition, t).energy_and_gradient(permuted(y))
    assert not torch.allclose(half, energy), "the energy does not see how y lies to C"


def test_the_answer_scales_as_the_condition() -> None:
    network, weights, condition, _, t = problem(6)
    usual, large = network.prepare(weights, condition, t), network.prepare(weights, 3 * condition, t)
    torch.testing.assert_close(large.answer, 3 * usual.answer)


def test_the_energy_is_no_quadratic_form_of_y() -> None:
    """Third differences of a quadratic vanish; a contrast then has nothing to shape."""
    network, weights, condition, y, t = problem(4)
    prepared = network.prepare(weights, condition, t)
    a, b, c, d = (prepared.energy(k * y) for k in range(4))
    assert ((d - 3 * c + 3 * b - a).abs() > 1e-4 * d).all()


@pytest.mark.parametrize("name", ["completion", "addition"])
@pytest.mark.parametrize("n", [2, 20])
def test_training_begins_at_order_one_whatever_n_and_with_a_condition_that_is_empty(
    name: str, n: int
) -> None:
    task = TASKS[name](TASKS[name].Settings(task=name, n=n))
    streams, schedule = Streams([0]), noise_schedule(ScheduleSettings())
    condition, solution = task.draw(streams, 40, "id")
    condition[0, 0] = 0
    t = streams.integers("levels", LEVELS, 40)
    noise = streams.normal("noise", *solution.shape[1:])
    network = build_network(RowColumnNetwork(), task, LEVELS)
    weights = {
        key: value[None].requires_grad_() for key, value in network.initial_weights(generator(6)).items()
    }
    y = schedule.noised(solution, t, noise)
    energy, gradient = network.prepare(weights, condition, t).energy_and_gradient(y)
    loss = (gradient - noise).square().mean()
    assert 0.05 * n**2 < energy.mean().item() < 2 * n**2 and 0.02 < loss.item() < 2
    loss.backward()
    assert all(torch.isfinite(value.grad).all() for value in weights.values() if value.grad is not None)


def test_weights_of_one_size_run_at_another() -> None:
    """Nothing but the shape of an answer depends on n."""
    _, weights, *_ = problem(6)
    small = RowColumnEnergy(SETTINGS, (3, 3), (3, 3), LEVELS).initial_weights(generator())
    assert {name: value.shape for name, value in small.items()} == {
        name: value.shape[1:] for name, value in weights.items()
    }


def test_counted_multiply_adds() -> None:
    """Against the library's own counter, which counts two operations for a multiply-add."""
    network, weights, condition, y, t = problem(4, 2, batch=1)
    film = LEVELS * (2 * 2 + 6)
    costs = network.multiply_adds()
    with FlopCounterMode(display=False) as counter:
        prepared = network.prepare(weights, condition, t)
    assert counter.get_total_flops() / 2 - film == costs.shared
    with FlopCounterMode(display=False) as counter:
        prepared.energy(y)
    assert counter.get_total_flops() / 2 == costs.energy
    with FlopCounterMode(display=False) as counter:
        prepared.energy_and_gradient(y)
    assert counter.get_total_flops() / 2 == costs.energy + costs.gradient
