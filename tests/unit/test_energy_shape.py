"""The scale of an energy: measured on energies of known scale, predicted where the answer is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from ired.diagnostics.energy_shape import measured_scale, predicted_scale
from ired.training.objective import Contrast

RAW, IN_SIGMA = Contrast(), Contrast(logits="energy_over_sigma")


def gaps(mu: float, count: int = 200_001) -> np.ndarray:
    """D ~ N(mu, 2 mu), as quantiles: what a displacement of fixed length in a free direction gives."""
    return stats.norm(mu, np.sqrt(2 * mu)).ppf((np.arange(count) + 0.5) / count)


def test_the_scale_of_a_scaled_optimum_is_its_factor() -> None:
    noise = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    assert measured_scale(1.7 * noise, noise) == pytest.approx(1.7)


@pytest.mark.parametrize("mu", [0.5, 8.0, 32.0])
@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_a_logit_in_units_of_sigma_leaves_the_optimum_where_it_is(mu: float, weight: float) -> None:
    """E[D / (1 + e^D)] = 0 for D ~ N(mu, 2 mu), by symmetry: the consistent contrast, at every hardness and weight."""
    assert predicted_scale(IN_SIGMA, weight, gaps(mu), 0.1) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("mu", "sigma"), [(0.5, 0.17), (8.0, 0.17), (8.0, 0.7), (32.0, 0.3)])
def test_a_raw_logit_asks_for_the_scale_at_which_the_derivative_vanishes(mu: float, sigma: float) -> None:
    """2 (s - 1) = w sigma E[D / (1 + exp(s sigma D))], with the expectation by quadrature."""
    scale = predicted_scale(RAW, 0.5, gaps(mu), sigma)
    density = stats.norm(mu, np.sqrt(2 * mu))

    def integrand(d: float) -> float:
        return float(d / (1 + np.exp(scale * sigma * d)) * density.pdf(d))

    low, high = density.ppf(1e-12), density.ppf(1 - 1e-12)
    pull = 0.5 * sigma * integrate.quad(integrand, low, high, limit=400)[0]
    assert 2 * (scale - 1) == pytest.approx(pull, abs=2e-4)
    assert scale > 1


def test_a_contrast_that_never_saturates_has_no_such_optimum_and_none_needs_none() -> None:
    assert np.isnan(predicted_scale(Contrast(loss="cd"), 0.5, gaps(8.0), 0.3))
    assert predicted_scale(None, 0.0, [0.0], 0.3) == 1.0
    assert predicted_scale(Contrast(loss="regression"), 0.5, [1.0], 0.3) == 1.0
