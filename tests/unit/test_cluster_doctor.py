"""`doctor` with a scheduler that says what the test wants. The real one: tests/slurm."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fake_slurm import FakeSlurm

from ired.base.errors import UserError
from ired.cluster import checks_project, checks_slurm
from ired.cluster.checks import Check, CheckFunction, Subject, read_profile
from ired.cluster.doctor import read_study
from ired.cluster.site import read_site
from ired.job.slurm import Answer


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "bin", monkeypatch)
    fake.says("squeue", "true")
    return fake


@pytest.fixture
def project(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(repository / "config.yaml", root)
    for name in ("workflow", "profiles"):
        shutil.copytree(repository / name, root / name, ignore=shutil.ignore_patterns("site.yaml"))
    monkeypatch.chdir(root)
    return root


def subject(project: Path, site: str = "") -> Subject:
    profile = project / "profiles" / "slurm"
    (profile / "site.yaml").write_text(site)
    study = read_study()
    return Subject(project, profile, "smoke", study, read_site(), read_profile(profile))


def run(check: CheckFunction, subject: Subject) -> list[Check]:
    return list(check(subject))


def test_a_line_says_fact_and_cure() -> None:
    assert Check("a", "FAIL", "b", "c").line() == "FAIL a: b -> c"
    assert Check("a", "ok", "b").line() == "ok   a: b"


def test_the_profile_as_shipped_has_nothing_to_lint(project: Path, slurm: FakeSlurm) -> None:
    assert [c.level for c in run(checks_project.lint, subject(project))] == ["ok"]
    assert subject(project).train(1)["mem_mb"] == 16000 and subject(project).train(9)["mem_mb"] == 96000


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  train:\n", "  train:\n    gpus: 1\n", "`gpus`, which"),
        ("retries: 2", "groups: [diagnose=a]\nretries: 2", "`groups`: grouped jobs run one after another"),
        ("retries: 2", "slurm-array-jobs: train\nretries: 2", "slurm-array-jobs"),
        ("retries: 2", "slurm: {requeue: true}\nretries: 2", "`slurm` is dropped silently"),
        ("slurm-no-requeue: ?not site.preemptible", "slurm-no-requeue: false", "not exactly one"),
        ("default-resources:\n", "default-resources:\n  time: 1h\n", "`time`, which"),
    ],
)
def test_what_snakemake_would_drop_silently_is_named(
    project: Path, slurm: FakeSlurm, old: str, new: str, says: str
) -> None:
    path = project / "profiles/slurm/config.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    found = run(checks_project.lint, subject(project))
    assert any(c.level == "FAIL" and says in c.fact for c in found), found


def test_retries_in_a_rule_are_named(project: Path, slurm: FakeSlurm) -> None:
    path = project / "workflow/rules/train.smk"
    path.write_text(path.read_text() + "\nrule x:\n    retries: 3\n")
    assert "train.smk has `retries:`" in run(checks_project.lint, subject(project))[0].fact


@pytest.mark.parametrize(
    ("site", "sinfo", "level", "says"),
    [
        ("", "gpu*|up|1-00:00:00|gpu:a100:4|idle|3", "ok", "3 idle"),
        (
            "max_minutes: 480",
            "gpu*|up|4:00:00|gpu:a100:4|idle|3",
            "FAIL",
            "allows 4:00:00, the last attempt asks",
        ),
        (
            "gres: gpu:h100:1",
            "gpu*|up|infinite|gpu:a100:4|idle|3",
            "FAIL",
            "train: gpu:h100:1 is not offered by gpu",
        ),
        ("gpu_partition: big", "", "FAIL", "no partition big"),
        ("", "gpu*|down|infinite|gpu:1|idle|3", "FAIL", "gpu is down"),
    ],
)
def test_partitions(project: Path, slurm: FakeSlurm, site: str, sinfo: str, level: str, says: str) -> None:
    slurm.says("sinfo", f"echo '{sinfo}'")
    found = run(checks_slurm.partition, subject(project, site))
    assert any(c.level == level and says in c.fact for c in found), found


def test_submission_limits(project: Path, slurm: FakeSlurm) -> None:
    slurm.says("squeue", "echo '7|RUNNING|None|n1|other|/elsewhere|x'")
    slurm.says("sacctmgr", 'case "$*" in *assoc*) echo "20|";; *) echo "|";; esac')
    (found,) = run(checks_slurm.limits, subject(project))
    assert found.line() == "FAIL limits: jobs 40 > 20 - 1 of yours -> set `max_jobs: 19` in site.yaml"
    slurm.says("sacctmgr", "exit 1")
    assert run(checks_slurm.limits, subject(project))[0].level == "WARN"


def test_orphans_and_a_short_memory(project: Path, slurm: FakeSlurm) -> None:
    job = "7|RUNNING|None|n1|ired_1|{}|rule_train_wildcards_smoke_none_0"
    slurm.says("squeue", f"echo '{job.format('/another/checkout')}'")
    assert run(checks_slurm.orphans, subject(project))[0].level == "ok", "another study's jobs are no orphans"
    slurm.says("squeue", f"echo '{job.format(project)}'")
    found = run(checks_slurm.orphans, subject(project))[0]
    assert found.level == "FAIL" and "7 RUNNING rule_train_wildcards_smoke_none_0" in found.fact
    slurm.says("scontrol", "echo 'MinJobAge = 120 sec'")
    for answers, level in (("exit 1", "FAIL"), ("exit 0", "ok")):
        slurm.says("sacct", answers)  # accounting remembers what squeue forgets, where there is any
        levels = [(c.name, c.level) for c in run(checks_slurm.scheduler_config, subject(project))]
        assert levels == [("status command", level)]


@pytest.mark.parametrize(
    ("mode", "preemptible", "level", "cure"),
    [
        ("OFF", "false", "ok", ""),
        ("REQUEUE", "true", "ok", ""),
        ("REQUEUE", "false", "WARN", "set `preemptible: true`"),
        ("CANCEL", "false", "WARN", "starts no preempted job again there"),
        ("CANCEL", "true", "WARN", "add --retries 20"),
    ],
)
def test_preemption_is_asked_of_the_training_jobs_partition(
    project: Path, slurm: FakeSlurm, mode: str, preemptible: str, level: str, cure: str
) -> None:
    """The cluster's own mode says nothing where the partition has another."""
    scontrol = (
        f'case "$*" in *"partition gpu"*) echo "   PreemptMode={mode}";; *) echo PreemptMode=GANG;; esac'
    )
    slurm.says("scontrol", scontrol)
    (found,) = run(
        checks_slurm.preemption, subject(project, f"gpu_partition: gpu\npreemptible: {preemptible}")
    )
    assert found.level == level and cure in found.cure and f"of gpu is {mode}" in found.fact


