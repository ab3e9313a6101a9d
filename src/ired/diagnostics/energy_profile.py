"""The energy profile: are negatives ranked correctly, and are they negatives at all? (The
record suspects a collapse.)"""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ired.diagnostics.conditioning import quantiles
from ired.diagnostics.subject import Diagnostic, Level, Subject
from ired.diffusion.descent import Descent
from ired.energy import BoundEnergy
from ired.negatives import Proposal
from ired.record.schema.diagnostics import ENERGY_PROFILE
from ired.training.objective import contrast_logit, contrast_loss, denoising_loss

SATURATED_SLOPE = 0.01


def gap_statistics(low: Tensor, high: Tensor) -> dict[str, float]:
    """E(y+) = low and E(y-) = high, (N,) each: their means, the gap's distribution, how often it has the
    wrong sign."""
    gap = (high - low).double()
    row = {"energy_positive": low.double().mean().item(), "energy_negative": high.double().mean().item()}
    row |= {"gap_mean": gap.mean().item(), "gap_sd": gap.std().item()} | quantiles("gap", gap)
    row["misranked_share"] = (gap < 0).double().mean().item()
    return row


def saturation_share(logit: Tensor) -> float:
    """Share of samples at which softplus(logit) has a slope below 0.01: such a negative teaches nothing.
    (N,)"""
    return (torch.sigmoid(logit.double()) < SATURATED_SLOPE).double().mean().item()


def log_density_gap(centre: Tensor, positive: Tensor, negative: Tensor, sigma: float) -> Tensor:
    """D = log p(y+|X) - log p(y-|X) of N(centre, sigma^2 I), centre = sqrt(alpha_bar) X; (N, D) each -> (N,)."""
    further = (negative.double() - centre.double()).square().sum(-1)
    return (further - (positive.double() - centre.double()).square().sum(-1)) / (2 * sigma**2)


def likelihood_statistics(
    centre: Tensor, positive: Tensor, negative: Tensor, sigma: float
) -> dict[str, float]:
    """Whether the negative is less likely than the positive under the exact density N(centre, sigma^2 I),
    centre = sqrt(alpha_bar) X.

    D = log p(y+|X) - log p(y-|X) = mu + eps . delta / sigma with delta = y- - y+ and mu = ||delta||^2 / (2
    sigma^2). A false negative has D < 0. Where delta is independent of eps, D ~ N(mu, 2 mu), hence the
    predicted rate Phi(-sqrt(mu / 2)). All tensors (N, D).
    """
    log_gap = log_density_gap(centre, positive, negative, sigma)
    distance = (negative.double() - positive.double()).norm(dim=-1)
    mu = distance.square() / (2 * sigma**2)
    return {
        "distance": distance.mean().item(),
        "log_density_gap": log_gap.mean().item(),
        "false_negative_rate": (log_gap < 0).double().mean().item(),
        "false_negative_rate_predicted": torch.special.ndtr(-(mu / 2).sqrt()).mean().item(),
    }


def diversity_statistics(negative: Tensor) -> dict[str, float]:
    """Mean pairwise distance of a batch (N, D), and the effective rank of the centred batch."""
    y = negative.double()
    return {
        "diversity_distance": torch.pdist(y).mean().item(),
        "effective_rank": effective_rank(torch.linalg.svdvals(y - y.mean(0))).item(),
    }


def effective_rank(singular: Tensor) -> Tensor:
    """exp(H(p)) of matrices with these singular values, (..., K) -> (...), p the values over their sum (Roy & Vetterli,
    EUSIPCO 2007, definition 1). 1 for a matrix of zeros."""
    share = singular / singular.sum(-1, keepdim=True).clamp(min=1e-300)
    return torch.special.entr(share).sum(-1).exp()


def path_statistics(descent: Descent | None) -> dict[str, float | None]:
    """Gradient norms at both ends of the mining path and the share of rejected steps; empty where nothing is
    mined."""
    if descent is None:
        return {"gradient_norm_start": None, "gradient_norm_end": None, "rejected_share": None}
    return {
        "gradient_norm_start": descent.gradient_norm_start.mean().item(),
        "gradient_norm_end": descent.gradient_norm_end.mean().item(),
        "rejected_share": descent.rejected.mean().item() / descent.steps,
    }


def gradient_conflict(denoise: Tensor, contrast: Tensor) -> dict[str, float | None]:
    """Cosine and norm ratio ||contrast|| / ||denoise|| of two parameter gradients, (P,) each. No cosine where
    one of them vanishes."""
    a, b = denoise.double(), contrast.double()
    norms = a.norm().item(), b.norm().item()
    cosine = (a @ b).item() / (norms[0] * norms[1]) if min(norms) > 0 else None
    return {"gradient_cosine": cosine, "gradient_norm_ratio": norms[1] / norms[0] if norms[0] > 0 else None}


def profile(level: Level) -> dict[str, Any]:
    """A row of energy_profile.csv without its key; what does not apply is left out."""
    if level.proposal is None:
        with torch.no_grad():
            return {"energy_positive": level.energy().energy(level.batch.positive).mean().item()}
    negative, positive, contrast = level.proposal.negative, level.batch.positive, level.parts.contrast
    energy = level.energy()
    with torch.no_grad():
        low, high = energy.energy(positive)[0], energy.energy(negative)[0]
    row: dict[str, Any] = gap_statistics(low.cpu(), high.cpu())
    if contrast is not None and contrast.loss == "nce":  # E+ - E- itself has the same slope everywhere
        row["saturation_share"] = saturation_share(contrast_logit(contrast, low, high, level.sigma).cpu())
    row |= likelihood_statistics(level.root * level.batch.solution[0], positive[0], negative[0], level.sigma)
    row |= path_statistics(level.proposal.descent)
    row |= diversity_statistics(negative[0])
    return row | gradient_conflict(*parameter_gradients(level, energy, level.proposal))


def parameter_gradients(level: Level, energy: BoundEnergy, proposal: Proposal) -> tuple[Tensor, Tensor]:
    """Gradients by the weights of the denoising loss and of the weighted energy term, (P,) each."""
    parts = level.parts
    assert parts.contrast is not None
    denoise = denoising_loss(energy, level.batch.positive, level.batch.noise).sum()
    term = contrast_loss(
        parts.contrast, energy, level.batch, proposal, parts.schedule, parts.task.residual
    ).sum()
    weighted = parts.contrast_weight(level.step) * term
    first = torch.autograd.grad(denoise, level.flat, retain_graph=True)[0]
    second = torch.autograd.grad(weighted, level.flat, retain_graph=True, allow_unused=True)[0]
    return first[0], torch.zeros_like(first[0]) if second is None else second[0]


def compute(subject: Subject) -> pd.DataFrame:
    """energy_profile.csv: every snapshot at every level."""
    rows = [key | {"matrices": level.count} | profile(level) for key, level in subject.levels]
    # Columns that do not apply (nothing is mined without a contrast) are there and empty.
    empty = dict.fromkeys(ENERGY_PROFILE.names)
    return pd.DataFrame([empty | row for row in rows])


DIAGNOSTIC = Diagnostic(ENERGY_PROFILE, compute)
