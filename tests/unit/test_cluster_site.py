"""The SLURM profile with and without facts of a site."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from snakemake.profiles import ProfileConfigFileParser

from ired.base.errors import UserError
from ired.cluster.site import Site, read_site, refuse_lost_resources


def parsed(root: Path, repository: Path, site: str | None, monkeypatch: pytest.MonkeyPatch) -> dict:  # type: ignore[type-arg]
    """The profile as Snakemake reads it, in a folder with that site file."""
    folder = root / "profiles" / "slurm"
    shutil.copytree(repository / "profiles" / "slurm", folder, ignore=shutil.ignore_patterns("site.yaml"))
    if site is not None:
        (folder / "site.yaml").write_text(site)
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", "/usr/bin")
    for name in ("IRED_TRAIN_NEEDS", "IRED_JOB_NEEDS"):  # so that they are put back afterwards
        monkeypatch.setenv(name, "")
    if "IRED_TRAIN_DEVICE" not in os.environ:
        monkeypatch.setenv("IRED_TRAIN_DEVICE", "")
        monkeypatch.delenv("IRED_TRAIN_DEVICE")
    with Path("profiles/slurm/config.yaml").open() as handle:
        return dict(ProfileConfigFileParser().parse(handle))


def test_without_a_site_file(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = parsed(tmp_path, repository, None, monkeypatch)
    assert profile["jobs"] == "40" and profile["resources"] == ["accelerators=32"]
    assert profile["scheduler"] == "greedy" and "groups" not in profile and "cores" not in profile
    assert (profile["slurm-no-requeue"], profile["slurm-requeue"]) == ("True", "False")
    assert "train:gpu=1" in profile["set-resources"] and "precommand" not in profile
    assert not any("partition" in each or "qos" in each for each in profile["default-resources"])
    assert {"mem_mb=min(8000 * attempt, 96000)", "runtime=min(60 * attempt, 480)"} <= set(
        profile["default-resources"]
    )
    assert os.environ["IRED_TRAIN_DEVICE"] == "cuda"


def test_every_fact_of_a_site_arrives(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (repository / "profiles/slurm/site.yaml.example").read_text()
    profile = parsed(
        tmp_path, repository, example.replace("preemptible: false", "preemptible: true"), monkeypatch
    )
    assert profile["precommand"] == "ulimit -c 0 && . /etc/profile.d/modules.sh && module load cuda/12.4"
    assert profile["slurm-exclude-failed-nodes"] == "node017"
    assert (profile["slurm-no-requeue"], profile["slurm-requeue"]) == ("False", "True")
    jobs, train = set(profile["default-resources"]), set(profile["set-resources"])
    assert {"slurm_partition=cpu", "slurm_account=my_group", "qos=normal"} <= jobs
    assert {"train:slurm_account=my_group_gpu", "train:qos=gpu", "train:accelerators=1"} <= train
    assert "slurm_extra='--open-mode=append --mail-type=FAIL'" in jobs
    assert "train:slurm_extra='--signal=TERM@120 --open-mode=append --mail-type=FAIL'" in train
    assert {"train:slurm_partition=gpu", "train:gres=gpu:a100:1", "train:constraint=a100_80gb"} <= train
    assert "train:gpu=1" not in train, "the executor would ask for both"
    assert "train:runtime=min(240 * attempt, 480)" in train


@pytest.mark.parametrize(
    ("site", "key", "has", "lacks"),
    [
        ("device: cpu", "set-resources", ["train:mem_mb=min(16000 * attempt, 96000)"], ["gpu", "accelerators"]),
        ("gres: gpu:a100:4", "set-resources", ["train:accelerators=4", "train:gres=gpu:a100:4"], ["train:gpu="]),
        ("memory: false", "set-resources", ["train:mem_mb=0"], []),
        ("memory: false", "default-resources", ["mem_mb=0"], []),
        ("train_minutes: 2\ntrain_mem_mb: 500\nmax_minutes: 3", "set-resources",
         ["train:runtime=min(2 * attempt, 3)", "train:mem_mb=min(500 * attempt, 96000)"], ["--signal"]),
        ("max_minutes: 20\nmax_mem_mb: 3000", "default-resources",
         ["runtime=min(60 * attempt, 20)", "mem_mb=min(8000 * attempt, 3000)"], []),
        ("diagnoses_per_job: 8", "set-resources", ["diagnose:runtime=min(10 * attempt, 60)"], []),
        ("diagnoses_per_job: 8", "group-components", ["diagnose=8"], []),
        ("sbatch_options: ['--comment-of=a b']", "default-resources",
         ["slurm_extra=\"--open-mode=append '--comment-of=a b'\""], []),
    ],
)  # fmt: skip
def test_what_a_key_becomes(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, site: str, key: str, has: list[str],
    lacks: list[str],
) -> None:  # fmt: skip
    found = parsed(tmp_path, repository, site, monkeypatch)[key]
    assert set(has) <= set(found)
    assert not any(word in each for word in lacks for each in found)


def test_partitions_of_the_executors_own_file(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = parsed(tmp_path, repository, "partition_config: partitions.yaml", monkeypatch)
    assert profile["slurm-partition-config"] == "partitions.yaml"
    assert not any(
        "slurm_partition" in each for each in profile["default-resources"] + profile["set-resources"]
    )


def test_resources_that_the_command_line_takes_away_are_refused(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = parsed(tmp_path, repository, "gres: gpu:1", monkeypatch)
    given = {
        each.partition(":")[2].partition("=")[0]: "" for each in profile["set-resources"] if "train:" in each
    }
    every_job = [each.partition("=")[0] for each in profile["default-resources"]]
    refuse_lost_resources(given, every_job)
    with pytest.raises(
        UserError, match=r"takes mem_mb, slurm_extra, gres, accelerators from `train`.*train_minutes"
    ):
        refuse_lost_resources({"runtime": 600}, every_job)
    with pytest.raises(UserError, match=r"takes runtime, slurm_extra from every job.*max_minutes"):
        refuse_lost_resources(given, ["mem_mb"])
    monkeypatch.delenv("IRED_TRAIN_NEEDS")
    monkeypatch.delenv("IRED_JOB_NEEDS")
    refuse_lost_resources({}, [])


def test_the_environments_word_on_the_device_comes_first(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRED_TRAIN_DEVICE", "cpu")
    parsed(tmp_path, repository, None, monkeypatch)
    assert os.environ["IRED_TRAIN_DEVICE"] == "cpu"


def test_the_example_names_every_key(repository: Path) -> None:
    text = (repository / "profiles/slurm/site.yaml.example").read_text()
    named = set(yaml.safe_load(text)) | set(re.findall(r"^# (\w+): ", text, re.MULTILINE))
    assert named == set(Site.model_fields)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("partiton: gpu", "unknown key 'partiton' (value 'gpu')"),
        ("max_jobs: '4'", "'max_jobs' is '4'"),
        (
            "account: 12345",
            "'account' is 12345: input should be a valid string; YAML takes this for no text, write it in quotes",
        ),
        ("qos: true", "write it in quotes"),
        ("a: [", "is not valid YAML"),
        ("gres: gpu:a100-sxm4:1", "no hyphen in a type; write `gres: gpu:1`, and the model as `constraint`"),
        ("gres: a100:1:x", "'gres' is 'a100:1:x': the executor takes name"),
        ("gres: [gpu:1, shard:2]", "'gres' is"),
        ("qos: ''", "'qos' is ''"),
        ("sbatch_options: [--qos=long]", "--qos=long is set by the executor"),
        ("device: cpu\ngres: gpu:1", "`device: cpu` asks for no accelerator: remove gres"),
        ("partition: a\npartition_config: b", "remove one"),
        ("max_minutes: 60\ndiagnoses_per_job: 10", "ten minutes of `max_minutes` for each"),
    ],
)
def test_a_wrong_site_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_site(path)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_no_rule_knows_a_site(repository: Path) -> None:
    for path in [repository / "Snakefile", *(repository / "workflow").rglob("*.smk")]:
        text = path.read_text()
        for word in ("slurm_partition", "slurm_account", "gres", "constraint:", "envmodules", "retries"):
            assert word not in text, f"{path.name} has {word}"
    assert not (repository / "profiles" / "default").exists()


def test_no_job_of_a_rule_escapes_the_sites_limits(repository: Path) -> None:
    """A rule's own `resources` win over the profile's defaults; `train` alone has a set of the profile's own, and
    `publish`, whose command it shares, runs where Snakemake does."""
    with_resources = set()
    for path in (repository / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"^ *(?:rule|checkpoint)\b", path.read_text(), flags=re.MULTILINE)[1:]:
            if re.search(r"^ +resources:", rule, re.MULTILINE):
                with_resources.add(rule.partition(":")[0].strip())
            assert not rule.startswith(" publish:") or "localrule: True" in rule
    assert with_resources == {"train", "publish"}
