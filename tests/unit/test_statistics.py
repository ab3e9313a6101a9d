"""The statistics on known numbers and against independent computations of the same quantities."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import integrate, stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW
from study_tables import NO_REFERENCE, record, reference, runs

from ired import statistics as st
from ired.statistics import contrast, pairs, summarise

RNG = np.random.default_rng(20240)
LEFT, RIGHT = RNG.normal(1.1, 0.2, 9), RNG.normal(1.0, 0.1, 9)
PLANNED = [("adversarial", "none"), ("random", "none"), ("adversarial", "random")]


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """The ten-seed record's contrasts at a margin of 1 %."""
    return contrast(record(), PLANNED, margin=0.01).set_index(["treatment", "baseline"])


def test_record_baseline() -> None:
    row = summarise(record(), NO_REFERENCE).set_index("variant").loc["none"]
    assert row["mean"] == pytest.approx(0.00969245, abs=5e-9)
    assert (row["ci_high"] - row["ci_low"]) / 2 == pytest.approx(1.62e-5, abs=5e-8)
    assert row["n"] == 10


def test_the_records_own_interval_had_no_degree_of_freedom_taken_off() -> None:
    values = record().query("variant == 'none'")["mse_validation"].to_numpy()
    assert stats.norm.ppf(0.975) * values.std(ddof=0) / math.sqrt(10) == pytest.approx(1.33e-5, abs=5e-8)


@pytest.mark.parametrize(
    ("treatment", "baseline", "column", "value", "half_a_digit"),
    [
        ("adversarial", "none", "difference", 8.5e-5, 5e-7),
        ("adversarial", "none", "relative_difference", 0.0087, 5e-5),
        ("adversarial", "none", "p_paired", 2.2e-7, 5e-9),
        ("adversarial", "none", "p_welch", 2.5e-7, 5e-9),
        ("adversarial", "none", "p_tost", 0.036, 5e-4),
        ("random", "none", "difference", 3.8e-5, 5e-7),
        ("random", "none", "p_welch", 0.098, 5e-4),
        ("random", "none", "p_tost", 0.004, 5e-4),
        ("adversarial", "random", "p_welch", 0.051, 5e-4),
        ("adversarial", "random", "p_holm", 0.018, 5e-4),
    ],
)
def test_record(
    published: pd.DataFrame, treatment: str, baseline: str, column: str, value: float, half_a_digit: float
) -> None:
    assert published.loc[(treatment, baseline), column] == pytest.approx(value, abs=half_a_digit)


def test_record_verdicts() -> None:
    """Within 5 % everything is; within 1 % the whole family still is (largest adjusted p .036)."""
    for margin in (0.05, 0.01):
        verdicts = contrast(record(), PLANNED, margin=margin)["verdict"].tolist()
        assert verdicts == ["worse_within_margin", "equivalent", "worse_within_margin"]
    assert contrast(record(), PLANNED, margin=0.008)["verdict"].tolist()[0] == "worse"


def test_t_interval_is_the_closed_form() -> None:
    half = stats.t.ppf(0.975, 8) * LEFT.std(ddof=1) / 3
    assert st.t_interval(LEFT) == pytest.approx((LEFT.mean() - half, LEFT.mean() + half))


def test_paired_t_is_the_intercept_of_a_regression() -> None:
    fit = sm.OLS(LEFT - RIGHT, np.ones(9)).fit()
    outcome = st.paired_test(LEFT, RIGHT)
    assert outcome.p == pytest.approx(fit.pvalues[0])
    assert outcome.interval == pytest.approx(fit.conf_int()[0])


def test_welch_is_that_of_statsmodels() -> None:
    compared = CompareMeans(DescrStatsW(LEFT), DescrStatsW(RIGHT))
    outcome = st.welch_test(LEFT, RIGHT)
    assert outcome.p == pytest.approx(compared.ttest_ind(usevar="unequal")[1])
    assert outcome.interval == pytest.approx(compared.tconfint_diff(usevar="unequal"))


def test_brown_forsythe_is_an_analysis_of_variance_of_distances_to_medians() -> None:
    distances = (np.abs(values - np.median(values)) for values in (LEFT, RIGHT))
    assert st.brown_forsythe(LEFT, RIGHT) == pytest.approx(stats.f_oneway(*distances).pvalue)


def test_tost_is_the_larger_of_two_one_sided_tests() -> None:
    difference, margin = LEFT - RIGHT, 0.3
    error = difference.std(ddof=1) / 3
    one_sided = (
        stats.t.sf((difference.mean() + margin) / error, 8),
        stats.t.cdf((difference.mean() - margin) / error, 8),
    )
    assert st.tost_paired(LEFT, RIGHT, margin) == pytest.approx(max(one_sided))


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_sign_flips_are_all_counted(n: int) -> None:
    difference = (LEFT - RIGHT)[:n]
    means = [abs(np.mean(difference * signs)) for signs in itertools.product((1, -1), repeat=n)]
    share = np.mean(np.array(means) >= abs(difference.mean()) - 1e-12)
    assert st.sign_flip_test(LEFT[:n], RIGHT[:n]) == pytest.approx(share)


