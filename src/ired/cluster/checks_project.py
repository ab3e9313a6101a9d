"""Checks of the project folder: they need no scheduler."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import ired
from ired.cluster.checks import FAIL, OK, WARN, Check, Subject
from ired.job.code_version import CODE
from ired.job.slurm import ask

TESTED = {
    "snakemake": "9.27.1",
    "snakemake-executor-plugin-slurm": "2.8.0",
    "snakemake-executor-plugin-slurm-jobstep": "0.6.1",
}
# Names that the executor does not know; it drops them, or gives the job step what the job has not.
NO_RESOURCES = {
    "gpus": "gpu",
    "nvidia_gpu": "gpu",
    "time": "runtime",
    "partition": "slurm_partition",
    "account": "slurm_account",
    "mem": "mem_mb",
}
NO_KEYS = {
    "slurm-array-jobs": "job arrays lose jobs and scale no resources",
}
# Files and folders that one run with its diagnostics leaves behind, checkpoints aside: docs/slurm.md.
FILES_PER_RUN, CHECKPOINT_TENSORS = 38, 5
MANY_RUNS = 100  # from here on a scheduler's staff minds short jobs


def versions(subject: Subject) -> Iterator[Check]:
    """What the profile was tested with."""
    for name, tested in TESTED.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Check("versions", FAIL, f"{name} is not installed", "pip install -r requirements.lock")
            continue
        same = found == tested
        cure = "" if same else f"tested with {tested}; install requirements.lock, or run make test-slurm"
        yield Check("versions", OK if same else WARN, f"{name} {found}", cure)


def interpreter(subject: Subject) -> Iterator[Check]:
    """The jobs use this very interpreter, so nodes must see it."""
    here = Path(sys.prefix).resolve()
    local = str(here).startswith(("/tmp/", "/var/tmp/", "/dev/shm/", "/scratch/local"))
    cure = "put the environment on a disk that all nodes share" if local else ""
    yield Check("interpreter", FAIL if local else OK, f"{sys.executable}", cure)
    bare = shutil.which("python")
    # Not resolved: an environment's python is a link to the very interpreter that lacks its packages.
    if bare is None or Path(bare).absolute().parent != Path(sys.executable).absolute().parent:
        yield Check("interpreter", WARN, f"`python` in PATH is {bare}", "activate the environment")
    package = Path(ired.__file__).resolve()
    if subject.root.resolve() not in package.parents:
        cure = "pip install -e . here, so that jobs run the code of this checkout"
        yield Check("interpreter", WARN, f"ired is imported from {package.parent}", cure)


def git(subject: Subject) -> Iterator[Check]:
    """Jobs refuse a checkout that changes after they are submitted; start from a clean one."""
    commit = ask("git", "rev-parse", "--short", "HEAD")
    if not commit.ok:
        cure = "clone the repository, so that every result names its commit"
        yield Check("git", WARN, "this is no git checkout", cure)
        return
    branch = ask("git", "rev-parse", "--abbrev-ref", "HEAD").out
    changed = ask("git", "status", "--short", "--", *CODE, "config.yaml").out
    dirty = [line.split()[-1] for line in changed.splitlines()]
    fact = f"{commit.out} on {branch}"
    if dirty:
        names = ", ".join(dirty[:5]) + (f" and {len(dirty) - 5} more" if len(dirty) > 5 else "")
        yield Check("git", WARN, f"{fact}, not committed: {names}", "commit before a long run")
    else:
        yield Check("git", OK, f"{fact}, clean")


def config(subject: Subject) -> Iterator[Check]:
    """Every configuration resolved already: the study would not have been read otherwise."""
    runs = {
        run
        for name in subject.study.scale(subject.scale).experiments
        for run in subject.study.experiments.runs(subject.scale, name)
    }
    fingerprints = {subject.study.run_config(subject.scale, *run).fingerprint() for run in runs}
    twice = len(runs) - len(fingerprints)
    fact = f"scale {subject.scale}: {len(runs)} runs"
    if twice:
        yield Check("config", WARN, f"{fact}, {twice} of them equal to another", "drop the equal variants")
    else:
        yield Check("config", OK, fact)


def plan(subject: Subject) -> Iterator[Check]:
    """What Snakemake would do, and whether drawing figures would train."""
    jobs = _planned(subject, "runs")
    if isinstance(jobs, str):
        yield Check("plan", FAIL, f"the dry run fails: {jobs}", "mend it first")
        return
    shown = ", ".join(f"{count} {rule}" for rule, count in jobs.items() if rule != "total")
    yield Check("plan", OK, shown or "nothing to do")
    drawn = _planned(subject, "figures")
    if isinstance(drawn, str):
        yield Check("plan", WARN, f"the dry run of `figures` fails: {drawn}", "mend it before `make figures`")
    elif "train" in drawn:
        fact = (
            f"`figures` would start {drawn['train']} trainings: tables at hand are of another configuration"
        )
        yield Check("plan", WARN, fact, "`make figures` draws what is there and trains nothing")


def _planned(subject: Subject, target: str) -> dict[str, str] | str:
    """Rule -> number of jobs of a dry run, or its last words where it fails."""
    words = [target, "--profile", str(subject.profile), "--dry-run", "--config", f"scale={subject.scale}"]
    answer = ask(sys.executable, "-m", "snakemake", *words, "--quiet", "rules", timeout=300)
    text = f"{answer.out}\n{answer.err}"
    if not answer.ok:
        return " ".join([line for line in text.splitlines() if line.strip()][-3:])
    return dict(re.findall(r"^(\w+)\s+(\d+)$", text, flags=re.MULTILINE))


def lint(subject: Subject) -> Iterator[Check]:
    """Settings that Snakemake or the executor takes without a word and then does not do."""
    found = list(_lint(subject))
    yield from found or [Check("resources", OK, "names, retries and limits are as they should be")]


def _lint(subject: Subject) -> Iterator[Check]:
    for path in sorted((subject.root / "workflow").rglob("*.smk")):
        if re.search(r"^\s+retries:", path.read_text(), flags=re.MULTILINE):
            cure = "remove it: it repeats the rule inside the same job; the profile has `retries`"
            yield Check("resources", FAIL, f"{path.name} has `retries:`", cure)
    settings = subject.settings
    asked = {"default-resources": settings.get("default-resources", {}), **settings.get("set-resources", {})}
    for place, names in asked.items():
        for name in NO_RESOURCES.keys() & names.keys():
            cure = f"write `{NO_RESOURCES[name]}`"
            yield Check("resources", FAIL, f"{place} has `{name}`, which the executor ignores", cure)
    for name in NO_KEYS.keys() & settings.keys():
        yield Check("resources", FAIL, f"the profile has `{name}`: {NO_KEYS[name]}", "remove it")
    if "groups" in settings and str(settings.get("cores")) != "1":
        fact = "the profile has `groups`: grouped jobs run one after another in the time of one"
        yield Check("resources", FAIL, fact, "set `diagnoses_per_job` in site.yaml")
    known = {"default-resources", "set-resources", "set-threads", "resources", "config"}
    for name, value in settings.items():
        if isinstance(value, dict) and name not in known:
            yield Check("resources", FAIL, f"the mapping `{name}` is dropped silently", "write it as flags")
    train = subject.train(1)
    missing = [name for name in ("mem_mb", "runtime") if name not in train]
    if missing or (subject.site.device != "cpu" and not {"gpu", "gres"} & train.keys()):
        named = ", ".join(missing or ["gpu"])
        yield Check("resources", FAIL, f"train asks for no {named}", "set it under set-resources")
    if bool(settings.get("slurm-no-requeue")) == bool(settings.get("slurm-requeue")):
        cure = "set slurm-no-requeue, or on a preemptible partition `preemptible: true` in site.yaml"
        yield Check("resources", FAIL, "not exactly one of slurm-no-requeue and slurm-requeue", cure)


def packing(subject: Subject) -> Iterator[Check]:
    """Whether a job's accelerator has enough to do, and a diagnosis enough to be worth a job."""
    study, site = subject.study, subject.site
    experiments = study.scale(subject.scale).experiments
    seeds = Counter(
        variant
        for variant, _ in {run for name in experiments for run in study.experiments.runs(subject.scale, name)}
    )
    runs, packed = sum(seeds.values()), min(10, max(seeds.values()))
    if site.device == "cuda" and study.study.seeds_per_job == 1 and packed > 1:
        fact = (
            f"each of {runs} trainings takes an accelerator of its own, and one network leaves it mostly idle"
        )
        cure = f"train seeds together: --config seeds_per_job={packed}"
        yield Check("packing", WARN, fact, cure)
    else:
        yield Check("packing", OK, f"{study.study.seeds_per_job} seeds a training job")
    if runs >= MANY_RUNS and site.diagnoses_per_job == 1:
        fact = f"{runs} diagnoses of a minute each, a job for every one"
        yield Check("packing", WARN, fact, "set `diagnoses_per_job: 10` in site.yaml")


