"""`python -m ired doctor`: what can be known before a hundred jobs are submitted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ired.base.yaml_file import read_yaml
from ired.cluster import checks_project, checks_slurm
from ired.cluster.checks import FAIL, Check, CheckFunction, Subject, read_profile
from ired.cluster.probe import probe
from ired.cluster.site import read_site
from ired.study.resolve import ResolvedStudy

PROJECT: tuple[CheckFunction, ...] = (
    checks_project.versions,
    checks_project.interpreter,
    checks_project.git,
    checks_project.config,
    checks_project.lint,
    checks_project.packing,
    checks_project.storage,
    checks_project.plan,
)
SCHEDULER: tuple[CheckFunction, ...] = (
    checks_slurm.scheduler_config,
    checks_slurm.preemption,
    checks_slurm.partition,
    checks_slurm.accepted,
    checks_slurm.limits,
    checks_slurm.orphans,
)


def read_study(path: Path = Path("config.yaml"), seeds_per_job: int | None = None) -> ResolvedStudy:
    """The study of the current folder, with `seeds_per_job` as on Snakemake's command line.

    Raises:
        UserError: there is none, or it is not as it should be.
    """
    values = read_yaml(path)
    given = {} if seeds_per_job is None else {"seeds_per_job": seeds_per_job}
    return ResolvedStudy(values | given if isinstance(values, dict) else values, str(path))


def examine(profile: Path, scale: str | None, submit: bool) -> Iterator[Check]:
    """All checks in order; those that need a scheduler only where there is one.

    Raises:
        UserError: config.yaml, the site's file or the profile cannot be read.
    """
    os.environ["IRED_SBATCH_PATIENCE"] = "0"  # the profile's sbatch waits; here its first answer is wanted
    study = read_study()
    scale = scale or study.study.scale
    study.scale(scale)
    site = read_site(profile / "site.yaml")
    subject = Subject(Path.cwd(), profile, scale, study, site, read_profile(profile))
    for check in PROJECT:
        yield from check(subject)
    answers = list(checks_slurm.reachable(subject))
    yield from answers
    if any(check.level == FAIL for check in answers):
        return
    for check in SCHEDULER:
        yield from check(subject)
    if submit:
        yield from probe(subject)
