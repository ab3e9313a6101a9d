"""Tables of made-up studies for the tests of statistics and sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ired.record import schema
from ired.record.published import read_published, ten_seed_record

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "published_results.csv"
# Errors of ten seeds: 1 on average, with a standard deviation of 0.6 %.
NOISE = np.array([-0.010, 0.004, 0.006, -0.002, 0.008, -0.006, 0.005, -0.007, 0.003, -0.001])
BASE = 1 + NOISE
NO_REFERENCE = schema.REFERENCE.frame([])


def record() -> pd.DataFrame:
    """The ten-seed record as rows of runs.csv."""
    return ten_seed_record(read_published(PUBLISHED))


def runs(
    values: Mapping[str, Sequence[float]],
    metric: str = "mse_id",
    seeds: Mapping[str, Sequence[int]] | None = None,
):
    """Rows of runs.csv: per variant its values at seeds 0, 1, 2 ...; NaN is a diverged run."""
    rows = [
        {
            "experiment": "e",
            "variant": name,
            "strategy": name,
            "seed": (seeds or {}).get(name, range(len(numbers)))[index],
            "status": "diverged" if math.isnan(value) else "finished",
            "steps": 1000,
            "n": 6,
            "madds_per_step": 100.0,
            "seconds_per_step": 0.1,
            metric: value,
        }
        for name, numbers in values.items()
        for index, value in enumerate(numbers)
    ]
    return pd.DataFrame(rows).reindex(columns=list(dict.fromkeys([*schema.RUNS.names, metric])))


def reference(
    mse: float, se: float = 0.0, n: int = 6, predictor: str = "affine", coefficients: int = 2
) -> pd.DataFrame:
    """One in-distribution row of reference.csv."""
    return schema.REFERENCE.frame(
        [
            {"predictor": predictor, "label": predictor, "line": predictor == "affine",
             "coefficients": coefficients, "split": "id", "n": n, "matrices": 1000, "mse": mse, "mse_se": se}
        ]
    )  # fmt: skip


def placed(**standings: str) -> pd.DataFrame:
    """against_line.csv with these standings of variants."""
    rows = [
        dict.fromkeys(schema.AGAINST_LINE.names, math.nan)
        | {"variant": variant, "metric": "mse_id", "standing": standing}
        for variant, standing in standings.items()
    ]
    return pd.DataFrame(rows, columns=list(schema.AGAINST_LINE.names))
