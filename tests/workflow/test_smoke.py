"""The smoke scale, run for real: every rule, then again, then a fault at a time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from workflow_plan import Snakemake, planned

from ired.study.resolve import ResolvedStudy

pytestmark = pytest.mark.workflow
SMOKE = ("--config", "scale=smoke")


def test_the_smoke_scale_from_matrices_to_the_report(snakemake: Snakemake, project: Path) -> None:
    done = snakemake("all", *SMOKE)
    assert done.returncode == 0, done.stdout
    results = project / "results/smoke"
    runs = sorted(
        p.parent.relative_to(results / "runs").as_posix() for p in results.glob("runs/*/*/metrics.json")
    )
    assert runs == [
        f"{variant}/seed{seed}"
        for variant in ("adversarial", "none", "none_equivariant", "random")
        for seed in (0, 1)
    ]
    study = ResolvedStudy(yaml.safe_load((project / "config.yaml").read_text()))
    planned_figures = study.experiments.figures("strategies")
    drawn = {path.stem for path in results.glob("figures/strategies/*.pdf")}
    assert drawn == set(planned_figures) and len(drawn) > 10
    assert (results / "report.html").stat().st_size > 100_000
    assert not list(project.rglob("*.tmp"))

    assert planned(snakemake("-n", "all", *SMOKE)) == {}, "done twice, there is nothing to do"

    own = snakemake("all", *SMOKE, "--report", "page.zip")
    assert own.returncode == 0 and (project / "page.zip").stat().st_size > 100_000, own.stdout

    # One run by its path: its metrics are republished, byte for byte, from the state folder.
    metrics = results / "runs/random/seed1/metrics.json"
    before = metrics.read_bytes()
    metrics.unlink()
    assert planned(snakemake("-n", str(metrics.relative_to(project)), *SMOKE)) == {"train": 1}
    assert snakemake(str(metrics.relative_to(project)), *SMOKE).returncode == 0
    assert metrics.read_bytes() == before

    # Without the state folder it is trained anew, to the same bytes.
    metrics.unlink()
    shutil.rmtree(project / "results/.state")
    assert snakemake(str(metrics.relative_to(project)), *SMOKE).returncode == 0
    assert metrics.read_bytes() == before

    # A truncated data file is named, with the cure, and nothing is lost.
    data = results / "data/test_id.npz"
    data.write_bytes(data.read_bytes()[:-50])
    metrics.unlink()
    shutil.rmtree(project / "results/.state")
    done = snakemake(str(metrics.relative_to(project)), *SMOKE)
    assert done.returncode != 0 and not metrics.exists()
    said = (project / "results/smoke/logs/train/random/seed1.log").read_text()
    assert "test_id.npz is truncated or altered" in said and "step" not in said, said
    assert (results / "runs/random/seed0/metrics.json").exists()

    # Deleted, as that line says, it is made again before anything trains.
    data.unlink()
    wanted = str(metrics.relative_to(project))
    assert planned(snakemake("-n", wanted, *SMOKE)) == {"dataset": 1, "train": 1}
    assert snakemake(wanted, *SMOKE).returncode == 0 and metrics.read_bytes() == before


def test_packed_seeds_train_together_and_publish_apart(snakemake: Snakemake, project: Path) -> None:
    target = "results/smoke/runs/adversarial/seed1/metrics.json"
    done = snakemake(target, *SMOKE, "seeds_per_job=2")
    assert done.returncode == 0, done.stdout
    assert json.loads((project / target).read_text())["seed"] == 1
    receipt = json.loads((project / "results/smoke/packs/adversarial/seeds0-1.json").read_text())
    assert sorted(receipt["fingerprints"]) == ["0", "1"]
    # The pack-mate is at hand: publishing it trains nothing.
    mate = "results/smoke/runs/adversarial/seed0/metrics.json"
    assert planned(snakemake("-n", mate, *SMOKE, "seeds_per_job=2")) == {"publish": 1}
