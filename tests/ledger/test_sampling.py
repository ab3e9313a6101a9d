"""The claims about sampling: gradients of batches, memory, replay, random numbers, clipping, and the penalty
on energies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from closed_forms import SCHEDULE, mlp_energy, optimal_energy, positives, small_mlp, strategy
from factories import generator
from ired.base.streams import Streams
from ired.diffusion.descent import Descender, Inference, ReleaseCompat, annealed_levels
from ired.energy import BoundEnergy
from ired.negatives import Positives
from ired.negatives.langevin import LangevinNegatives
from ired.negatives.replay import ReplayBuffer
from live_bytes import LiveBytes


class DividedByTheBatch:
    """The 'repair' of the record: the gradient of the summed energy divided by the batch size."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def prepare(self, *arguments: Any) -> DividedByTheBatch:
        return DividedByTheBatch(self.network.prepare(*arguments))

    def at_level(self, t: Tensor) -> DividedByTheBatch:
        return DividedByTheBatch(self.network.at_level(t))

    def energy(self, y: Tensor) -> Tensor:
        return self.network.energy(y)

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        energy, gradient = self.network.energy_and_gradient(y)
        return energy, gradient / y.shape[1]


def check_answers_do_not_depend_on_the_batch(network: Any) -> None:
    """Each matrix answered alone, in sevens and all together, from one starting noise each."""
    batch, (_, weights) = positives(batch=35), small_mlp()
    start = torch.randn(1, 35, 9, generator=generator())
    descender = Descender(SCHEDULE, 2.0, ReleaseCompat())
    answers = []
    for size in (1, 7, 35):
        parts = []
        for first in range(0, 35, size):
            part = slice(first, first + size)
            levels = annealed_levels(
                network, weights, batch.condition[:, part], start[:, part], Inference(), descender
            )
            *_, solution = levels
            parts.append(solution.detach())
        answers.append(torch.cat(parts, 1))
    for answer in answers[:2]:
        torch.testing.assert_close(answer, answers[2], atol=1e-4, rtol=1e-4)


def check_gradients_do_not_depend_on_the_batch(network: Any) -> None:
    batch, (_, weights) = positives(batch=256), small_mlp()
    gradients = []
    for size in (1, 7, 256):
        energy = network.prepare(weights, batch.condition[:, :size], batch.t[:, :size])
        gradients.append(energy.energy_and_gradient(batch.positive[:, :size])[1])
    for gradient in gradients[:2]:
        torch.testing.assert_close(gradient, gradients[2][:, : gradient.shape[1]], atol=1e-5, rtol=1e-4)


def test_cd_006_a_gradient_is_its_samples_own() -> None:
    """Claim: the gradient of E.sum() accumulates over the batch, divide by B. Verdict: itself a defect and
    the costliest: nothing accumulates, and divided steps shrink with the batch.

    That it equals vmap(grad) and central differences is proved in tests/unit/test_energy.py.
    """
    network, _ = small_mlp()
    check_gradients_do_not_depend_on_the_batch(network)
    with pytest.raises(AssertionError):
        check_gradients_do_not_depend_on_the_batch(DividedByTheBatch(network))


def test_cd_006_an_evaluation_does_not_depend_on_the_batch() -> None:
    """Verdict: with the division, a matrix's answer depends on how many others are answered beside it."""
    network, _ = small_mlp()
    check_answers_do_not_depend_on_the_batch(network)
    with pytest.raises(AssertionError):
        check_answers_do_not_depend_on_the_batch(DividedByTheBatch(network))


def most_bytes(chain: Callable[..., object]) -> list[int]:
    """The most bytes alive at once in chains of 2, 8 and 32 steps."""
    batch = positives()
    energy, _ = mlp_energy(batch)
    peaks = []
    for steps in (2, 8, 32):
        sampler = strategy(strategy="langevin", opt_steps=steps, gradient_clip=None)
        with LiveBytes() as bytes_alive:
            chain(sampler, energy, batch.positive, batch.t, Streams([0], step=0))
        peaks.append(bytes_alive.peak)
    return peaks


