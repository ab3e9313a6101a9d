"""Made-up conditioning, energy profile and error directions, by noise level and training phase."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from ired.record import schema
from synthetic_design import LEVELS, PHASES, Arm, Design, N, members, random_stream


def _levels(design: Design) -> Iterable[tuple[int, str, Arm, int, float, int]]:
    for k, variant, arm, seed in members(design):
        for phase in PHASES:
            if not ((variant, seed) in design.diverged and phase > 0.4):
                yield from ((k, variant, arm, seed, phase, t) for t in range(LEVELS))


def _noise(t: int) -> float:
    """sigma_t / sqrt(abar_t) of a cosine-like schedule."""
    angle = (t + 1) / (LEVELS + 1) * np.pi / 2
    return float(np.tan(angle))


def make_conditioning(design: Design) -> pd.DataFrame:
    """conditioning.csv: negatives a little nearer to singular than positives."""
    rows = []
    for k, variant, arm, seed, phase, t in _levels(design):
        for sample in ("truth", "positive", "implied", "negative") if arm.distance else ("truth", "positive"):
            extra = 0.0 if sample in ("truth", "positive") else 0.35 * arm.distance
            wobble = random_stream(seed, k, t, 3).normal(0, 0.03)
            size = _noise(t) + 0.15 + extra * 0.2
            quantiles = {}
            for name, centre, width in (
                ("log_abs_det", N * np.log(size) + 0.5, 2.2),
                ("log10_cond", 0.9 + 0.3 * extra + 0.35 * np.exp(-_noise(t)), 0.45),
                ("sigma_min", 0.14 + 0.13 * size / (1 + extra), 0.11),
                ("eigenvalue_min", 0.2 - _noise(t), 0.5),
            ):
                for q, shift in (("q10", -1), ("q50", 0), ("q90", 1)):
                    quantiles[f"{name}_{q}"] = (
                        centre + wobble + shift * width * (0.8 if name == "sigma_min" else 1)
                    )
            rows.append({
                "variant": variant, "strategy": arm.strategy, "seed": seed, "phase": phase,
                "step": int(phase * design.steps), "t": t, "sample": sample, "matrices": 2048,
                "det_positive_share": 0.5 + 0.5 * np.exp(-3 * _noise(t)), **quantiles,
                "symmetry_defect_mean": _noise(t) / (1 + _noise(t)),
                "residual_mean": 3 * _noise(t) + extra,
            })  # fmt: skip
    return pd.DataFrame(rows)[list(schema.TABLES["conditioning"].names)]


PROFILE = schema.DIAGNOSTICS["energy_profile"].names
NEGATIVE_COLUMNS = PROFILE[PROFILE.index("energy_negative") :]


def make_energy_profile(design: Design) -> pd.DataFrame:
    """energy_profile.csv; the columns about negatives are empty for a variant without them."""
    rows = []
    for k, variant, arm, seed, phase, t in _levels(design):
        base = {
            "variant": variant, "strategy": arm.strategy, "seed": seed, "phase": phase,
            "step": int(phase * design.steps), "t": t, "matrices": 2048, "energy_positive": 18.0 + t,
        }  # fmt: skip
        values: dict[str, float] = dict.fromkeys(NEGATIVE_COLUMNS, np.nan)
        if arm.distance:
            values.update(_negatives(arm, phase, t, random_stream(seed, k, t, int(10 * phase))))
            values["energy_negative"] = base["energy_positive"] + values["gap_mean"]
        rows.append({**base, **values})
    return pd.DataFrame(rows)


def _negatives(arm: Arm, phase: float, t: int, random: np.random.Generator) -> dict[str, float]:
    distance = arm.distance / (1 + 0.25 * t)
    gap = (distance - 0.75) * (2 + 30 * phase / (1 + t)) + random.normal(0, 0.2)
    width = 1.0 + abs(gap) * 0.5
    mu = (distance / _noise(t)) ** 2 / 2
    return {
        "gap_mean": gap, "gap_sd": width, "gap_q10": gap - 1.28 * width, "gap_q50": gap,
        "gap_q90": gap + 1.28 * width, "misranked_share": float(stats.norm.cdf(-gap / width)),
        "distance": distance, "log_density_gap": mu,
        "false_negative_rate": float(stats.norm.cdf(-np.sqrt(mu / 2) + random.normal(0, 0.1))),
        "false_negative_rate_predicted": float(stats.norm.cdf(-np.sqrt(mu / 2))),
        "gradient_norm_start": 3.0, "gradient_norm_end": 1.4, "rejected_share": 0.2,
        "diversity_distance": 2.0, "effective_rank": 20.0, "saturation_share": 0.3 / (1 + t),
        "gradient_cosine": 0.35 - 0.06 * t + random.normal(0, 0.03),
        "gradient_norm_ratio": float(np.exp(0.8 - 0.35 * t + random.normal(0, 0.08))) * phase,
    }  # fmt: skip


def make_error_directions(design: Design) -> pd.DataFrame:
    """error_directions.csv: the smallest eigenvalues of A carry most of the error."""
    rows = []
    for k, variant, arm, seed in members(design):
        if (variant, seed) in design.diverged:
            continue
        for split, steep in (("id", 1.1), ("ood", 1.9)):
            slope = steep * (0.8 + 12 * arm.mse_id) * np.exp(random_stream(seed, k, 5).normal(0, 0.04))
            share, affine = (np.exp(-s * np.arange(N)) for s in (slope, steep * 1.2))
            for direction in range(N):
                rows.append({
                    "variant": variant, "strategy": arm.strategy, "seed": seed, "split": split,
                    "direction": direction + 1, "error_share": share[direction] / share.sum(),
                    "affine_error_share": affine[direction] / affine.sum(),
                    "eigenvalue_median": 0.6 + direction,
                })  # fmt: skip
    return pd.DataFrame(rows)


def make_error_sizes(design: Design) -> pd.DataFrame:
    """error_sizes.csv: log-normal errors, wilder where their mean is larger; affine ones are tame."""
    levels = np.append(np.linspace(0, 0.95, 20), (0.99, 1.0)).round(2)
    inner = levels.clip(0.001, 0.999)
    rows = []
    for k, variant, arm, seed in members(design):
        if (variant, seed) in design.diverged:
            continue
        for split, factor in (("id", 1.0), ("ood", 30.0)):
            width = (0.8 + 20 * arm.mse_id) * np.exp(random_stream(seed, k, 6).normal(0, 0.04))
            for level, z in zip(levels, stats.norm.ppf(inner), strict=True):
                rows.append({
                    "variant": variant, "strategy": arm.strategy, "seed": seed, "split": split,
                    "matrices": 256, "quantile": level,
                    "squared_error": factor * arm.mse_id * np.exp(width * z - width**2 / 2),
                    "affine_squared_error": factor * 0.03 * np.exp(0.5 * z - 0.125),
                    "carried_share": _lorenz(level, width), "affine_carried_share": _lorenz(level, 0.5),
                })  # fmt: skip
    return pd.DataFrame(rows)


def _lorenz(level: float, width: float) -> float:
    """The Lorenz curve of a log-normal distribution."""
    return float(stats.norm.cdf(stats.norm.ppf(level) - width))


def make_energy_shape(design: Design) -> pd.DataFrame:
    """energy_shape.csv: scales that a contrast raises at low noise."""
    rows = []
    for k, variant, arm, seed, phase, t in _levels(design):
        raised = 1 + 0.3 * arm.distance / (1 + t)
        rows.append({
            "variant": variant, "strategy": arm.strategy, "seed": seed, "phase": phase,
            "step": int(phase * design.steps), "t": t, "matrices": 2048,
            "scale": raised + random_stream(seed, k, t, 5).normal(0, 0.02), "scale_predicted": raised,
            "displacement": 0.01 * (1 + t),
        })  # fmt: skip
    return pd.DataFrame(rows)


def make_any(design: Design, name: str) -> pd.DataFrame:
    """A diagnostic's table from its declaration alone, whatever its columns: numbers in (0, 1), by level or by
    split."""
    declared = schema.DIAGNOSTICS[name]
    rows = []
    for k, variant, arm, seed, phase, t in _levels(design):
        words = {
            "split": ("id", "ood"),
            "scalar": ("log10_cond", "sigma_min", "log_abs_det", "norm", "symmetry_defect"),
        }
        known = {"phase": phase, "step": int(phase * design.steps), "t": t}
        key = {"variant": variant, "strategy": arm.strategy, "seed": seed}
        column = next((c for c in words if c in declared.names), None)
        for value in words[column] if column else ("",):
            random = random_stream(seed, k, t, len(rows))
            cells = {
                c.name: known.get(c.name, 256 if c.kind == "integer" else random.uniform(0.2, 0.8))
                for c in declared.columns
            }
            rows.append(key | cells | ({column: value} if column else {}))
    table = pd.DataFrame(rows)
    keys = [c for c in ("variant", "seed", "phase", "split", "t", "scalar") if c in table]
    return table.drop_duplicates(keys)[list(schema.TABLES[name].names)]
