"""How every run of a scale fares: what the files say, compared with what the scheduler says.

The comparison is the point: a job that the controller waits for and the scheduler has forgotten shows up here
as lost, and nowhere else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ired.base.errors import UserError
from ired.base.files import read_json
from ired.cluster.failure_kinds import classify, last_line, last_words
from ired.job.attempt import stop_file
from ired.job.events import Events, attempts
from ired.job.lock import describe, read_lock, why_alive
from ired.job.slurm import QueuedJob, queue
from ired.job.train import pack_folder, seed_folder
from ired.record.publish import RESULT_FILES, is_finished
from ired.study.resolve import ResolvedStudy
from ired.study.run_config import RunConfig

ORDER = ("lost", "failed", "running", "pending", "outdated", "unpublished", "not started", "done")


@dataclass(frozen=True)
class RunStatus:
    """One run. `kind` is one of ORDER; `rerun` the command that makes this run and no other."""

    run: str
    kind: str
    detail: str
    log: str | None
    rerun: str | None


class Layout:
    """Where the workflow keeps what belongs to one run. `seeds_per_job`: as it was given on the command line,
    for the commands that are printed."""

    def __init__(
        self, results: Path, study: ResolvedStudy, scale: str, profile: str, seeds_per_job: int | None = None
    ) -> None:
        self.results, self.study, self.scale, self.profile = results, study, scale, profile
        self._as_given = seeds_per_job

    def metrics(self, variant: str, seed: int) -> Path:
        return self.results / self.scale / "runs" / variant / f"seed{seed}" / "metrics.json"

    def state(self, variant: str) -> Path:
        return self.results / ".state" / self.scale / variant

    def log(self, variant: str, seed: int) -> Path:
        first, last = self._pack(variant, seed)
        name = f"seed{seed}" if self.study.study.seeds_per_job == 1 else f"seeds{first}-{last}"
        return self.results / self.scale / "logs" / "train" / variant / f"{name}.log"

    def job(self, variant: str, seed: int) -> str:
        """The wildcards of the job that trains a run, as the SLURM executor writes them."""
        first, last = self._pack(variant, seed)
        tail = str(seed) if self.study.study.seeds_per_job == 1 else f"{first}_{last}"
        return f"{self.scale}_{variant}_{tail}"

    def _pack(self, variant: str, seed: int) -> tuple[int, int]:
        seeds = self.study.pack(self.scale, variant, seed)
        return seeds[0], seeds[-1]

    def slurm_logs(self, variant: str, seed: int) -> list[Path]:
        """The scheduler's logs of the run's jobs, the newest last."""
        folder = self.results / ".state" / "slurm_logs" / "rule_train" / self.job(variant, seed)
        return sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)

    def events(self, variant: str, seed: int) -> list[dict[str, Any]]:
        """What happened to the run's job: from the folder of the pack's unfinished runs, which are trained together
        again, or else from that of the whole pack."""
        state = self.state(variant)
        pack = [
            self.study.run_config(self.scale, variant, s) for s in self.study.pack(self.scale, variant, seed)
        ]
        missing = [c for c in pack if not is_finished(seed_folder(state, c), c.fingerprint())]
        for members in (missing, pack):
            if found := Events(pack_folder(state, members)).read() if members else []:
                return found
        return []

    def rerun(self, variant: str, seed: int) -> str:
        packed = f" --config seeds_per_job={self._as_given}" if self._as_given else ""
        return f"snakemake --profile {self.profile} {self.metrics(variant, seed)}{packed}"


def statuses(layout: Layout, wanted: Iterable[tuple[str, int]] | None = None) -> list[RunStatus]:
    """Every run of a scale's experiments, or the `wanted` (variant, seed), those in trouble first."""
    study = layout.study
    jobs = {
        job.comment: job for job in queue("") or [] if job.here
    }  # the newest of equal comments comes last
    listed = study.scale(layout.scale).experiments
    runs = dict.fromkeys(
        wanted
        if wanted is not None
        else (run for name in listed for run in study.experiments.runs(layout.scale, name))
    )
    found = [
        _status(study.run_config(layout.scale, variant, seed), variant, layout, jobs)
        for variant, seed in runs
    ]
    return sorted(found, key=lambda status: ORDER.index(status.kind))


