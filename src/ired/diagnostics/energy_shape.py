"""The energy's shape beside the denoising optimum's: its scale, how far its minimum lies from the truth, and the scale
that the contrast predicts (docs/theory.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from ired.diagnostics.energy_profile import log_density_gap
from ired.diagnostics.subject import Diagnostic, Level, Subject
from ired.record.schema.diagnostics import ENERGY_SHAPE
from ired.training.objective import Contrast

LARGEST_SCALE = 1e3  # the loss E+ - E- has no optimum in the scale; nothing is predicted beyond this


def measured_scale(gradient: Tensor, noise: Tensor) -> float:
    """s of the best fit s eps to the gradient at the noised truth, both (N, D): 1 at the denoising optimum."""
    gradient, noise = gradient.double(), noise.double()
    return ((gradient * noise).sum() / noise.square().sum()).item()


def predicted_scale(
    contrast: Contrast | None, weight: float, log_gap: Sequence[float], sigma: float
) -> float:
    """The s at which E = s E* minimises denoising loss and weighted energy term, with negatives as they are.

    Of E = s E* the denoising loss is (s - 1)^2, and the logit is - s kappa D with D = log p(y+|X) - log p(y-|X),
    kappa = sigma for raw energies and 1 in units of sigma (docs/theory.md). log_gap: D of each negative, (N,).
    NaN where the energy term is no contrast with such a logit, or acts on another quantity than the scale.
    """
    if contrast is None or contrast.loss == "regression":
        return 1.0
    if contrast.loss != "nce" or contrast.regulariser is not None or contrast.filter is not None:
        return math.nan
    kappa = 1.0 if contrast.logits == "energy_over_sigma" else sigma
    gaps: NDArray[np.float64] = np.asarray(log_gap, dtype=np.float64)

    def loss(scale: float) -> float:
        return float((scale - 1) ** 2 + weight * np.logaddexp(0, -scale * kappa * gaps).mean())

    return float(
        minimize_scalar(loss, bounds=(0.0, LARGEST_SCALE), method="bounded", options={"xatol": 1e-6}).x
    )


def shape(level: Level) -> dict[str, Any]:
    """A row of energy_shape.csv without its key."""
    energy, truth = level.energy(), level.root * level.batch.solution
    with torch.no_grad():
        _, at_noised = energy.energy_and_gradient(level.batch.positive)
        _, at_truth = energy.energy_and_gradient(truth)
    scale = measured_scale(at_noised[0], level.batch.noise[0])
    # grad E(y) = s (y - y_min) / sigma at an energy of that shape.
    moved = at_truth[0].double().square().mean().sqrt().item() * level.sigma / (abs(scale) * level.root)
    contrast, gaps = level.parts.contrast, []
    if (
        contrast is not None
        and level.proposal is not None
        and level.t in contrast.acts_at(level.parts.schedule.levels)
    ):
        gap = log_density_gap(truth[0], level.batch.positive[0], level.proposal.negative[0], level.sigma)
        gaps = gap.tolist()
    weight = level.parts.contrast_weight(level.step) if gaps else 0.0
    predicted = predicted_scale(contrast, weight, gaps or [0.0], level.sigma)
    return {"scale": scale, "scale_predicted": predicted, "displacement": moved}


def compute(subject: Subject) -> pd.DataFrame:
    """energy_shape.csv: every snapshot at every level."""
    return pd.DataFrame([key | {"matrices": level.count} | shape(level) for key, level in subject.levels])


DIAGNOSTIC = Diagnostic(ENERGY_SHAPE, compute)
