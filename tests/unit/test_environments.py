"""envs/*.yaml name the versions of requirements.lock, and every direct requirement."""

from __future__ import annotations

import re
from pathlib import Path

import yaml


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    found = (line.strip().split("==") for line in lines if "==" in line)
    return {canonical(name): version for name, version in found}


def test_environments_equal_the_lock(repository: Path) -> None:
    lock = pins((repository / "requirements.lock").read_text().splitlines())
    wanted = {
        canonical(re.split(r"[=<>!~\[ ]", line)[0])
        for line in (repository / "requirements.in").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    files = sorted((repository / "envs").glob("*.yaml"))
    assert files
    for path in files:
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        named = pins(next(d["pip"] for d in dependencies if isinstance(d, dict)))
        assert named == {name: lock[name] for name in wanted}, path.name
