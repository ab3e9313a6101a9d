"""The SLURM profile with and without facts of a site."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from snakemake.profiles import ProfileConfigFileParser

from ired.base.errors import UserError
from ired.cluster.site import Site, read_site


def parsed(root: Path, repository: Path, site: str | None, monkeypatch: pytest.MonkeyPatch) -> dict:  # type: ignore[type-arg]
    """The profile as Snakemake reads it, in a folder with that site file."""
    folder = root / "profiles" / "slurm"
    shutil.copytree(repository / "profiles" / "slurm", folder, ignore=shutil.ignore_patterns("site.yaml"))
    if site is not None:
        (folder / "site.yaml").write_text(site)
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", "/usr/bin")
    with Path("profiles/slurm/config.yaml").open() as handle:
        return dict(ProfileConfigFileParser().parse(handle))


def test_without_a_site_file(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = parsed(tmp_path, repository, None, monkeypatch)
    assert profile["jobs"] == "40" and profile["resources"] == ["gpu=32"]
    assert (profile["slurm-no-requeue"], profile["slurm-requeue"]) == ("True", "False")
    assert "train:gpu=1" in profile["set-resources"] and "precommand" not in profile
    assert not any("partition" in each for each in profile["default-resources"])


def test_every_fact_of_a_site_arrives(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (repository / "profiles/slurm/site.yaml.example").read_text()
    profile = parsed(
        tmp_path, repository, example.replace("preemptible: false", "preemptible: true"), monkeypatch
    )
    assert profile["precommand"] == "ulimit -c 0 && . /etc/profile.d/modules.sh && module load cuda/12.4"
    assert profile["slurm-qos"] == "normal" and profile["slurm-exclude-failed-nodes"] == "node017"
    assert (profile["slurm-no-requeue"], profile["slurm-requeue"]) == ("False", "True")
    assert {"slurm_partition=cpu", "slurm_account=my_group"} <= set(profile["default-resources"])
    train = set(profile["set-resources"])
    assert {"train:slurm_partition=gpu", "train:gres=gpu:a100:1", "train:constraint=a100_80gb"} <= train
    assert "train:gpu=1" not in train, "the executor would ask for both"
    assert "train:runtime=min(240 * attempt, 480)" in train


def test_the_example_names_every_key(repository: Path) -> None:
    example = yaml.safe_load((repository / "profiles/slurm/site.yaml.example").read_text())
    assert set(example) == set(Site.model_fields)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("partiton: gpu", "unknown key 'partiton' (value 'gpu')"),
        ("max_jobs: '4'", "'max_jobs' is '4'"),
        ("a: [", "is not valid YAML"),
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
