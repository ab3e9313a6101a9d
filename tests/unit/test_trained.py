"""A finished run as its user asks it, from the shipped weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ired
from ired.base.errors import UserError
from ired.base.hashing import fingerprint


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(__file__).parents[2] / "results/shipped/laptop/runs/none/seed0"


def matrices(count: int, n: int) -> np.ndarray:
    r = np.random.default_rng(n).uniform(-1, 1, (count, n, n))
    return 2 * r @ r.transpose(0, 2, 1) + 0.5 * np.eye(n)


def test_the_shipped_run_inverts_as_its_metrics_say(folder: Path) -> None:
    run, given = ired.load(folder), matrices(200, 20)
    answers = run.solve(given)
    errors = np.square(answers - np.linalg.inv(given)).mean((1, 2))
    stated = run.metrics["test"]["id"]["mse"]
    assert abs(errors.mean() - stated) < 4 * errors.std() / len(errors) ** 0.5
    residual = np.linalg.norm(given @ answers - np.eye(20), axis=(1, 2))
    np.testing.assert_allclose(run.residual(given, answers), residual, rtol=1e-3)
    assert run.history["mse_validation"].iloc[-1] == pytest.approx(run.metrics["mse_validation"])


def test_one_matrix_and_a_stack(folder: Path) -> None:
    run, given = ired.load(folder), matrices(3, 20)
    assert run.solve(given[0]).shape == (20, 20) and run.solve(given).shape == (3, 20, 20)
    truth = np.linalg.inv(given)
    assert np.ndim(run.energy(given[0], truth[0], 0)) == 0
    assert (run.energy(given, truth, 0) < run.energy(given, -truth, 0)).all()


def test_other_sizes(folder: Path) -> None:
    """Better at n = 30, never seen, than the best a I + b A fitted there on the same matrices."""
    given = matrices(40, 30)
    truth = np.linalg.inv(given)
    error = np.square(ired.load(folder).solve(given) - truth).mean()
    basis = np.stack([np.broadcast_to(np.eye(30), given.shape).ravel(), given.ravel()], 1)
    line = truth.ravel() - basis @ np.linalg.lstsq(basis, truth.ravel(), rcond=None)[0]
    assert error < np.square(line).mean() / 5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.ones(4), "square matrices"),
        (np.ones((2, 3)), "square matrices"),
        (np.full((3, 3), np.nan), "not finite"),
        (np.ones((2, 2, 3, 3)), "one problem has (3, 3)"),
    ],
)
def test_what_is_no_problem_is_refused(folder: Path, given: np.ndarray, says: str) -> None:
    with pytest.raises(UserError) as caught:
        ired.load(folder).solve(given)
    assert says in str(caught.value)


def test_weights_of_another_network_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    shutil.copytree(folder, other)
    config = json.loads((other / "config.json").read_text())
    config["network"]["channels"] = 5
    (other / "config.json").write_text(json.dumps(config))
    metrics = json.loads((other / "metrics.json").read_text()) | {"fingerprint": fingerprint(config)}
    (other / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(UserError, match="weights of another network"):
        ired.load(other)


def test_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "A.npy", matrices(2, 20))
    command = [sys.executable, "-m", "ired", "solve", folder, tmp_path / "A.npy", "--out", tmp_path / "X.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "residual" in done.stdout, done.stderr
    expected = np.linalg.inv(np.load(tmp_path / "A.npy"))
    assert np.square(np.load(tmp_path / "X.npy") - expected).mean() < 0.001
    (tmp_path / "A.npy").write_text("no array")
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 78 and failed.stderr.count("\n") == 1