def test_sign_flips_with_ties_are_all_counted() -> None:
    """0.1 + 0.2 - 0.3 is not 0 in floating point: sums that tie on paper must tie in the count."""
    difference = np.array([0.1, 0.2, -0.3, 0.1, 0.2, 0.3])
    means = [
        abs(sum(round(10 * d) * s for d, s in zip(difference, signs, strict=True)))
        for signs in itertools.product((1, -1), repeat=6)
    ]
    assert st.sign_flip_test(difference, np.zeros(6)) == pytest.approx(np.mean(np.array(means) >= 6))


def test_many_pairs_sample_sign_flips_reproducibly() -> None:
    left, right = RNG.normal(0.3, 1, 40), np.zeros(40)
    p = st.sign_flip_test(left, right)
    assert p == st.sign_flip_test(left, right)
    assert p == pytest.approx(st.paired_test(left, right).p, abs=0.02)


def test_wilcoxon_enumerated() -> None:
    difference = LEFT - RIGHT
    ranks = stats.rankdata(np.abs(difference))
    observed = min(ranks[difference > 0].sum(), ranks[difference < 0].sum())
    sums = [ranks[np.array(signs, bool)].sum() for signs in itertools.product((0, 1), repeat=9)]
    assert st.wilcoxon_test(LEFT, RIGHT) == pytest.approx(min(1.0, 2 * np.mean(np.array(sums) <= observed)))


def test_hedges_g_is_the_corrected_difference_in_pooled_deviations() -> None:
    pooled = math.sqrt((LEFT.var(ddof=1) + RIGHT.var(ddof=1)) / 2)
    g, _ = st.effect_sizes(LEFT, RIGHT)
    assert g == pytest.approx((LEFT.mean() - RIGHT.mean()) / pooled * (1 - 3 / (4 * 16 - 1)), rel=1e-3)


def test_the_correlation_of_pairs_is_what_pairing_gains() -> None:
    """var(t - b) = var t + var b - 2 r sd t sd b."""
    r = st.pair_correlation(LEFT, RIGHT)
    spread = LEFT.var(ddof=1) + RIGHT.var(ddof=1) - 2 * r * LEFT.std(ddof=1) * RIGHT.std(ddof=1)
    assert (LEFT - RIGHT).var(ddof=1) == pytest.approx(spread)
    assert st.pair_correlation(LEFT, LEFT + 3) == pytest.approx(1) == -st.pair_correlation(LEFT, -LEFT)
    for left, right in ((LEFT[:2], RIGHT[:2]), (LEFT, np.ones_like(LEFT)), (np.empty(0), np.empty(0))):
        assert math.isnan(st.pair_correlation(left, right))


def test_probability_of_improvement_counts_all_cross_pairs() -> None:
    treatment, baseline = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0])
    counted = np.mean([(t < b) + 0.5 * (t == b) for t in treatment for b in baseline])
    assert st.effect_sizes(treatment, baseline)[1] == pytest.approx(counted) == pytest.approx(4.5 / 6)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_detectable_range_holds_the_true_one_as_often_as_it_says(n: int) -> None:
    """In 4,000 studies of pairs whose differences have standard deviation 1."""
    rng, covered, studies = np.random.default_rng(0), 0, 4000
    true = st.minimum_detectable_effect(*fixed_spread(n))
    for _ in range(studies):
        found = st.minimum_detectable_effect(rng.normal(0, 1, n), np.zeros(n))
        low, high = st.detectable_range(n, found)
        covered += low <= true <= high
    assert covered / studies == pytest.approx(0.95, abs=0.015)
    assert all(math.isnan(end) for end in st.detectable_range(1, math.nan))


