"""The title of a figure is what its tables say: decided, undecided, missing, and never more than the verdict."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from figure_checks import artists, texts, unreadable
from ired.figures import FIGURES, draw, figure, title
from ired.figures.toolkit.output import save
from ired.record import schema
from ired.sentences import VERDICTS
from synthetic_design import ABLATION, STUDY, SWEEP, Design
from synthetic_tables import Tables, make_tables

SPEAKING = tuple(name for name in FIGURES if figure(name).message is not None)
CLAIMS = re.compile(
    r"\b(better|worse|without a difference|ahead|behind|below|above|falls|rises|lower|higher|saved|wasted)\b"
)
SHARES = ("energy_gap", "false_negatives", "negative_variety")  # measurements, which compare nothing


@pytest.fixture(scope="module")
def study() -> Tables:
    return make_tables()


def undecided(tables: Tables) -> Tables:
    """The same estimates, of which no test and no interval decides anything."""
    wide = {
        end: value
        for prefix in ("", "equal_step_")
        for end, value in ((f"{prefix}ci_low", -9.0), (f"{prefix}ci_high", 9.0))
    }
    return {
        **tables,
        "contrasts": tables["contrasts"].assign(verdict="undecided", p_holm=0.5, p_tost_holm=0.9),
        "budget": tables["budget"].assign(**wide),
        "against_line": tables["against_line"].assign(standing="unknown"),
        "effects": tables["effects"].assign(verdict="undecided", p_holm=0.9),
        "multipliers": tables["multipliers"].assign(verdict="undecided", p_holm=0.9),
    }  # fmt: skip


@pytest.mark.parametrize("name", SPEAKING)
@pytest.mark.parametrize("design", [STUDY, SWEEP, ABLATION], ids=["study", "sweep", "ablation"])
def test_no_title_claims_what_is_undecided(name: str, design: dict) -> None:
    tables = undecided(make_tables(Design(design)))
    said = title(name, tables)
    assert not CLAIMS.search(said), said
    assert (
        said == figure(name).title
        or name in SHARES
        or re.search("undecided|not told apart|is not shown", said)
    )


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_without_rows_or_tables_keeps_its_name(name: str, study: Tables) -> None:
    assert title(name, {table: frame.iloc[:0] for table, frame in study.items()}) == figure(name).title
    assert title(
        name, {table: study[table] for table in figure(name).tables if table not in figure(name).says}
    ) == (figure(name).title)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_contrast_is_titled_with_its_verdict(verdict: str, study: Tables) -> None:
    """`random` gets one verdict, all others the opposite of a claim: a title that mixed them up would be seen."""
    rows = study["contrasts"]
    rows = rows.assign(verdict=np.where(rows["treatment"] == "random", verdict, "undecided"))
    said = title("paired_differences", {"contrasts": rows})
    words = {
        "better": "random better", "worse": "random worse",
        "better_within_margin": "random better by less than the margin",
        "worse_within_margin": "random worse by less than the margin",
        "equivalent": "random without a difference beyond the margin",
        "undecided": "random and adversarial undecided",
    }  # fmt: skip
    assert (
        words[verdict] in said and "Test error against none in distribution and out of distribution" in said
    )
    assert ("adversarial undecided" in said) and ("margin" in said) == ("margin" in words[verdict])


def test_test_sets_that_differ_are_told_apart(study: Tables) -> None:
    rows = study["contrasts"]
    rows = rows.assign(verdict=np.where(rows["metric"] == "mse_id", "undecided", "worse"))
    assert title("paired_differences", {"contrasts": rows}) == (
        "Test error against none in distribution: random and adversarial undecided. "
        "Out of distribution: random and adversarial worse"
    )


def test_the_curves_say_what_the_headline_says(study: Tables) -> None:
    """Equal steps by the contrast's verdict, equal compute by the intervals of budget.csv."""
    tables = undecided(study)
    order = tables["budget"]["variant"]
    apart = tables["budget"].assign(
        ci_low=np.where(order == "random", 2.0, 0.0), ci_high=np.where(order == "random", 3.0, 1.0)
    )
    tables["budget"] = apart
    said = title("learning_curves", tables)
    assert said == (
        "random against none: in-distribution test MSE undecided at equal steps; "
        "validation error behind at equal compute"
    )
    assert title("budget", tables) == (
        "Validation error of random against none: not told apart at equal steps, behind at equal compute"
    )


def test_the_line_is_named_only_for_variants_that_were_tested(study: Tables) -> None:
    table = study["against_line"]
    here = table["metric"] == "mse_id"
    mixed = table.assign(standing="unknown")
    mixed.loc[here & (table["variant"] == "none"), "standing"] = "below"
    said = title("strategy_comparison", {**study, "against_line": mixed})
    assert "none below the affine line; random and adversarial untested" in said
    every = title("strategy_comparison", {**study, "against_line": table.assign(standing="above")})
    assert every == "Test error in distribution: all 3 variants above the affine line"


def test_a_multiplier_is_titled_with_its_verdict(study: Tables) -> None:
    rows = study["multipliers"]
    arm = rows["arm"].iloc[0]
    mixed = rows.assign(verdict=np.where(rows["arm"] == arm, "wastes", "undecided"))
    assert f"wasted by {arm}; undecided for" in title("worth_multipliers", {"multipliers": mixed})


def test_shares_are_means_at_the_end_of_training() -> None:
    profile = pd.DataFrame(
        [
            (v, p, s)
            for v, early, late in (("a", 0.9, 0.004), ("b", 0.1, 0.25))
            for p, s in ((0.5, early), (1.0, late))
        ],
        columns=["variant", "phase", "misranked_share"],
    )
    said = title("energy_gap", {"energy_profile": profile})
    assert said == "At the end of training 0.4 % (a) and 25 % (b) of the negatives are ranked the wrong way"


def test_a_title_stands_on_the_page_and_the_svg_leaves_it_to_the_heading(tmp_path, study: Tables) -> None:
    rows = study["contrasts"].assign(treatment="a_variant_with_a_long_name_of_its_own")
    long = title("paired_differences", {"contrasts": pd.concat([rows, study["contrasts"]])})
    figure_ = draw("learning_curves", study)
    (heading,) = artists(figure_, "title")
    assert " ".join(heading.get_text().split()) == title("learning_curves", study)
    assert unreadable(figure_) == [] and len(long) > 80
    page = save(figure_, tmp_path / "f")[2].read_text()
    assert "at equal steps;" not in page and "at equal compute</text>" in page
    width, height = (
        float(size) for size in re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', page).groups()
    )
    assert width == pytest.approx(504) and height < 72 * figure_.get_figheight() - 10
    assert heading.get_visible(), "the next format has its title again"
    assert any("equal steps" in text for text in texts(figure_))


def test_every_table_that_a_title_needs_is_known() -> None:
    for name in SPEAKING:
        assert set(figure(name).says) <= set(schema.TABLES | schema.WORTH), name
