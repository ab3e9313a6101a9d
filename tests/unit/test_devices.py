"""One set of tests for every kind of device: the processor always, an accelerator wherever one is found. Random numbers
differ between kinds, so what is compared is one device with itself, or arithmetic on equal numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from factories import REPLAYED, SMALL_NETWORKS, tiny_config
from ired.base.streams import Streams
from ired.job.build import build_engine
from ired.tasks import ProblemSet
from ired.training.engine import Engine

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
STRATEGIES: dict[str, dict[str, Any]] = {
    "none": {"negatives": {"strategy": "none"}, "contrast": None},
    "random": {"negatives": {"strategy": "random"}},
    "adversarial": {"negatives": {"strategy": "adversarial"}},
    "replayed": REPLAYED,
}
on_every_device = pytest.mark.parametrize("device", DEVICES)
of_every_network = pytest.mark.parametrize("network", SMALL_NETWORKS)


def made(device: str, network: str, strategy: str = "adversarial", seeds: tuple[int, ...] = (0,)) -> Engine:
    """A small engine that has made no step."""
    return build_engine(tiny_config(network=SMALL_NETWORKS[network], **STRATEGIES[strategy]), seeds, device)


@on_every_device
@of_every_network
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_was_cut_goes_on_as_if_it_had_not_been(device: str, network: str, strategy: str) -> None:
    """Byte by byte: on an accelerator the resumed half is captured anew as a graph."""
    whole, first = made(device, network, strategy), made(device, network, strategy)
    for _ in range(6):
        whole.advance()
    for _ in range(3):
        first.advance()
    state = {name: tensor.clone() for name, tensor in first.state().items()}
    losses = len(first.take_losses()[0])
    resumed = made(device, network, strategy)
    resumed.load_state(state, 3, losses)
    for _ in range(3):
        resumed.advance()
    assert torch.equal(whole.flat, resumed.flat) and torch.equal(whole.average, resumed.average)
    assert bool(whole.flat.isfinite().all())


@on_every_device
@of_every_network
def test_a_pack_trains_its_seeds_as_they_train_alone(device: str, network: str) -> None:
    """Products of a pack may add in another order than those of one seed; a wrong draw would move weights by 1e-3."""
    pack = made(device, network, seeds=(0, 1, 2))
    for _ in range(4):
        pack.advance()
    for index in range(3):
        alone = made(device, network, seeds=(index,))
        for _ in range(4):
            alone.advance()
        torch.testing.assert_close(pack.flat[index], alone.flat[0], rtol=0, atol=2e-5)


@on_every_device
@of_every_network
def test_energies_and_gradients_are_those_of_the_processor_in_double_precision(
    device: str, network: str
) -> None:
    engine = made(device, network)
    generator = torch.Generator().manual_seed(0)
    size = engine.task.solution_shape[0] * engine.task.solution_shape[1]
    condition, y = (torch.randn(1, 16, size, generator=generator) for _ in range(2))
    t = torch.randint(0, 10, (1, 16), generator=generator)
    found = []
    for place, kind in ((device, torch.float32), ("cpu", torch.float64)):
        weights = {
            name: value.to(place, kind) for name, value in engine.weights(engine.flat.detach()).items()
        }
        prepared = engine.network.prepare(weights, condition.to(place, kind), t.to(place))
        energy, gradient = prepared.energy_and_gradient(y.to(place, kind))
        found.append((energy.double().cpu(), gradient.double().cpu()))
    for single, double in zip(*found, strict=True):
        torch.testing.assert_close(single, double, rtol=2e-4, atol=2e-4 * double.abs().max().item())


@on_every_device
def test_answers_lie_on_the_processor_and_are_the_same_twice(device: str) -> None:
    engine = made(device, "equivariant")
    condition, solution = engine.task.draw(Streams([0]), 8, "id")
    sets = ProblemSet(condition[0], solution[0])
    weights = engine.weights(engine.flat.detach())
    one, other = (engine.solver.evaluate(weights, sets) for _ in range(2))
    assert one.squared_error.device.type == "cpu" and torch.equal(one.squared_error, other.squared_error)