def fixed_spread(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs whose differences have a standard deviation of exactly 1."""
    values = np.arange(n, dtype=float)
    return values / values.std(ddof=1), np.zeros(n)


@pytest.mark.parametrize("alpha", [0.05, 0.005])
@pytest.mark.parametrize("n", [2, 4, 5, 10])
def test_minimum_detectable_effect_has_eighty_percent_power(n: int, alpha: float) -> None:
    """Power integrated from the normal and chi distributions, without a noncentral t."""
    left = RNG.normal(0, 1, n)
    effect = st.minimum_detectable_effect(left, np.zeros(n), alpha) / left.std(ddof=1)
    critical = stats.t.isf(alpha / 2, n - 1)

    def detected(chi: float) -> float:
        bound = critical * chi / math.sqrt(n - 1)
        shift = effect * math.sqrt(n)
        return (stats.norm.sf(bound - shift) + stats.norm.cdf(-bound - shift)) * stats.chi.pdf(chi, n - 1)

    assert integrate.quad(detected, 0, 50, limit=200)[0] == pytest.approx(0.8, abs=1e-4)


def test_variance_split() -> None:
    values, errors = np.array([1.0, 2.0, 3.0]), np.array([0.3, 0.4, 0.5])
    evaluation, between = st.variance_split(values, errors)
    assert (evaluation, between) == pytest.approx((0.5 / 3, 1 - 0.5 / 3))
    assert st.variance_split(values, 3 * errors)[1] == 0
    assert all(math.isnan(part) for part in st.variance_split(values, np.array([0.3, math.nan, 0.5])))


def test_variance_split_finds_the_simulated_parts() -> None:
    seeds = RNG.normal(0, 2, 4000) + RNG.normal(0, 1, 4000)
    evaluation, between = st.variance_split(seeds, np.ones(4000))
    assert (evaluation, between) == pytest.approx((1, 4), rel=0.15)


def test_an_interval_is_cut_where_no_mean_can_lie() -> None:
    values = np.array([1e-6, 2e-6, 40e-6])
    assert st.t_interval(values).low < 0
    assert st.t_interval(values, lowest=0.0) == (0.0, st.t_interval(values).high)
    assert st.t_interval(LEFT, lowest=0.0) == st.t_interval(LEFT)
    lost = st.summarise(runs({"none": list(values)}), NO_REFERENCE).set_index("metric").loc["mse_id"]
    assert (lost["ci_low"], lost["ci_high"]) == (0.0, pytest.approx(st.t_interval(values).high))


def test_t_interval_covers_95_percent() -> None:
    values = np.random.default_rng(1).normal(0, 1, (2000, 4))
    intervals = [st.t_interval(row) for row in values]
    assert np.mean([low < 0 < high for low, high in intervals]) == pytest.approx(0.95, abs=0.015)


def test_tost_errs_in_at_most_alpha_at_the_edge_of_the_margin() -> None:
    """True difference exactly at the margin: the worst case of a false "equivalent"."""
    left = np.random.default_rng(2).normal(1.0, 0.4, (4000, 6))
    rate = np.mean([st.tost_paired(row, np.zeros(6), 1.0) < 0.05 for row in left])
    assert 0.035 < rate < 0.061


def test_summary_of_the_line_to_beat_and_costs() -> None:
    row = summarise(runs({"a": [1.0, 3.0]}), reference(1.5, 0.25)).iloc[0]
    assert (row["line"], row["line_se"], row["distance_to_line"]) == (1.5, 0.25, 0.5)
    assert (row["madds_per_step"], row["seconds_per_step"]) == (100, 0.1)
    other_size = summarise(runs({"a": [1.0, 3.0]}), reference(1.5, n=20)).iloc[0]
    assert math.isnan(other_size["line"])


def test_statistics_never_import_torch() -> None:
    code = (
        "import sys, ired.statistics, ired.sentences, ired.tables.aggregate; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pairs_are_detected_as_identical_only_up_to_rounding() -> None:
    base = np.array([0.3, 0.1, 0.7])
    assert pairs.identical(base * (1 + 1e-16), base)
    assert not pairs.identical(base * (1 + 1e-9), base)


LADDER = pd.concat(
    reference(mse, n=n, predictor=name, coefficients=k)
    for n, above in ((6, 0.2), (8, 0.05))
    for k, (name, mse) in enumerate((("zero", 1.0), ("mean", 0.5), ("affine", 0.25), ("quadratic", above)))
)


def test_beside_the_margin_stands_one_in_units_of_the_ladder() -> None:
    """At n = 6 one more coefficient gains 0.05, at n = 8 it gains 0.2: two arms on the line (0.25) that differ by 0.005
    are equal within 5 % of the mean (0.0125), and within 5 % of the ladder's step at n = 8 (0.01) but not at n = 6.
    """
    near_line = {
        "none": [0.25, 0.2501, 0.2499, 0.25, 0.25] * 2,
        "mined": [0.255, 0.2552, 0.2548, 0.2549, 0.2551] * 2,
    }
    pair = [("mined", "none")]
    for n, bound, granted in ((6, 0.0025, False), (8, 0.01, True)):
        row = contrast(runs(near_line).assign(n=n), pair, reference=LADDER).iloc[0]
        assert (row["margin"], row["margin_ladder"]) == pytest.approx((0.0125, bound))
        difference = np.subtract(near_line["mined"], near_line["none"])
        error = difference.std(ddof=1) / 10**0.5
        assert row["p_tost_ladder"] == pytest.approx(stats.t.cdf((difference.mean() - bound) / error, 9))
        assert row["verdict"] == "worse_within_margin"  # the margin that was fixed before the runs decides
        assert ("; nor beyond ±0.01" in row["sentence"]) == granted
        assert ("it is not shown (equivalence p = 1" in row["sentence"]) == (not granted)
    no_ladder = contrast(runs(near_line), pair).iloc[0]
    residual = contrast(
        runs(near_line, metric="residual_id"), pair, metrics=["residual_id"], reference=LADDER
    ).iloc[0]
    for row in (no_ladder, residual):
        assert math.isnan(row["margin_ladder"]) and "coefficient" not in row["sentence"]
