"""Samplers on energies whose distribution is known, and mixtures against their parts.

That descent never raises an energy is in test_descent.py; gaps and false-negative rates of displaced
negatives on the closed-form optimum are in test_diagnostics.py; what gradients, memory and random numbers do
not depend on is in tests/ledger.
"""

from __future__ import annotations

import math

import pytest
import torch

from closed_forms import SCHEDULE, mlp_energy, optimal_energy, positives, strategy
from ired.base.streams import Streams
from ired.negatives import Proposal
from ired.negatives.langevin import LangevinNegatives
from ired.tasks.inversion import residual_norm
from ired.training.objective import Contrast, contrast_loss, kept_samples

BATCH = 4000


@pytest.mark.parametrize("multiplier", [1.0, 0.5])
@pytest.mark.parametrize(("level", "step_size"), [(1, 1.0), (5, 0.3), (8, 1.0)])
def test_langevin_reaches_the_gaussian_of_a_quadratic_energy(
    level: int, step_size: float, multiplier: float
) -> None:
    """E* is the Gaussian of mean sqrt(alpha_bar) X and variance sigma; a chain of step eta has the variance
    m^2 2 eta / (1 - (1 - eta/sigma)^2) = m^2 sigma / (1 - eta / (2 sigma)). Four standard errors of 36,000
    numbers."""
    batch = positives(batch=BATCH, levels=(level,))
    sampler = strategy(
        strategy="langevin",
        opt_steps=60,
        step_size=step_size,
        noise_scale=10.0,
        sigma_multiplier=multiplier,
        gradient_clip=None,
    )
    end = sampler.propose(optimal_energy(batch), batch, Streams([3], step=0)).negative.double()
    eta, sigma = step_size * SCHEDULE.step_size[level].item(), SCHEDULE.sigma[level].item()
    variance = multiplier**2 * sigma / (1 - eta / (2 * sigma))
    away = end - SCHEDULE.sqrt_alpha_bar[level] * batch.solution
    numbers = away.numel()
    assert away.mean().item() == pytest.approx(0, abs=4 * math.sqrt(variance / numbers))
    assert away.square().mean().item() == pytest.approx(variance, rel=4 * math.sqrt(2 / numbers))
    # Entries and samples are independent: no column of the 9 stands out, and neighbours do not agree.
    assert (away.mean((0, 1)).abs() < 5 * math.sqrt(variance / BATCH)).all()
    neighbours = (away[0, 1:] * away[0, :-1]).mean().item() / variance
    assert neighbours == pytest.approx(0, abs=4 / math.sqrt(numbers))


def test_langevin_by_hand_with_its_clip() -> None:
    """Two steps written out with the stream's own noise."""
    batch = positives()
    energy, streams = mlp_energy(batch)[0], Streams([0], step=5)
    noise = [streams.normal("langevin", 64, 9) for _ in range(2)]
    eta = 0.7 * SCHEDULE.step_size[batch.t, None]
    y = SCHEDULE.noised(batch.solution, batch.t, 1.5 * batch.noise)
    with torch.no_grad():
        for xi in noise:
            y = y - eta * energy.energy_and_gradient(y)[1].clamp(-0.004, 0.004) + 0.4 * (2 * eta).sqrt() * xi
    sampler = strategy(
        strategy="langevin", opt_steps=2, step_size=0.7, sigma_multiplier=0.4, gradient_clip=0.004
    )
    proposal = sampler.propose(energy, batch, Streams([0], step=5))
    assert 0.1 < (energy.energy_and_gradient(y)[1].abs() > 0.004).double().mean() < 0.9, (
        "the clip binds in part"
    )
    torch.testing.assert_close(proposal.negative, y)
    torch.testing.assert_close(proposal.solution, y / SCHEDULE.sqrt_alpha_bar[batch.t, None])
    assert proposal.batch is None


PARTS = [
    ({"strategy": "adversarial"}, {"strategy": "random"}),
    ({"strategy": "random"}, {"strategy": "langevin", "opt_steps": 3}),
]


@pytest.mark.parametrize("parts", PARTS, ids=["adversarial+random", "random+langevin"])
def test_a_mixture_of_one_is_that_one(parts: tuple[dict[str, object], dict[str, object]]) -> None:
    batch = positives()
    energy = mlp_energy(batch)[0]
    for fraction, pure in ((1.0, parts[0]), (0.0, parts[1])):
        mixed = strategy(strategy="mixed", first=parts[0], second=parts[1], fraction=fraction)
        ours, theirs = (s.propose(energy, batch, Streams([0], step=2)) for s in (mixed, strategy(**pure)))
        assert torch.equal(ours.negative, theirs.negative) and torch.equal(ours.solution, theirs.solution)


