"""The answer in plain words, the comparison at equal compute, and the sentences that open a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ired.base.format_numbers import count, listed, number
from ired.record.ladder import next_rung
from ired.record.metrics import LEVEL, main_metric
from ired.sentences.line import line_sentence

VERDICT_WORDS = {
    "better": "better",
    "worse": "worse",
    "better_within_margin": "better by less than the margin",
    "worse_within_margin": "worse by less than the margin",
    "equivalent": "without a difference beyond the margin",
    "undecided": "undecided",
}

PLAIN = {
    "better": "yes",
    "worse": "no, they do harm",
    "better_within_margin": "yes, but by less than matters",
    "worse_within_margin": "no, they do harm, though by less than matters",
    "equivalent": "no difference that matters",
    "undecided": "undecided",
}
LOWER, HIGHER, OVERLAP, NO_INTERVALS = "lower", "higher", "overlap", "no intervals"
ORDER_WORDS = {
    LOWER: "lower, with intervals apart",
    HIGHER: "higher, with intervals apart",
    OVERLAP: "not told apart: these intervals, which ignore that seeds are paired, overlap",
    NO_INTERVALS: "not comparable, for want of intervals",
}
PLAIN_ORDER = {LOWER: "ahead", HIGHER: "behind", OVERLAP: "not told apart", NO_INTERVALS: "not comparable"}


def plain_answer(row: Mapping[str, Any] | pd.Series, budget: pd.DataFrame, runs: pd.DataFrame) -> str:
    """The verdict of one contrast and the reading at equal compute, without a number.

    `row`: of contrasts.csv. `runs` says whether both variants were trained for equally many steps.
    """
    treatment, baseline = str(row["treatment"]), str(row["baseline"])
    where = where_trained(runs, treatment, baseline)
    said = PLAIN[str(row["verdict"])]
    order = compute_orders(budget, treatment, baseline)
    compute = f"{PLAIN_ORDER[order[0]]} at equal compute" if order else "not compared at equal compute"
    return f"{said[0].upper()}{said[1:]} {where}; {compute} ({treatment} against {baseline})."


def where_trained(runs: pd.DataFrame, treatment: str, baseline: str) -> str:
    """At which point a contrast compares two variants: at equal steps only if both were trained for equally many."""
    finished = runs[runs["status"] == "finished"]
    steps = [set(finished.loc[finished["variant"] == name, "steps"]) for name in (treatment, baseline)]
    return "at equal steps" if steps[0] and steps[0] == steps[1] else "at the end of training"


def compute_sentence(budget: pd.DataFrame, treatment: str, baseline: str) -> str:
    """What equal compute says of two variants, and whether equal steps say the same.

    A difference is claimed only where the two intervals are apart, which is stricter than a test at ALPHA and
    much stricter than a paired one: it may stay silent where the contrast of the same runs is decided.
    """
    if not budget["mse_validation_mean"].notna().any():
        return "At equal compute nothing can be compared: there are no learning curves."
    orders = compute_orders(budget, treatment, baseline)
    rows = _rows(budget)
    if orders is None:
        missing = [name for name in (treatment, baseline) if not rows.get(name, {}).get("n")]
        return f"At equal compute nothing can be compared: no validated run of {listed(missing)}."
    left, right = rows[treatment], rows[baseline]
    compute, steps = orders
    readings = " and ".join(
        f"{row['variant']} reaches a validation MSE of {number(row['mse_validation_mean'])} "
        f"in {count(int(row['step']), 'step')}"
        for row in (left, right)
    )
    same = f"at equal steps ({right['equal_step']:,.0f}) "
    same += "the same holds" if steps == compute else f"{treatment} is {ORDER_WORDS[steps]}"
    return (
        f"At equal compute ({number(right['madds'])} multiply-adds) {readings}: {treatment} is "
        f"{ORDER_WORDS[compute]} ({LEVEL} intervals); {same}."
    )


def _rows(budget: pd.DataFrame) -> dict[str, dict[Any, Any]]:
    return {str(row["variant"]): row for row in budget.to_dict("records")}


def compute_orders(budget: pd.DataFrame, treatment: str, baseline: str) -> tuple[str, str] | None:
    """How two variants stand at equal compute and at equal steps; None where one has no validated run."""
    rows = _rows(budget)
    if not all(rows.get(name, {}).get("n") for name in (treatment, baseline)):
        return None
    left, right = rows[treatment], rows[baseline]
    return (
        _order(left, right, "ci_low", "ci_high"),
        _order(left, right, "equal_step_ci_low", "equal_step_ci_high"),
    )


def _order(left: Mapping[str, Any], right: Mapping[str, Any], low: str, high: str) -> str:
    """The relation of two means; a claim only if their intervals are apart."""
    if not all(math.isfinite(row[end]) for row in (left, right) for end in (low, high)):
        return NO_INTERVALS
    if left[high] < right[low]:
        return LOWER
    return HIGHER if left[low] > right[high] else OVERLAP


def headline(
    summary: pd.DataFrame,
    contrasts: pd.DataFrame,
    reference: pd.DataFrame,
    budget: pd.DataFrame,
    against_line: pd.DataFrame,
    runs: pd.DataFrame,
) -> list[str]:
    """Four sentences that open a report: the plain answer, then with numbers the primary contrast, the line to
    beat, equal compute.

    All tables are those of one experiment; `reference` gives the next rung of the ladder of reference
    predictors.
    """
    metric = main_metric(summary["metric"])
    primary = contrasts[(contrasts["metric"] == metric) & contrasts["primary"].astype(bool)]
    if not len(primary):
        return [
            "No comparison could be made.",
            "No contrast has been declared primary, or none of its runs is there.",
            line_sentence(summary, reference, against_line),
            "Nothing is compared at equal compute.",
        ]
    row = primary.iloc[0]
    return [
        plain_answer(row, budget, runs),
        _answer(row, contrasts[contrasts["metric"] == metric], summary[summary["metric"] == metric]),
        line_sentence(summary, reference, against_line)[:-1] + _next_rung(runs, reference, metric) + ".",
        compute_sentence(budget, row["treatment"], row["baseline"]),
    ]


def _answer(row: pd.Series, family: pd.DataFrame, summary: pd.DataFrame) -> str:
    """The primary contrast's sentence, with a count of the other verdicts and of diverged runs."""
    text = str(row["sentence"]).removesuffix(".")
    others = family[~family["primary"].astype(bool)]["verdict"].value_counts()
    if len(others):
        verdicts = [f"{others[name]} {words}" for name, words in VERDICT_WORDS.items() if name in others]
        text += f"; of {count(int(others.sum()), 'further contrast')}, {listed(verdicts, longest=6)}"
    diverged = int(summary["n_diverged"].sum())
    if diverged:
        text += f"; {count(diverged, 'run')} diverged, counted but in no mean"
    return f"{text}."


def _next_rung(runs: pd.DataFrame, reference: pd.DataFrame, metric: str | None) -> str:
    """How far the predictor with one more coefficient gets; nothing where the ladder ends, or sizes differ."""
    sizes = runs["n"].unique()
    rung = next_rung(reference, metric, sizes[0]) if metric is not None and len(sizes) == 1 else None
    if rung is None:
        return ""
    name = ORDINALS.get(rung.coefficients, f"{rung.coefficients}th")
    return f"; a {name} coefficient would reach {number(rung.mse)}"


ORDINALS = {1: "first", 2: "second", 3: "third"}
