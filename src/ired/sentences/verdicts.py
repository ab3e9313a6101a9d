"""Verdicts and the sentences that carry them. Neither can say more than its test does.

  better, worse      the Holm-adjusted p of the paired difference is below ALPHA
  equivalent         the Holm-adjusted p of the equivalence test (TOST) at the margin is below ALPHA
  ..._within_margin  both: a certain difference that is too small to matter; its sentence and that of `equivalent` say
                     whether the stricter margin, in units of the ladder, would grant it too
  undecided          neither, or fewer than VERDICT_SEEDS pairs: the sentence gives the smallest difference that this
                     many seeds would have shown

Every metric is an error, so lower is better. A sentence is made from one row of contrasts.csv alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ired.base.format_numbers import (
    count,
    listed,
    number,
    p_value,
    percent,
    plain_percent,
)
from ired.record.metrics import ALPHA, LEVEL, VERDICT_SEEDS, metric_name

VERDICTS = ("better", "worse", "equivalent", "better_within_margin", "worse_within_margin", "undecided")


def verdict(pairs: int, difference: float, p_holm: float, p_tost_holm: float) -> str:
    """One of VERDICTS, on so many pairs of seeds. A p-value that is NaN (one seed, no spread) decides nothing."""
    if pairs < VERDICT_SEEDS:
        return "undecided"
    differs, within = p_holm < ALPHA, p_tost_holm < ALPHA
    if differs:
        return ("better" if difference < 0 else "worse") + ("_within_margin" if within else "")
    return "equivalent" if within else "undecided"


def contrast_sentence(row: Mapping[str, Any]) -> str:
    """The sentence of one row of contrasts.csv, whose `verdict` and the columns it rests on are filled in."""
    treatment, baseline = row["treatment"], row["baseline"]
    metric, pairs, difference = metric_name(row["metric"]), int(row["n_pairs"]), float(row["difference"])
    if not pairs:
        return f"Undecided: no seed finished in both {treatment} and {baseline}{_dropped(row)}."
    ends = f"{count(pairs, 'pair')} of seeds{_dropped(row)}"
    margin = f"the margin of ±{plain_percent(row['margin_relative'])}"
    change = f"{percent(row['relative_difference'], signed=True)}{_interval(row)}"
    means = f"{number(row['baseline_mean'] + difference)} against {number(row['baseline_mean'])}, {change}"
    holm, tost = f"Holm-adjusted {p_value(row['p_holm'])}", p_value(row["p_tost_holm"])
    if row["p_tost"] == 0 and row["p_paired"] == 1:
        return (
            f"{treatment} and {baseline} are identical in {metric} ({ends}): "
            "check that the setting they differ in acts at all."
        )
    match row["verdict"]:
        case "better" | "worse" as word:
            return f"{treatment} is {word} than {baseline} in {metric}: {means}; {holm}, {ends}."
        case "better_within_margin" | "worse_within_margin" as word:
            return (
                f"{treatment} is {word.split('_')[0]} than {baseline} in {metric}, "
                f"but by less than {margin}: {means}; {holm}, equivalence {tost}, {ends}{_stricter(row)}."
            )
        case "equivalent":
            return (
                f"{treatment} and {baseline} do not differ in {metric} beyond {margin}: {change}; "
                f"equivalence {tost}, {ends}{_stricter(row)}."
            )
    few = f", since a verdict takes {VERDICT_SEEDS}" if pairs < VERDICT_SEEDS else ""
    return (
        f"{treatment} against {baseline} in {metric}: undecided at this number of seeds{few}; "
        f"{_undecided(row, change, ends)}"
    )


def _stricter(row: Mapping[str, Any]) -> str:
    """Whether the second margin, of the ladder, grants equivalence too; nothing where there is none or it is wider."""
    if not row["margin_ladder"] < row["margin"]:
        return ""
    share = plain_percent(row["margin_relative"])
    bound = (
        f"±{number(row['margin_ladder'])}, {share} of what one more coefficient gains over the line to beat"
    )
    p = row["p_tost_ladder_holm"]
    if p < ALPHA:
        return f"; nor beyond {bound} (equivalence {p_value(p)})"
    return f"; within {bound}, it is not shown (equivalence {p_value(p)})"


def nomination_sentence(row: Mapping[str, Any]) -> str:
    """The sentence of a sweep's nominee: how it was chosen, and its one contrast on fresh seeds."""
    chosen = str(row["level"]).removesuffix(".0")  # 2, not 2.0, where others have no level
    tuning, fresh = (row[name].split() for name in ("tuning_seeds", "fresh_seeds"))
    return (
        f"Of {count(int(row['levels']), 'level')}, {row['factor']} = {chosen} had the lowest "
        f"validation MSE on {_seeds(tuning)} ({number(row['tuning_mean'])}); "
        f"judged on {_seeds(fresh)}, which had no say in that: "
        f"{contrast_sentence(row)}"
    )


def _seeds(names: list[str]) -> str:
    return f"seed{'s' if len(names) > 1 else ''} {listed(names)}"


def _undecided(row: Mapping[str, Any], change: str, ends: str) -> str:
    """What can be said when nothing was shown."""
    if int(row["n_pairs"]) < 2:
        return f"{change}, and one pair has no interval ({ends})."
    if not math.isfinite(row["p_paired"]):
        return f"{change}, the same in every pair, so there is no spread to test against ({ends})."
    unit = abs(row["baseline_mean"])
    smallest, low, high = (
        percent(row[name] / unit) if unit else number(row[name])
        for name in ("minimum_detectable_effect", "detectable_low", "detectable_high")
    )
    power = "with 80 % power in a single test"  # adjusted for several contrasts it takes more
    return (
        f"{change}; {ends} would show a true difference of {smallest} or more {power} "
        f"({low} to {high}, as well as they know their spread)."
    )


def _interval(row: Mapping[str, Any]) -> str:
    """The interval of the difference as percent of the baseline's mean; nothing where there is none."""
    if not (math.isfinite(row["ci_low"]) and row["baseline_mean"]):
        return ""
    low, high = sorted((row["ci_low"] / row["baseline_mean"], row["ci_high"] / row["baseline_mean"]))
    return f" ({LEVEL} interval {percent(low, signed=True)} to {percent(high, signed=True)})"


def _dropped(row: Mapping[str, Any]) -> str:
    dropped = int(row["n_dropped"])
    return f" ({count(dropped, 'pair')} dropped because a run diverged)" if dropped else ""
