"""equal_rates.csv: the arms of a study of worth against its baseline at equal learning rates, from the trials."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ired.record import schema
from ired.sentences import effect_verdict
from ired.statistics import holm, paired_test
from ired.tables.cells import Cells, log_validation

Logs = dict[
    tuple[str, int, float | None, float], NDArray[np.float64]
]  # (arm, steps, weight, rate) -> of each seed


def equal_rates_table(cells: Cells, baseline: str) -> pd.DataFrame:
    """equal_rates.csv: a row per arm, weight and budget, adjusted over the rows of a budget."""
    logs = {(c.arm, c.steps, c.weight, c.learning_rate): log_validation(runs) for c, runs in cells}
    about = {cell.arm: runs[0].metrics for cell, runs in cells}
    rows: list[dict[str, Any]] = []
    for steps in dict.fromkeys(cell.steps for cell, _ in cells):
        family = list(_compared(logs, steps, baseline))
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            metrics = about[row["arm"]]
            row |= {
                "strategy": metrics.strategy,
                "madds_ratio": metrics.madds_per_step / about[baseline].madds_per_step,
            }
            row |= {"p_holm": p, "verdict": effect_verdict(row["n"], row["error_ratio"], p)}
        rows += family
    return schema.EQUAL_RATES.frame(rows)


def _compared(logs: Logs, steps: int, baseline: str) -> Iterator[dict[str, Any]]:
    """Each arm and weight at one budget, over the rates at which every run of it and of the baseline finished."""
    finished = {key: values for key, values in logs.items() if key[1] == steps and np.isfinite(values).all()}
    for arm, weight in dict.fromkeys((arm, weight) for arm, _, weight, _ in finished if arm != baseline):
        rates = [rate for a, _, w, rate in finished if (a, w) == (arm, weight)]
        shared = [rate for rate in rates if (baseline, steps, None, rate) in finished]
        if not shared:
            continue
        pairs = [
            finished[arm, steps, weight, rate] - finished[baseline, steps, None, rate] for rate in shared
        ]
        ratio = np.mean(pairs, axis=0)
        test = paired_test(ratio, np.zeros_like(ratio))
        yield {
            "arm": arm,
            "steps": steps,
            "weight": weight,
            "rates": len(shared),
            "lowest_rate": min(shared),
            "highest_rate": max(shared),
            "n": ratio.size,
            "error_ratio": math.exp(ratio.mean()),
            "ci_low": math.exp(test.interval.low),
            "ci_high": math.exp(test.interval.high),
            "p": test.p,
        }
