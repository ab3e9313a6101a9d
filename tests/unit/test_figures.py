"""Figures: structure, labels, colours, and that no text covers another, on made-up tables."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from figure_checks import artists, texts, unreadable
from ired import columns
from ired.errors import UserError
from ired.figures.axes import EvenDecimals
from ired.figures.captions import caption
from ired.figures.compat import compat_cells
from ired.figures.design import Arm as DesignArm
from ired.figures.design import Design as ExperimentDesign
from ired.figures.labels import spread
from ired.figures.output import draw_figures, read_table, save
from ired.figures.registry import FIGURES, draw, figures_of
from ired.figures.style import (
    RC,
    STRATEGY_COLOURS,
    roster,
    strategy_colour,
    variant_label,
    variant_styles,
)
from ired.study import ResolvedStudy
from synthetic_design import ABLATION, COMPAT, CROWD, STUDY, SWEEP, Arm, Design
from synthetic_tables import Tables, make_tables, write_tables

LONG = {
    "none": Arm("none", 0.0192),
    "conditioning_aware_opt_steps=10_noise_scale=0.05": Arm("conditioning_aware", 0.0191, 2, 1.0),
    "corrected_adversarial_with_a_long_name": Arm("corrected_adversarial", 0.0193, 2, 1.2),
}
MAIN = tuple(name for name in FIGURES if name not in ("sweep", "cd_ablation", "compat_2x2"))
ROWS = ("strategy_comparison", "paired_differences", "budget", "published_reproduced")
CASES: dict[str, tuple[Design, tuple[str, ...]]] = {
    "study": (Design(), MAIN),
    "one_seed": (Design(seeds=1), MAIN),
    "two_seeds": (Design(seeds=2), ROWS),
    "diverged": (Design(diverged=frozenset({("adversarial", 1), ("adversarial", 3)})), ROWS),
    "one_arm_diverged": (Design(diverged=frozenset(("random", seed) for seed in range(5))), MAIN),
    "only_none": (Design({"none": STUDY["none"]}), MAIN),
    "crowd": (Design(CROWD, seeds=3), MAIN),
    "long_names": (Design(LONG), (*MAIN, "cd_ablation")),
    "near_ties": (
        Design({n: Arm(a.strategy, 0.03, a.cost, a.distance) for n, a in STUDY.items()}, spread=1e-5),
        ROWS,
    ),
    "sweep": (Design(SWEEP), ("sweep", "learning_curves", "hardness_benefit", *ROWS)),
    "ablation": (Design(ABLATION), ("cd_ablation", "energy_gap")),
    "compat": (Design(COMPAT), ("compat_2x2", "false_negatives")),
}


@pytest.fixture(scope="module")
def study() -> Tables:
    return make_tables()


def test_synthetic_tables_keep_to_the_contract(study: Tables) -> None:
    for name in ("runs", "summary", "contrasts", "learning_curves", "budget"):
        assert tuple(study[name].columns) == getattr(columns, name.upper()), name
    for name in ("conditioning", "energy_profile", "error_directions"):
        assert tuple(study[name].columns) == columns.RUN_KEYS + getattr(columns, name.upper()), name


def test_every_figure_is_looked_at() -> None:
    assert {name for _, names in CASES.values() for name in names} == set(FIGURES)


@pytest.mark.parametrize("case", CASES)
def test_no_text_of_any_figure_covers_another_or_leaves_the_page(case: str) -> None:
    design, names = CASES[case]
    tables = make_tables(design)
    for name in names:
        assert unreadable(draw(name, tables)) == [], (name, case)


def test_the_check_itself_sees_overlaps_and_leavers() -> None:
    figure = Figure(figsize=(3, 2))
    figure.text(0.5, 0.5, "one")
    assert unreadable(figure) == []
    figure.text(0.52, 0.5, "two")
    figure.text(0.98, 0.1, "three")
    assert len(unreadable(figure)) == 2


@pytest.mark.parametrize("name", FIGURES)
def test_a_table_without_rows_gives_a_note(name: str, study: Tables) -> None:
    empty = {table: frame.iloc[:0] for table, frame in study.items()}
    figure = draw(name, empty)
    assert any(len(text) > 20 for text in texts(figure))
    assert caption(name, empty)


def test_strategy_comparison_shows_every_seed_mean_and_interval(study: Tables) -> None:
    figure = draw("strategy_comparison", study)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "in distribution (ID)",
        "out of distribution (OOD)",
    ]
    assert sum(len(line.get_xdata()) for line in artists(figure, "seeds")) == 2 * 3 * 5
    assert len(artists(figure, "mean")) == len(artists(figure, "interval")) == 2 * 3
    assert "MSE" in figure.axes[0].get_xlabel()


def test_reference_lines_are_all_labelled(study: Tables) -> None:
    names = {
        "zero": "zero",
        "mean": "mean",
        "affine": "affine",
        "polynomial2": "quadratic",
        "polynomial3": "cubic",
    }
    for figure_name in ("strategy_comparison", "learning_curves", "budget", "cd_ablation"):
        figure = draw(figure_name, study)
        written = " ".join(texts(figure))
        drawn = {line.get_gid().split(":")[1] for line in artists(figure, "reference:")}
        assert "affine" in drawn, figure_name
        for line in drawn:
            assert names[line] in written, (figure_name, line)


def test_an_affine_line_off_the_axis_is_named_with_an_arrow() -> None:
    far = {name: Arm(arm.strategy, 0.002, arm.cost, arm.distance) for name, arm in STUDY.items()}
    figure = draw("strategy_comparison", make_tables(Design(far, spread=1e-5)))
    assert not [line for line in artists(figure, "reference:affine") if line.axes is figure.axes[0]]
    assert any(text.startswith("→ affine") for text in texts(figure))


def test_diverged_runs_are_counted_at_the_axis_and_in_the_caption() -> None:
    tables = make_tables(CASES["diverged"][0])
    figure = draw("strategy_comparison", tables)
    assert any("n = 3, 2 diverged" in text for text in texts(figure))
    assert any("2 dropped" in text for text in texts(draw("paired_differences", tables)))
    assert "2 runs diverged" in caption("strategy_comparison", tables)


def test_one_seed_has_a_point_and_no_interval() -> None:
    figure = draw("strategy_comparison", make_tables(Design(seeds=1)))
    assert len(artists(figure, "mean")) == 6
    assert artists(figure, "interval") == []
    assert "n = 1 seed per variant" in caption("strategy_comparison", make_tables(Design(seeds=1)))


def test_paired_differences_show_pairs_margin_and_verdict(study: Tables) -> None:
    figure = draw("paired_differences", study)
    assert sum(len(line.get_xdata()) for line in artists(figure, "seeds")) == 2 * 2 * 5
    assert len(artists(figure, "margin")) == len(artists(figure, "verdict")) == 4
    row = study["contrasts"].iloc[0]
    drawn = np.sort(artists(figure, "seeds")[0].get_xdata())
    runs = study["runs"].pivot_table(index="seed", columns="variant", values="mse_id")
    assert np.allclose(drawn, np.sort(runs["random"] - runs["none"]))
    assert any(str(row["verdict"]) in text for text in texts(figure))


def test_learning_curves_have_a_curve_and_a_band_per_variant_and_panel(study: Tables) -> None:
    figure = draw("learning_curves", study)
    assert len(artists(figure, "curve")) == len(artists(figure, "band")) == 2 * 3
    steps, compute = (axes.lines[0].get_xdata()[-1] for axes in figure.axes)
    assert steps == 3000
    assert compute == pytest.approx(study["learning_curves"].query("variant == 'none'")["madds"].max())
    for name in STUDY:
        assert name in texts(figure)


def test_conditioning_has_a_row_per_mined_variant_and_three_quantities(study: Tables) -> None:
    figure = draw("conditioning", study)
    assert len(figure.axes) == 2 * 3
    assert all(len(artists(axes, "curve")) == 2 for axes in figure.axes)  # type: ignore[arg-type]


def test_energy_gap_has_one_line_per_phase(study: Tables) -> None:
    figure = draw("energy_gap", study)
    assert len(artists(figure, "curve")) == 2 * 2 * 3
    assert "after 10 % of training" in texts(figure)


def test_sweep_uses_a_log_axis_where_levels_span_decades_and_shows_the_baseline() -> None:
    figure = draw("sweep", make_tables(CASES["sweep"][0]))
    assert figure.axes[0].get_xscale() == "log"
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["1", "3", "5", "10", "20"]
    assert len(artists(figure, "baseline")) == 2
    words = {f"s_{w}": Arm("semi_hard", 0.02, 1, 1, "shape", w) for w in ("cosine", "linear")}
    assert draw("sweep", make_tables(Design(words))).axes[0].get_xscale() == "linear"


def test_sweep_survives_csv(tmp_path: Path) -> None:
    folder = write_tables(make_tables(CASES["sweep"][0]), tmp_path, "laptop", "opt_steps")
    tables = {name: read_table(folder / f"{name}.csv") for name in ("runs", "summary")}
    labels = [t.get_text() for t in draw("sweep", tables).axes[0].get_xticklabels()]
    assert labels == ["1", "3", "5", "10", "20"]


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        (["adversarial_fixed", "adversarial_u1", "adversarial_u2", "adversarial_u1_u2"],
         [(0, 0), (1, 0), (0, 1), (1, 1)]),
        (["adversarial", "adversarial_shared_clip", "adversarial_doubled_step", "adversarial_released"],
         [(0, 0), (1, 0), (0, 1), (1, 1)]),
        (["adversarial", "adversarial_release_compat.shared_clip=true"], [(0, 0), (1, 0)]),
    ],
)  # fmt: skip
def test_compat_cells_are_read_from_names(variants: list[str], expected: list[tuple[int, int]]) -> None:
    rows = [{"variant": v, "strategy": "adversarial", "level": np.nan} for v in variants]
    cells = compat_cells(pd.DataFrame([{"variant": "none", "strategy": "none", "level": np.nan}, *rows]))
    assert "none" not in cells
    assert [tuple(map(int, cells[v])) for v in variants] == expected


def test_hardness_benefit_has_a_point_per_mined_variant(study: Tables) -> None:
    figure = draw("hardness_benefit", study)
    assert len(artists(figure, "mean")) == 2 * 2
    gain = -100 * study["contrasts"].query("metric == 'mse_id'")["relative_difference"]
    drawn = [float(line.get_ydata()[0]) for line in artists(figure, "mean")[:2]]
    assert drawn == pytest.approx(gain.tolist())


def test_published_values_are_drawn_as_they_stand(study: Tables) -> None:
    figure = draw("published_reproduced", study)
    diamonds = [line.get_xdata()[0] for line in artists(figure.axes[0], "mean")]  # type: ignore[arg-type]
    assert diamonds == [0.0112, 0.0108, 0.0095]
    record = artists(figure.axes[0], "seeds")  # type: ignore[arg-type]
    assert sum(len(line.get_xdata()) for line in record) == 30


# --- one visual language ----------------------------------------------------------------------------------


def test_a_strategy_has_one_colour_in_every_figure() -> None:
    tables = make_tables()
    for name in ("strategy_comparison", "budget", "learning_curves", "hardness_benefit", "error_directions"):
        figure = draw(name, tables)
        used = {line.get_color() for gid in ("seeds", "curve", "mean") for line in artists(figure, gid)}
        used |= {line.get_markerfacecolor() for line in artists(figure, "mean")}
        assert {strategy_colour("random"), strategy_colour("adversarial")} <= used, name


def test_variants_share_the_colour_and_differ_in_marker() -> None:
    styles = variant_styles(make_tables(CASES["sweep"][0])["summary"])
    family = [style for name, style in styles.items() if name != "none"]
    assert len({style.marker for style in family}) == len({style.colour for style in family}) == len(family)
    assert variant_styles(make_tables(CASES["crowd"][0])["summary"])["adversarial"].colour == strategy_colour(
        "adversarial"
    )


def test_a_variant_looks_the_same_where_another_one_is_missing() -> None:
    """A diverged variant has no diagnostics; the shades and markers of the others must not move up."""
    tables = make_tables(CASES["ablation"][0])
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


def test_hardness_is_set_against_one_baseline(study: Tables) -> None:
    """A contrast between two variants with negatives is not a benefit over the baseline."""
    rows = study["contrasts"]
    other = rows[rows["treatment"] == "adversarial"].assign(baseline="random", difference=99.0)
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
    code = "from ired.figures.style import strategy_colour; print(strategy_colour('curriculum'))"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment("7")
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


# --- captions, files, errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIGURES)
def test_captions_state_n_interval_and_test(name: str, study: Tables) -> None:
    words = caption(name, study)
    assert "n = 5" in words and "{" not in words
    assert "95 %" in words or "range of the seeds" in words or "10 to 90 %" in words
    assert "test is made" in words or "t-test" in words or "No test" in words


def test_saving_twice_gives_the_same_bytes(tmp_path: Path, study: Tables) -> None:
    folder = write_tables(study, tmp_path, "laptop", "main")
    for seed in ("1", "2"):
        code = (
            "import sys; from pathlib import Path; from ired.figures.output import draw_figures\n"
            "folder, out = map(Path, sys.argv[1:])\n"
            f"draw_figures(['paired_differences', 'energy_gap'], folder, out, processes={seed})"
        )
        command = [sys.executable, "-c", code, str(folder), str(tmp_path / seed)]
        subprocess.run(command, check=True, env=_environment(seed))
    for name in ("paired_differences.png", "paired_differences.pdf", "energy_gap.png", "energy_gap.pdf"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
    assert b"CreationDate" not in (tmp_path / "1" / "energy_gap.pdf").read_bytes()


def test_a_prefix_may_hold_a_dot(tmp_path: Path, study: Tables) -> None:
    written = save(draw("budget", study), tmp_path / "budget.v2")
    assert [path.name for path in written] == ["budget.v2.pdf", "budget.v2.png"]


def test_draw_figures_reads_what_the_pipeline_wrote(tmp_path: Path, study: Tables) -> None:
    folder = write_tables(study, tmp_path, "laptop", "main")
    written = draw_figures(
        ["strategy_comparison", "published_reproduced"],
        folder,
        tmp_path / "figures",
        folder.parent / "reference.csv",
        tmp_path / "published" / "published_results.csv",
    )
    assert len(written) == 4 and all(path.stat().st_size > 1000 for path in written)


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("registry", {"torch", "pandas", "matplotlib", "scipy"}),  # planning asks it for names
        ("output", {"torch", "matplotlib.pyplot", "scipy.stats"}),
    ],
)
def test_figures_import_no_more_than_they_need(module: str, never: set[str]) -> None:
    code = f"import sys, ired.figures.{module}; print(*({never!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment("0")
    )
    assert done.stdout.strip() == ""


def test_text_of_a_saved_figure_is_text_in_a_truetype_font(tmp_path: Path, study: Tables) -> None:
    """Type 42 in the PDF, no Type 3; and letters, not outlines, in an SVG."""
    figure = draw("paired_differences", study)
    pdf = save(figure, tmp_path / "figure")[0].read_bytes()
    assert pdf.count(b"/CIDFontType2") + pdf.count(b"/Subtype /TrueType") >= 2  # regular and bold
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    with mpl.rc_context(RC):
        figure.savefig(tmp_path / "figure.svg")
    assert "no difference</text>" in (tmp_path / "figure.svg").read_text()


# --- which figures an experiment gets ---------------------------------------------------------------------


def test_an_experiment_gets_the_figures_it_has_something_to_show_for() -> None:
    none, random = DesignArm("none"), DesignArm("random", "random", "nce")
    mined = DesignArm("adversarial", "adversarial", "nce")
    against = (("random", "none"), ("adversarial", "none"))
    main = figures_of(ExperimentDesign((none, random, mined), against))
    assert main == [name for name in FIGURES if name not in ("sweep", "cd_ablation", "compat_2x2")]

    levels = [DesignArm(f"adversarial_opt_steps={k}", "adversarial", "cd", level=True) for k in (1, 2)]
    swept = figures_of(ExperimentDesign((none, *levels), tuple((arm.variant, "none") for arm in levels)))
    assert swept[0] == "sweep" and "cd_ablation" not in swept and "hardness_benefit" in swept
    assert figures_of(ExperimentDesign((mined, DesignArm("cd", "langevin", "cd"))))[0] == "cd_ablation"
    defect = DesignArm("adversarial_u1", "adversarial", "nce", (True, False))
    assert figures_of(ExperimentDesign((none, mined, defect), (("adversarial_u1", "adversarial"),)))[:2] == [
        "compat_2x2",
        "paired_differences",
    ]
    # Without negatives there is nothing to diagnose, without contrasts nothing to subtract.
    plain = figures_of(ExperimentDesign((none, DesignArm("none_early")), ()))
    assert plain == ["strategy_comparison", "learning_curves", "error_directions"]


def test_every_experiment_opens_with_a_figure_of_its_result(repository: Path) -> None:
    values = yaml.safe_load((repository / "config.yaml").read_text())
    study = ResolvedStudy(values)
    first = {name: study.figures(name)[0] for name in values["experiments"]}
    shows = {"sweep": "sweep", "cd_ablation": "cd_ablation", "released_defects": "compat_2x2"}
    for name, experiment in values["experiments"].items():
        kind = "sweep" if "sweep" in experiment else name
        assert first[name] == shows.get(kind, "strategy_comparison"), name
        assert "learning_curves" in study.figures(name) and "paired_differences" in study.figures(name)
    assert "published_reproduced" in study.figures("strategies")


def test_a_list_in_the_configuration_overrides_the_choice(repository: Path) -> None:
    values = yaml.safe_load((repository / "config.yaml").read_text())
    values["experiments"]["strategies"]["figures"] = ["budget"]
    assert ResolvedStudy(values).figures("strategies") == ["budget"]


def test_mistakes_are_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no figure is called 'strategy_comparision'"):
        draw("strategy_comparision", {})
    with pytest.raises(UserError, match="needs the table runs, summary"):
        draw("sweep", {})
    with pytest.raises(UserError, match="is missing"):
        read_table(tmp_path / "runs.csv")
    (tmp_path / "runs.csv").write_text("")
    with pytest.raises(UserError, match="is not a table"):
        read_table(tmp_path / "runs.csv")


def _environment(hash_seed: str) -> dict[str, str]:
    """The environment of a fresh process: the same package, another order of sets."""
    source = str(Path(__file__).parents[2] / "src")
    return {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": source}
