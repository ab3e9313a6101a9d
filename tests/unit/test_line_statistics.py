"""The test against the predictor to beat: paired over matrices, on errors whose components are known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from study_tables import runs

from ired.statistics.contrasts import contrast
from ired.statistics.crossed import crossed
from ired.statistics.line import against_line, interquartile_mean


def made(
    rng: np.random.Generator, seeds: int, matrices: int, sds: tuple[float, float, float], mean: float = 0.0
) -> np.ndarray:
    """(S, M) of mean + seed + matrix + both, with those standard deviations."""
    seed, matrix, both = sds
    return (
        mean
        + rng.normal(0, seed, (seeds, 1))
        + rng.normal(0, matrix, (1, matrices))
        + rng.normal(0, both, (seeds, matrices))
    )


@pytest.mark.parametrize("sds", [(0.3, 1.0, 1.0), (0.0, 1.0, 0.1), (0.3, 0.0, 0.5), (0.05, 2.0, 1.0)])
def test_its_interval_covers_the_mean_whatever_varies(sds: tuple[float, float, float]) -> None:
    rng, studies, covered = np.random.default_rng(0), 1000, 0
    for _ in range(studies):
        found = crossed(made(rng, 5, 60, sds))
        covered += abs(found.mean) <= stats.t.ppf(0.975, found.df) * found.se
    assert 0.93 <= covered / studies <= 0.985, "Satterthwaite's degrees of freedom err to the safe side"


def test_the_shares_are_those_of_the_components() -> None:
    values = made(np.random.default_rng(1), 200, 300, (0.5, 1.0, 2.0))
    found = crossed(values)
    parts = np.array([0.25 / 200, 1 / 300, 4 / 60_000])
    assert (found.seeds, found.matrices, found.both) == pytest.approx(tuple(parts / parts.sum()), abs=0.06)
    assert found.se == pytest.approx(math.sqrt(parts.sum()), rel=0.1)


def test_a_model_on_the_lines_own_matrices_is_told_from_it_where_unpaired_errors_could_not() -> None:
    """Errors correlate .999 with the line's, as those of a network on the line do; the difference of 2 % is real."""
    rng = np.random.default_rng(2)
    line = rng.exponential(1.0, 500)
    errors = line * 1.02 + rng.normal(0, 0.02, (5, 500))
    unpaired = 0.02 / math.sqrt(2 * line.var(ddof=1) / 500)
    row = against_line({"none": {"id": pd.DataFrame(errors)}}, {"id": line}, {"none": "none"}).iloc[0]
    assert unpaired < 0.5 and row["standing"] == "above"
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert row["difference"] == pytest.approx((errors - line).mean())


def test_a_network_that_is_the_line_is_seldom_told_from_it() -> None:
    rng, studies, claims = np.random.default_rng(3), 300, 0
    for _ in range(studies):
        line = rng.exponential(1.0, 80)
        table = against_line(
            {"a": {"id": pd.DataFrame(line + made(rng, 5, 80, (0.1, 0.2, 0.2)))}}, {"id": line}, {"a": "none"}
        )
        claims += table["standing"].iloc[0] != "indistinguishable"
    assert claims / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


def test_lost_answers_are_counted_with_their_exact_rate() -> None:
    line = np.linspace(0.5, 1.0, 100)
    errors = np.tile(line, (4, 1))
    errors[2, 7] = 50.0
    row = against_line({"a": {"id": pd.DataFrame(errors)}}, {"id": line}, {"a": "none"}).iloc[0]
    exact = stats.binomtest(1, 400).proportion_ci(0.95, method="exact")
    assert row["lost"] == 1 and (row["lost_low"], row["lost_high"]) == pytest.approx((exact.low, exact.high))
    assert row["median"] == pytest.approx(np.median(errors.mean(0)))


def test_the_interquartile_mean_is_the_middle_halfs() -> None:
    assert interquartile_mean(np.array([0.0, 1, 2, 3, 4, 5, 6, 1000])) == 3.5


def test_one_seed_is_not_placed() -> None:
    line = np.linspace(0.5, 1.0, 20)
    row = against_line({"a": {"id": pd.DataFrame(line[None] * 2)}}, {"id": line}, {"a": "none"}).iloc[0]
    assert row["standing"] == "unknown" and math.isnan(row["p"])


def test_a_contrast_has_the_matrices_in_its_crossed_interval() -> None:
    """Two variants over equal seeds and matrices: seeds in another order, and one that only one of them finished."""
    rng = np.random.default_rng(4)
    difference = made(rng, 6, 40, (0.0, 1.0, 0.1), mean=0.3)
    base = rng.exponential(1.0, (7, 40))
    left = pd.DataFrame(base[:6] + difference, index=range(6)).iloc[::-1]
    errors = {"t": {"id": left}, "b": {"id": pd.DataFrame(base, index=range(7))}}
    table = contrast(
        runs({"t": left.sort_index().mean(axis=1).tolist(), "b": base.mean(1).tolist()}),
        [("t", "b")],
        errors=errors,
    )
    row = table.set_index("metric").loc["mse_id"]
    by_matrix, reach = difference.mean(0), row["crossed_high"] - row["difference"]
    assert row["difference"] == pytest.approx(difference.mean())
    assert reach == pytest.approx(row["difference"] - row["crossed_low"])
    assert reach == pytest.approx(stats.t.ppf(0.975, 39) * by_matrix.std(ddof=1) / math.sqrt(40), rel=0.05)
    assert row["matrix_share"] > 0.9 and reach > 5 * (row["ci_high"] - row["difference"])
    apart = {"t": {"id": left.loc[[0, 1]]}, "b": {"id": errors["b"]["id"].loc[[5, 6]]}}
    strangers = contrast(
        runs({"t": [1.0, 2.0], "b": [1.0, 3.0]}, seeds={"t": [0, 1], "b": [5, 6]}), [("t", "b")], errors=apart
    )
    assert strangers["n_pairs"].eq(0).all() and strangers["crossed_low"].isna().all()
    without = contrast(runs({"t": [1.0, 2.0], "b": [1.0, 3.0]}), [("t", "b")])
    assert without[["crossed_low", "crossed_high", "matrix_share"]].isna().all(axis=None)
