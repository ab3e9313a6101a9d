"""Small configurations and closed-form energies that tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ired.study.run_config import RunConfig, with_value
from ired.tasks.inversion import Inversion, InversionSettings

TINY: dict[str, Any] = {
    "protocol": 1,
    "seed": 0,
    "problem": {"task": "inversion", "n": 3},
    "held_out": {"fit_matrices": 200, "validation_matrices": 64, "test_matrices": 128},
    "network": {"kind": "mlp", "hidden": 8, "time_features": 8},
    "negatives": {"strategy": "adversarial"},
    "contrast": {},
    "optimiser": {"learning_rate": 1e-3},
    "training": {"steps": 20, "batch_size": 16, "history_every": 4, "validate_every": 10},
}


SMALL_NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"kind": "mlp", "hidden": 8, "time_features": 8},
    "equivariant": {"kind": "equivariant", "channels": 4, "blocks": 2, "head_channels": 2},
}
REPLAYED: dict[str, Any] = {  # the strategy with the most state
    "negatives": {
        "strategy": "langevin",
        "opt_steps": 2,
        "replay": {"size": 64, "buckets": 4, "sample_prob": 0.5},
    },
    "contrast": {"loss": "cd", "weight": 0.05},
}


def tiny_settings(**dotted: Any) -> dict[str, Any]:
    """TINY with dotted keys set, `__` for the dot: tiny_settings(training__steps=5)."""
    settings = dict(TINY)
    for key, value in dotted.items():
        settings = with_value(settings, key.replace("__", "."), value)
    return settings


def tiny_config(**dotted: Any) -> RunConfig:
    """A configuration that trains in a fraction of a second."""
    return RunConfig.model_validate(tiny_settings(**dotted))


@dataclass
class DenoisingOptimum:
    """E* = ||y - centre||^2 / (2 sigma): its gradient at y = centre + sigma eps is eps, so the denoising loss
    is 0.

    centre: sqrt(alpha_bar_t) X, (S, B, D). sigma: (S, B). at_level: where inference asks for other levels.
    """

    centre: Tensor
    sigma: Tensor
    at_level: Callable[[Tensor], DenoisingOptimum] | None = None

    def energy(self, y: Tensor) -> Tensor:
        return (y - self.centre).square().sum(-1) / (2 * self.sigma)

    def energy_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.energy(y), (y - self.centre) / self.sigma[..., None]


def generator(seed: int = 0) -> torch.Generator:
    """A seeded generator for a test's own draws."""
    return torch.Generator().manual_seed(seed)


def inversion(**settings: Any) -> Inversion:
    """The task of inverting n x n matrices."""
    return Inversion(InversionSettings(**settings))


def disturbed(weights: dict[str, Tensor], g: torch.Generator, size: float = 0.3) -> dict[str, Tensor]:
    """Weights with Gaussians of that size added, for networks whose branches begin at zero."""
    return {name: value + size * torch.randn(value.shape, generator=g) for name, value in weights.items()}
