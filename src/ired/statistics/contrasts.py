"""runs.csv -> contrasts.csv: one row per pair of variants and metric, with its verdict and sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ired.record import schema
from ired.record.ladder import next_rung
from ired.record.metrics import TEST_METRICS
from ired.statistics import pairs
from ired.statistics.crossed import MatrixErrors, crossed
from ired.statistics.family import judge
from ired.statistics.samples import Values, mean
from ired.statistics.summary import by_variant, finite, judged_metrics


def deciding_numbers(
    treatment: Values, baseline: Values, share: float, step: float = math.nan
) -> dict[str, float]:
    """What a verdict rests on: paired difference, its test, and the equivalence test. Values of shape (pairs,).

    The margin is `share` of the baseline's mean. Beside it stands the same share of `step`, which is what one more
    coefficient gains over the line to beat: near that line a share of the mean may exceed every difference in play, and
    equivalence within it cannot fail. NaN where there is no such ladder.
    """
    baseline_mean = mean(baseline)
    margin, margin_ladder = share * abs(baseline_mean), share * step
    test = pairs.paired_test(treatment, baseline)
    difference = mean(treatment - baseline)
    detectable = pairs.minimum_detectable_effect(treatment, baseline)
    spread = pairs.detectable_range(treatment.size, detectable)
    return {
        "n_pairs": treatment.size,
        "baseline_mean": baseline_mean,
        "difference": difference,
        "ci_low": test.interval.low,
        "ci_high": test.interval.high,
        "relative_difference": difference / baseline_mean if baseline_mean else math.nan,
        "p_paired": test.p,
        "margin": margin,
        "margin_relative": share,
        "p_tost": pairs.tost_paired(treatment, baseline, margin),
        "margin_ladder": margin_ladder,
        "p_tost_ladder": pairs.tost_paired(treatment, baseline, margin_ladder),
        "minimum_detectable_effect": detectable,
        "detectable_low": spread.low,
        "detectable_high": spread.high,
    }


ACCOMPANYING = (
    "p_sign_flip", "p_wilcoxon", "p_welch", "welch_ci_low", "welch_ci_high", "p_brown_forsythe", "hedges_g",
    "d_z", "pair_correlation", "probability_of_improvement",
)  # fmt: skip


def accompanying_numbers(paired: tuple[Values, Values], groups: tuple[Values, Values]) -> dict[str, float]:
    """What is shown beside and decides nothing: `paired` holds the pairs, `groups` every finished seed of
    both arms.
    """
    welch = pairs.welch_test(*groups)
    hedges_g, improvement = pairs.effect_sizes(*groups)
    return {
        "p_sign_flip": pairs.sign_flip_test(*paired),
        "p_wilcoxon": pairs.wilcoxon_test(*paired),
        "p_welch": welch.p,
        "welch_ci_low": welch.interval.low,
        "welch_ci_high": welch.interval.high,
        "p_brown_forsythe": pairs.brown_forsythe(*groups),
        "hedges_g": hedges_g,
        "d_z": pairs.standardised_difference(*paired),
        "pair_correlation": pairs.pair_correlation(*paired),
        "probability_of_improvement": improvement,
    }


def crossed_numbers(errors: MatrixErrors, treatment: str, baseline: str, metric: str) -> dict[str, float]:
    """The paired difference with fresh seeds and fresh matrices in its interval; NaN without errors of every matrix."""
    split = TEST_METRICS.get(metric, "")
    left, right = (errors.get(name, {}).get(split) for name in (treatment, baseline))
    if left is None or right is None:
        return dict.fromkeys(("crossed_low", "crossed_high", "matrix_share"), math.nan)
    shared = left.index.intersection(right.index)
    found = crossed((left.loc[shared] - right.loc[shared]).to_numpy())
    return {
        "crossed_low": found.interval.low,
        "crossed_high": found.interval.high,
        "matrix_share": found.matrices + found.both,
    }


def contrast(
    runs: pd.DataFrame,
    comparisons: Sequence[tuple[str, str]],
    margin: float = 0.05,
    metrics: Sequence[str] | None = None,
    accompany: bool = True,
    errors: MatrixErrors | None = None,
    reference: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """contrasts.csv: paired differences over the seeds two variants share, their tests, verdict and sentence, judged
    as if nothing else were on their page.

    Args:
        runs: rows of runs.csv of one experiment.
        comparisons: (treatment, baseline) names of variants; the first is the primary contrast.
        margin: of practical equivalence, as a share of the baseline's mean (0.05 = 5 %).
        metrics: columns of `runs`; those that verdicts are given in if None.
        accompany: compute also the columns that decide nothing (False saves time in simulations).
        errors: of every test matrix, by variant and test set, a row for each finished seed.
        reference: rows of reference.csv, which hold the ladder of the second margin.

    Raises:
        ValueError: a comparison names a variant without a row, or a variant has two runs of one seed.
    """
    tabulated = judged_metrics(runs, metrics)
    groups = by_variant(runs, tabulated)
    unknown = {name for pair in comparisons for name in pair} - set(groups)
    if unknown:
        raise ValueError(f"comparison of unknown variant {', '.join(sorted(unknown))}")
    by_seed = {name: group.set_index("seed")[tabulated].astype("float64") for name, group in groups.items()}
    sizes = {name: float(group["n"].iloc[0]) for name, group in groups.items() if "n" in group}

    def step(metric: str, baseline: str) -> float:
        rung = next_rung(reference, metric, sizes[baseline]) if reference is not None else None
        return math.nan if rung is None else rung.step

    compared = [_pair(by_seed, comparison, margin, step, accompany) for comparison in comparisons]
    rows = [row for of_metric in zip(*compared, strict=True) for row in of_metric]
    for row in rows:
        row["primary"] = (row["treatment"], row["baseline"]) == tuple(comparisons[0])
        row |= crossed_numbers(errors or {}, row["treatment"], row["baseline"], row["metric"])
    judge(rows, [], [])
    experiment = runs["experiment"].iloc[0] if len(runs) else None
    return schema.CONTRASTS.frame([{"experiment": experiment, **row} for row in rows])


def _pair(
    by_seed: dict[str, pd.DataFrame],
    comparison: tuple[str, str],
    margin: float,
    step: Callable[[str, str], float],
    accompany: bool,
) -> list[dict[str, Any]]:
    """One comparison: a row per metric, but for what needs the whole family.

    Seeds that only one of the two has are in the unpaired numbers alone.
    """
    treatment, baseline = comparison
    left, right = by_seed[treatment], by_seed[baseline]
    shared = left.index.intersection(right.index)
    left_pairs, right_pairs = left.loc[shared].to_numpy().T, right.loc[shared].to_numpy().T
    left_all, right_all = left.to_numpy().T, right.to_numpy().T
    rows = []
    for index, metric in enumerate(left.columns):
        kept = np.isfinite(left_pairs[index]) & np.isfinite(right_pairs[index])
        paired = left_pairs[index][kept], right_pairs[index][kept]
        row: dict[str, Any] = {
            "metric": metric,
            "treatment": treatment,
            "baseline": baseline,
            "n_dropped": int((~kept).sum()),
            **deciding_numbers(*paired, margin, step(metric, baseline)),
        }
        if accompany:
            row |= accompanying_numbers(paired, (finite(left_all[index]), finite(right_all[index])))
        else:
            row |= dict.fromkeys(ACCOMPANYING, math.nan)
        rows.append(row)
    return rows
