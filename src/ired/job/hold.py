"""A run that must not be trained now, because of a STOP file or another job's lock: its job goes back into the queue.

A job that ended instead would be one of the few attempts that Snakemake makes, and be submitted again at once: all of
them are gone within minutes, and the run has failed however soon the file is removed. A job that waited here would keep
its node.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ired.job.attempt import stop_file
from ired.job.lock import describe, read_lock, why_alive
from ired.job.slurm import job_id
from ired.training.stopping import Interrupted, Stopper

AGAIN_SECONDS, END_SECONDS = 300, 60.0
# SLURM ends the job while this runs, hence the trap. Where the new start is not taken, SLURM's own counts: two minutes.
REQUEUE = """trap '' TERM
scontrol update "JobId=$1" Requeue=1 && scontrol requeue "$1" || exit 1
for _ in 1 2 3 4 5; do scontrol update "JobId=$1" "StartTime=now+$2" && break; sleep 1; done
exit 0
"""


@contextmanager
def put_back(folders: Sequence[Path], stopper: Stopper) -> Iterator[None]:
    """Around an attempt. Where it is interrupted by what holds a run, and by no signal, its SLURM job is put back into
    the queue, under the same id, to look again in five minutes. Where that is not allowed, the interruption goes on."""
    try:
        yield
    except Interrupted:
        why, job = what_holds(folders), job_id()
        if why and job and not stopper.signalled and _requeued(job):
            print(f"{why}; job {job} goes back into the queue and looks again", file=sys.stderr)
            deadline = time.monotonic() + END_SECONDS
            while time.monotonic() < deadline and not stopper.signalled:
                time.sleep(0.1)
        raise


def what_holds(folders: Sequence[Path]) -> str | None:
    """Why some run of these must not be trained now, or None."""
    for folder in folders:
        if found := stop_file(folder):
            return f"{found} exists"
        lock = read_lock(folder / "lock.json")
        if lock is not None and why_alive(lock):
            return f"{folder.name} is being trained by {describe(lock)}"
    return None


def _requeued(job: str) -> bool:
    try:
        words = ["sh", "-c", REQUEUE, "requeue", job, str(AGAIN_SECONDS)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
