"""Run folders as training and diagnosis leave them, small and with made-up numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ired.record import schema
from ired.record.errors import write_errors
from ired.tables.specification import ExperimentSpec

STEPS = 100
COST = {"none": 1000, "random": 1600, "adversarial": 2200}
LEVEL = {"none": 0.0192, "random": 0.0211, "adversarial": 0.0171}


def experiment(**changes: Any) -> ExperimentSpec:
    """Three strategies, three seeds."""
    spec: dict[str, Any] = {
        "name": "strategies",
        "seeds": [0, 1, 2],
        "variants": [{"variant": name} for name in LEVEL],
        "comparisons": [("adversarial", "none"), ("random", "none")],
        "protocol": 1,
    }
    return ExperimentSpec.model_validate(spec | changes)


def write_reference(path: Path) -> Path:
    """Two rungs of the ladder at n = 6 on both splits."""
    rows = [
        (
            predictor,
            label,
            predictor == "affine",
            coefficients,
            split,
            6,
            1000,
            mse * factor,
            mse * factor * 0.01,
        )
        for predictor, label, coefficients, mse in (
            ("affine", "affine", 2, 0.0305),
            ("polynomial2", "quadratic", 3, 0.0156),
        )
        for split, factor in (("id", 1.0), ("ood", 30.0))
    ]
    schema.REFERENCE.write(pd.DataFrame(rows, columns=list(schema.REFERENCE.names)), path)
    errors = {f"{row[0]}.{row[4]}": spread_errors(row[7]) for row in rows}
    write_errors(path.parent / "reference_errors.npz", errors, "")
    return path


def spread_errors(mse: float, seed: int = 0) -> np.ndarray:
    """Errors of 1,000 matrices with that mean."""
    values = np.random.default_rng(seed).exponential(1.0, 1000)
    return mse * values / values.mean()


def diagnostics() -> dict[str, pd.DataFrame]:
    """One row each, two for the directions."""
    tables = {}
    for name, declared in schema.DIAGNOSTICS.items():
        cells = {c.name: [1 if c.kind == "integer" else 0.5] * 2 for c in declared.columns}
        table = pd.DataFrame(cells)
        for word, values in (("sample", ["positive", "negative"]), ("split", ["id", "ood"])):
            if word in table:
                table[word] = values
        tables[name] = table
    return tables


def write_run(
    runs: Path, variant: str, seed: int, diverged: bool = False, strategy: str | None = None
) -> Path:
    """One run folder; returns it."""
    folder = runs / variant / f"seed{seed}"
    folder.mkdir(parents=True)
    strategy = strategy or variant
    mse = LEVEL[strategy] * (1 + 0.01 * np.random.default_rng([seed, len(strategy)]).standard_normal())
    steps = STEPS // 2 if diverged else STEPS
    history = pd.DataFrame({"step": range(0, steps + 1, 10), "loss_denoise": 1.0, "loss_contrast": np.nan})
    history["mse_validation"] = np.where(
        history["step"] % 20 == 0, mse * (2 - history["step"] / STEPS), np.nan
    )
    last = float(history["mse_validation"].dropna().iloc[-1])
    result = {"matrices": 1000, "mse": mse, "mse_se": mse * 0.01, "residual": 1.0}
    metrics = {
        "protocol": 1,
        "fingerprint": f"{variant}-{seed}",
        "strategy": strategy,
        "seed": seed,
        "status": "diverged" if diverged else "finished",
        "diverged_at": steps if diverged else None,
        "steps": steps,
        "n": 6,
        "parameters": 10,
        "madds_per_step": COST[strategy],
        "mse_validation": None if diverged else last,
        "best_mse_validation": None if diverged else last,
        "best_step": None if diverged else steps,
        "test": None if diverged else {"id": result, "ood": result | {"mse": 30 * mse}},
    }
    config = {"seed": seed, "protocol": 1, "negatives": {"strategy": strategy}, "problem": {"n": 6},
              "network": {"kind": "mlp"},
              "release_compat": {"shared_clip": False, "doubled_step": True}}  # fmt: skip
    origin = {
        "seconds_per_step": 0.01,
        "train_seconds": 1.0,
        "git": "abc",
        "packages": {"torch": "2"},
        "hardware": {"device": "cpu"},
    }
    for name, value in (("metrics", metrics), ("config", config), ("provenance", origin)):
        (folder / f"{name}.json").write_text(json.dumps(value))
    history.to_csv(folder / "history.csv", index=False)
    if not diverged:
        errors = {"id": spread_errors(mse, seed), "ood": spread_errors(30 * mse, seed)}
        write_errors(folder / "errors.npz", errors, f"{variant}-{seed}")
    for name, table in diagnostics().items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder


def write_study(root: Path, spec: ExperimentSpec | None = None) -> Path:
    """Every run of an experiment under `root`/runs, and the reference; returns `root`."""
    for variant, seed in (spec or experiment()).runs():
        write_run(root / "runs", variant.variant, seed)
    write_reference(root / "reference.csv")
    return root


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