def test_no_answer_about_orphans_is_not_none_of_them(project: Path, slurm: FakeSlurm) -> None:
    slurm.state("down")
    found = run(checks_slurm.orphans, subject(project))[0]
    assert (found.level, found.fact) == ("WARN", "squeue does not answer")


def test_another_python_in_path_is_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it be the very interpreter that the environment's python is a link to."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "python").symlink_to(Path(sys.executable).resolve())
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert not any("in PATH" in c.fact for c in run(checks_project.interpreter, subject(project)))
    monkeypatch.setenv("PATH", f"{tmp_path / 'other'}:{os.environ['PATH']}")
    assert any("in PATH" in c.fact for c in run(checks_project.interpreter, subject(project)))


def test_sbatchs_own_words_are_handed_on(project: Path, slurm: FakeSlurm) -> None:
    slurm.says("sbatch", 'echo "$*" >> "$0.calls"; echo "sbatch: error: Invalid account" >&2; exit 1')
    found = run(checks_slurm.accepted, subject(project, "account: me\ngres: gpu:a100:1"))
    assert [c.level for c in found] == ["FAIL"] * 4 and "Invalid account" in found[0].fact
    calls = (slurm.folder / "sbatch.calls").read_text().splitlines()
    assert "--account=me --mem=16000 --time=240 --gres=gpu:a100:1" in calls[0] and "--gpus" not in calls[0]
    assert "--mem=48000 --time=480" in calls[1] and "--signal=TERM@120" in calls[1]
    assert "--mem=8000 --time=60" in calls[2] and "--gres" not in calls[2], "other jobs are asked about too"
    slurm.says("sbatch", 'case "$*" in *nowhere*) echo "invalid partition"; exit 1;; esac')
    found = run(
        checks_slurm.accepted, subject(project, "partition: nowhere\ngpu_partition: gpu\nmemory: false")
    )
    assert [c.level for c in found] == ["ok", "ok", "FAIL", "FAIL"]


PARTITIONS = (
    "partitions: {short: {max_runtime: 100}, long: {max_runtime: 600}, gpu: {max_runtime: 500, max_gpu: 4}}"
)


def test_partitions_are_chosen_as_the_executor_chooses(project: Path, slurm: FakeSlurm) -> None:
    (project / "partitions.yaml").write_text(PARTITIONS)
    found = subject(project, "partition_config: partitions.yaml")
    chosen = [
        found.job(rule, attempt)["slurm_partition"] for rule in ("train", "diagnose") for attempt in (1, 3)
    ]
    assert chosen == ["gpu", "gpu", "short", "gpu"] or chosen == ["gpu", "gpu", "short", "long"]
    (project / "partitions.yaml").write_text("a: 1")
    with pytest.raises(UserError, match=r"partitions\.yaml: .*missing 'partitions'"):
        found.job("train", 1)


@pytest.mark.parametrize(
    ("scale", "site", "levels"),
    [("paper", "", ["WARN"]), ("paper", "device: cpu", ["ok"])],
)
def test_packing_is_recommended_where_a_training_has_an_accelerator_for_itself(
    project: Path, slurm: FakeSlurm, scale: str, site: str, levels: list[str]
) -> None:
    found = run(checks_project.packing, replace(subject(project, site), scale=scale))
    assert [c.level for c in found] == levels
    assert (levels == ["ok"]) or "seeds_per_job=10" in found[0].cure


def test_a_job_for_each_of_many_diagnoses_is_named(
    project: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_project, "MANY_RUNS", 5)
    assert any("diagnoses_per_job: 10" in c.cure for c in run(checks_project.packing, subject(project)))
    grouped = subject(project, "diagnoses_per_job: 10")
    assert not any("diagnoses_per_job" in c.cure for c in run(checks_project.packing, grouped))


@pytest.mark.parametrize(
    ("figures", "found"),
    [
        ("figures 1\ntotal 1", [("ok", "2 dataset, 6 train")]),
        ("train 6\nfigures 1\ntotal 7", [("ok", "2 dataset, 6 train"), ("WARN", "would start 6 trainings")]),
    ],
)
def test_figures_that_would_train_are_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, figures: str, found: list[tuple[str, str]]
) -> None:
    def ask(*words: str, timeout: float) -> Answer:
        return Answer(0, figures if "figures" in words else "dataset   2\ntrain   6\ntotal   8", "")

    monkeypatch.setattr(checks_project, "ask", ask)
    checks = run(checks_project.plan, subject(project))
    assert [check.level for check in checks] == [level for level, _ in found]
    assert all(says in check.fact for check, (_, says) in zip(checks, found, strict=True))


def test_a_folder_that_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"config\.yaml is missing here"):
        read_study()
