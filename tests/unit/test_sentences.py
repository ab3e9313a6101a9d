"""Verdicts and sentences: what each may say, and under which numbers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from study_tables import NO_REFERENCE, record, reference, runs

from ired.base.format_numbers import count, listed, number, p_value, percent, with_interval
from ired.record import schema
from ired.sentences import (
    VERDICTS,
    compute_sentence,
    headline,
    line_sentence,
    line_standing,
    verdict,
)
from ired.sentences.headline import PLAIN, VERDICT_WORDS, plain_answer
from ired.sentences.live import live_sentence, live_shares
from ired.statistics import contrast, summarise

NAN = math.nan
NOISE = np.array([-0.010, 0.004, 0.006, -0.002, 0.008, -0.006, 0.005, -0.007, 0.003, -0.001])
BASE = 1 + NOISE


def sentence(shift: float, spread: float = 1.0, **options) -> tuple[str, str]:
    """(verdict, sentence) of a treatment `shift` above the baseline, differences spread by 1 % x `spread`."""
    table = runs({"t": list(BASE + shift + spread * NOISE[::-1]), "b": list(BASE)})
    row = contrast(table, [("t", "b")], **options).iloc[0]
    return row["verdict"], row["sentence"]


@pytest.mark.parametrize(
    ("difference", "p_holm", "p_tost_holm", "expected"),
    [
        (-1, 0.01, 0.5, "better"),
        (1, 0.01, 0.5, "worse"),
        (-1, 0.01, 0.01, "better_within_margin"),
        (1, 0.01, 0.01, "worse_within_margin"),
        (1, 0.5, 0.01, "equivalent"),
        (1, 0.5, 0.5, "undecided"),
        (1, 0.05, 0.05, "undecided"),
        (-1, NAN, 0.5, "undecided"),
        (-1, NAN, NAN, "undecided"),
        (-1, 0.01, NAN, "better"),
        (NAN, NAN, 0.01, "equivalent"),
    ],
)
def test_verdict(difference: float, p_holm: float, p_tost_holm: float, expected: str) -> None:
    assert verdict(10, difference, p_holm, p_tost_holm) == expected
    assert verdict(9, difference, p_holm, p_tost_holm) == "undecided"
    assert expected in VERDICTS


@pytest.mark.parametrize(
    ("shift", "spread", "expected", "says", "never"),
    [
        (-0.2, 1, "better", "t is better than b", ("within", "less than", "undecided")),
        (0.2, 1, "worse", "t is worse than b", ("better", "less than", "undecided")),
        (0.02, 0.3, "worse_within_margin", "but by less than the margin of ±5 %", ("better", "undecided")),
        (-0.02, 0.3, "better_within_margin", "but by less than the margin of ±5 %", ("worse", "undecided")),
        (0.0, 1, "equivalent", "beyond the margin of ±5 %", ("better", "worse", "undecided")),
        (0.05, 20, "undecided", "undecided at this number of seeds", ("better", "worse", "do not differ")),
    ],
)  # fmt: skip
def test_each_sentence_says_its_verdict_and_no_other(
    shift: float, spread: float, expected: str, says: str, never: tuple[str, ...]
) -> None:
    word, text = sentence(shift, spread)
    assert word == expected
    assert says in text
    assert not [claim for claim in never if claim in text]
    assert text.endswith(".") and "nan" not in text and "10 pairs of seeds" in text


def test_nine_pairs_give_no_verdict_and_their_sentence_says_why() -> None:
    rows = [
        contrast(runs({"t": list(BASE[:n] + 0.2 + NOISE[::-1][:n]), "b": list(BASE[:n])}), [("t", "b")]).iloc[
            0
        ]
        for n in (9, 10)
    ]
    assert [row["verdict"] for row in rows] == ["undecided", "worse"] and max(
        row["p_holm"] for row in rows
    ) < 1e-9
    assert "undecided at this number of seeds, since a verdict takes 10; +20.1 %" in rows[0]["sentence"]
    assert "takes" not in rows[1]["sentence"]


def test_undecided_gives_the_smallest_detectable_difference() -> None:
    table = runs({"t": list(BASE + 9 * NOISE[::-1]), "b": list(BASE)})
    row = contrast(table, [("t", "b")], margin=0.001).iloc[0]
    share, low, high = (
        percent(row[name] / row["baseline_mean"])
        for name in ("minimum_detectable_effect", "detectable_low", "detectable_high")
    )
    assert (
        f"would show a true difference of {share} or more with 80 % power in a single test ({low} to {high}, "
        in row["sentence"]
    )


def test_many_contrasts_need_more_than_one() -> None:
    """The same two arms: certain as the only contrast, undecided as one of twenty."""
    arms = {"b": list(BASE), "t": list(BASE + 0.005 + NOISE[::-1])}
    arms |= {f"x{k}": list(BASE + (0.3 + 0.01 * k) * NOISE[::-1]) for k in range(19)}
    alone = contrast(runs(arms), [("t", "b")], margin=0.001).iloc[0]
    among = contrast(runs(arms), [("t", "b"), *((f"x{k}", "b") for k in range(19))], margin=0.001).iloc[0]
    assert alone["p_paired"] == among["p_paired"] < 0.05 < among["p_holm"]
    assert (alone["verdict"], among["verdict"]) == ("worse", "undecided")


def test_equivalence_in_a_family_needs_the_adjusted_p() -> None:
    arms = {"b": list(BASE), "t": list(BASE + 0.5 * NOISE[::-1]), "x": list(BASE + 20 * NOISE[::-1])}
    table = contrast(runs(arms), [("t", "b"), ("x", "b")], margin=0.0082).set_index("treatment")
    assert (
        table.loc["t", "p_tost"]
        < table.loc["t", "p_tost_holm"]
        == pytest.approx(2 * table.loc["t", "p_tost"])
    )


def test_the_record_in_words() -> None:
    rows = contrast(record(), [("adversarial", "none"), ("random", "none")], margin=0.05)["sentence"]
    assert rows[0].startswith(
        "adversarial is worse than none in validation MSE, but by less than the margin of ±5 %"
    )
    assert "0.00978 against 0.00969, +0.873 %" in rows[0] and "10 pairs of seeds" in rows[0]
    assert rows[1].startswith("random and none do not differ in validation MSE beyond the margin of ±5 %")


def summary_row(mean: float, sd: float, n: int, evaluation: float = 0.0, line_se: float = 0.0) -> dict:
    row = dict.fromkeys(schema.SUMMARY.names, NAN) | {
        "metric": "mse_id",
        "variant": f"at{mean:g}",
        "line": 1.0,
    }
    row |= {"n_diverged": 0, "n": n, "mean": mean, "sd": sd, "distance_to_line": mean - 1.0}
    return row | {"evaluation_variance": evaluation, "line_se": line_se}


def placed(**standings: str) -> pd.DataFrame:
    """against_line.csv with these standings of variants."""
    rows = [
        dict.fromkeys(schema.AGAINST_LINE.names, NAN)
        | {"variant": variant, "metric": "mse_id", "standing": standing}
        for variant, standing in standings.items()
    ]
    return pd.DataFrame(rows, columns=list(schema.AGAINST_LINE.names))


def test_a_standing_is_what_was_tested_and_else_unknown() -> None:
    rows = pd.DataFrame([summary_row(1.1, 0.02, 5), summary_row(0.9, 0.02, 5)])
    assert line_standing(rows, placed(**{"at1.1": "above"})).tolist() == ["above", "unknown"]
    assert line_standing(rows, placed()).tolist() == ["unknown", "unknown"], (
        "an older folder has no such rows"
    )


def test_line_sentence_names_every_side() -> None:
    rows = [
        summary_row(1.2, 0.02, 5),
        summary_row(0.8, 0.02, 5),
        summary_row(1.001, 0.02, 5),
        summary_row(1.3, NAN, 1),
    ]
    tested = placed(**{"at1.2": "above", "at0.8": "below", "at1.001": "indistinguishable"})
    text = line_sentence(pd.DataFrame(rows), reference(1.0), tested)
    assert text.startswith("Against the affine line of two coefficients (in-distribution test MSE 1.00), ")
    assert "at1.2 (+20.0 %) is above it" in text
    assert "at0.8 (−20.0 %) is below it" in text
    assert "at1.001 (+0.100 %) is not told apart" in text
    assert "at1.3 (+30.0 %) is there by the means alone, without a test" in text


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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00969245, "0.00969"),
        (0.0999999, "0.100"),
        (1234.5, "1,230"),
        (999.9, "1,000"),
        (-0.5, "−0.500"),
        (0, "0"),
        (8.5e-5, "8.50 × 10⁻⁵"),
        (4.5612e12, "4.56 × 10¹²"),
        (NAN, "unknown"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.025883, 0.024309, 0.027456), ("0.0259", "0.0243", "0.0275")),  # half-width 0.00157: two digits
        ((0.027371, 0.026422, 0.028320), ("0.0274", "0.0264", "0.0283")),  # 0.00095: rounds to two of them
        ((1.0831, 1.0760, 1.0902), ("1.083", "1.076", "1.090")),  # 0.0071: one, and the last zero stays
        ((0.00951234, 0.0095111, 0.0095136), ("0.0095123", "0.0095111", "0.0095136")),  # 0.00000125: two
        ((0.0271, -0.0464, 0.1006), ("0.03", "−0.05", "0.10")),
        ((-0.0001, -0.02, 0.0198), ("0.000", "−0.020", "0.020")),  # no minus before nothing
        ((3056.0, 3000.0, 3112.0), ("3,056", "3,000", "3,112")),
        ((0.0271, math.nan, math.nan), ("0.0271", "unknown", "unknown")),
        ((0.5, 0.5, 0.5), ("0.500", "0.500", "0.500")),
    ],
)
def test_an_interval_decides_on_the_decimals(values: tuple[float, ...], texts: tuple[str, ...]) -> None:
    assert with_interval(*values) == texts


def test_wording() -> None:
    assert percent(0.008726, signed=True) == "+0.873 %"
    assert percent(-0.008726, signed=True) == "−0.873 %"
    assert percent(-0.99977) == "−99.977 %" and percent(-0.999) == "−99.9 %" and percent(-1.0) == "−100 %"
    assert (p_value(0.0179), p_value(1e-9)) == ("p = 0.018", "p < 0.0001")
    assert (count(1, "pair"), count(1200, "pair")) == ("1 pair", "1,200 pairs")
    assert listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefg")) == "a, b, c, d and 3 more"


def test_live_negatives_are_those_at_the_end_whose_softplus_has_a_slope() -> None:
    def rows(variant: str, phase: float, shares: list[float]) -> list[dict[str, object]]:
        return [{"variant": variant, "phase": phase, "saturation_share": share} for share in shares]

    nan = float("nan")
    profile = pd.DataFrame(
        rows("none", 1.0, [nan, nan])
        + rows("cd", 1.0, [nan, nan])
        + rows("random", 0.1, [0.0, 0.0])
        + rows("random", 1.0, [1.0, 1.0, 0.6, 0.0])
        + rows("deep", 1.0, [0.0, 0.0])
    )
    assert live_shares(profile) == pytest.approx({"random": 0.35, "deep": 1.0})
    assert live_sentence(profile).startswith(
        "Of the negatives, 35 % (random) and 100 % (deep) are live at the end"
    )
    assert live_sentence(profile[profile["variant"] == "none"]) == ""