def storage(subject: Subject) -> Iterator[Check]:
    """Writable, renames, and room for the study."""
    folder = subject.root / "results" / ".state"
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with probe.open("wb") as handle:
            handle.write(b"x")
            os.fsync(handle.fileno())
        started = time.time()
        os.replace(probe, folder / ".probe")
        skew = (folder / ".probe").stat().st_mtime - started
        (folder / ".probe").unlink()
    except OSError as error:
        yield Check("storage", FAIL, f"cannot write {folder}: {error.strerror}", "mend permissions or quota")
        return
    if abs(skew) > 5:
        cure = "Snakemake compares times: have the clocks set"
        yield Check("storage", WARN, f"the disk's clock differs by {skew:.0f} s", cure)
    yield _room(subject, folder)
    kind = ask("stat", "-f", "-c", "%T", str(folder)).out
    if kind in ("tmpfs", "overlayfs", "ramfs"):
        yield Check("storage", FAIL, f"{folder} lies on {kind}", "work on a disk that all nodes share")


def _room(subject: Subject, folder: Path) -> Check:
    runs = {
        run
        for name in subject.study.scale(subject.scale).experiments
        for run in subject.study.experiments.runs(subject.scale, name)
    }
    largest = max(_parameters(subject, variant) for variant, _ in runs)
    needed = len(runs) * 4 * largest * (CHECKPOINT_TENSORS * 2 + 6)
    free, statistics = shutil.disk_usage(folder).free, os.statvfs(folder)
    inodes, files = statistics.f_favail, len(runs) * FILES_PER_RUN
    fact = f"{free >> 30} GiB free, the study may need {needed / 2**30:.1f}; {files} files"
    if free < needed or (statistics.f_files and inodes < files):
        return Check("storage", FAIL, fact, "free space or inodes (quota -s, lfs quota)")
    return Check("storage", OK, f"{fact}; quotas are not seen from here")


def _parameters(subject: Subject, variant: str) -> int:
    from ired.base.streams import stream
    from ired.energy import WeightLayout, build_network
    from ired.tasks import build_task

    config = subject.study.run_config(subject.scale, variant, 0)
    network = build_network(config.network, build_task(config.problem), config.schedule.timesteps)
    return WeightLayout(network.initial_weights(stream(0, "weights"))).parameters
