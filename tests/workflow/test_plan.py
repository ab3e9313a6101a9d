"""What a dry run plans in every situation a user is in."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from workflow_plan import Snakemake, planned

from ired.record.publish import RESULT_FILES
from synthetic_tables import make_tables, write_tables

pytestmark = pytest.mark.workflow


def test_all_trains_every_variant_and_seed_of_each_scale(snakemake: Snakemake) -> None:
    for scale, runs, experiments in (("smoke", 4 * 2, 2), ("laptop", 3 * 5, 1), ("paper", 3 * 10, 1)):
        jobs = planned(snakemake("-n", "all", "--config", f"scale={scale}"))
        assert (jobs["train"], jobs["diagnose"], jobs["dataset"]) == (runs, runs, 1)
        assert jobs["aggregate"] == experiments
        assert jobs["draw_strategies"] == 1 and jobs["report_page"] == 1


@pytest.mark.parametrize("profile", ["local", "slurm"])
@pytest.mark.parametrize(("scale", "runs"), [("smoke", 4 * 2), ("laptop", 3 * 5), ("paper", 3 * 10)])
def test_the_bare_call_makes_the_study(snakemake: Snakemake, profile: str, scale: str, runs: int) -> None:
    """`default_target` in an included file is not looked at: the call without a target then did nothing."""
    jobs = planned(snakemake("-n", "--profile", f"profiles/{profile}", "--config", f"scale={scale}"))
    assert jobs["train"] == runs and jobs["report_page"] == 1


def test_a_finished_run_whose_metrics_were_deleted_is_asked_for_again(
    snakemake: Snakemake, project: Path
) -> None:
    """Its diagnostics are there, so nothing but the tables themselves can ask for it."""
    tables = ("-n", "tables", "--config", "scale=smoke")
    made = re.findall(r"^(results/\S+)\t", snakemake("--summary", *tables[1:]).stdout, re.MULTILINE)
    for name in (name for name in made if not name.startswith("results/smoke/tables/")):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        age = 300 if "/runs/" not in name else 200 if path.name in RESULT_FILES else 100
        os.utime(path, (time.time() - age, time.time() - age))
    assert "train" not in planned(snakemake(*tables))
    (project / "results/smoke/runs/none/seed1/metrics.json").unlink()
    assert planned(snakemake(*tables))["train"] == 1


def test_set_resources_must_not_take_the_accelerator_away(snakemake: Snakemake) -> None:
    call = ("-n", "results/paper/runs/none/seed0/metrics.json", "--profile", "profiles/slurm")
    done = snakemake(*call, "--set-resources", "train:runtime=600")
    assert done.returncode != 0 and "takes mem_mb, slurm_extra, gpu, accelerators from `train`" in done.stdout
    assert "Traceback" not in done.stdout


def test_an_experiment_without_diagnoses_asks_for_none(snakemake: Snakemake) -> None:
    call = ("-n", "networks", "--config", "scale=smoke")
    assert planned(snakemake(*call))["diagnose"] == 4
    jobs = planned(snakemake(*call, "experiments={networks: {diagnoses: false}}"))
    assert "diagnose" not in jobs and jobs["train"] == 4 and jobs["aggregate"] == 1
    others = snakemake("-n", "diagnostics", *call[2:], "experiments={strategies: {diagnoses: false}}")
    assert planned(others)["diagnose"] == 4, "those of `networks` alone"


def test_a_name_is_no_pattern(snakemake: Snakemake) -> None:
    """An experiment may be called `a+b`, and then `aab` is none."""
    call = (
        "-n",
        "--config",
        "scale=smoke",
        "experiments={a+b: {title: x, variants: [none], figures: [budget]}}",
    )
    made = snakemake("results/smoke/figures/a+b/budget.png", *call)
    assert planned(made)["train"] == 2
    assert snakemake("results/smoke/figures/aab/budget.png", *call).returncode != 0


def test_one_run_by_its_path(snakemake: Snakemake) -> None:
    jobs = planned(snakemake("-n", "results/laptop/runs/adversarial/seed3/metrics.json"))
    assert jobs == {"train": 1, "dataset": 1}


def test_a_typo_in_a_path_is_no_rule(snakemake: Snakemake) -> None:
    done = snakemake("-n", "results/laptop/runs/adverserial/seed3/metrics.json")
    assert done.returncode != 0 and "no variant 'adverserial'. Did you mean 'adversarial'?" in done.stdout


@pytest.mark.parametrize("where", ["laptop", "shipped/laptop"])
def test_figures_from_tables_alone_train_nothing(snakemake: Snakemake, project: Path, where: str) -> None:
    write_tables(make_tables(), project / "results", where, "strategies")
    assert planned(snakemake("-n", "figures")) == {"figures": 1, "draw_strategies": 1}


def test_a_set_of_tables_that_lacks_one_is_left_out_and_named(snakemake: Snakemake, project: Path) -> None:
    for where in ("laptop", "shipped/laptop"):
        folder = write_tables(make_tables(), project / "results", where, "strategies")
    (folder / "error_sizes.csv").unlink()
    done = snakemake("-n", "figures")
    assert planned(done) == {"figures": 1, "draw_strategies": 1}
    said = "results/shipped/laptop/tables lacks strategies/error_sizes.csv: `figures` leaves strategies out"
    assert done.stdout.count(said) == 1


def test_every_shipped_set_of_tables_is_whole(snakemake: Snakemake, repository: Path, project: Path) -> None:
    shutil.copytree(
        repository / "results/shipped", project / "results/shipped", ignore=shutil.ignore_patterns("figures")
    )
    done = snakemake("-n", "figures")
    shipped, jobs = project / "results/shipped", planned(done)
    for experiment in ("strategies", "recipes"):
        assert jobs[f"draw_{experiment}"] == len(list(shipped.glob(f"*/tables/{experiment}/runs.csv"))), (
            experiment
        )
    assert jobs["draw_worth"] == len(list(shipped.glob("*/tables/worth/multipliers.csv")))
    assert "lacks" not in done.stdout


def test_one_figure_by_its_path_is_drawn_with_those_beside_it(snakemake: Snakemake, project: Path) -> None:
    write_tables(make_tables(), project / "results", "shipped/laptop", "strategies")
    done = snakemake("-n", "results/shipped/laptop/figures/strategies/budget.pdf")
    assert planned(done) == {"draw_strategies": 1}
    absent = snakemake("-n", "results/shipped/laptop/figures/strategies/sweep.pdf")
    assert (
        absent.returncode != 0 and "no step of the pipeline makes a file 'sweep.pdf' there" in absent.stdout
    )


def test_make_figures_allows_the_drawing_of_every_experiment(repository: Path, project: Path) -> None:
    """The Makefile reads their names out of config.yaml by itself."""
    names = yaml.safe_load((project / "config.yaml").read_text())["experiments"]
    said = subprocess.run(
        ["make", "--dry-run", "figures"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    allowed = re.findall(r"--allowed-rules (.*)", said)[0].split()
    assert allowed == ["figures", *(f"draw_{name}" for name in names), "draw_worth"]


def test_shipped_tables_do_not_stand_in_for_training(snakemake: Snakemake, project: Path) -> None:
    write_tables(make_tables(), project / "results", "shipped/laptop", "strategies")
    assert planned(snakemake("-n", "all"))["train"] == 15


def test_experiments_share_runs_that_are_configured_alike(snakemake: Snakemake) -> None:
    jobs = planned(snakemake("-n", "opt_steps", "step_size", "noise_scale", "--config", "scale=laptop_mlp"))
    # none and adversarial once, five, four and five further levels, ten seeds each.
    assert jobs["train"] == 10 * (2 + 5 + 4 + 5) and jobs["aggregate"] == 3


def test_a_pack_trains_together_and_publishes_apart(snakemake: Snakemake, project: Path) -> None:
    config = yaml.safe_load((project / "config.yaml").read_text())
    config["seeds_per_job"] = 2
    (project / "config.yaml").write_text(yaml.safe_dump(config))
    jobs = planned(snakemake("-n", "runs"))
    assert (jobs["train"], jobs["publish"]) == (3 * 3, 15)
    jobs = planned(snakemake("-n", "results/laptop/runs/adversarial/seed3/metrics.json"))
    assert (jobs["train"], jobs["publish"]) == (1, 1)


def test_a_wide_study_plans_every_run(snakemake: Snakemake, project: Path) -> None:
    """Ten variants by fifty seeds; docs/slurm.md says how long 5,000 runs take to plan."""
    config = yaml.safe_load((project / "config.yaml").read_text())
    config["scales"]["laptop"] |= {"seeds": list(range(50)), "seeds_of": {}, "experiments": ["many"]}
    sweep = {
        "base": "adversarial",
        "factor": "negatives.noise_scale",
        "levels": [0.1 * k for k in range(1, 10)],
    }
    config["experiments"]["many"] = {
        "title": "many",
        "figures": ["sweep"],
        "variants": ["none"],
        "sweeps": [sweep],
    }
    (project / "config.yaml").write_text(yaml.safe_dump(config))
    assert planned(snakemake("-n", "all"))["train"] == 500


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "scale=laptp",
            "unknown scale 'laptp'; valid: smoke, laptop, small, quick, workstation, laptop_mlp, workstation_mlp, "
            "completion, completion_solvable, completion_small, addition, paper. Did you mean 'laptop'?",
        ),
        ("colour=red", "unknown key 'colour'"),
    ],
)
def test_a_mistake_stops_before_any_job_in_one_line(snakemake: Snakemake, change: str, says: str) -> None:
    done = snakemake("all", "--config", change)
    assert done.returncode != 0
    lines = [line for line in done.stdout.splitlines() if says in line]
    assert len(lines) == 1 and "Traceback" not in done.stdout, done.stdout


def test_an_unknown_figure_stops_before_any_job(snakemake: Snakemake, project: Path) -> None:
    config = yaml.safe_load((project / "config.yaml").read_text())
    config["experiments"]["curves"]["figures"] = ["learning_curve", "budget"]
    (project / "config.yaml").write_text(yaml.safe_dump(config))
    done = snakemake("-n", "all")
    assert done.returncode != 0 and "unknown figure 'learning_curve'" in done.stdout
    assert "Did you mean 'learning_curves'?" in done.stdout


def test_the_workflow_graph_in_the_docs_is_that_of_the_workflow(
    snakemake: Snakemake, repository: Path
) -> None:
    made = snakemake("all", "--rulegraph").stdout
    names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)"', made, re.MULTILINE))
    edges = {(names[a], names[b]) for a, b in re.findall(r"^\s*(\d+) -> (\d+)", made, re.MULTILINE)}
    drawn = html.unescape((repository / "docs/workflow.svg").read_text())
    shown = dict(re.findall(r"<title>(\d+)</title>.*?>(\w+)</text>", drawn, re.DOTALL))
    arrows = {(shown[a], shown[b]) for a, b in re.findall(r"<title>(\d+)->(\d+)</title>", drawn)}
    assert edges and arrows == edges, "write it anew with: make workflow-graph"
