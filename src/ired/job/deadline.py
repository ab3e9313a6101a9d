"""When the scheduler will kill this job."""

from __future__ import annotations

import sys

from ired.job.slurm import job_id, seconds_left
from ired.training.stopping import Stopper

STARTUP_SECONDS = 120.0


def stopper_for(max_minutes: float | None) -> Stopper:
    """A `Stopper` that knows the job's time limit.

    SLURM is asked once; where it does not answer, the limit is `max_minutes` less what passed before this
    process began. Outside a job, `max_minutes` alone counts.
    """
    if job_id() is None:
        return Stopper(max_minutes)
    left = seconds_left()
    if left is None and max_minutes is not None:
        left = max(60 * max_minutes - STARTUP_SECONDS, 30 * max_minutes)
        print(f"squeue does not say how long this job may run; taking {left:.0f} s", file=sys.stderr)
    return Stopper(killed_in=left)