def _status(config: RunConfig, variant: str, layout: Layout, jobs: dict[str, QueuedJob]) -> RunStatus:
    seed = config.seed
    name, rerun = f"{variant}/seed{seed}", layout.rerun(variant, seed)
    metrics, folder = layout.metrics(variant, seed), seed_folder(layout.state(variant), config)
    lock, job = read_lock(folder / "lock.json"), jobs.get(f"rule_train_wildcards_{layout.job(variant, seed)}")
    log = layout.log(variant, seed)
    shown = str(log) if log.exists() else None
    live = job if job and job.live else None
    if metrics.exists() and lock is None and not live:
        return _published(metrics, config, name, rerun)
    held = f"{describe(lock)}, step {_step(lock, layout.events(variant, seed))}" if lock is not None else ""
    alive = why_alive(lock) if lock is not None else None
    if alive:
        return RunStatus(name, "running", f"{held}, {alive}", shown, None)
    if live and live.state == "PENDING":
        stop = stop_file(folder)
        why = f"{stop} exists; remove it to let the run go on" if stop else live.reason
        return RunStatus(name, "pending", f"job {live.job}: {why}", None, None)
    if live and (lock is None or lock.get("job") != live.job):
        # A stale lock is of the attempt before, until this one has loaded what it needs and takes it over.
        return RunStatus(
            name, "running", f"job {live.job} on {live.nodes}: {live.state}, starting", shown, None
        )
    if lock is not None:
        return RunStatus(name, "lost", f"{held}, {_age(lock)}; its job ended without a word", shown, rerun)
    if is_finished(folder, config.fingerprint()):
        return RunStatus(name, "unpublished", "trained, and still to be published", None, rerun)
    trouble = _trouble(folder, layout, variant, seed, job)
    if trouble:
        kind, words, where = trouble
        return RunStatus(name, "failed", f"{kind}: {words}", str(where) if where else None, rerun)
    return RunStatus(name, "not started", "", None, rerun)


def _published(metrics: Path, config: RunConfig, name: str, rerun: str) -> RunStatus:
    try:
        found = read_json(metrics)
    except UserError as error:
        return RunStatus(name, "failed", f"disk: {error}", None, rerun)
    if found.get("fingerprint") != config.fingerprint():
        return RunStatus(name, "outdated", "made with another configuration", None, rerun)
    lacking = [file for file in RESULT_FILES if not metrics.with_name(file).exists()]
    if lacking:
        again = rerun.replace(str(metrics), str(metrics.with_name(lacking[0])))
        return RunStatus(name, "unpublished", f"{', '.join(lacking)} deleted", None, again)
    return RunStatus(name, "done", found["status"], None, None)


def _step(lock: dict[str, Any], events: list[dict[str, Any]]) -> Any:
    noted = [e["step"] for e in events[-1:] if "step" in e]
    return lock.get("step") or (noted[-1] if noted else "?")


def _age(lock: dict[str, Any]) -> str:
    """When it was last heard of; nothing where it says no time that can be true."""
    beat = lock["heartbeat"]
    return f"last heartbeat {time.time() - beat:.0f} s ago" if beat else "no heartbeat"


def _trouble(
    folder: Path, layout: Layout, variant: str, seed: int, job: QueuedJob | None
) -> tuple[str, str, Path | None] | None:
    """Class, last words and log of what went wrong, the run's own words before the scheduler's.

    An attempt that is refused before it begins notes no event: what its log says, which every attempt writes
    anew, is then newer than the last event.
    """
    stop = stop_file(folder)
    if stop:
        return "stopped", f"{stop} exists; remove it to let the run go on", None
    tries = attempts(layout.events(variant, seed))
    own = layout.log(variant, seed)
    logs = [*layout.slurm_logs(variant, seed)[-1:], own]
    words = [tries[-1]["end"] or "" if tries else "", last_words(own)]
    if tries and own.exists() and own.stat().st_mtime > _timestamp(tries[-1]) + 1:
        words.reverse()
    texts = [*words, *(last_words(path) for path in logs[:-1]), job.state if job else ""]
    text = next((t for t in texts if classify(t) != "unknown"), next((t for t in texts if t), ""))
    if not text or (tries and tries[-1]["end"] == "finished"):
        return None
    where = own if own.exists() else (logs[0] if logs[0].exists() else None)
    kind, said = classify(text), last_line(text)
    why = classify(job.state) if job else "unknown"
    if job and kind == "cancelled" and why not in ("unknown", kind):
        kind, said = why, f"job {job.job} was {job.state}; {said}"  # the run knows the signal alone
    return kind, said, where


def _timestamp(attempt: dict[str, Any]) -> float:
    """When an attempt was last heard of, in seconds since 1970."""
    return datetime.fromisoformat(attempt.get("ended") or attempt["started"]).timestamp()


def as_lines(found: list[RunStatus]) -> Iterator[str]:
    """A count of each kind, then a line for each run that is not done."""
    counts = Counter(status.kind for status in found)
    yield ", ".join(f"{counts[kind]} {kind}" for kind in ORDER if counts[kind]) or "no runs"
    for status in found:
        if status.kind == "done" or (status.kind == "not started" and counts["not started"] > 20):
            continue
        yield f"{status.kind:<12}{status.run:<28} {status.detail}"
        if status.log and status.kind in ("failed", "lost"):
            yield f"{'':<12}log    {status.log}"
        if status.rerun and status.kind in ("failed", "lost", "outdated", "unpublished"):
            yield f"{'':<12}again  {status.rerun}"


def as_json(found: list[RunStatus]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [asdict(status) for status in found]
