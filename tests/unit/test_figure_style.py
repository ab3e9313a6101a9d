"""One visual language: colours, markers, names and labels that keep apart."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation

from figure_checks import artists, fresh_environment, texts, unreadable
from ired.figures import draw
from ired.figures.toolkit.axes import EvenDecimals
from ired.figures.toolkit.labels import spread
from ired.figures.toolkit.powers import PlainPowers
from ired.figures.toolkit.style import STRATEGY_COLOURS, strategy_colour
from ired.figures.toolkit.variants import roster, variant_label, variant_styles
from synthetic_design import ABLATION, CROWD, STUDY, SWEEP, Design
from synthetic_tables import Tables, make_tables


@pytest.fixture(scope="module")
def study() -> Tables:
    return make_tables()


def test_a_strategy_has_one_colour_in_every_figure() -> None:
    tables = make_tables()
    for name in ("strategy_comparison", "budget", "learning_curves", "error_sizes"):
        figure = draw(name, tables)
        used = {line.get_color() for gid in ("seeds", "curve", "mean") for line in artists(figure, gid)}
        used |= {line.get_markerfacecolor() for line in artists(figure, "mean")}
        assert {strategy_colour("random"), strategy_colour("adversarial")} <= used, name


def test_variants_share_the_colour_and_differ_in_marker() -> None:
    styles = variant_styles(make_tables(Design(SWEEP))["summary"])
    family = [style for name, style in styles.items() if name != "none"]
    assert len({style.marker for style in family}) == len({style.colour for style in family}) == len(family)
    crowd = variant_styles(make_tables(Design(CROWD, seeds=3))["summary"])
    assert crowd["adversarial"].colour == strategy_colour("adversarial")


def test_a_variant_looks_the_same_where_another_one_is_missing() -> None:
    """A diverged variant has no diagnostics; the shades and markers of the others must not move up."""
    tables = make_tables(Design(ABLATION))
    profile = tables["energy_profile"]
    tables["energy_profile"] = profile[profile["variant"] != "cd_langevin"]
    whole = variant_styles(tables["runs"])
    with roster(tables["runs"]):
        part = variant_styles(tables["energy_profile"])
    assert part and part == {variant: whole[variant] for variant in part}
    assert variant_styles(tables["energy_profile"]) != part, "the roster makes the difference"
    drawn = {line.get_color() for line in artists(draw("false_negatives", tables), "curve")}
    assert drawn == {style.colour for style in part.values()}


def test_levels_of_a_sweep_are_named_by_their_level_and_are_one_ramp() -> None:
    """Also the level that is a variant of its own, trained once under that name."""
    design = Design({name.removesuffix("_opt_steps=5"): arm for name, arm in SWEEP.items()})
    styles = variant_styles(make_tables(design)["runs"])
    assert [style.label for style in styles.values()] == [
        "none", *(f"opt_steps={k}" for k in (1, 3, 5, 10, 20)),
    ]  # fmt: skip
    light = [sum(to_rgb(style.colour)) for style in list(styles.values())[1:]]
    assert light == sorted(light, reverse=True)
    assert "opt_steps=5\n(5 pairs)" in texts(draw("paired_differences", make_tables(design)))


@pytest.mark.parametrize(
    ("values", "exponent", "expected"),
    [
        ([0.02, 0.025, 0.03], 0, ["0.020", "0.025", "0.030"]),
        ([-0.005, 0.0, 0.005], 0, ["−0.005", "0", "0.005"]),
        ([0, 500, 1000], 0, ["0", "500", "1,000"]),
        ([0, 2e11, 4e11], 11, ["0", "2", "4"]),
    ],
)
def test_ticks_of_an_axis_have_equally_many_decimals(
    values: list[float], exponent: int, expected: list[str]
) -> None:
    assert EvenDecimals(exponent).format_ticks(values) == expected


def test_a_strategy_has_one_marker_in_every_experiment() -> None:
    """Whatever stands before it: an experiment without `random` gave `adversarial` its marker."""
    own = Design({"none": STUDY["none"], "adversarial": STUDY["adversarial"]})
    for name in ("none", "adversarial"):
        found = {
            variant_styles(make_tables(design)["runs"])[name].marker
            for design in (own, Design(), Design(CROWD))
        }
        assert len(found) == 1, name
    figure = draw("paired_differences", make_tables())
    assert {line.get_marker() for line in artists(figure, "mean")} == {"s", "^"}


@pytest.mark.parametrize(
    "design", [Design(), Design(CROWD, seeds=3), Design(ABLATION)], ids=["study", "crowd", "parts"]
)
def test_curves_of_one_panel_differ_in_marker_or_dash_so_grey_paper_tells_them_apart(design: Design) -> None:
    tables = make_tables(design)
    for name in ("learning_curves", "error_sizes", "error_directions", "inference_levels"):
        for axes in draw(name, tables).axes:
            curves = [line for line in axes.get_lines() if line.get_gid() == "curve"]
            looks = {(line.get_marker(), line.get_linestyle(), str(line._dash_pattern)) for line in curves}
            assert len(looks) == len(curves), name
            assert all(line.get_marker() != "None" for line in curves), name


def test_hardness_is_set_against_one_baseline() -> None:
    """A contrast between two variants with negatives is not a benefit over the baseline."""
    study = make_tables(Design(SWEEP))
    rows = study["contrasts"]
    names = rows["treatment"].unique()
    other = rows[rows["treatment"] == names[0]].assign(baseline=names[1], difference=99.0)
    tables = {**study, "contrasts": pd.concat([other, rows], ignore_index=True)}
    drawn = [float(line.get_ydata()[0]) for line in artists(draw("hardness_benefit", tables), "mean")]
    assert drawn == [float(line.get_ydata()[0]) for line in artists(draw("hardness_benefit", study), "mean")]
    assert any("same as\nnone" in text for text in texts(draw("hardness_benefit", tables)))


def test_a_variant_not_validated_by_then_is_not_said_to_have_no_seeds(study: Tables) -> None:
    table = study["budget"].copy()
    dear = table["variant"] == "adversarial"
    table.loc[dear, "n"] = 0
    table.loc[dear, ["mse_validation_mean", "ci_low", "ci_high"]] = np.nan
    figure = draw("budget", {**study, "budget": table})
    assert unreadable(figure) == []
    assert "adversarial\n(no validation yet\nat equal compute)" in texts(figure)


def test_unknown_strategies_get_a_lasting_colour() -> None:
    assert strategy_colour("curriculum") == strategy_colour("curriculum") not in STRATEGY_COLOURS.values()
    code = "from ired.figures.toolkit.style import strategy_colour; print(strategy_colour('curriculum'))"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=fresh_environment("7")
    )
    assert other.stdout.strip() == strategy_colour("curriculum")


def test_main_strategies_stay_apart_for_colour_blind_readers() -> None:
    # Viénot, Brettel & Mollon (1999): linear RGB as seen without red- or green-sensitive cones.
    blind = {
        "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
        "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
    }
    for kind, matrix in blind.items():
        seen = {
            name: matrix @ np.array([c**2.2 for c in to_rgb(STRATEGY_COLOURS[name])])
            for name in ("none", "random", "adversarial", "langevin", "mixed")
        }
        for (a, one), (b, two) in itertools.combinations(seen.items(), 2):
            difference = np.clip(one, 0, 1) ** (1 / 2.2) - np.clip(two, 0, 1) ** (1 / 2.2)
            distance = np.linalg.norm(difference)
            assert distance > 0.12, (kind, a, b)


def test_long_names_wrap_and_lose_nothing() -> None:
    label = variant_label("adversarial_opt_steps=10", "adversarial")
    assert label == "adversarial\nopt_steps=10"
    assert variant_label("none", "none") == "none"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-50, 150), st.floats(1, 12)), min_size=1, max_size=8),
)
def test_spread_labels_never_overlap(boxes: list[tuple[float, float]]) -> None:
    wanted, sizes = [w for w, _ in boxes], [s for _, s in boxes]
    centres = spread(wanted, sizes, 0, 100)
    order = np.argsort(centres)
    for a, b in itertools.pairwise(order):
        assert centres[b] - centres[a] >= (sizes[a] + sizes[b]) / 2 - 1e-6
    assert all(c - s / 2 >= -1e-6 and c + s / 2 <= 100 + 1e-6 for c, s in zip(centres, sizes, strict=True))


def test_spread_leaves_free_labels_alone() -> None:
    assert spread([10.0, 90.0], [5.0, 5.0], 0, 100) == [10.0, 90.0]


@pytest.mark.parametrize(
    ("value", "label"), [(1e-5, "10⁻⁵"), (6e-5, "6×10⁻⁵"), (1000.0, "10³"), (-100.0, "−10²"), (1.0, "10⁰")]
)
def test_powers_of_ten_are_plain_letters(value: float, label: str) -> None:
    formatter = PlainPowers(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
    formatter.set_axis(Figure().subplots().yaxis)
    formatter.set_locs([value])
    assert formatter(value, 0) == label


def test_no_figure_sets_mathematics() -> None:
    tables = make_tables()
    for name in ("beyond", "inference_levels", "conditioning", "worth_tuning", "energy_gap"):
        assert not [text for text in texts(draw(name, tables)) if "$" in text], name
