"""errors.npz: what the metrics are means of, tied to its run, and refused when damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import run

import ired
from factories import tiny_config
from ired.record.errors import read_errors, write_errors
from ired.record.read import FileFault


def test_a_runs_metrics_are_the_means_of_its_errors_and_its_answers_have_them(
    sets: Path, tmp_path: Path
) -> None:
    folder = run(tiny_config(), sets, tmp_path)
    loaded = ired.load(folder)
    for split, test in json.loads((folder / "metrics.json").read_text())["test"].items():
        errors = loaded.errors[split].astype(np.float64)
        assert loaded.errors[split].dtype == np.float32 and len(errors) == test["matrices"]
        assert errors.mean() == pytest.approx(test["mse"], rel=1e-6)
        assert errors.std(ddof=1) / len(errors) ** 0.5 == pytest.approx(test["mse_se"], rel=1e-6)
        with np.load(sets / f"test_{split}.npz") as problems:
            n = loaded.config.problem.n
            answers = loaded.solve(problems["condition"].reshape(-1, n, n)).reshape(len(errors), -1)
            np.testing.assert_allclose(np.square(answers - problems["solution"]).mean(1), errors, rtol=1e-4)


def test_a_diverged_run_has_no_errors(sets: Path, tmp_path: Path) -> None:
    training = tiny_config().training.model_dump() | {"divergence_bound": 1e-9}
    folder = run(tiny_config(training=training), sets, tmp_path)
    assert json.loads((folder / "metrics.json").read_text())["status"] == "diverged"
    assert {name: len(values) for name, values in ired.load(folder).errors.items()} == {"id": 0, "ood": 0}


def test_the_predictors_errors_are_those_behind_reference_csv(sets: Path, tmp_path: Path) -> None:
    config = tiny_config()
    text = json.dumps({"problem": config.problem.model_dump(), "held_out": config.held_out.model_dump()})
    words = ("--config", text, "--data", str(sets), "--out", "reference.csv", "--errors", "errors.npz")
    subprocess.run([sys.executable, "-m", "ired", "reference", *words], cwd=tmp_path, check=True)
    errors = read_errors(tmp_path / "errors.npz")
    table = np.genfromtxt(tmp_path / "reference.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert len(table) == len(errors)
    for row in table:
        assert errors[f"{row['predictor']}.{row['split']}"].mean() == pytest.approx(
            row["mse"], rel=1e-5, abs=1e-12
        )


def test_equal_errors_are_equal_bytes_and_damage_is_told(tmp_path: Path) -> None:
    path, values = tmp_path / "errors.npz", {"id": np.arange(50.0), "ood": np.ones(50)}
    write_errors(path, values, "abc")
    whole = path.read_bytes()
    write_errors(path, values, "abc")
    assert path.read_bytes() == whole
    np.testing.assert_array_equal(read_errors(path, "abc")["id"], np.arange(50, dtype=np.float32))
    with pytest.raises(FileFault, match="configuration abc, not abd"):
        read_errors(path, "abd")
    place = whole.index(np.float32(49.0).tobytes())
    for damaged in (whole[:-30], whole[:place] + b"\x01" + whole[place + 1 :], b"", b"no archive"):
        path.write_bytes(damaged)
        with pytest.raises(FileFault, match="not an archive of errors"):
            read_errors(path)
    path.unlink()
    with pytest.raises(FileFault, match="is missing"):
        read_errors(path)