def check_memory_is_flat(chain: Callable[..., object]) -> None:
    peaks = most_bytes(chain)
    assert peaks[0] == peaks[1] == peaks[2], peaks


def test_cd_007_memory_does_not_grow_with_the_steps() -> None:
    """Claim: a graph accumulates over Langevin steps. Verdict: no-op, since sampling keeps no graph; with
    one, 32 steps would take more than twenty times the memory."""
    check_memory_is_flat(LangevinNegatives.chain)
    with_graph = LangevinNegatives.chain.__wrapped__  # type: ignore[attr-defined]
    with pytest.raises(AssertionError):
        check_memory_is_flat(with_graph)
    assert most_bytes(with_graph)[-1] > 20 * most_bytes(LangevinNegatives.chain)[-1]


def check_replayed_chains_fall(wrap: Callable[[BoundEnergy], Any]) -> None:
    """Chains begun far out, all replayed from the second step on: their mean energy falls each time."""
    replay = {"size": 40, "buckets": 10, "sample_prob": 1.0}
    sampler = strategy(
        strategy="langevin", opt_steps=1, step_size=0.1, noise_scale=20.0, gradient_clip=None, replay=replay
    )
    means = []
    for step in range(5):
        batch = positives(batch=40, levels=(1, 4, 7), step=step)
        energy = wrap(optimal_energy(batch))
        proposal = sampler.propose(energy, batch, Streams([0], step=step))
        own = proposal.batch or batch
        assert step == 0 or not torch.isin(own.condition, batch.condition).any(), "every chain is replayed"
        means.append(energy.rebound(own.condition, own.t).energy(proposal.negative).mean().item())
    assert all(after < 0.9 * before for before, after in pairwise(means)), means


def lost_gradient(energy: BoundEnergy) -> BoundEnergy:
    rebound = energy.rebound
    energy.energy_and_gradient = lambda y: (energy.energy(y), torch.zeros_like(y))  # type: ignore[method-assign]
    energy.rebound = lambda condition, t: lost_gradient(rebound(condition, t))  # type: ignore[method-assign]
    return energy


def test_cd_008_a_replayed_chain_goes_on_descending() -> None:
    """Claim: replayed samples lose requires_grad and stand still. Verdict: no-op; their energy falls at every
    visit."""
    check_replayed_chains_fall(lambda energy: energy)
    with pytest.raises(AssertionError):
        check_replayed_chains_fall(lost_gradient)


class DrawsOnlyWhereNeeded(ReplayBuffer):
    """The 'saving' of the record: no random numbers for what is not used."""

    def mix(self, batch: Positives, fresh: Tensor, schedule: Any, streams: Streams) -> Any:
        if streams.uniform("replay_decision", 1).item() >= self.settings.sample_prob:
            return batch, torch.randn_like(fresh)
        streams.uniform("replay_choice", batch.t.shape[1])
        return super().mix(batch, fresh, schedule, streams)


def check_streams_do_not_depend_on_the_branch(buffer: type[ReplayBuffer]) -> None:
    """Generator states after a step in which every chain is replayed and one in which every chain is
    fresh."""
    states = []
    for probability in (1.0, 1e-9):
        replay = {"size": 100, "buckets": 10, "sample_prob": probability}
        sampler = strategy(strategy="langevin", opt_steps=2, replay=replay)
        assert isinstance(sampler, LangevinNegatives) and sampler.settings.replay is not None
        sampler._buffer = buffer(sampler.settings.replay, SCHEDULE.levels)
        streams = Streams([0])
        for step in range(2):
            batch = positives(step=step)
            sampler.propose(optimal_energy(batch), batch, streams.at(step))
        states.append({name: streams.generators(name)[0].get_state() for name in streams.names()})
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_cd_009_random_numbers_do_not_depend_on_the_branch() -> None:
    """Claim: a fresh start is wasteful where a chain is replayed. Verdict: cosmetic, and drawing only where
    needed makes the random stream depend on the branch."""
    check_streams_do_not_depend_on_the_branch(ReplayBuffer)
    with pytest.raises(AssertionError):
        check_streams_do_not_depend_on_the_branch(DrawsOnlyWhereNeeded)
