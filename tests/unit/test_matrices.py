"""The ensemble and its inverses, the schedule, and the held-out sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from factories import inversion
from ired.base.errors import UserError
from ired.base.streams import Streams, stream
from ired.diffusion.schedule import ScheduleSettings, noise_schedule
from ired.tasks.held_out import SPLITS, HeldOut, draw_split, read_split, write_split
from ired.tasks.inversion import gram, invert, residual_norm

TASK = inversion(n=5)
SMALL = HeldOut(fit_matrices=50, validation_matrices=30, test_matrices=40)


def test_pairs_are_the_ensemble_and_its_inverse_by_numpy() -> None:
    matrix, solution = TASK.draw(Streams([3], step=2), 8, "id")
    r = 2 * torch.rand(8, 5, 5, generator=stream(3, "matrices", 2), dtype=torch.float64).numpy() - 1
    expected = 2 * r @ r.transpose(0, 2, 1) + 0.5 * np.eye(5)
    np.testing.assert_allclose(matrix[0].numpy().reshape(8, 5, 5), expected, rtol=1e-6)
    np.testing.assert_allclose(
        solution[0].numpy().reshape(8, 5, 5), np.linalg.inv(expected), rtol=1e-5, atol=1e-7
    )


def test_the_diagonal_bounds_the_spectrum_from_below() -> None:
    for diagonal, split in ((0.5, "id"), (0.1, "ood")):
        matrix, _ = TASK.draw(Streams([0], step=0), 64, split)
        assert torch.linalg.eigvalsh(matrix.double().unflatten(-1, (5, 5))).min() >= diagonal - 1e-5


def test_inverse_of_a_matrix_with_a_known_spectrum() -> None:
    q, _ = torch.linalg.qr(torch.randn(6, 6, generator=stream(0, "x"), dtype=torch.float64))
    values = torch.tensor([0.1, 0.5, 1, 2, 5, 40], dtype=torch.float64)
    torch.testing.assert_close(invert(q @ values.diag() @ q.T), q @ (1 / values).diag() @ q.T)


def test_gram_does_not_alter_its_argument() -> None:
    factor = torch.ones(2, 3, 3, dtype=torch.float64)
    assert gram(factor, 2.0, 0.5)[0, 0, 0] == 6.5
    assert torch.equal(factor, torch.ones(2, 3, 3, dtype=torch.float64))


def test_residual_of_the_inverse_is_zero_and_of_zero_is_the_identitys_norm() -> None:
    matrix, solution = TASK.draw(Streams([0], step=0), 4, "id")
    assert residual_norm(matrix, solution).max() < 1e-4
    torch.testing.assert_close(residual_norm(matrix, torch.zeros_like(solution)), torch.full((1, 4), 5**0.5))


def test_schedule_follows_the_cosine_and_is_variance_preserving() -> None:
    schedule = noise_schedule(ScheduleSettings(timesteps=10))
    curve = np.cos((np.arange(11) / 10 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(schedule.alpha_bar[:9], (curve / curve[0])[1:10], rtol=1e-5)
    assert schedule.beta[9] == pytest.approx(0.999)
    torch.testing.assert_close(schedule.sqrt_alpha_bar**2 + schedule.sigma**2, torch.ones(10))
    torch.testing.assert_close(schedule.step_size, schedule.beta / (1 - schedule.alpha_bar).sqrt())


def test_noise_and_prediction_are_inverse() -> None:
    schedule = noise_schedule(ScheduleSettings())
    x, e = torch.randn(2, 7, 4, generator=stream(0, "x")), torch.randn(2, 7, 4, generator=stream(0, "e"))
    t = torch.arange(7).expand(2, -1)
    torch.testing.assert_close(
        schedule.predicted_solution(schedule.noised(x, t, e), t, e), x, rtol=1e-3, atol=1e-4
    )


def test_splits_are_reproducible_and_share_no_matrix() -> None:
    drawn = {split: draw_split(split, TASK, SMALL) for split in SPLITS}
    assert {split: len(m) for split, m in drawn.items()} == {
        "fit": 50,
        "validation": 30,
        "test_id": 40,
        "test_ood": 40,
    }
    again = draw_split("test_id", TASK, SMALL)
    assert torch.equal(again.condition, drawn["test_id"].condition)
    rows = torch.cat([m.condition[:30] for m in drawn.values()])
    assert len(rows.unique(dim=0)) == len(rows)
    other = draw_split("test_id", TASK, SMALL.model_copy(update={"seed": 1}))
    assert not torch.equal(other.condition, again.condition)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "test_id.npz"
    write_split("test_id", TASK, SMALL, path)
    return path


def test_a_split_reads_back_and_is_byte_identical_when_made_again(written: Path, tmp_path: Path) -> None:
    matrices = read_split(written, TASK, SMALL)
    assert torch.equal(matrices.condition, draw_split("test_id", TASK, SMALL).condition)
    sidecar = write_split("test_id", TASK, SMALL, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == written.read_bytes()
    assert sidecar["facts"]["eigenvalue_min_q05"] >= 0.5 - 1e-6


@pytest.mark.parametrize(
    "damage",
    ["missing", "truncated", "altered", "sidecar missing", "another problem", "another seed", "another size"],
)
def test_a_damaged_split_is_refused_by_name(written: Path, damage: str) -> None:
    task, settings = TASK, SMALL
    if damage == "missing":
        written.unlink()
    elif damage == "truncated":
        written.write_bytes(written.read_bytes()[:-20])
    elif damage == "altered":
        written.write_bytes(written.read_bytes()[:-1] + b"x")
    elif damage == "sidecar missing":
        written.with_suffix(".json").unlink()
    elif damage == "another problem":
        task = inversion(n=5, diagonal_id=0.7)
    else:
        change = {"seed": 1} if damage == "another seed" else {"test_matrices": SMALL.test_matrices + 1}
        settings = SMALL.model_copy(update=change)
    with pytest.raises(UserError, match="test_id") as caught:
        read_split(written, task, settings)
    assert "\n" not in str(caught.value) and "Snakemake" in str(caught.value)


def test_the_sidecar_records_seed_checksum_and_spectrum(written: Path) -> None:
    sidecar = json.loads(written.with_suffix(".json").read_text())
    assert (
        sidecar["seed"] == 0 and len(sidecar["sha256"]) == 64 and sidecar["facts"]["condition_number_q50"] > 1
    )
