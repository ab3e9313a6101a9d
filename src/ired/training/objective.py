"""The training objective: denoising, plus a contrast between the noised truth and a negative at the same
noise level.

    L_d = mean (grad_y E(A, y_t, t) - eps)^2      denoising score matching: the gradient predicts the noise
    nce = softplus(E(y+) - E(y-))                 InfoNCE with one negative, IRED eq. 6
    cd  = E(y+) - E(y-)                           contrastive divergence: lower the data, raise the samples
    regression = mean (grad_y E(A, y-, t) - (y- - sqrt(alpha_bar) X) / sigma)^2
                                                  no contrast: the denoising optimum's gradient, known everywhere,
                                                  learned where descent leads (DAgger, Ross et al. 2011)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import Discriminator, Field, Tag, model_validator

from ired.base.settings import Count, Fraction, NonNegative, Strict
from ired.base.streams import Streams
from ired.diffusion.schedule import NoiseSchedule
from ired.energy import BoundEnergy, EnergyNetwork, PreparedEnergy, Weights
from ired.negatives import Positives, Proposal, Strategy

if TYPE_CHECKING:
    from torch import Tensor


Residual = Callable[["Tensor", "Tensor"], "Tensor"]  # a task's `residual`


class Warmup(Strict):
    """A weight that rises linearly from 0 to `max_weight` over `warmup_steps` (energy_loss_warmup_steps,
    energy_loss_max_weight)."""

    warmup_steps: Count
    max_weight: NonNegative

    def at(self, step: int, steps: int) -> float:
        """The weight at a training step, whatever the number of `steps` that training takes."""
        return self.max_weight * min(1.0, step / self.warmup_steps)


class Trend(Strict):
    """A weight that changes linearly over the whole of training: from 0 to `max_weight`, or from it to 0, so that
    the contrast teaches early and the denoising optimum is left alone at the end."""

    trend: Literal["rising", "falling"]
    max_weight: NonNegative

    def at(self, step: int, steps: int) -> float:
        """The weight at a training step, of so many."""
        share = step / steps
        return self.max_weight * (share if self.trend == "rising" else 1 - share)


def _weight_kind(value: object) -> str:
    """Tells the forms of a weight apart, so that a mistake in one is not reported as one in another."""
    if isinstance(value, Trend) or (isinstance(value, dict) and "trend" in value):
        return "over_training"
    return "warmup" if isinstance(value, dict | Warmup) else "number"


Weight = Annotated[
    Annotated[NonNegative, Tag("number")]
    | Annotated[Warmup, Tag("warmup")]
    | Annotated[Trend, Tag("over_training")],
    Discriminator(_weight_kind),
]


class Regulariser(Strict):
    """A penalty on squared energies (`energy`, as in the record) or on the squared gap; energy_reg_weight."""

    of: Literal["energy", "gap"]
    weight: NonNegative


class NegativeFilter(Strict):
    """Drop the easiest-to-mistake negatives: the lowest `quantile` of a batch by the task's residual or by ||Y - X||
    (residual_filter_quantile)."""

    by: Literal["residual", "solution"]
    quantile: Annotated[float, Field(gt=0, lt=1)]


class Contrast(Strict):
    """The energy term. logits: the energies as they are, or in units of sigma_t; the loss `regression` has none.
    timestep_range: the share of noise levels it acts on, as fractions of T (energy_loss_timestep_range)."""

    loss: Literal["nce", "cd", "regression"] = "nce"
    weight: Weight = 0.5
    logits: Literal["energy", "energy_over_sigma"] = "energy"
    regulariser: Regulariser | None = None
    filter: NegativeFilter | None = None
    timestep_range: tuple[Fraction, Fraction] | None = None

    @model_validator(mode="before")
    @classmethod
    def _range_from_list(cls, value: object) -> object:
        """YAML and JSON have lists, not tuples."""
        if isinstance(value, dict) and isinstance(value.get("timestep_range"), list):
            return value | {"timestep_range": tuple(value["timestep_range"])}
        return value

    @model_validator(mode="after")
    def _regression_compares_no_energies(self) -> Contrast:
        if self.loss == "regression" and (self.logits != "energy" or self.regulariser is not None):
            raise ValueError(
                "loss `regression` compares no energies: take `logits` and `regulariser` out, or choose nce or cd"
            )
        return self

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Contrast:
        if self.timestep_range is not None and self.timestep_range[0] >= self.timestep_range[1]:
            raise ValueError("timestep_range must rise, e.g. [0.2, 0.8]")
        return self

    def acts_at(self, levels: int) -> list[int]:
        """The noise levels, of so many, that the energy term acts on."""
        low, high = self.timestep_range or (0.0, 1.0)
        return [t for t in range(levels) if low <= t / (levels - 1) <= high]

    def weight_at(self, step: int, steps: int) -> float:
        """The energy term's weight at a training step, of so many."""
        return self.weight if isinstance(self.weight, float) else self.weight.at(step, steps)

    @property
    def max_weight(self) -> float:
        """The weight, or the largest that it takes."""
        return self.weight if isinstance(self.weight, float) else self.weight.max_weight


@dataclass(frozen=True)
class LossTerms:
    """Per seed, (S,): the denoising loss, the contrast before its weight, and what is descended on."""

    denoise: Tensor
    contrast: Tensor
    total: Tensor


