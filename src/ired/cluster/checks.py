"""A check: one fact, whether it is good, and what to do where it is not."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ired.base.errors import UserError
from ired.cluster.site import Site
from ired.study.resolve import ResolvedStudy

OK, WARN, FAIL = "ok", "WARN", "FAIL"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    level: str
    fact: str
    cure: str = ""

    def line(self) -> str:
        """`ok|WARN|FAIL name: fact -> do this`."""
        return f"{self.level:<4} {self.name}: {self.fact}" + (f" -> {self.cure}" if self.cure else "")


@dataclass(frozen=True)
class Subject:
    """What is examined: a project folder, its study at one scale, a profile and a site."""

    root: Path
    profile: Path
    scale: str
    study: ResolvedStudy
    site: Site
    settings: dict[str, Any]

    def train(self, attempt: int) -> dict[str, Any]:
        """What the training job asks for at an attempt."""
        return self.job("train", attempt)

    def job(self, rule: str, attempt: int) -> dict[str, Any]:
        """What a rule's job asks for at an attempt, its partition chosen as the executor chooses."""
        wanted = dict(self.settings.get("default-resources", {}))
        wanted |= self.settings.get("set-resources", {}).get(rule, {})
        wanted = {key: _evaluated(value, attempt) for key, value in wanted.items()}
        if self.site.partition_config and "slurm_partition" not in wanted:
            wanted["slurm_partition"] = _chosen(self.site.partition_config, rule, wanted)
        return wanted

    @property
    def attempts(self) -> int:
        return 1 + int(self.settings.get("retries", 0))


def _chosen(file: str, rule: str, wanted: dict[str, Any]) -> str | None:
    """The partition of the executor's own file of them; None where a job fits none.

    Raises:
        UserError: the file is missing or wrong.
    """
    from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

    job = SimpleNamespace(name=rule, threads=1, resources=wanted)
    try:
        found: str | None = get_best_partition(
            read_partition_file(Path(file)), job, logging.getLogger("ired.doctor")
        )
    except Exception as error:  # whatever the file holds
        raise UserError(f"{file}: {error}") from error
    return found


def _evaluated(value: Any, attempt: int) -> Any:
    """`min(8000 * attempt, 96000)` and quoted text as Snakemake takes them; anything else as it is."""
    match = re.fullmatch(r"min\((\d+) \* attempt, (\d+)\)", text := str(value))
    if match:
        return min(int(match.group(1)) * attempt, int(match.group(2)))
    return ast.literal_eval(text) if text[:1] in ("'", '"') else value


def read_profile(profile: Path) -> dict[str, Any]:
    """The profile's settings, its expressions filled in as Snakemake does.

    Raises:
        UserError: it cannot be read.
    """
    import yte

    path = profile / "config.yaml"
    try:
        with path.open(encoding="utf-8") as handle:
            return dict(yte.process_yaml(handle, require_use_yte=True))
    except Exception as error:  # the profile may run any expression
        raise UserError(f"{path} cannot be read: {error}") from error


CheckFunction = Callable[[Subject], Iterator[Check]]
