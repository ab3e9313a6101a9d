"""The measured errors and what they are called, and the level of every interval, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# One minus the level of every interval of these tables, and the family-wise error rate of every verdict.
ALPHA = 0.05
LEVEL = f"{100 * (1 - ALPHA):g} %"

# The fewest seeds that a verdict is given on. With fewer it rests on differences being normally distributed, which so
# few cannot show, and equivalence is hardly ever shown: at the spread of paired differences between the published
# networks (3.8 %), within 5 % in a quarter of the studies with three seeds, in 58 % with five, in 97 % with ten.
VERDICT_SEEDS = 10


@dataclass(frozen=True)
class Metric:
    """A measured error: lower is better. `split`: the test set whose line to beat it is held against (None: a
    residual, which has none). `short` heads a column, `long` stands in a sentence."""

    name: str
    split: str | None
    short: str
    long: str


# The order of tables; validation matrices are drawn from the in-distribution ensemble.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("mse_id", "id", "ID MSE", "in-distribution test MSE"),
        Metric("mse_ood", "ood", "OOD MSE", "out-of-distribution test MSE"),
        Metric("mse_validation", "id", "validation MSE", "validation MSE"),
        Metric("best_mse_validation", "id", "best validation MSE", "best validation MSE"),
        Metric("residual_id", None, "ID residual", "in-distribution residual"),
        Metric("residual_ood", None, "OOD residual", "out-of-distribution residual"),
    )
}
SPLITS = {"id": "in distribution (ID)", "ood": "out of distribution (OOD)"}  # test sets, as figures call them
TEST_METRICS = {f"mse_{split}": split for split in SPLITS}


def metric_name(metric: str) -> str:
    """What a metric is called in a sentence."""
    return METRICS[metric].long if metric in METRICS else metric


def main_metric(present: Iterable[str]) -> str | None:
    """The metric that a report leads with: the in-distribution test set, else the first one measured."""
    known = list(dict.fromkeys(present))
    return next((metric for metric in METRICS if metric in known), known[0] if known else None)
