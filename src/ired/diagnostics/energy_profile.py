"""The energy profile: are negatives ranked correctly, and are they negatives at all? (hypothesis H5:
collapse)"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ired.diagnostics.conditioning import quantiles
from ired.diffusion.descent import Descent

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


def likelihood_statistics(
    centre: Tensor, positive: Tensor, negative: Tensor, sigma: float
) -> dict[str, float]:
    """Whether the negative is less likely than the positive under the exact density N(centre, sigma^2 I),
    centre = sqrt(alpha_bar) X.

    D = log p(y+|X) - log p(y-|X) = mu + eps . delta / sigma with delta = y- - y+ and mu = ||delta||^2 / (2
    sigma^2). A false negative has D < 0. Where delta is independent of eps, D ~ N(mu, 2 mu), hence the
    predicted rate Phi(-sqrt(mu / 2)). All tensors (N, D).
    """
    centre, positive, negative = centre.double(), positive.double(), negative.double()
    log_gap = ((negative - centre).square().sum(-1) - (positive - centre).square().sum(-1)) / (2 * sigma**2)
    distance = (negative - positive).norm(dim=-1)
    mu = distance.square() / (2 * sigma**2)
    return {
        "distance": distance.mean().item(),
        "log_density_gap": log_gap.mean().item(),
        "false_negative_rate": (log_gap < 0).double().mean().item(),
        "false_negative_rate_predicted": torch.special.ndtr(-(mu / 2).sqrt()).mean().item(),
    }


def diversity_statistics(negative: Tensor) -> dict[str, float]:
    """Mean pairwise distance of a batch (N, D), and its effective rank exp(H(p)), p the normalised squared
    singular values (Roy & Vetterli 2007)."""
    y = negative.double()
    centred = y - y.mean(0)
    power = torch.linalg.svdvals(centred).square()
    share = power / power.sum().clamp(min=1e-300)
    return {
        "diversity_distance": torch.pdist(y).mean().item(),
        "effective_rank": math.exp(torch.special.entr(share).sum().item()),
    }


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
