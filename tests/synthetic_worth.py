"""Made-up tables of the study of a negative's worth: power laws with known multipliers, through the real tabulation."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ired.record import schema
from ired.statistics.worth import expected_best
from ired.tables.cells import Cells, CellSpec, WorthSpec
from ired.tables.equal_rates import equal_rates_table
from ired.tables.worth import curves_table, multipliers_table

ARMS = {  # strategy, cost of a step against the baseline's, multiplier
    "none": ("none", 1.0, 1.0),
    "none_2_draws": ("none", 1.05, 1.2),
    "random": ("random", 1.06, 0.7),
    "adversarial": ("adversarial", 1.15, 0.9),
    "near_truth_over_sigma": ("adversarial", 1.15, 2.0),
}
STEPS, BASELINE_STEPS = (120, 240, 480, 960, 1920), (60, 120, 240, 480, 960, 1920, 3840, 7680)
ZERO = {"mse_id": 0.3, "mse_ood": 3.0}


def worth_runs(seeds: int = 5, spread: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    shared = rng.normal(0, spread, seeds)
    rows = []
    for arm, (strategy, cost, multiplier) in ARMS.items():
        for steps in BASELINE_STEPS if arm == "none" else STEPS:
            madds = 1e8 * cost * steps
            for seed in range(seeds):
                log_error = 20 - 1.2 * np.log(madds * multiplier) + shared[seed] + rng.normal(0, spread / 3)
                rows.append(
                    {
                        "arm": arm,
                        "strategy": strategy,
                        "variant": f"{arm}_steps={steps}",
                        "steps": steps,
                        "seed": seed,
                        "learning_rate": 6e-3,
                        "weight": np.nan if strategy == "none" else 0.5,
                        "status": "finished",
                        "fingerprint": "0" * 16,
                        "madds": madds,
                        "seconds": 3e-3 * cost * steps,
                        "mse_id": np.exp(log_error),
                        "mse_id_se": 0.02 * np.exp(log_error),
                        "mse_ood": 5 * np.exp(log_error),
                        "mse_ood_se": 0.1 * np.exp(log_error),
                        "mse_validation": np.exp(log_error),
                    }
                )
    return schema.WORTH_RUNS.frame(rows)


def worth_spec(seeds: int = 5) -> WorthSpec:
    cell = CellSpec(
        variant="none_steps=60",
        arm="none",
        steps=60,
        learning_rate=6e-3,
        weight=None,
        seeds=list(range(seeds)),
        fingerprint="0" * 16,
    )
    return WorthSpec(baseline="none", protocol=1, precise=1e-3, cells=[cell])


def tuning(trials: int = 10) -> pd.DataFrame:
    rng, rows = np.random.default_rng(1), []
    for arm, (strategy, _, multiplier) in ARMS.items():
        for steps in (240, 960):
            errors = np.exp(rng.normal(-1.2 * np.log(steps * multiplier), 0.5, trials))
            expected = expected_best(errors)
            for k, error in enumerate(errors):
                best = k == int(np.argmin(errors))
                rows.append(
                    {
                        "arm": arm,
                        "strategy": strategy,
                        "steps": steps,
                        "learning_rate": 1e-3 * (k + 1),
                        "weight": np.nan,
                        "n": 5,
                        "n_diverged": 0,
                        "mse_validation": error,
                        "steady": error,
                        "nominated": best,
                        "at_edge": best and k in (0, trials - 1),
                        "trials": k + 1,
                        "expected_best": expected[k],
                    }
                )
    return schema.TUNING.frame(rows)


def trial_cells(
    effects: dict[str, float], rates: tuple[float, ...], seeds: int, spread: float = 0.05
) -> Cells:
    """Trials of 600 steps whose validation errors fall with the rate, differ between seeds by a lot and between arms by
    a factor exp(effect)."""
    rng, cells = np.random.default_rng(4), []
    shared = rng.normal(0, 1, seeds)
    for arm, effect in effects.items():
        for rate in rates:
            logs = -np.log(rate) + shared + effect + rng.normal(0, spread, seeds)
            runs = [
                SimpleNamespace(
                    metrics=SimpleNamespace(
                        mse_validation=float(np.exp(v)),
                        strategy=ARMS[arm][0],
                        madds_per_step=100 * ARMS[arm][1],
                    )
                )
                for v in logs
            ]
            weight = None if ARMS[arm][0] == "none" else 0.5
            cells.append(
                (
                    CellSpec(
                        variant=f"{arm}_{rate}",
                        arm=arm,
                        steps=600,
                        learning_rate=rate,
                        weight=weight,
                        seeds=list(range(seeds)),
                        fingerprint="0" * 16,
                    ),
                    runs,
                )
            )
    return cells  # type: ignore[return-value]


def worth_tables(seeds: int = 5) -> dict[str, pd.DataFrame]:
    runs, spec = worth_runs(seeds), worth_spec(seeds)
    return {
        "worth_runs": runs,
        "worth_curves": curves_table(runs, spec, ZERO),
        "multipliers": multipliers_table(runs, spec, ZERO),
        "tuning": tuning(),
        "equal_rates": equal_rates_table(
            trial_cells({"none": 0.0, "random": 0.3, "adversarial": 0.0}, (0.006, 0.012), 6), "none"
        ),
    }
