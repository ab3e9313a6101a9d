"""The record of earlier experiments (results/published/published_results.csv) in the shape of runs.csv.

So the statistics of new runs can be computed on the published ones, by the same code.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ired.record import schema

TEN_SEEDS = "ten-seed-record"
# The record's problem: matrices of 20 x 20. Its metric is the MSE on validation matrices, of which the note
# gives the number.
RECORD_N = 20


def read_published(path: Path) -> pd.DataFrame:
    """Every published value, one a row.

    Raises:
        FileFault: the file is missing or has other columns.
    """
    return schema.PUBLISHED.read(path)


def ten_seed_record(published: pd.DataFrame) -> pd.DataFrame:
    """The ten-seed record as rows of runs.csv (30 rows: none, random, adversarial; seeds 0-9).

    Its validation MSE stands in `mse_validation`; what the record does not tell (cost, steps, test sets) is
    empty.
    """
    record = published[published["source"] == TEN_SEEDS]
    matrices = record["note"].str.extract(r"^([\d,]+) matrices")[0].str.replace(",", "").astype(int)
    known = pd.DataFrame(
        {
            "experiment": TEN_SEEDS,
            "variant": record["method"],
            "strategy": record["method"],
            "seed": record["seed"].astype(int),
            "status": "finished",
            "n": RECORD_N,
            "mse_validation": record["value"],
            "test_matrices": matrices,
        }
    )
    untold = {name: None for name in schema.RUNS.names if name not in known}
    return schema.RUNS.frame(known.assign(**untold)).reset_index(drop=True)
