"""One family of tests a page: adjusted p-values against other texts of the procedure, and pages without an effect."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from study_tables import runs

from ired.statistics import contrast, effects, holm, judged, nominate

DIFFERS = {"better", "worse", "better_within_margin", "worse_within_margin", "lower", "higher"}
LEVELS = [1.0, 2.0, 4.0, 8.0]
COMPARISONS = [("mined", "none"), ("random", "none"), *((f"mined_depth={level}", "none") for level in LEVELS)]


def test_equal_shares_are_holms_procedure_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    for size in (2, 3, 12):
        p = rng.random(size) ** 3
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == pytest.approx([0.2]) and holm([]).size == 0


def test_a_test_that_could_not_be_made_still_counts() -> None:
    assert holm([0.01, math.nan, 0.02]) == pytest.approx([0.03, math.nan, 0.04], nan_ok=True)


def test_unequal_shares_are_the_closed_test_of_weighted_bonferroni() -> None:
    """Bonferroni with weights tests every intersection of hypotheses; a hypothesis falls with all that hold it."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        p, w = rng.random(5) ** 3, rng.random(5) + 0.1
        closed = [
            max(
                min(1.0, min(p[k] * sum(w[list(subset)]) / w[k] for k in subset))
                for size in range(1, 6)
                for subset in itertools.combinations(range(5), size)
                if own in subset
            )
            for own in range(5)
        ]
        np.testing.assert_allclose(holm(p, w), closed)


def page(rng: np.random.Generator, effect: float = 0.0, seeds: int = 10) -> dict[str, pd.DataFrame]:
    """A study of three arms and a sweep, both test errors: seeds share a part, and so do the two errors of a run.

    effect: by which `mined` lies above the rest.
    """
    names = ["none", "random", "mined", *(name for name, _ in COMPARISONS[2:])]
    common, own = rng.normal(1.0, 0.02, seeds), rng.normal(0, 0.02, (2, len(names), seeds))
    errors = common + own[:1] + 0.5 * own[1:] + effect * (np.array(names) == "mined")[None, :, None]
    table = runs({name: list(values) for name, values in zip(names, errors[0], strict=True)})
    ood = {name: list(values) for name, values in zip(names, common + own[0] - 0.5 * own[1], strict=True)}
    table["mse_ood"] = runs(ood)["mse_id"]
    table["mse_validation"] = table["mse_id"] + rng.normal(0, 0.01, len(table))
    level = table["variant"].str.partition("=")[2]
    table["level"] = pd.to_numeric(level.where(level != ""))
    table["base"] = np.where(table["level"].notna(), "mined", None)
    table["factor"] = np.where(table["level"].notna(), "negatives.depth", None)
    return judged(
        {
            "contrasts": contrast(table, COMPARISONS, 0.01, accompany=False),
            "effects": effects(table),
            "nominations": nominate(table, COMPARISONS, 0.01),
        }
    )


def claims(tables: dict[str, pd.DataFrame]) -> int:
    """How many differences a page claims, in all of its tables."""
    return sum(int(table["verdict"].isin(DIFFERS).sum()) for table in tables.values())


def test_of_pages_on_which_nothing_differs_at_most_5_percent_say_anything() -> None:
    """2,000 pages of 30 tests that share seeds and a baseline, by scipy's t-test: the primary contrast of one arm
    against a baseline, and 29 others. Of primary contrasts alone at most 5 % err as well, and the family is not timid.
    """
    rng, pages, seeds = np.random.default_rng(3), 2000, 5
    arms = rng.normal(size=(pages, 31, seeds)) + rng.normal(size=(pages, 1, seeds))
    p_values = stats.ttest_1samp(arms[:, 1:] - arms[:, :1], 0.0, axis=-1).pvalue
    shares = np.array([0.5, *[0.5 / 29] * 29])
    adjusted = np.array([holm(p, shares) for p in p_values])
    share = float((adjusted < 0.05).any(axis=1).mean())
    assert stats.binomtest(round(share * pages), pages, 0.05, alternative="greater").pvalue > 0.001
    assert share > 0.02
    assert (p_values < 0.05).any(axis=1).mean() > 0.3  # so the adjustment had something to do


def test_the_tables_of_a_page_claim_what_its_adjusted_p_values_allow() -> None:
    """A few whole pages, null and not: every verdict of a difference has an adjusted p below 5 %, and the reverse where
    there are seeds enough for a verdict: a nominee is judged on five of ten."""
    for entropy, effect in ((4, 0.0), (5, 0.0), (6, 0.3)):
        tables = page(np.random.default_rng(entropy), effect)
        for table in tables.values():
            enough = table["n" if "n" in table else "n_pairs"] >= 10
            assert (table["verdict"].isin(DIFFERS) == (table["p_holm"] < 0.05) & enough).all()
        assert list(tables["nominations"]["n_pairs"]) == [5]
        assert (claims(tables) > 0) == (effect > 0)


def test_what_a_page_claims_is_in_its_sentences_and_an_effect_is_found() -> None:
    tables = page(np.random.default_rng(4), effect=0.3)
    rows = tables["contrasts"].set_index(["metric", "treatment"])
    assert rows.loc[("mse_id", "mined"), "verdict"] == "worse"
    assert "is worse than none" in rows.loc[("mse_id", "mined"), "sentence"]
    assert set(rows.index.get_level_values("metric")) == {
        "mse_id",
        "mse_ood",
    }  # validation selects; it is no finding


def test_half_of_the_level_is_the_primary_contrasts_and_all_else_shares_the_other_half() -> None:
    tables = page(np.random.default_rng(5))
    contrasts, others = tables["contrasts"], [*tables["effects"]["p"], *tables["nominations"]["p_paired"]]
    first = (contrasts["metric"] == "mse_id") & (contrasts["treatment"] == "mined")
    assert list(contrasts["primary"]) == list(contrasts["treatment"] == "mined")
    p = [*contrasts["p_paired"], *others]
    shares = np.where([*first, *([False] * len(others))], 0.5, 0.5 / (len(p) - 1))
    found = [*contrasts["p_holm"], *tables["nominations"]["p_holm"], *tables["effects"]["p_holm"]]
    order = [*range(len(contrasts)), len(p) - 1, *range(len(contrasts), len(p) - 1)]  # as `found` has them
    np.testing.assert_allclose(found, holm(p, shares)[order])
    assert (
        contrasts.loc[first, "p_holm"].item() <= min(1, 2 * contrasts.loc[first, "p_paired"].item()) + 1e-12
    )


def test_experiments_that_share_a_page_have_one_primary_contrast() -> None:
    rng = np.random.default_rng(6)
    pages = [page(rng, effect=0.3), page(rng)]
    both = judged({name: pd.concat([p[name] for p in pages], ignore_index=True) for name in pages[0]})
    twice = judged({name: pd.concat([table, table], ignore_index=True) for name, table in pages[0].items()})
    for name, table in pages[0].items():  # a test that stands in two experiments of a page is one test
        np.testing.assert_allclose(twice[name]["p_holm"].iloc[: len(table)], table["p_holm"])
    half = len(pages[0]["contrasts"])
    alone, together = pages[1]["contrasts"], both["contrasts"].iloc[half:].reset_index(drop=True)
    assert (together["p_holm"] >= alone["p_holm"] - 1e-12).all()
    assert (together["p_holm"] > alone["p_holm"]).any()
