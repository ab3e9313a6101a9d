"""The comparison at equal compute, on straight learning curves whose values can be told in advance."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from study_tables import runs

from ired.statistics import equal_compute


def study(costs: dict[str, float], every: int = 10, steps: int = 100, seeds: int = 3, first: int = 0):
    """(learning_curves, runs): MSE 10 - step / 100 + seed / 10, at `costs` multiply-adds a step."""
    table = runs({name: [1.0] * seeds for name in costs})
    table["madds_per_step"] = table["variant"].map(costs)
    rows = [
        (
            name,
            seed,
            step,
            step * cost,
            10 - step / 100 + seed / 10 if step % every == 0 and step >= first else math.nan,
        )
        for name, cost in costs.items()
        for seed in range(seeds)
        for step in range(0, steps + 1, 5)
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "step", "madds", "mse_validation"]), table


def test_the_cheapest_variant_sets_the_compute_and_the_dear_one_is_read_earlier() -> None:
    budget = equal_compute(*study({"cheap": 100.0, "dear": 220.0})).set_index("variant")
    assert budget.loc["dear", "madds"] == 100 * 100
    assert budget.loc["cheap", "step"] == 100 and budget.loc["dear", "step"] == 45
    assert budget.loc["cheap", "mse_validation_mean"] == pytest.approx(10 - 1 + 0.1)
    # 10,000 / 220 = 45.45 steps: on the line between the validations at 40 and 50.
    assert budget.loc["dear", "mse_validation_mean"] == pytest.approx(10 - 10000 / 220 / 100 + 0.1)
    assert budget.loc["dear", "equal_step_mean"] == pytest.approx(10 - 1 + 0.1)
    assert (budget["equal_step"] == 100).all()
    half = 4.302653 * 0.1 / math.sqrt(3)  # t(0.975, 2), seeds 0.1 apart
    assert budget.loc["dear", "ci_high"] - budget.loc["dear", "mse_validation_mean"] == pytest.approx(half)


def test_a_run_that_stopped_early_limits_all() -> None:
    curves, table = study({"a": 100.0, "b": 100.0})
    curves = curves[~((curves["variant"] == "b") & (curves["seed"] == 2) & (curves["step"] > 60))]
    budget = equal_compute(curves, table)
    assert (budget["equal_step"] == 60).all() and (budget["madds"] == 6000).all()


def test_a_diverged_run_neither_counts_nor_limits() -> None:
    curves, table = study({"a": 100.0, "b": 100.0})
    table.loc[(table["variant"] == "b") & (table["seed"] == 2), "status"] = "diverged"
    curves = curves[~((curves["variant"] == "b") & (curves["seed"] == 2) & (curves["step"] > 10))]
    budget = equal_compute(curves, table).set_index("variant")
    assert (budget.loc["b", "n"], budget.loc["b", "equal_step"]) == (2, 100)


def test_nothing_is_read_before_the_first_validation() -> None:
    budget = equal_compute(*study({"cheap": 1.0, "dear": 100.0}, first=50)).set_index("variant")
    assert budget.loc["dear", "n"] == 0 and math.isnan(budget.loc["dear", "mse_validation_mean"])
    assert budget.loc["cheap", "n"] == 3


def test_one_seed_has_no_interval_and_no_run_no_value() -> None:
    curves, table = study({"a": 100.0}, seeds=1)
    row = equal_compute(curves, table).iloc[0]
    assert row["n"] == 1 and math.isnan(row["ci_low"])
    table["status"] = "diverged"
    row = equal_compute(curves, table).iloc[0]
    assert row["n"] == 0 and math.isnan(row["madds"])
