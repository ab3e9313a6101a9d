"""Diagnostics of whole runs: what they draw, what they leave behind, what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from factories import inversion, tiny_config
from ired.base.errors import UserError
from ired.base.streams import Streams
from ired.diagnostics.energy_profile import (
    path_statistics,
)
from ired.diagnostics.energy_profile import profile as profile_of
from ired.diagnostics.run import diagnose
from ired.diagnostics.subject import Level
from ired.diffusion.descent import Descent
from ired.job.build import build_engine, build_parts
from ired.job.train import Execution, train_and_publish
from ired.record.schema import DIAGNOSTICS
from ired.tasks import ProblemSet, build_task
from ired.tasks.held_out import SPLITS, write_split
from ired.training.stopping import Stopper


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_a_level_is_diagnosed_alike_whatever_was_diagnosed_before(fraction: float) -> None:
    """Chains that replay kept from an earlier snapshot would come back here under other matrices."""
    replay = {"strategy": "langevin", "opt_steps": 2, "replay": {"size": 200, "buckets": 10}}
    mixed = {"strategy": "mixed", "first": replay, "second": {"strategy": "random"}, "fraction": fraction}
    engine = build_engine(tiny_config(negatives=mixed), (0,))
    engine.advance()
    held_out = ProblemSet(*(x[0] for x in inversion(n=3).draw(Streams([0], step=0), 40, "id")))
    first, second = (profile_of(Level(engine.parts, engine.flat, held_out, 0, 4, 1)) for _ in range(2))
    assert first == second
    fresh = build_parts(tiny_config(negatives=mixed))
    assert profile_of(Level(fresh, engine.flat, held_out, 0, 4, 1)) == first


def test_a_diagnosis_draws_nothing_that_training_draws() -> None:
    """The generators of training step t are not those of noise level t."""
    config = tiny_config(negatives={"strategy": "random"})
    engine = build_engine(config, (0,))
    held_out = ProblemSet(*(x[0] for x in inversion(n=3).draw(Streams([0], step=0), 16, "id")))
    level = Level(engine.parts, engine.flat, held_out, 0, 0, 1)
    assert level.proposal is not None
    trained = Streams([0], step=0)
    batch = level.batch
    as_trained = engine.strategy.propose(level.energy(), batch, trained)
    assert not torch.allclose(as_trained.solution, level.proposal.solution)
    assert not torch.allclose(Streams([0], step=0).normal("noise", 16, 9), batch.noise)


def test_the_energy_term_is_diagnosed_as_it_is_trained() -> None:
    """Its weight is that of the step, its saturation that of its own logit."""
    held_out = ProblemSet(*(x[0] for x in inversion(n=3).draw(Streams([0], step=0), 1000, "id")))

    def profile(step: int, **contrast: Any) -> dict[str, Any]:
        engine = build_engine(tiny_config(contrast=contrast), (0,))
        return profile_of(Level(engine.parts, 2 * engine.flat.detach(), held_out, 0, 0, step))

    warming = {"loss": "nce", "weight": {"warmup_steps": 10, "max_weight": 0.5}}
    full = profile(20, loss="nce", weight=0.5)["gradient_norm_ratio"]
    assert profile(20, **warming)["gradient_norm_ratio"] == pytest.approx(full)
    assert profile(5, **warming)["gradient_norm_ratio"] == pytest.approx(full / 2)
    plain, scaled = (
        profile(20, loss="nce", weight=0.5, logits=logits)["saturation_share"]
        for logits in ("energy", "energy_over_sigma")
    )
    assert 0 < plain < scaled < 1  # sigma is below 1, so the scaled logits are larger
    assert "saturation_share" not in profile(20, loss="cd", weight=0.5)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("diagnosed")
    config = tiny_config()
    for split in SPLITS:
        write_split(split, build_task(config.problem), config.held_out, root / f"data/{split}.npz")
    for name, c in {
        "adversarial": config,
        "none": tiny_config(negatives={"strategy": "none"}, contrast=None),
        "diverged": tiny_config(training__divergence_bound=1e-6),
    }.items():
        train_and_publish([c], [root / name], Execution(root / "data", root / "state"), Stopper())
    return root, root / "data"


def test_tables_of_a_run_are_complete_and_reproducible(finished: tuple[Path, Path], tmp_path: Path) -> None:
    root, data = finished
    for folder in (tmp_path / "a", tmp_path / "b"):
        diagnose(root / "adversarial", data, 50, folder)
    profile, table = (
        pd.read_csv(tmp_path / "a" / name) for name in ("energy_profile.csv", "conditioning.csv")
    )
    assert profile.groupby("step").size().to_dict() == {2: 10, 10: 10, 20: 10}
    assert sorted(profile["phase"].unique()) == pytest.approx([0.1, 0.5, 1.0])
    assert profile.notna().all().all() and (profile["matrices"] == 50).all()
    assert table.groupby("sample").size().to_dict() == dict.fromkeys(
        ("implied", "negative", "positive", "truth"), 30
    )
    directions = pd.read_csv(tmp_path / "a" / "error_directions.csv")
    assert directions.groupby("split")["error_share"].sum().tolist() == pytest.approx([1, 1])
    sizes = pd.read_csv(tmp_path / "a" / "error_sizes.csv")
    assert sizes.groupby("split")["carried_share"].max().tolist() == [1, 1]
    assert (sizes["matrices"] == 50).all() and sizes.notna().all().all()
    for name in (f"{table}.csv" for table in DIAGNOSTICS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_run_without_negatives_has_truths_only(finished: tuple[Path, Path], tmp_path: Path) -> None:
    root, data = finished
    diagnose(root / "none", data, 50, tmp_path)
    assert set(pd.read_csv(tmp_path / "conditioning.csv")["sample"]) == {"positive", "truth"}
    profile = pd.read_csv(tmp_path / "energy_profile.csv")
    filled = set(profile.columns[profile.notna().all()])
    assert pd.read_csv(tmp_path / "giveaways.csv").empty
    assert pd.read_csv(tmp_path / "gradient_conflict.csv").empty
    assert (
        filled == {"phase", "step", "t", "matrices", "energy_positive"} and profile["gap_mean"].isna().all()
    )


def test_positives_are_the_same_matrices_and_noise_for_every_variant(
    finished: tuple[Path, Path], tmp_path: Path
) -> None:
    root, data = finished
    tables = []
    for name in ("none", "adversarial"):
        diagnose(root / name, data, 50, tmp_path / name)
        table = pd.read_csv(tmp_path / name / "conditioning.csv")
        tables.append(table[table["sample"] == "positive"].reset_index(drop=True))
    pd.testing.assert_frame_equal(*tables)


def test_a_diverged_run_has_empty_tables(finished: tuple[Path, Path], tmp_path: Path) -> None:
    root, data = finished
    diagnose(root / "diverged", data, 50, tmp_path)
    assert all(pd.read_csv(tmp_path / name).empty for name in ("conditioning.csv", "energy_profile.csv"))


@pytest.mark.parametrize("name", ["model.safetensors", "snapshots.safetensors"])
def test_a_cut_file_is_named(finished: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    root, data = finished
    shutil.copytree(root / "adversarial", tmp_path / "run")
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(UserError, match=f"{name} is truncated or another run's"):
        diagnose(tmp_path / "run", data, 50, tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        diagnose(tmp_path / "run", data, 50, tmp_path)


def test_a_config_of_another_run_is_refused(finished: tuple[Path, Path], tmp_path: Path) -> None:
    root, data = finished
    (tmp_path / "run").mkdir()
    (tmp_path / "run/metrics.json").write_bytes((root / "adversarial/metrics.json").read_bytes())
    (tmp_path / "run/config.json").write_bytes((root / "none/config.json").read_bytes())
    with pytest.raises(UserError, match="does not match"):
        diagnose(tmp_path / "run", data, 50, tmp_path)
    assert json.loads((root / "none/metrics.json").read_text())["status"] == "finished"


def test_a_mixtures_rejected_share_is_of_the_steps_that_were_taken() -> None:
    """Both parts of a mixture cost gradients; only the mined part takes steps that can be rejected."""
    descent = Descent(
        point=torch.zeros(1, 2, 4),
        gradient_norm_start=torch.ones(1, 2),
        gradient_norm_end=torch.ones(1, 2),
        rejected=torch.tensor([[1.0, 4.0]]),
        steps=5,
    )
    assert path_statistics(descent)["rejected_share"] == pytest.approx(0.5)
