"""The claims about the contrastive-divergence loss: its sign, what flows through it, how it is averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from closed_forms import SCHEDULE, mlp_energy, positives, strategy
from factories import generator
from ired.base.streams import Streams
from ired.negatives import Proposal
from ired.negatives.langevin import LangevinNegatives
from ired.tasks.inversion import residual_norm
from ired.training.objective import Contrast, contrast_loss, sample_contrast

CD = Contrast(loss="cd")
DATA_MEAN, LEVEL = 1.5, 4
Loss = Callable[[Tensor, Tensor], Tensor]


class Quadratic:
    """E = (y - m)^2 / 2: as a density, a Gaussian of mean m and variance 1."""

    def __init__(self, m: Tensor) -> None:
        self.m = m

    def energy(self, y: Tensor) -> Tensor:
        return (y - self.m).square().sum(-1) / 2

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.energy(y), y - self.m


def ours(low: Tensor, high: Tensor) -> Tensor:
    return sample_contrast(CD, low, high, torch.ones_like(low))


def flipped(low: Tensor, high: Tensor) -> Tensor:
    return sample_contrast(CD, high, low, torch.ones_like(low))


def check_recovers_the_data_mean(loss: Loss, start: float) -> None:
    """Contrastive divergence on 1-D Gaussian data: samples by the package's own Langevin chain, begun at the
    data."""
    sampler = strategy(strategy="langevin", opt_steps=15, gradient_clip=None)
    assert isinstance(sampler, LangevinNegatives)
    m = torch.tensor(start, requires_grad=True)
    t, seen, g = torch.full((1, 400), LEVEL), [], generator()
    for step in range(160):
        data = DATA_MEAN + torch.randn(1, 400, 1, generator=g)
        energy = Quadratic(m)
        samples = sampler.chain(energy, data, t, Streams([0], step=step)).point  # type: ignore[arg-type]
        (slope,) = torch.autograd.grad(loss(energy.energy(data), energy.energy(samples)).mean(), m)
        m = (m - 0.2 * slope).detach().requires_grad_()
        seen.append(m.item())
    assert sum(seen[80:]) / 80 == pytest.approx(DATA_MEAN, abs=0.05)


def test_cd_001_the_sign_is_positive_minus_negative() -> None:
    """Claim: the loss should be E- - E+. Verdict: itself a defect; the model then flees from its data."""
    check_recovers_the_data_mean(ours, start=0.0)
    with pytest.raises(AssertionError):
        check_recovers_the_data_mean(flipped, start=0.0)


def test_cd_010_positive_minus_negative_was_right() -> None:
    """Claim: restore E+ - E-. Verdict: true; the mean is found from either side, and not by the flipped sign
    however near it begins."""
    check_recovers_the_data_mean(ours, start=4.0)
    with pytest.raises(AssertionError):
        check_recovers_the_data_mean(flipped, start=DATA_MEAN + 0.01)


SAMPLERS = [
    {"strategy": "adversarial"},
    {"strategy": "langevin", "opt_steps": 4, "gradient_clip": None},
    {"strategy": "langevin", "opt_steps": 4, "replay": {"size": 50, "buckets": 5}},
    {"strategy": "mixed", "first": {"strategy": "langevin"}, "second": {"strategy": "random"}},
]


def weight_gradients(weights: dict[str, Tensor], loss: Tensor) -> Tensor:
    parts = torch.autograd.grad(loss, list(weights.values()), retain_graph=True, allow_unused=True)
    return torch.cat([p.flatten() for p in parts if p is not None])


def check_no_gradient_through_the_sampler(
    sample: Callable[..., Proposal], settings: dict[str, object]
) -> None:
    """With gradients on while sampling: no graph behind the negatives, and the loss's weight gradient is the
    same with and without another detach."""
    batch = positives()
    energy, weights = mlp_energy(batch)
    proposal = sample(strategy(**settings), energy, batch, Streams([0], step=1))
    cut = replace(proposal, negative=proposal.negative.detach())
    with_it, without = (
        weight_gradients(weights, contrast_loss(CD, energy, batch, p, SCHEDULE, residual_norm).sum())
        for p in (cut, proposal)
    )
    torch.testing.assert_close(with_it, without, rtol=0, atol=0)
    assert proposal.negative.grad_fn is None and not proposal.negative.requires_grad
    assert with_it.abs().max() > 0


def propose(sampler: LangevinNegatives, *arguments: object) -> Proposal:
    return sampler.propose(*arguments)  # type: ignore[arg-type]


def attached(sampler: LangevinNegatives, energy: object, batch: object, streams: Streams) -> Proposal:
    """The defect of the claim: the chain as it would be without `torch.no_grad`."""
    path = LangevinNegatives.chain.__wrapped__(sampler, energy, batch.positive, batch.t, streams)  # type: ignore[attr-defined]
    return Proposal(path.point, path.point, path)


@pytest.mark.parametrize("settings", SAMPLERS, ids=["adversarial", "langevin", "replay", "mixed"])
def test_cd_002_nothing_flows_through_the_sampler(settings: dict[str, object]) -> None:
    """Claim: gradients flowed through the sampler. Verdict: no-op; another detach changes no weight
    gradient."""
    check_no_gradient_through_the_sampler(propose, settings)  # type: ignore[arg-type]


def test_cd_002_would_be_seen() -> None:
    """Verdict on the check: a chain that does keep its graph fails it."""
    with pytest.raises(AssertionError):
        check_no_gradient_through_the_sampler(attached, SAMPLERS[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", SAMPLERS, ids=["adversarial", "langevin", "replay", "mixed"])
def test_cd_003_the_callers_tensors_stay_as_they_are(settings: dict[str, object]) -> None:
    """Claim: requires_grad_(True) on the sample undoes the detach. Verdict: no-op; nothing that was handed in
    is changed or asks for gradients afterwards."""
    batch = positives()
    energy, _ = mlp_energy(batch)
    before = {name: value.clone() for name, value in vars(batch).items()}
    sampler = strategy(**settings)
    for step in range(2):  # the second time, chains are replayed
        sampler.propose(energy, batch, Streams([0], step=step))
    for name, value in vars(batch).items():
        assert torch.equal(value, before[name]) and not value.requires_grad, name


@pytest.mark.parametrize("loss", ["cd", "nce"])
def test_cd_004_and_cd_005_three_reductions_are_one(loss: str) -> None:
    """Claims: the energy term is diluted by 1/B; energies must be (B, 1). Verdict: no-ops; the mean over
    (B,), over (B, 1) and the sum over B divided by B have equal values and gradients."""
    batch = positives()
    energy, weights = mlp_energy(batch)
    settings = Contrast(loss=loss)  # type: ignore[arg-type]
    with torch.no_grad():
        proposal = strategy(strategy="adversarial").propose(energy, batch, Streams([0], step=1))
    low, high = energy.energy(batch.positive), energy.energy(proposal.negative)
    each = sample_contrast(settings, low, high, SCHEDULE.sigma[batch.t])
    column = sample_contrast(settings, low[..., None], high[..., None], SCHEDULE.sigma[batch.t][..., None])
    assert column.shape == (1, 64, 1)
    values = [
        contrast_loss(settings, energy, batch, proposal, SCHEDULE, residual_norm).sum(),
        column.mean(),
        each.sum() / 64,
    ]
    gradients = [weight_gradients(weights, value) for value in values]
    for value, gradient in zip(values[1:], gradients[1:], strict=True):
        torch.testing.assert_close(value, values[0])
        torch.testing.assert_close(gradient, gradients[0], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(weight_gradients(weights, each.sum()), gradients[0], rtol=1e-2)
