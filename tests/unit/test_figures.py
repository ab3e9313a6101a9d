"""Figures: structure, labels, colours, and that no text covers another, on made-up tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from figure_checks import artists, texts, unreadable
from ired.base.format_numbers import number
from ired.figures import FIGURES, caption, draw, figure
from ired.figures.compat_2x2 import compat_cells
from ired.figures.paired_differences import adjusted_interval
from ired.figures.toolkit.sheet import COLUMN, PAGE
from ired.record import schema
from synthetic_design import ABLATION, COMPAT, CROWD, LABELS, STUDY, SWEEP, Arm, Design
from synthetic_tables import Tables, make_tables, write_tables

LONG = {
    "none": Arm("none", 0.0192),
    "conditioning_aware_opt_steps=10_noise_scale=0.05": Arm("conditioning_aware", 0.0191, 2, 1.0),
    "corrected_adversarial_with_a_long_name": Arm("corrected_adversarial", 0.0193, 2, 1.2),
}
WORTH = tuple(name for name in FIGURES if name.startswith("worth_"))
APART = ("sweep", "cd_ablation", "compat_2x2", "published_table", *WORTH)
MAIN = tuple(name for name in FIGURES if name not in APART)
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
    "worth": (Design(), WORTH),
    "compat": (Design(COMPAT), ("compat_2x2", "false_negatives")),
    "published": (Design(), ("published_table",)),
}


@pytest.fixture(scope="module")
def study() -> Tables:
    return make_tables()


def test_synthetic_tables_keep_to_the_contract(study: Tables) -> None:
    for name, table in schema.TABLES.items():
        assert set(table.frame(study[name]).columns) == set(table.names)


def test_every_figure_is_looked_at() -> None:
    assert {name for _, names in CASES.values() for name in names} == set(FIGURES)


@pytest.mark.parametrize("case", CASES)
def test_no_text_of_any_figure_covers_another_or_leaves_the_page(case: str) -> None:
    design, names = CASES[case]
    tables = make_tables(design)
    for name in names:
        assert unreadable(draw(name, tables)) == [], (name, case)


COLUMN_CASES = ("study", "crowd", "long_names", "sweep", "ablation", "worth", "compat", "published")


@pytest.mark.parametrize("case", COLUMN_CASES)
def test_every_figure_is_read_in_one_column_of_a_page(case: str) -> None:
    """Printed as drawn, 3.4 inches wide: no text below 5 points, on another, or beyond the edge; and no longer than a
    column."""
    design, names = CASES[case]
    tables = make_tables(design)
    for name in names:
        if not figure(name).fits_column:
            continue
        drawn = draw(name, tables, column=True)
        assert drawn.get_figwidth() == COLUMN and unreadable(drawn) == [], (name, case)
        assert min(text.get_fontsize() for text in drawn.findobj(Text)) >= 5, (name, case)
        assert drawn.get_figheight() < 9.5 or case in ("crowd", "long_names"), (name, case)


def test_a_figure_of_many_panels_or_rows_stays_as_wide_as_the_page(study: Tables) -> None:
    wide = {name for name in MAIN if not figure(name).fits_column}
    assert wide == {"conditioning", "giveaways", "gradient_conflict", "published_reproduced"}
    assert all(draw(name, study, column=True).get_figwidth() == PAGE for name in wide)


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
    for figure_name in ("strategy_comparison", "learning_curves", "budget", "cd_ablation"):
        figure = draw(figure_name, study)
        written = " ".join(texts(figure))
        drawn = {line.get_gid().split(":")[1] for line in artists(figure, "reference:")}
        assert "affine" in drawn, figure_name
        for line in drawn:
            assert line in LABELS.values() and line in written, (figure_name, line)


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
    assert np.allclose(drawn, 100 * np.sort(runs["random"] - runs["none"]) / row["baseline_mean"])
    (band,) = {round(float(bar.get_width()), 6) for bar in artists(figure, "margin")}
    assert band == pytest.approx(200 * row["margin_relative"])  # one band, straight through all rows
    assert any(str(row["verdict"]) in text for text in texts(figure))


def test_the_thin_bar_of_a_difference_agrees_with_its_verdict(study: Tables) -> None:
    """Against SciPy's interval, at a level where Holm's p is ALPHA by construction."""
    rng = np.random.default_rng(0)
    pairs = rng.normal(0.4, 0.5, 7)
    found = stats.ttest_1samp(pairs, 0)
    low, high = found.confidence_interval(0.95)
    row = {"difference": pairs.mean(), "ci_low": low, "ci_high": high, "n_pairs": 7, "p_paired": found.pvalue}
    alone = adjusted_interval(row | {"p_holm": found.pvalue})
    assert alone == pytest.approx((low, high))
    third = adjusted_interval(row | {"p_holm": 3 * found.pvalue})
    assert third == pytest.approx(tuple(found.confidence_interval(1 - 0.05 / 3)))
    edge = adjusted_interval(row | {"p_holm": 0.05})  # significant at exactly ALPHA: it ends at zero
    assert edge[0] == pytest.approx(0, abs=1e-9)
    for metric, axes in zip(("mse_id", "mse_ood"), draw("paired_differences", study).axes, strict=True):
        rows = study["contrasts"].query(f"metric == '{metric}'")
        for line, p_holm in zip(artists(axes, "adjusted"), rows["p_holm"], strict=True):  # type: ignore[arg-type]
            left, right = line.get_xdata()
            assert (left > 0 or right < 0) == (p_holm < 0.05)


def test_few_seeds_are_lines_and_many_a_band() -> None:
    few, many = (draw("learning_curves", make_tables(Design(seeds=n))) for n in (3, 4))
    assert len(artists(few, "seed")) == 2 * 3 * 3 and not artists(few, "band")
    assert len(artists(many, "band")) == 2 * 3 and not artists(many, "seed")


def test_error_sizes_are_over_those_of_the_line(study: Tables) -> None:
    figure = draw("error_sizes", study)
    rows = study["error_sizes"].query("split == 'id' and variant == 'none'")
    wanted = (rows["squared_error"] / rows["affine_squared_error"]).groupby(rows["quantile"]).mean()
    drawn = artists(figure.axes[0], "curve")[0]  # type: ignore[arg-type]
    assert np.allclose(drawn.get_ydata(), wanted) and np.allclose(drawn.get_xdata(), wanted.index)
    assert number(study["error_sizes"].query("split == 'id'")["squared_error"].max()) in str(
        figure.axes[0].get_xlabel()
    )


def test_learning_curves_have_a_curve_and_a_band_per_variant_and_panel(study: Tables) -> None:
    figure = draw("learning_curves", study)
    assert len(artists(figure, "curve")) == len(artists(figure, "band")) == 2 * 3
    steps, compute = (axes.lines[0].get_xdata()[-1] for axes in figure.axes)
    assert steps == 3000
    assert compute == pytest.approx(study["learning_curves"].query("variant == 'none'")["madds"].max())
    for name in STUDY:
        assert name in texts(figure)


def test_conditioning_has_a_row_per_mined_variant_and_both_objects(study: Tables) -> None:
    figure = draw("conditioning", study)
    assert len(figure.axes) == 2 * 5
    assert all(len(artists(axes, "curve")) == 2 for axes in figure.axes)  # type: ignore[arg-type]


def test_a_caption_counts_the_seeds_that_reached_the_end_of_training(study: Tables) -> None:
    """A run that stops early has no later phase: it is not among those that the figure shows."""
    table = study["conditioning"]
    early = (table["variant"] == "adversarial") & (table["seed"] > 0) & (table["phase"] == 1)
    assert "n = 5 seeds" in caption("conditioning", study)
    assert "n = 1 to 5 seeds" in caption("conditioning", study | {"conditioning": table[~early]})
    gone = (table["variant"] == "adversarial") & (table["phase"] == 1)
    assert "n = 0 to 5 seeds" in caption("conditioning", study | {"conditioning": table[~gone]})


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
    tables = {name: schema.TABLES[name].read(folder / f"{name}.csv") for name in ("runs", "summary")}
    labels = [t.get_text() for t in draw("sweep", tables).axes[0].get_xticklabels()]
    assert labels == ["1", "3", "5", "10", "20"]


def test_compat_cells_are_what_the_runs_say_and_not_their_names() -> None:
    cells = compat_cells(make_tables(Design(COMPAT))["runs"])
    assert cells == {name: arm.defects for name, arm in COMPAT.items() if arm.strategy == "adversarial"}


def test_hardness_benefit_has_a_point_per_mined_variant(study: Tables) -> None:
    tables = make_tables(CASES["sweep"][0])
    figure = draw("hardness_benefit", tables)
    assert len(artists(figure, "mean")) == 2 * 5
    gain = (
        -100 * tables["contrasts"].query("metric == 'mse_id' and baseline == 'none'")["relative_difference"]
    )
    drawn = [float(line.get_ydata()[0]) for line in artists(figure, "mean")[:5]]
    assert drawn == pytest.approx(gain.tolist())
    said = " ".join(" ".join(texts(draw("hardness_benefit", study))).split())
    assert "fewer points look like a relation" in said


def test_published_values_are_drawn_as_they_stand(study: Tables) -> None:
    figure = draw("published_reproduced", study)
    diamonds = [line.get_xdata()[0] for line in artists(figure.axes[0], "mean")]  # type: ignore[arg-type]
    assert diamonds == [0.0112, 0.0108, 0.0095]
    record = artists(figure.axes[0], "seeds")  # type: ignore[arg-type]
    assert sum(len(line.get_xdata()) for line in record) == 30


def test_published_values_of_another_task_are_not_drawn(study: Tables) -> None:
    """Beside runs of completion stand the published completions, and their line is copying."""
    runs = study["runs"].assign(task="completion")
    assert "No published values to compare with." in texts(
        draw("published_reproduced", study | {"runs": runs})
    )
    published = study["published"].assign(task="completion")
    written = texts(draw("published_reproduced", study | {"runs": runs, "published": published}))
    assert any(text.startswith("copy") for text in written)


def test_the_predictor_to_beat_is_called_by_its_own_name(study: Tables) -> None:
    reference = study["reference"].assign(label=study["reference"]["label"].replace("affine", "copy"))
    assert any("that of affine" in text for text in texts(draw("error_sizes", study)))
    assert any(
        "that of copy" in text for text in texts(draw("error_sizes", study | {"reference": reference}))
    )


def test_the_published_table_marks_what_is_published_and_what_is_trained(study: Tables) -> None:
    figure = draw("published_table", study)
    assert len(figure.axes) == 2 * 2 and len(artists(figure, "interval")) == 2 * (2 + 1)
    assert artists(figure.axes[0], "mean")[1].get_xdata()[0] == 0.0174  # type: ignore[arg-type]
    assert any(text.startswith("← sum") for text in texts(figure))


def test_a_level_whose_matrices_are_singular_has_no_band_and_the_others_do(study: Tables) -> None:
    table = study["conditioning"].copy()
    table.loc[(table["t"] == 3) & (table["sample"] == "negative"), "log10_cond_q90"] = np.nan
    assert texts(draw("conditioning", study | {"conditioning": table}))
