"""Verdicts and sentences: what each may say, and under which numbers."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from study_tables import BASE, NOISE, placed, record, reference, runs

from ired.base.format_numbers import count, listed, p_value, percent
from ired.record import schema
from ired.sentences import (
    VERDICTS,
    line_sentence,
    line_standing,
    verdict,
)
from ired.sentences.live import live_sentence, live_shares
from ired.statistics import contrast

NAN = math.nan


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
