"""The ladder of reference predictors: the line to beat, and what one coefficient more reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ired.record.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd


class Rung(NamedTuple):
    """The predictor with one coefficient more than the line has."""

    coefficients: int
    line: float  # MSE of the line
    mse: float

    @property
    def step(self) -> float:
        """What the coefficient gains, in units of MSE."""
        return self.line - self.mse


def next_rung(reference: pd.DataFrame | None, metric: str, n: float) -> Rung | None:
    """The rung above the line to beat of a metric and matrix size; None where the ladder ends at the line.

    Of several predictors with as many coefficients the best one counts.
    """
    split = METRICS[metric].split if metric in METRICS else None
    if reference is None or split is None or not len(reference):
        return None
    rows = reference[(reference["split"] == split) & (reference["n"] == n)]
    line = rows[rows["line"].astype(bool)]
    if not len(line):
        return None
    wanted = int(line["coefficients"].iloc[0]) + 1
    above = rows[rows["coefficients"] == wanted]
    if not len(above) or not above["mse"].min() < line["mse"].iloc[0]:
        return None
    return Rung(wanted, float(line["mse"].iloc[0]), float(above["mse"].min()))
