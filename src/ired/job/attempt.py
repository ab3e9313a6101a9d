"""One attempt of one training job: its locks, its heartbeat, its record of events, and reasons to stop."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ired.base.errors import PassingError, UserError
from ired.energy import kernel_of
from ired.job.code_version import code_identity
from ired.job.events import Events
from ired.job.lock import RunLock, describe
from ired.job.log_guard import when_words_are_lost
from ired.record.provenance import hardware
from ired.training.checkpoint import load_checkpoint
from ired.training.loop import Callbacks, CheckpointPlan, Trainer
from ired.training.stopping import Interrupted, Stopper

HEARTBEAT_SECONDS, LOOK_SECONDS = 60.0, 5.0
CHECKPOINTS_OF_SPACE = 3


class Job:
    """Holds the locks of some runs while they are trained and published.

    Attributes:
        step: the last step known, for the heartbeat.
    """

    def __init__(self, folders: Sequence[Path], stopper: Stopper) -> None:
        self.folders, self.stopper = sorted(folders), stopper
        self.step: int | None = None
        self._locks: list[RunLock] = []
        self._over = threading.Event()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Lock every run's folder, keep the locks fresh, and give them back."""
        with ExitStack() as stack:
            for folder in self.folders:
                self._refuse_stop_file(folder)
                lock = RunLock(folder)
                lock.acquire()
                stack.callback(lock.release)
                self._locks.append(lock)
                if lock.taken_from:
                    print(f"took over the stale lock of {describe(lock.taken_from)}", file=sys.stderr)
                    Events(folder).note("lock taken over", owner=describe(lock.taken_from))
            when_words_are_lost(self._note_lost_words)
            thread = threading.Thread(target=self._keep, name="heartbeat", daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._over.set)
            yield

    def _note_lost_words(self, why: str) -> None:
        for folder in self.folders:
            Events(folder).note("log lost", why=why)

    def _keep(self) -> None:
        """The heartbeat: renew the locks each minute and look for STOP files more often."""
        beaten = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            for folder in self.folders:
                found = stop_file(folder)
                if found:
                    self.stopper.request(f"{found} exists")
            if time.monotonic() - beaten >= HEARTBEAT_SECONDS:
                beaten = time.monotonic()
                self._beat()

    def refuse_lost_lock(self) -> None:
        """Before anything is written: another job may have been told that this one is dead.

        Raises:
            Interrupted: a lock is no longer ours; nothing may be written.
        """
        for lock in self._locks:
            if not lock.ours():
                raise Interrupted(f"{lock.path} was taken over or removed; leaving the run to its new owner")

    def _beat(self) -> None:
        for lock in self._locks:
            try:
                if not lock.beat(self.step):
                    self.stopper.request(f"{lock.path} was taken over or removed")
            except (UserError, OSError) as error:
                print(f"heartbeat: {error}", file=sys.stderr)

    def _refuse_stop_file(self, folder: Path) -> None:
        found = stop_file(folder)
        if found:
            raise Interrupted(f"{found} exists; remove it to let this run go on")


def stop_file(folder: Path) -> Path | None:
    """The STOP file that concerns a run: its own, its variant's, or its scale's."""
    return next((p for p in (f / "STOP" for f in (folder, *folder.parents[:2])) if p.exists()), None)


def sweep(folders: Sequence[Path]) -> None:
    """Remove temporary files that a killed writer left. Only for one who holds the lock."""
    for folder in folders:
        for path in folder.rglob(".*.tmp") if folder.is_dir() else ():
            path.unlink(missing_ok=True)


class JobCallbacks(Callbacks):
    """Tells the job how the training fares, and proves with the attempt's first checkpoint that it can be read."""

    def __init__(self, job: Job, events: Events, plan: CheckpointPlan, say: Callable[[str], None]) -> None:
        self.job, self.events, self.plan, self.say = job, events, plan, say
        self._proven = False

    def on_step(self, step: int) -> None:
        self.job.step = step

    def before_checkpoint(self) -> None:
        self.job.refuse_lost_lock()

    def on_checkpoint(self, step: int, seconds: float) -> None:
        self.job.stopper.checkpoint_took(seconds)
        self.events.note("checkpoint", step=step, seconds=round(seconds, 3))
        if not self._proven:
            self._proven = True
            found = load_checkpoint(self.plan.folder, self.plan.identity, self.say)
            if found is None or found[0] != step:
                raise UserError(f"{self.plan.folder}: a checkpoint just written cannot be read back")


@contextmanager
def attempt(trainer: Trainer, events: Events) -> Iterator[None]:
    """Note the attempt's beginning, where it resumes, and its end."""
    engine = trainer.engine
    commit, _, diff = (code_identity() or "").partition("+")
    facts = {"commit": commit or None, "diff": diff or None, "node": hardware(str(engine.device))}
    facts["kernel"] = kernel_of(engine.network, engine.device)
    events.note("started", seeds=list(engine.seeds), **facts)
    try:
        refuse_little_space(trainer)
        if trainer.resume():
            events.note("resumed", step=engine.step)
        yield
    except BaseException as error:
        why = str(error) if isinstance(error, (Interrupted, UserError)) else repr(error)
        events.note("ended", why=why, step=engine.step)
        raise
    events.note("ended", why="finished", step=engine.step)


def refuse_little_space(trainer: Trainer) -> None:
    """Refuse to start where a few checkpoints do not fit.

    Raises:
        PassingError: what is free and what is needed.
    """
    # Its last checkpoint also holds the snapshots and the best weights. (A replay buffer is not there
    # yet; of the published one, 10,000 chains, the margin of several checkpoints takes care.)
    engine, folder = trainer.engine, trainer.plan.folder
    later = len(trainer.snapshot_steps) + (trainer.best_flat is not None)
    size = sum(t.nbytes for t in engine.state().values()) + later * engine.flat.nbytes
    needed = CHECKPOINTS_OF_SPACE * size
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise PassingError(f"cannot write {folder}: {error.strerror}") from error
    if free < needed:
        text = f"{folder}: {free >> 20} MiB are free, {CHECKPOINTS_OF_SPACE} checkpoints need"
        raise PassingError(f"{text} {(needed >> 20) + 1} MiB; free space")
