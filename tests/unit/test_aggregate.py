"""Run folders into tables: what comes out, and that equal input gives equal bytes."""

from __future__ import annotations

import cProfile
import json
import pstats
from pathlib import Path

import pandas as pd
import pytest
from run_folders import COST, STEPS, edit_json, experiment, write_reference, write_run, write_study

from ired.base.errors import UserError
from ired.record import schema
from ired.record.metrics import METRICS
from ired.tables.aggregate import aggregate


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path)


def run(root: Path, spec=None, out: str = "out", **options) -> dict[str, pd.DataFrame]:
    return aggregate(
        root / "runs",
        root / "reference.csv",
        root / "reference_errors.npz",
        spec or experiment(),
        root / out,
        **options,
    )


def test_every_table_is_written_with_the_columns_of_its_contract(study: Path) -> None:
    run(study)
    assert {path.name for path in (study / "out").iterdir()} == {
        *(f"{name}.csv" for name in schema.TABLES),
        "provenance.json",
    }
    for name, table in schema.TABLES.items():
        assert tuple(pd.read_csv(study / "out" / f"{name}.csv").columns) == table.names, name
    read = schema.REFERENCE.read
    pd.testing.assert_frame_equal(read(study / "out" / "reference.csv"), read(study / "reference.csv"))


def test_a_run_says_its_task_its_network_and_the_defects_it_was_trained_with(study: Path) -> None:
    run(study)
    told = schema.RUNS.read(study / "out" / "runs.csv")[["task", "network", "shared_clip", "doubled_step"]]
    assert told.drop_duplicates().values.tolist() == [["inversion", "mlp", False, True]]


def test_equal_runs_give_equal_bytes_and_no_temporary_file_stays(study: Path) -> None:
    run(study)
    run(study, out="again")
    for path in (study / "out").iterdir():
        assert path.read_bytes() == (study / "again" / path.name).read_bytes(), path.name
    assert not list(study.rglob("*.tmp"))


def test_runs_that_were_not_diagnosed_make_every_other_table(study: Path) -> None:
    whole = run(study)
    for name in schema.DIAGNOSTICS:
        for path in study.glob(f"runs/*/*/{name}.csv"):
            path.unlink()
    with pytest.raises(UserError, match="files are missing"):
        run(study)
    made = run(study, experiment(diagnosed=False))
    for name, table in made.items():
        if name in schema.DIAGNOSTICS:
            assert not len(table) and len(whole[name]), name
        else:
            pd.testing.assert_frame_equal(table, whole[name])


def test_rows_are_in_the_order_of_the_experiment_and_numbers_pass_unrounded(study: Path) -> None:
    runs = run(study)["runs"]
    written = pd.read_csv(study / "out" / "runs.csv")
    assert list(zip(runs["variant"], runs["seed"], strict=True)) == [
        (variant, seed) for variant in ("none", "random", "adversarial") for seed in (0, 1, 2)
    ]
    metrics = json.loads((study / "runs" / "random" / "seed1" / "metrics.json").read_text())
    row = written[(written["variant"] == "random") & (written["seed"] == 1)].iloc[0]
    assert row["mse_id"] == metrics["test"]["id"]["mse"]
    assert row["mse_ood"] == metrics["test"]["ood"]["mse"]
    assert row["fingerprint"] == "random-1"


def test_learning_curves_count_up_compute_and_time(study: Path) -> None:
    curves = run(study)["learning_curves"]
    row = curves[(curves["variant"] == "adversarial") & (curves["step"] == 50)].iloc[0]
    assert row["madds"] == 50 * COST["adversarial"]
    assert row["seconds"] == pytest.approx(0.5)


def test_summary_takes_the_line_of_its_split_and_size(study: Path) -> None:
    summary = run(study)["summary"].set_index(["metric", "variant"])
    assert summary.loc[("mse_id", "none"), "line"] == pytest.approx(0.0305)
    assert summary.loc[("mse_ood", "none"), "line"] == pytest.approx(0.915)
    assert summary.loc[("residual_id", "none"), ["line"]].isna().all()
    assert summary.loc[("mse_id", "none"), "distance_to_line"] < 0


