"""One writer for a run: lock.json in its state folder, with the writer's job and heartbeat.

A scheduler may start a second copy of a job (requeued after a dead node, submitted again by a restarted
controller). The second copy stops at a live lock and takes over a stale one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ired.base.errors import PassingError
from ired.base.files import write_json
from ired.job.slurm import LIVE, job_id, job_state
from ired.training.stopping import Interrupted

STALE_SECONDS, NAMELESS_SECONDS, CLOCK_SECONDS = 600.0, 60.0, 60.0


class RunLock:
    """The lock on one folder.

    Attributes:
        taken_from: the stale lock that was taken over, or None.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock.json"
        self.token = uuid.uuid4().hex
        self.taken_from: dict[str, Any] | None = None
        self._facts = {
            "token": self.token,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "job": job_id(),
            "process": process_start(os.getpid()),
            "started": time.time(),
        }

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            Interrupted: another job holds it and lives.
            PassingError: the folder cannot be written.
        """
        with self._alone():
            while not self._create():
                holder = read_lock(self.path)
                if holder is None:
                    if self.path.is_symlink():  # to nowhere: nobody's, and in the way for ever
                        self.path.unlink(missing_ok=True)
                    continue
                alive = why_alive(holder)
                if alive:
                    name = self.path.parent.name
                    raise Interrupted(f"{name} is being trained by {describe(holder)}: {alive}")
                if self._remove(holder):
                    self.taken_from = holder

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Judge, remove and create as one act: between two that judge one lock stale, the second would remove
        the first one's new lock. A file system without file locks goes without; a lock lost there is noticed
        before the next write.

        Raises:
            PassingError: the folder cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            guard = (self.path.parent / ".lock.guard").open("w")
        except OSError as error:
            raise PassingError(
                f"cannot write {self.path}: {error.strerror}; free space or mend permissions"
            ) from error
        with guard:
            with contextlib.suppress(OSError):
                fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def _create(self) -> bool:
        content = json.dumps(self._facts | {"heartbeat": time.time(), "step": None}) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        except OSError as error:
            raise PassingError(
                f"cannot write {self.path}: {error.strerror}; free space or mend permissions"
            ) from error
        try:
            with os.fdopen(descriptor, "w") as handle:
                handle.write(content)
        except OSError as error:
            self.path.unlink(missing_ok=True)
            raise PassingError(
                f"cannot write {self.path}: {error.strerror}; free space or mend permissions"
            ) from error
        return True

    def _remove(self, judged: dict[str, Any]) -> bool:
        """Remove the lock that was judged stale, and no other: two jobs may judge the same one at once."""
        aside = self.path.with_name(f".lock.{self.token}.tmp")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return False
        moved = read_lock(aside)
        if moved is not None and moved.get("token") != judged.get("token") and not self.path.exists():
            os.rename(aside, self.path)
            return False
        aside.unlink(missing_ok=True)
        return True

    def beat(self, step: int | None) -> bool:
        """Renew the heartbeat; False where the lock is no longer ours."""
        if not self.ours():
            return False
        write_json(self.path, self._facts | {"heartbeat": time.time(), "step": step})
        return True

    def release(self) -> None:
        """Give the lock back, if it is still ours."""
        if self.ours():
            self.path.unlink(missing_ok=True)

    def ours(self) -> bool:
        """Whether the lock on the disk is this one."""
        holder = read_lock(self.path)
        return holder is not None and holder.get("token") == self.token


def read_lock(path: Path) -> dict[str, Any] | None:
    """A lock's content, None where there is no lock.

    A lock that is being created names nobody yet and is given a minute. A heartbeat in the future was written by a host
    whose clock is ahead: the file's own age counts then, and where that lies in the future too, the lock is stale.
    """
    try:
        written = path.stat().st_mtime
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        content, written = "", 0.0
    try:
        holder = json.loads(content)
    except ValueError:
        holder = {"nameless": True, "heartbeat": written}
    holder = holder if isinstance(holder, dict) else {}
    latest = time.time() + CLOCK_SECONDS
    beats = (
        beat
        for beat in (holder.get("heartbeat"), written)
        if isinstance(beat, int | float) and beat <= latest
    )
    pid = holder.get("pid")
    known = isinstance(pid, int) and not isinstance(pid, bool) and 0 < pid < 2**31
    return holder | {"heartbeat": next(beats, 0.0), "pid": pid if known else None}


def why_alive(holder: dict[str, Any]) -> str | None:
    """Why a lock's owner must be taken to live, or None where it is stale.

    What the scheduler says comes first, then whether the process exists, then the age of the heartbeat.
    """
    age = time.time() - holder.get("heartbeat", 0.0)
    job, here = holder.get("job"), holder.get("host") == socket.gethostname()
    if job is not None and job == job_id():
        # This very job: requeued, and its former self is dead, or an allocation in which several things run.
        return "its process exists" if here and _exists(holder) else None
    state = job_state(job) if job is not None else None
    if state is not None:
        return f"SLURM says {state}, heartbeat {age:.0f} s ago" if state in LIVE else None
    if job is None and here:
        return "its process exists" if _exists(holder) else None
    if holder.get("nameless"):
        return f"made {age:.0f} s ago" if age < NAMELESS_SECONDS else None
    return f"heartbeat {age:.0f} s ago" if age < STALE_SECONDS else None


def _exists(holder: dict[str, Any]) -> bool:
    """Whether the very process that wrote a lock on this machine is still there: a number alone is given to
    others later, after a reboot to anybody."""
    pid = holder.get("pid")
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    known = holder.get("process")
    return known is None or process_start(pid) == known


def process_start(pid: int) -> str | None:
    """When a process began, in the kernel's own count; None where the system does not tell (no /proc)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # Behind the command's name, which may hold anything and ends with the last parenthesis.
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return f"{boot} {fields[19]}"


def describe(holder: dict[str, Any]) -> str:
    """A lock's owner in words."""
    if holder.get("nameless"):
        return "somebody whose lock is being written"
    job = f"job {holder['job']}" if holder.get("job") else f"process {holder.get('pid', '?')}"
    return f"{job} on {holder.get('host', '?')}"
