"""What opens a report: equal compute, the plain answer, the headline."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from study_tables import BASE, NO_REFERENCE, NOISE, placed, reference, runs

from ired.record import schema
from ired.sentences import (
    VERDICTS,
    compute_sentence,
    headline,
)
from ired.sentences.headline import PLAIN, VERDICT_WORDS, plain_answer
from ired.statistics import contrast, summarise

NAN = math.nan


def budget(
    left: tuple, right: tuple, left_steps: tuple | None = None, right_steps: tuple | None = None
) -> pd.DataFrame:
    """budget.csv of t and b: (mean, low, high) at equal compute and at equal steps."""
    rows = []
    for name, compute, steps, step in (
        ("t", left, left_steps or left, 450),
        ("b", right, right_steps or right, 1000),
    ):
        rows.append(["e", name, name, 3, 2.5e9, step, *compute, 1000, *steps])
    return pd.DataFrame(rows, columns=list(schema.BUDGET.names))


APART, BELOW = (2.0, 1.9, 2.1), (1.0, 0.9, 1.1)


def test_equal_compute_claims_an_order_only_if_intervals_are_apart() -> None:
    assert "t is lower, with intervals apart" in compute_sentence(budget(BELOW, APART), "t", "b")
    assert "t is higher, with intervals apart" in compute_sentence(budget(APART, BELOW), "t", "b")
    text = compute_sentence(budget((1.0, 0.8, 1.2), (1.3, 1.1, 1.5)), "t", "b")
    assert "not told apart" in text and "lower" not in text and "the same holds" in text
    assert "ignore that seeds are paired" in text, "a paired contrast of the same runs may well decide"
    assert "2.50 × 10⁹ multiply-adds" in text and "in 450 steps" in text and "in 1,000 steps" in text


def test_equal_compute_says_when_equal_steps_say_otherwise() -> None:
    text = compute_sentence(budget(APART, BELOW, BELOW, APART), "t", "b")
    assert "t is higher, with intervals apart" in text
    assert "at equal steps (1,000) t is lower, with intervals apart" in text


def test_equal_compute_with_one_seed_or_without_curves() -> None:
    text = compute_sentence(budget((1.0, NAN, NAN), (2.0, NAN, NAN)), "t", "b")
    assert "not comparable, for want of intervals" in text and "lower" not in text
    assert "nothing can be compared" in compute_sentence(schema.BUDGET.frame([]), "t", "b")
    assert "no validated run of x" in compute_sentence(budget(BELOW, APART), "x", "b")


def test_headline_opens_with_a_plain_answer() -> None:
    table = runs({"b": [*BASE, 1.0], "t": [*(BASE * 1.2), NAN], "x": [*(BASE + NOISE[::-1]), 1.0]})
    ladder = pd.concat([reference(0.9, 0.001), reference(0.5, 0.001, predictor="quadratic", coefficients=3)])
    answer, *lines = headline(
        summarise(table, ladder),
        contrast(table, [("t", "b"), ("x", "b")]),
        ladder,
        budget(APART, BELOW),
        placed(b="above"),
        table,
    )
    assert answer == "No, they do harm at equal steps; behind at equal compute (t against b)."
    assert len(lines) == 3 and all(line.endswith(".") and "nan" not in line for line in lines)
    assert lines[0].startswith("t is worse than b") and "1 pair dropped because a run diverged" in lines[0]
    assert "of 1 further contrast, 1 without a difference beyond the margin; 1 run diverged" in lines[0]
    assert (
        "b (" in lines[1] and "above it" in lines[1] and "a third coefficient would reach 0.500" in lines[1]
    )
    assert lines[2].startswith("At equal compute")


@pytest.mark.parametrize(
    ("verdict", "tables", "steps", "said"),
    [
        ("undecided", (APART, BELOW), 1000, "Undecided at equal steps; behind at equal compute"),
        ("better", (BELOW, APART), 1000, "Yes at equal steps; ahead at equal compute"),
        ("better", (BELOW, APART), 500, "Yes at the end of training; ahead at equal compute"),
        (
            "equivalent",
            (BELOW, BELOW),
            1000,
            "No difference that matters at equal steps; not told apart at equal compute",
        ),
        (
            "worse_within_margin",
            ((1.0, NAN, NAN), BELOW),
            1000,
            "at equal steps; not comparable at equal compute",
        ),
    ],
)
def test_the_plain_answer_has_no_number_and_claims_no_more_than_its_verdict(
    verdict: str, tables: tuple, steps: int, said: str
) -> None:
    table = runs({"b": [1.0, 1.0], "t": [1.0, NAN]})
    table.loc[table["variant"] == "t", "steps"] = [steps, 3]  # a diverged run ended early, and does not count
    row = {"treatment": "t", "baseline": "b", "verdict": verdict}
    answer = plain_answer(row, budget(*tables), table)
    assert said in answer and not any(character.isdigit() for character in answer)
    assert "not compared at equal compute" in plain_answer(row, schema.BUDGET.frame([]), table)


def test_every_verdict_has_plain_words() -> None:
    assert set(PLAIN) == set(VERDICTS) == set(VERDICT_WORDS)


@pytest.mark.parametrize(
    "values", [{"t": [1.0], "b": [2.0]}, {"t": [NAN, NAN], "b": [1.0, 2.0]}, {"t": [NAN], "b": [NAN]}]
)
@pytest.mark.parametrize("comparisons", [[("t", "b")], []])
def test_headline_of_poor_studies_claims_nothing(values: dict, comparisons: list) -> None:
    table = runs(values)
    empty = schema.BUDGET.frame([])
    lines = headline(
        summarise(table, NO_REFERENCE), contrast(table, comparisons), NO_REFERENCE, empty, placed(), table
    )
    assert len(lines) == 4
    assert not [
        word
        for word in ("better", "worse", "lower", "higher", "nan", "ahead", "behind", "Yes")
        if any(word in line for line in lines)
    ]
