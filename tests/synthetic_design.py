"""What the made-up studies look like: their arms, seeds, diverged runs and reference ladder, at n = 6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

LADDER = {  # predictor: (coefficients, ID, OOD)
    "zero": (0, 0.125, 1.62),
    "mean": (1, 0.063, 1.31),
    "affine": (2, 0.0305, 1.12),
    "polynomial2": (3, 0.0156, 0.98),
    "polynomial3": (4, 0.0084, 0.87),
    "polynomial4": (5, 0.0046, 0.79),
    "polynomial5": (6, 0.0026, 0.72),
    "polynomial6": (7, 0.0015, 0.66),
    "newton_schulz4": (0, 0.0093, 0.81),
    "newton_schulz6": (0, 0.0008, 0.42),
    "exact": (0, 1e-14, 1e-12),
}
# What figures call a predictor.
LABELS = {
    "zero": "zero",
    "mean": "mean",
    "affine": "affine",
    "polynomial2": "quadratic",
    "polynomial3": "cubic",
}
PLAIN_MADDS = 2.4e8  # multiply-adds of one training step without mining
N, LEVELS, PHASES = 6, 10, (0.1, 0.5, 1.0)


@dataclass(frozen=True)
class Arm:
    """One made-up variant: its true errors and how its negatives look."""

    strategy: str
    mse_id: float = 0.019
    cost: float = 1.0
    distance: float = 0.0  # of the negatives at full noise; 0 = no negatives
    factor: str = ""
    level: str = ""
    defects: tuple[bool, bool] = (False, False)  # as released: U1, U2


STUDY: dict[str, Arm] = {
    "none": Arm("none", 0.0192),
    "random": Arm("random", 0.0211, 1.6, 4.2),
    "adversarial": Arm("adversarial", 0.0171, 2.2, 1.1),
}
SWEEP: dict[str, Arm] = {
    "none": Arm("none", 0.0192),
    **{
        f"adversarial_opt_steps={k}": Arm(
            "adversarial", 0.0164 + e, 1 + 0.6 * k, 2.4 / k, "opt_steps", str(k)
        )
        for k, e in ((1, 0.0022), (3, 0.0004), (5, 0.0), (10, 0.0009), (20, 0.0031))
    },
}
ABLATION: dict[str, Arm] = {
    "nce_adversarial": Arm("adversarial", 0.0171, 2.2, 1.1),
    "cd_langevin": Arm("langevin", 0.0243, 16.0, 0.7),
    "cd_langevin_replay": Arm("langevin", 0.0226, 16.4, 1.6),
    "cd_langevin_full": Arm("langevin", 0.0207, 17.0, 1.5),
}
COMPAT: dict[str, Arm] = {
    "none": Arm("none", 0.0192),
    "fixed": Arm("adversarial", 0.0183, 2.2, 1.4),
    "first": Arm("adversarial", 0.0186, 2.2, 1.4, defects=(True, False)),
    "second": Arm("adversarial", 0.0171, 2.2, 0.6, defects=(False, True)),
    "as_released": Arm("adversarial", 0.0174, 2.2, 0.6, defects=(True, True)),
}
CROWD: dict[str, Arm] = {
    name: Arm(name.split("=")[0].removesuffix("_opt_steps"), 0.016 + 0.0011 * k, 1 + 0.5 * k, 0.5 * k)
    for k, name in enumerate(
        ("none", "random", "adversarial", "adversarial_opt_steps=10", "langevin", "mixed",
         "conditioning_aware", "semi_hard", "on_policy", "annealed_hard", "corrected_adversarial",
         "curriculum")
    )
    }  # fmt: skip


@dataclass(frozen=True)
class Design:
    """What to make: arms, seeds, and which (variant, seed) diverged."""

    arms: Mapping[str, Arm] = field(default_factory=lambda: STUDY)
    seeds: int = 5
    diverged: frozenset[tuple[str, int]] = frozenset()
    steps: int = 3000
    spread: float = 0.0004


def members(design: Design) -> Iterable[tuple[int, str, Arm, int]]:
    return ((k, v, arm, s) for k, (v, arm) in enumerate(design.arms.items()) for s in range(design.seeds))


def random_stream(*keys: int) -> np.random.Generator:
    return np.random.default_rng([20240611, *keys])