class Objective:
    """The loss of one step, for a pack of seeds at once."""

    def __init__(
        self,
        network: EnergyNetwork,
        schedule: NoiseSchedule,
        strategy: Strategy,
        contrast: Contrast | None,
        residual: Residual,
        noise_draws: int = 1,
    ) -> None:
        self.network, self.schedule, self.strategy, self.contrast = network, schedule, strategy, contrast
        self.residual, self.noise_draws = residual, noise_draws

    def __call__(
        self, weights: Weights, condition: Tensor, solution: Tensor, streams: Streams, weight: Tensor | float
    ) -> LossTerms:
        """The loss at conditions (S, B, C) and solutions (S, B, D), with the contrast's weight of this step."""
        shape = solution.shape[1:]
        t = streams.integers("levels", self.schedule.levels, shape[0])
        noise = streams.normal("noise", *shape)
        energy = BoundEnergy(self.network, weights, condition, t)
        denoise = denoising_loss(energy, self.schedule.noised(solution, t, noise), noise)
        for draw in range(1, self.noise_draws):
            level = streams.integers(f"levels.{draw}", self.schedule.levels, shape[0])
            other = streams.normal(f"noise.{draw}", *shape)
            elsewhere = energy.at_level(level)
            denoise = denoise + denoising_loss(elsewhere, self.schedule.noised(solution, level, other), other)
        if self.noise_draws > 1:
            denoise = denoise / self.noise_draws
        if self.contrast is None:
            return LossTerms(denoise, torch.zeros_like(denoise), denoise)
        # The contrast's noise is a draw of its own, as in the released code: its positive is not the
        # denoising sample.
        contrast_noise = streams.normal("contrast_noise", *shape)
        positive = self.schedule.noised(solution, t, contrast_noise)
        batch = Positives(condition, solution, t, contrast_noise, positive)
        with torch.no_grad():
            proposal = self.strategy.propose(energy, batch, streams)
        term = contrast_loss(self.contrast, energy, batch, proposal, self.schedule, self.residual)
        return LossTerms(denoise, term, denoise + weight * term)


def denoising_loss(energy: PreparedEnergy, y: Tensor, noise: Tensor) -> Tensor:
    """mean (grad_y E - eps)^2 per seed: (S, B, D) -> (S,)."""
    _, gradient = energy.energy_and_gradient(y)
    return (gradient - noise).square().mean((1, 2))


def contrast_loss(
    settings: Contrast,
    energy: BoundEnergy,
    batch: Positives,
    proposal: Proposal,
    schedule: NoiseSchedule,
    residual: Residual,
) -> Tensor:
    """The energy term per seed, (S,): the mean over the samples that filter and noise-level range keep."""
    if proposal.batch is not None:
        batch = proposal.batch
        energy = energy.rebound(batch.condition, batch.t)
    if settings.loss == "regression":
        per_sample = sample_regression(energy, batch, proposal.negative, schedule)
    else:
        low, high = energy.energy(batch.positive), energy.energy(proposal.negative)
        per_sample = sample_contrast(settings, low, high, schedule.sigma[batch.t])
    kept = kept_samples(settings, batch, proposal.solution, schedule.levels, residual)
    if kept is None:
        return per_sample.mean(1)
    return (per_sample * kept).sum(1) / kept.sum(1).clamp(min=1)


def contrast_logit(settings: Contrast, low: Tensor, high: Tensor, sigma: Tensor | float) -> Tensor:
    """E+ - E-, or (E+ - E-)/sigma_t: the log density ratio of the denoising optimum E* is the energy
    difference in units of sigma_t."""
    return (low - high) / sigma if settings.logits == "energy_over_sigma" else low - high


def sample_contrast(settings: Contrast, low: Tensor, high: Tensor, sigma: Tensor) -> Tensor:
    """The energy term of each sample from E(y+) = low and E(y-) = high, all (S, B)."""
    logit = contrast_logit(settings, low, high, sigma)
    value = torch.nn.functional.softplus(logit) if settings.loss == "nce" else logit
    if settings.regulariser is None:
        return value
    penalty = low.square() + high.square() if settings.regulariser.of == "energy" else (high - low).square()
    return value + settings.regulariser.weight * penalty


def sample_regression(energy: PreparedEnergy, batch: Positives, y: Tensor, schedule: NoiseSchedule) -> Tensor:
    """mean (grad_y E(y) - (y - sqrt(alpha_bar) X) / sigma)^2 of each sample, (S, B), at any points y (S, B, D)."""
    sigma = schedule.sigma[batch.t, None]
    target = (y - schedule.sqrt_alpha_bar[batch.t, None] * batch.solution) / sigma
    _, gradient = energy.energy_and_gradient(y)
    return (gradient - target).square().mean(2)


def kept_samples(
    settings: Contrast, batch: Positives, solution: Tensor, levels: int, residual: Residual
) -> Tensor | None:
    """1 where a sample takes part in the energy term and 0 where it does not, (S, B); None where all do.

    solution: (S, B, D), what each negative stands for.
    """
    kept = None
    if settings.timestep_range is not None:
        low, high = settings.timestep_range
        fraction = batch.t / (levels - 1)
        kept = ((fraction >= low) & (fraction <= high)).to(solution)
    if settings.filter is not None:
        distance = negative_error(settings.filter, batch, solution, residual)
        threshold = distance.quantile(settings.filter.quantile, dim=1, keepdim=True)
        passed = (distance >= threshold).to(solution)
        kept = passed if kept is None else kept * passed
    return kept


def negative_error(
    settings: NegativeFilter, batch: Positives, solution: Tensor, residual: Residual
) -> Tensor:
    """How wrong the solution Y behind each negative is, (S, B): the task's residual, or ||Y - X||_F."""
    if settings.by == "solution":
        return (solution - batch.solution).norm(dim=-1)
    return residual(batch.condition, solution)