def test_a_mixture_has_the_share_that_was_asked_for() -> None:
    batch = positives(batch=BATCH)
    energy = mlp_energy(batch)[0]
    pure = [strategy(**p).propose(energy, batch, Streams([0], step=2)).negative for p in PARTS[0]]
    mixed = strategy(strategy="mixed", first=PARTS[0][0], second=PARTS[0][1], fraction=0.3)
    negative = mixed.propose(energy, batch, Streams([0], step=2)).negative
    first, second = ((negative == p).all(-1) for p in pure)
    assert (first | second).all() and not (first & second).any()
    assert first.double().mean().item() == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / BATCH))


def test_a_mixture_brings_each_parts_own_matrices() -> None:
    """Half replayed chains, half adversarial: a replayed one keeps its matrix, the other that of the
    batch."""
    replay = {
        "strategy": "langevin",
        "opt_steps": 1,
        "replay": {"size": 640, "buckets": 10, "sample_prob": 1.0},
    }
    mixed = strategy(strategy="mixed", first=replay, second={"strategy": "adversarial"}, fraction=0.5)
    seen = []
    for step in range(2):
        batch = positives(step=step)
        proposal = mixed.propose(mlp_energy(batch)[0], batch, Streams([0], step=step))
        seen.append(batch)
    own = proposal.batch
    assert own is not None
    replayed = (own.condition != batch.condition).any(-1)
    assert 0.2 < replayed.double().mean() < 0.8
    before = {tuple(c.tolist()): x for c, x in zip(seen[0].condition[0], seen[0].solution[0], strict=True)}
    for condition, solution in zip(own.condition[replayed], own.solution[replayed], strict=True):
        assert torch.equal(before[tuple(condition.tolist())], solution)
    assert torch.equal(own.noise, batch.noise)
    expected = SCHEDULE.noised(own.solution, own.t, batch.noise)
    torch.testing.assert_close(own.positive, expected)
    alone = strategy(strategy="adversarial").propose(mlp_energy(batch)[0], batch, Streams([0], step=1))
    assert torch.equal(proposal.negative[~replayed], alone.negative[~replayed])


@pytest.mark.parametrize("by", ["residual", "solution"])
@pytest.mark.parametrize("name", ["adversarial", "langevin"])
def test_the_filter_of_mined_negatives_is_mostly_one_of_noise_levels(name: str, by: str) -> None:
    """A quantile over all levels leaves out the quiet ones, as docs/parameters.md warns; of random negatives
    it leaves out the same share at each."""
    batch = positives(n=6, batch=2000)
    settings = Contrast.model_validate({"filter": {"by": by, "quantile": 0.3}})
    dropped = {}
    for strategy_name in (name, "random"):
        negatives = strategy(strategy=strategy_name).propose(mlp_energy(batch)[0], batch, Streams([0]))
        kept = kept_samples(settings, batch, negatives.solution, SCHEDULE.levels, residual_norm)
        assert kept is not None
        dropped[strategy_name] = torch.stack([1 - kept[batch.t == t].mean() for t in range(10)])
    assert dropped[name][:2].min() > 0.75 and dropped[name][6:].max() < 0.15
    assert (dropped["random"] - 0.3).abs().max() < 0.13


def test_a_replayed_negative_is_contrasted_with_its_own_positive() -> None:
    """The energy term of replayed chains is that of their matrices and levels, filter included."""
    replay = {"size": 640, "buckets": 5, "sample_prob": 0.5}
    sampler = strategy(strategy="langevin", opt_steps=1, replay=replay)
    assert isinstance(sampler, LangevinNegatives)
    for step in range(2):
        batch = positives(step=step)
        proposal = sampler.propose(mlp_energy(batch)[0], batch, Streams([0], step=step))
    own = proposal.batch
    assert own is not None and (own.t != batch.t).any()
    settings = Contrast.model_validate({"loss": "cd", "filter": {"by": "solution", "quantile": 0.3}})
    ours = contrast_loss(settings, mlp_energy(batch)[0], batch, proposal, SCHEDULE, residual_norm)
    energy = mlp_energy(own)[0]
    kept = kept_samples(settings, own, proposal.solution, SCHEDULE.levels, residual_norm)
    assert kept is not None
    gap = energy.energy(own.positive) - energy.energy(proposal.negative)
    torch.testing.assert_close(ours, (gap * kept).sum(1) / kept.sum(1))
    as_if_unreplayed = Proposal(proposal.negative, proposal.solution)
    assert not torch.allclose(
        ours, contrast_loss(settings, energy, batch, as_if_unreplayed, SCHEDULE, residual_norm)
    )
