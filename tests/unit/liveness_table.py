"""For every leaf of a run's configuration: a second valid value, and where the change must show first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ired.negatives import STRATEGIES


@dataclass(frozen=True)
class Change:
    """A leaf set to `value` on top of the tiny configuration with `base`.

    shows: labels of `traces.LABELS`; the first of them is the first thing in the run that is different, and
    the others differ too. also: what has to change with it.
    """

    value: Any
    shows: tuple[str, ...]
    base: dict[str, Any] = field(default_factory=dict)
    also: dict[str, Any] = field(default_factory=dict)


def change(value: Any, *shows: str, also: dict[str, Any] | None = None, **base: Any) -> Change:
    """A Change, its base as keywords: negatives__opt_steps=3."""
    return Change(value, shows, base, also or {})


NO_MINING: dict[str, Any] = {"negatives": {"strategy": "none"}, "contrast": None}
ADDITION, COMPLETION = {"task": "addition", "n": 3}, {"task": "completion", "n": 3}
ROW_COLUMN = {"kind": "row_column", "channels": 3, "blocks": 1}
RANDOM: dict[str, Any] = {"negatives": {"strategy": "random"}}
LANGEVIN = {"strategy": "langevin", "opt_steps": 3, "gradient_clip": None}
REPLAY = {**LANGEVIN, "replay": {"size": 20, "buckets": 5, "sample_prob": 0.7}}
MIXED = {"strategy": "mixed", "first": {"strategy": "adversarial"}, "second": {"strategy": "random"}}
FILTER = {"by": "residual", "quantile": 0.3}
# Training that soon does harm, so that stopping early stops.
HARMFUL: dict[str, Any] = {
    "optimiser": {"learning_rate": 0.1, "ema": None},
    "training__validate_every": 1,
    "training__steps": 12,
}

PLAIN: dict[str, Change] = {
    "protocol": change(2, "output"),
    "seed": change(1, "initial", "answer", "matrices", "denoise"),
    "problem[inversion].task": change({"task": "addition", "n": 3}, "fit", "matrices"),
    "problem[inversion].n": change(4, "fit", "validation", "test_id", "test_ood", "initial", "matrices"),
    "problem[inversion].gram_scale": change(1.5, "fit", "validation", "test_id", "test_ood", "matrices"),
    "problem[inversion].diagonal_id": change(0.7, "fit", "validation", "test_id", "matrices"),
    "problem[inversion].diagonal_ood": change(0.2, "test_ood"),
    "problem[addition].task": change({"task": "completion", "n": 3}, "fit", "matrices", problem=ADDITION),
    "problem[addition].n": change(4, "fit", "test_ood", "initial", "matrices", problem=ADDITION),
    "problem[addition].bound_id": change(0.7, "fit", "validation", "test_id", "matrices", problem=ADDITION),
    "problem[addition].bound_ood": change(2.0, "test_ood", problem=ADDITION),
    "problem[completion].task": change({"task": "addition", "n": 3}, "fit", "matrices", problem=COMPLETION),
    "problem[completion].n": change(4, "fit", "test_ood", "initial", "matrices", problem=COMPLETION),
    "problem[completion].rank": change(1, "fit", "test_ood", "matrices", problem=COMPLETION),
    "problem[completion].scale_id": change(
        0.1, "fit", "validation", "test_id", "matrices", problem=COMPLETION
    ),
    "problem[completion].scale_ood": change(0.1, "test_ood", problem=COMPLETION),
    "problem[completion].noise": change(0.2, "fit", "test_ood", "matrices", problem=COMPLETION),
    "problem[completion].observed": change(0.8, "fit", "test_ood", "matrices", problem=COMPLETION),
    "problem[completion].mask_given": change(True, "fit", "initial", "matrices", problem=COMPLETION),
    "held_out.seed": change(1, "fit", "validation", "test_id", "test_ood", "history"),
    "held_out.fit_matrices": change(30, "fit"),
    "held_out.validation_matrices": change(24, "validation", "history"),
    "held_out.test_matrices": change(24, "test_id", "test_ood", "answer"),
    "schedule.timesteps": change(7, "answer", "negatives", "denoise", "contrast"),
    "schedule.cosine_offset": change(0.02, "answer", "negatives", "denoise", "contrast"),
    "schedule.beta_max": change(0.9, "answer", "negatives", "denoise", "contrast"),
    "network[mlp].kind": change({"kind": "mlp", "hidden": 8}, "initial", network={"kind": "equivariant"}),
    "network[mlp].hidden": change(12, "initial"),
    "network[mlp].time_features": change(12, "initial"),
    "network[equivariant].kind": change({"kind": "equivariant", "channels": 3}, "initial"),
    "network[equivariant].channels": change(4, "initial", network={"kind": "equivariant", "channels": 3}),
    "network[equivariant].blocks": change(
        2, "initial", network={"kind": "equivariant", "channels": 3, "blocks": 1}
    ),
    "network[equivariant].head_channels": change(
        3, "initial", network={"kind": "equivariant", "channels": 3, "blocks": 1}
    ),
    "network[row_column].kind": change(
        {"kind": "row_column", "channels": 3}, "initial", problem=COMPLETION, network=ROW_COLUMN
    ),
    "network[row_column].channels": change(4, "initial", problem=COMPLETION, network=ROW_COLUMN),
    "network[row_column].blocks": change(2, "initial", problem=COMPLETION, network=ROW_COLUMN),
    "network[row_column].head_channels": change(3, "initial", problem=COMPLETION, network=ROW_COLUMN),
    "optimiser.learning_rate": change(2e-3, "weights"),
    "optimiser.adam_betas.0": change(0.5, "weights", optimiser__adam_betas=[0.9, 0.99]),
    "optimiser.adam_betas.1": change(0.9, "weights", optimiser__adam_betas=[0.9, 0.99]),
    "optimiser.gradient_clip": change(None, "weights", optimiser__gradient_clip=0.01),
    "optimiser.decay": change("cosine", "weights"),
    "optimiser.ema": change(None, "average", "history"),
    "optimiser.ema.decay": change(0.1, "average", "history"),
    "optimiser.ema.every": change(2, "average", "history"),
    "optimiser.ema.warmup_power": change(0.3, "average", "history"),
    "training.steps": change(8, "stop"),
    "training.batch_size": change(9, "matrices", "negatives", "denoise"),
    "training.sizes": change([4, 3], "matrices", network={"kind": "equivariant"}),
    "training.noise_draws": change(2, "denoise", "weights"),
    "training.precision": change("tf32", "backend"),
    "training.divergence_bound": change(1e-6, "stop", "history"),
    "training.history_every": change(3, "history"),
    "training.validate_every": change(4, "history"),
    "training.varied": change(["noise"], "initial", "matrices", seed=3),
    "training.snapshots": change([0.5, 1.0], "snapshots"),
    "early_stopping": change({"patience": 2}, "stop", "reported", **HARMFUL),
    "early_stopping.patience": change(4, "stop", early_stopping={"patience": 2}, **HARMFUL),
    "inference.steps": change(3, "answer", "history"),
    "inference.clip": change(0.4, "answer", "negatives", "history"),
    "release_compat.shared_clip": change(True, "negatives"),
    "release_compat.doubled_step": change(True, "answer", "negatives"),
}

NEGATIVES: dict[str, Change] = {
    "negatives[none].strategy": change({"strategy": "none"}, "negatives", also={"contrast": None}),
    "negatives[random].strategy": change({"strategy": "random"}, "negatives"),
    "negatives[adversarial].strategy": change({"strategy": "adversarial"}, "negatives", **RANDOM),
    "negatives[adversarial].opt_steps": change(3, "negatives"),
    "negatives[adversarial].noise_scale": change(2.0, "negatives"),
    "negatives[adversarial].step_size": change(0.5, "negatives"),
    "negatives[langevin].strategy": change({"strategy": "langevin"}, "negatives"),
    "negatives[langevin].opt_steps": change(4, "negatives", negatives=LANGEVIN),
    "negatives[langevin].noise_scale": change(2.0, "negatives", negatives=LANGEVIN),
    "negatives[langevin].step_size": change(0.5, "negatives", negatives=LANGEVIN),
    "negatives[langevin].sigma_multiplier": change(0.5, "negatives", negatives=LANGEVIN),
    "negatives[langevin].gradient_clip": change(0.01, "negatives", negatives=LANGEVIN),
    "negatives[langevin].replay": change({"size": 20, "buckets": 5}, "negatives", negatives=LANGEVIN),
    "negatives[langevin].replay.size": change(40, "negatives", negatives=REPLAY),
    "negatives[langevin].replay.buckets": change(2, "negatives", negatives=REPLAY),
    "negatives[langevin].replay.sample_prob": change(0.3, "negatives", negatives=REPLAY),
    "negatives[semi_hard].strategy": change({"strategy": "semi_hard"}, "negatives"),
    "negatives[semi_hard].hardness": change(2.0, "negatives", negatives={"strategy": "semi_hard"}),
    "negatives[conditioning_aware].strategy": change({"strategy": "conditioning_aware"}, "negatives"),
    "negatives[conditioning_aware].hardness": change(
        2.0, "negatives", negatives={"strategy": "conditioning_aware"}
    ),
    "negatives[symmetric].strategy": change({"strategy": "symmetric"}, "negatives"),
    "negatives[symmetric].hardness": change(2.0, "negatives", negatives={"strategy": "symmetric"}),
    "negatives[matched].strategy": change({"strategy": "matched"}, "negatives"),
    "negatives[matched].opt_steps": change(4, "negatives", negatives={"strategy": "matched"}),
    "negatives[matched].noise_scale": change(0.5, "negatives", negatives={"strategy": "matched"}),
    "negatives[matched].step_size": change(0.3, "negatives", negatives={"strategy": "matched"}),
    "negatives[matched].direction": change(
        "mined", "negatives", negatives={"strategy": "matched", "hardness": 2.0}
    ),
    "negatives[matched].hardness": change(8.0, "negatives", negatives={"strategy": "matched"}),
    "negatives[mixed].strategy": change(MIXED, "negatives"),
    "negatives[mixed].first": change({"strategy": "random"}, "negatives", negatives=MIXED),
    "negatives[mixed].second": change({"strategy": "adversarial"}, "negatives", negatives=MIXED),
    "negatives[mixed].fraction": change(0.7, "negatives", negatives=MIXED),
}

CONTRAST: dict[str, Change] = {
    "contrast": change(
        {}, "negatives", "contrast", "weights", also={"negatives": {"strategy": "random"}}, **NO_MINING
    ),
    "contrast.loss": change("cd", "contrast", "weights"),
    "contrast.weight": change(0.1, "weights"),
    "contrast.weight.warmup_steps": change(
        5, "weights", contrast={"weight": {"warmup_steps": 2, "max_weight": 0.5}}
    ),
    "contrast.weight.max_weight": change(
        0.2, "weights", contrast={"weight": {"warmup_steps": 2, "max_weight": 0.5}}
    ),
    "contrast.weight.trend": change(
        "falling", "weights", contrast={"weight": {"trend": "rising", "max_weight": 0.5}}
    ),
    "contrast.logits": change("energy_over_sigma", "contrast", "weights"),
    "contrast.regulariser": change({"of": "energy", "weight": 0.1}, "contrast", "weights"),
    "contrast.regulariser.of": change(
        "gap", "contrast", "weights", contrast={"regulariser": {"of": "energy", "weight": 0.1}}
    ),
    "contrast.regulariser.weight": change(
        0.2, "contrast", "weights", contrast={"regulariser": {"of": "gap", "weight": 0.1}}
    ),
    "contrast.filter": change(FILTER, "contrast", "weights"),
    "contrast.filter.by": change("solution", "contrast", "weights", contrast={"filter": FILTER}),
    "contrast.filter.quantile": change(0.6, "contrast", "weights", contrast={"filter": FILTER}),
    "contrast.timestep_range": change([0.2, 0.8], "contrast", "weights"),
    "contrast.timestep_range.0": change(0.5, "contrast", contrast={"timestep_range": [0.2, 0.8]}),
    "contrast.timestep_range.1": change(0.5, "contrast", contrast={"timestep_range": [0.2, 0.8]}),
}


def _as_part(place: str, base: dict[str, Any]) -> dict[str, Any]:
    """A mixture with a strategy at one place and random negatives at the other."""
    other = {"first": "second", "second": "first"}[place]
    mixture = {"strategy": "mixed", place: base, other: {"strategy": "random"}, "fraction": 0.5}
    return {"negatives": mixture}


def _within_mixtures() -> dict[str, Change]:
    """Each strategy's leaves once more, where the strategy is a part of a mixture."""
    parts = {}
    for name, entry in NEGATIVES.items():
        tag, _, rest = name.removeprefix("negatives[").partition("]")
        if tag in STRATEGIES and tag != "mixed":
            for place in ("first", "second"):
                base = _as_part(place, entry.base.get("negatives", {"strategy": "adversarial"}))
                parts[f"negatives[mixed].{place}[{tag}]{rest}"] = replace(entry, base=base, also={})
    return parts


TABLE: dict[str, Change] = {**PLAIN, **NEGATIVES, **_within_mixtures(), **CONTRAST}
