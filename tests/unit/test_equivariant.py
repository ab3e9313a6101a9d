"""The equivariant energy: against numpy, its symmetry, its sizes at the start, and its counted products.

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

from closed_forms import positives
from factories import disturbed, generator, inversion
from ired.energy import Weights, build_network
from ired.energy.equivariant import EquivariantEnergy, EquivariantNetwork

LEVELS = 10
SETTINGS = EquivariantNetwork(channels=3, blocks=2, head_channels=2)


def problem(
    n: int, seeds: int = 1, batch: int = 3
) -> tuple[EquivariantEnergy, Weights, Tensor, Tensor, Tensor]:
    """Weights away from the start, where branches are zero; matrices and points without any symmetry."""
    network = EquivariantEnergy(SETTINGS, (n, n), (n, n), LEVELS)
    g = generator(4)
    packs = [disturbed(network.initial_weights(g), g) for _ in range(seeds)]
    weights = {name: torch.stack([w[name] for w in packs]).double() for name in packs[0]}
    condition = n * torch.randn(seeds, batch, n * n, generator=g, dtype=torch.float64)
    y = torch.randn(seeds, batch, n * n, generator=g, dtype=torch.float64)
    return network, weights, condition, y, torch.randint(LEVELS, (seeds, batch), generator=g)


def test_equals_an_independent_numpy_implementation() -> None:
    n = 4
    network, weights, condition, y, t = problem(n)
    w = {name: value[0].numpy() for name, value in weights.items()}

    def mixed(weight: np.ndarray, maps: np.ndarray) -> np.ndarray:
        return np.einsum("oc,cij->oij", weight, maps)

    def swish(x: np.ndarray) -> np.ndarray:
        return x * expit(x)

    energies = network.prepare(weights, condition, t).energy(y)[0]
    for i in range(3):
        a, point = condition[0, i].numpy().reshape(n, n), y[0, i].numpy().reshape(n, n)
        scale = np.sqrt(np.linalg.norm(a @ a.T))
        maps = mixed(w["trunk.input"], np.stack([a / scale, np.eye(n)]))
        for b in range(2):
            left, right, entry = np.split(mixed(w["trunk.inner"][b], maps), 3)
            product = np.stack([p @ q for p, q in zip(left, right, strict=True)])
            maps = maps + mixed(w["trunk.outer"][b], np.concatenate([product, swish(entry)]))
        gain, shift, (outer,), (inner,) = np.split(w["head.film"][t[0, i]], [2, 4, 5])
        inner_maps, offset, answer = np.split(mixed(w["head.mix"], maps), [2, 4])
        inside = inner_maps @ point + offset
        u = inside * (1 + gain)[:, None, None] + shift[:, None, None]
        o = (point + mixed(w["head.out"], swish(u))[0]) * (1 + outer) / np.sqrt(2)
        o = o + answer[0] * (1 + inner) * 32 / scale
        assert energies[i].item() == pytest.approx(np.square(o).sum(), rel=1e-12)


def test_a_permutation_of_rows_and_columns_permutes_the_gradient_and_leaves_the_energy() -> None:
    n, order = 5, torch.tensor([3, 0, 4, 1, 2])
    network, weights, condition, y, t = problem(n)

    def permuted(x: Tensor) -> Tensor:
        return x.unflatten(-1, (n, n))[..., order, :][..., order].flatten(-2)

    energy, gradient = network.prepare(weights, condition, t).energy_and_gradient(y)
    moved, moved_gradient = network.prepare(weights, permuted(condition), t).energy_and_gradient(permuted(y))
    torch.testing.assert_close(moved, energy)
    torch.testing.assert_close(moved_gradient, permuted(gradient))
    half, _ = network.prepare(weights, condition, t).energy_and_gradient(permuted(y))
    assert not torch.allclose(half, energy), "the energy does not see how y lies to A"


def test_not_only_a_function_of_eigenvalues_and_angles() -> None:
    """Swish acts on entries: a rotation of A and y together changes the energy."""
    n = 4
    network, weights, condition, y, t = problem(n)
    rotation, _ = torch.linalg.qr(torch.randn(n, n, generator=generator(5), dtype=torch.float64))

    def rotated(x: Tensor) -> Tensor:
        return (rotation @ x.unflatten(-1, (n, n)) @ rotation.mT).flatten(-2)

    before = network.prepare(weights, condition, t).energy(y)
    after = network.prepare(weights, rotated(condition), t).energy(rotated(y))
    assert not torch.allclose(before, after, rtol=1e-3)


@pytest.mark.parametrize("n", [2, 6, 20, 64])
def test_training_begins_at_order_one_whatever_n(n: int) -> None:
    """Energies of order n^2, a denoising loss of order 1, also where the weights have left their zeros a
    little."""
    batch = positives(n, 40)
    network = build_network(EquivariantNetwork(), inversion(n=n), LEVELS)
    g = generator(6)
    first = network.initial_weights(g)
    for start in (first, disturbed(first, g, 0.01)):
        weights = {name: value[None] for name, value in start.items()}
        prepared = network.prepare(weights, batch.condition, batch.t)
        energy, gradient = prepared.energy_and_gradient(batch.positive)
        assert 0.05 * n**2 < energy.mean().item() < 2 * n**2
        assert 0.02 < (gradient - batch.noise).square().mean().item() < 2


def test_a_large_matrix_stays_within_the_trunk_s_range() -> None:
    """A polynomial of high degree explodes beyond its range: a matrix ten times as large has no larger maps,
    and an answer a tenth as large."""
    network, weights, condition, _, t = problem(6)
    usual, rare = network.prepare(weights, condition, t), network.prepare(weights, 10 * condition, t)
    torch.testing.assert_close(rare.maps, usual.maps)
    torch.testing.assert_close(rare.answer, usual.answer / 10)


def test_weights_of_one_size_run_at_another() -> None:
    """`prepare` reads n from the matrices: a network built for 3 evaluates 6 like one built for 6."""
    _, weights, condition, y, t = problem(6)
    built = [
        EquivariantEnergy(SETTINGS, (n, n), (n, n), LEVELS).prepare(weights, condition, t).energy(y)
        for n in (3, 6)
    ]
    assert torch.equal(*built)


def test_counted_multiply_adds() -> None:
    """Against the library's own counter, which counts two operations for a multiply-add."""
    network, weights, condition, y, t = problem(4, batch=1)
    film = LEVELS * (2 * 2 + 2)
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
