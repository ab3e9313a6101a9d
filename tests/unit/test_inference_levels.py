"""The error along inference ends where the answers that are reported end."""

from __future__ import annotations

from pathlib import Path

import pytest

from factories import tiny_config
from ired.diagnostics.inference_levels import compute
from ired.diagnostics.subject import Subject
from ired.job.train import Execution, train_and_publish
from ired.tasks import build_task
from ired.tasks.held_out import SPLITS, write_split
from ired.training.stopping import Stopper


def test_the_last_level_is_the_answer(tmp_path: Path) -> None:
    config = tiny_config()
    for split in SPLITS:
        write_split(split, build_task(config.problem), config.held_out, tmp_path / f"data/{split}.npz")
    train_and_publish(
        [config], [tmp_path / "run"], Execution(tmp_path / "data", tmp_path / "state"), Stopper()
    )
    subject = Subject(tmp_path / "run", tmp_path / "data", 50)
    table = compute(subject)
    for split, (problems, answer) in subject.answers.items():
        rows = table[table["split"] == split].set_index("t")
        assert list(rows.index) == list(range(9, -1, -1))
        expected = (answer - problems.solution).double().square().mean().item()
        assert rows.loc[0, "mse"] == pytest.approx(expected, rel=1e-6)
        assert rows["mse"].nunique() > 5 and rows["line_mse"].nunique() == 1
