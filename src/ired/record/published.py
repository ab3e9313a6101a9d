"""The record of earlier experiments (results/published/published_results.csv) in the shape of runs.csv.

So the statistics of new runs can be computed on the published ones, by the same code.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ired.base.errors import UserError
from ired.record import schema

COLUMNS = ("source", "table", "method", "split", "seed", "metric", "value", "note")
TEN_SEEDS = "ten-seed-record"
# The record's problem: matrices of 20 x 20. Its metric is the MSE on validation matrices, of which the note
# gives the number.
RECORD_N = 20


def read_published(path: Path) -> pd.DataFrame:
    """Every published value, one a row; columns as COLUMNS.

    Raises:
        UserError: the file is missing or has other columns.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; it comes with the repository, so restore it") from None
    if tuple(table.columns) != COLUMNS:
        raise UserError(
            f"{path} has the columns {', '.join(table.columns)}, not {', '.join(COLUMNS)}; restore it"
        )
    return table


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
    return known.reindex(columns=list(schema.RUNS)).reset_index(drop=True)