def test_a_diverged_run_keeps_its_row_and_drops_its_pair(tmp_path: Path) -> None:
    for variant, seed in experiment().runs():
        write_run(tmp_path / "runs", variant.variant, seed, diverged=(variant.variant, seed) == ("random", 1))
    for name in schema.DIAGNOSTICS:
        (tmp_path / "runs" / "random" / "seed1" / f"{name}.csv").unlink()
    result = {"matrices": 9, "mse": 5.0, "mse_se": 1.0, "residual": 9.0}  # of no worth after divergence
    test = {"id": result, "ood": result}
    edit_json(tmp_path / "runs" / "random" / "seed1" / "metrics.json", test=test, mse_validation=7.0)
    write_reference(tmp_path / "reference.csv")
    tables = run(tmp_path)
    lost = tables["runs"].query("variant == 'random' and seed == 1").iloc[0]
    assert lost["status"] == "diverged"
    assert lost["diverged_at"] == STEPS // 2
    assert lost[list(METRICS)].isna().all()
    summary = tables["summary"].set_index(["metric", "variant"]).loc[("mse_id", "random")]
    assert (summary["n"], summary["n_diverged"]) == (2, 1)
    contrast = tables["contrasts"].set_index(["metric", "treatment"]).loc[("mse_id", "random")]
    assert (contrast["n_pairs"], contrast["n_dropped"]) == (2, 1)
    assert "1 pair dropped because a run diverged" in contrast["sentence"]
    assert tables["budget"].set_index("variant")["n"].to_dict() == {"none": 3, "random": 2, "adversarial": 3}


def test_all_runs_diverged_still_makes_every_table(tmp_path: Path) -> None:
    for variant, seed in experiment().runs():
        write_run(tmp_path / "runs", variant.variant, seed, diverged=True)
    write_reference(tmp_path / "reference.csv")
    tables = run(tmp_path)
    assert (tables["summary"]["n_diverged"] == 3).all()
    assert set(tables["contrasts"]["verdict"]) == {"undecided"}


def test_a_sweep_names_its_factor(tmp_path: Path) -> None:
    arms = [{"variant": "none"}, {"variant": "adversarial", "factor": "opt_steps", "level": 5}]
    spec = experiment(variants=arms, comparisons=[("adversarial", "none")])
    tables = run(write_study(tmp_path, spec), spec)
    assert tables["runs"].set_index("variant").loc["adversarial", "level"].tolist() == [5, 5, 5]
    assert set(tables["summary"].query("variant == 'adversarial'")["factor"]) == {"opt_steps"}
    assert set(tables["contrasts"]["n_pairs"]) == {3}


def test_provenance_counts_runs_by_commit(study: Path) -> None:
    edit_json(study / "runs" / "none" / "seed0" / "provenance.json", git="def")
    run(study)
    merged = json.loads((study / "out" / "provenance.json").read_text())
    assert merged["git"] == [{"runs": 8, "value": "abc"}, {"runs": 1, "value": "def"}]
    assert merged["runs"] == {"finished": 9}


def test_four_times_the_runs_take_about_four_times_the_work(tmp_path: Path) -> None:
    """Counted in calls of functions; quadratic work would take sixteen times as many."""
    calls = []
    for variants in (4, 16):
        arms = [{"variant": f"v{index}"} for index in range(variants)]
        spec = experiment(
            variants=arms, seeds=list(range(8)), comparisons=[(f"v{k}", "v0") for k in range(1, variants)]
        )
        root = tmp_path / str(variants)
        for variant, seed in spec.runs():
            write_run(root / "runs", variant.variant, seed, strategy="none")
        write_reference(root / "reference.csv")
        with cProfile.Profile() as profile:
            assert len(run(root, spec)["runs"]) == 8 * variants
        calls.append(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]
    assert calls[1] < 5 * calls[0], calls
