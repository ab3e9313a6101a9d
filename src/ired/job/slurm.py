"""What SLURM's own commands say. Every answer may be missing: not every machine has a scheduler, and a
scheduler may be down."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

# States in which a job has a process, or will have one again.
LIVE = {
    "CONFIGURING",
    "COMPLETING",
    "PENDING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESIZING",
    "RUNNING",
    "SIGNALING",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
}
GONE = "GONE"


@dataclass(frozen=True)
class Answer:
    """A command's outcome; `code` is None where it could not run or did not answer in time."""

    code: int | None
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0


def ask(*words: str, timeout: float = 30) -> Answer:
    """Run a command and never raise."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(None, "", str(error))
    return Answer(done.returncode, done.stdout.strip(), done.stderr.strip())


def job_id() -> str | None:
    """The job this process runs in."""
    return os.environ.get("SLURM_JOB_ID")


def job_state(job: str) -> str | None:
    """A job's state, `GONE` where the scheduler knows no such job, None where it does not answer."""
    answer = ask("squeue", "--noheader", "--states=all", "--jobs", job, "--format=%T")
    if answer.ok:
        return answer.out.splitlines()[0].strip() if answer.out else GONE
    return GONE if "Invalid job id" in answer.err else None


def seconds_left() -> float | None:
    """How long this job may still run; None outside a job, without a limit, or without an answer."""
    job = job_id()
    if job is None:
        return None
    answer = ask("squeue", "--noheader", "--jobs", job, "--format=%L")
    return duration(answer.out) if answer.ok else None


def duration(text: str) -> float | None:
    """SLURM's [days-][hours:]minutes:seconds as seconds; None for UNLIMITED, NOT_SET, INVALID."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text.strip())
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


@dataclass(frozen=True)
class QueuedJob:
    """A line of squeue. `folder`: where it was submitted; `comment`: what the submitter wrote of the job's rule and
    wildcards."""

    job: str
    state: str
    reason: str
    nodes: str
    name: str
    folder: str
    comment: str

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def here(self) -> bool:
        """Whether it was submitted from the current folder, and not from another checkout."""
        return os.path.realpath(self.folder) == os.path.realpath(os.curdir)


def queue(prefix: str) -> list[QueuedJob] | None:
    """This user's jobs whose name begins with `prefix`, the newest last, ended ones included while the scheduler
    remembers them; None where it does not answer. By itself squeue sorts by the name of the state."""
    answer = ask("squeue", "--me", "--noheader", "--states=all", "--format=%i|%T|%r|%N|%j|%Z|%k")
    if not answer.ok:
        return None
    rows = (line.split("|", 6) for line in answer.out.splitlines() if line.count("|") >= 6)
    found = [QueuedJob(*row) for row in rows if row[4].startswith(prefix)]
    return sorted(found, key=lambda job: int("".join(re.findall(r"^\d+", job.job)) or 0))


def config_value(config: str, key: str) -> str | None:
    """One value of `scontrol show config`."""
    match = re.search(rf"^{key}\s*=\s*(.*)$", config, flags=re.MULTILINE)
    return match.group(1).strip() if match else None
