"""The training loop: flat, resumable at every step, one pack of seeds."""

from __future__ import annotations

import contextlib
import ctypes
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ired.base.errors import PassingError, UserError
from ired.tasks import ProblemSet
from ired.training.checkpoint import load_checkpoint, save_checkpoint
from ired.training.engine import Engine
from ired.training.progress import Progress
from ired.training.stopping import Interrupted, Stopper


@dataclass
class SeedRecord:
    """What one seed's training has left behind so far, JSON values only."""

    history: list[dict[str, float | int | None]] = field(default_factory=list)
    best_mse: float | None = None
    best_step: int | None = None
    stopped_at: int | None = None
    diverged_at: int | None = None

    @property
    def active(self) -> bool:
        return self.stopped_at is None and self.diverged_at is None


@dataclass(frozen=True)
class CheckpointPlan:
    """Where checkpoints go and how often: whichever of minutes and steps comes first; None is never."""

    folder: Path
    identity: str
    minutes: float = 5.0
    steps: int | None = None


class Trainer:
    """Trains an engine to its end, or until told to stop."""

    def __init__(
        self,
        engine: Engine,
        validation: ProblemSet,
        plan: CheckpointPlan,
        stopper: Stopper,
        progress: Progress,
    ) -> None:
        self.engine, self.validation, self.plan = engine, validation, plan
        self.stopper, self.progress = stopper, progress
        self.records = [SeedRecord() for _ in engine.seeds]
        self.snapshots: dict[int, Tensor] = {}
        self.best_flat = engine.average.clone() if engine.config.early_stopping else None
        self.seconds = 0.0
        steps = engine.config.training.steps
        self.snapshot_steps = sorted(
            {max(1, round(share * steps)) for share in engine.config.training.snapshots}
        )
        self._checkpointed = time.monotonic()

    def run(self) -> None:
        """Train to the end.

        Raises:
            Interrupted: told to stop; a checkpoint of the last finished step is on disk.
        """
        started, before = time.monotonic(), self.seconds
        while self.engine.step < self.engine.config.training.steps and any(r.active for r in self.records):
            reason = self.stopper.reason()
            if reason:
                self.save()
                raise Interrupted(f"{reason}; step {self.engine.step} is saved in {self.plan.folder}")
            self.engine.advance()
            self._after_step()
            self.seconds = before + time.monotonic() - started
            if self._checkpoint_due():
                self.save()
        self.progress.close()

    def _after_step(self) -> None:
        step, settings = self.engine.step, self.engine.config.training
        validate = step % settings.validate_every == 0 or step == settings.steps
        if step in self.snapshot_steps:
            self.snapshots[step] = self.engine.flat.detach().clone()
        if validate or step % settings.history_every == 0:
            self._record(self._validate() if validate else [None] * len(self.records))
        if self.progress.due():
            loss = self.engine.loss_sums[0].mean().item() / max(self.engine.loss_count, 1)
            shown = f"loss {loss:.4f}" if self.engine.loss_count else self._last_loss()
            self.progress.update(step, shown)

    def _last_loss(self) -> str:
        """The last noted loss of the first seed; nothing for one that diverged before it had any."""
        history = self.records[0].history
        loss = history[-1]["loss_denoise"] if history else None
        return f"loss {loss:.4f}" if loss is not None else ""

    def _validate(self) -> list[float | None]:
        """Validation MSE of the averaged weights, per seed; None where it is not a number."""
        engine = self.engine
        result = engine.solver.evaluate(engine.weights(engine.average), self.validation)
        return [_finite(value) for value in result.mse().tolist()]

    def _record(self, validation: list[float | None]) -> None:
        """A row of history for each active seed; then divergence and early stopping. The only place that
        waits for the device."""
        step, patience = self.engine.step, self.engine.config.early_stopping
        denoise, contrast = self.engine.take_losses()
        diverged = self.engine.diverged_at.tolist()
        for index, record in enumerate(self.records):
            if not record.active:
                continue
            if diverged[index] >= 0:
                record.diverged_at = diverged[index]
                seed = self.engine.seeds[index]
                self.progress.say(f"seed {seed} diverged at step {record.diverged_at}; recorded as a result")
                continue
            value = validation[index]
            row = {
                "step": step,
                "loss_denoise": _finite(denoise[index]),
                "loss_contrast": None,
                "mse_validation": value,
            }
            if self.engine.config.contrast is not None:
                row["loss_contrast"] = _finite(contrast[index])
            record.history.append(row)
            if value is not None and (record.best_mse is None or value < record.best_mse):
                record.best_mse, record.best_step = value, step
                if self.best_flat is not None:
                    self.best_flat[index] = self.engine.average[index]
            elif value is not None and patience and step - (record.best_step or 0) >= patience.patience:
                record.stopped_at = step

    def final_flat(self) -> Tensor:
        """The weights to report, (S, P): the averaged ones, or under early stopping those that validated
        best."""
        return self.engine.average if self.best_flat is None else self.best_flat

    def _checkpoint_due(self) -> bool:
        if self.plan.steps and self.engine.step % self.plan.steps == 0:
            return True
        return time.monotonic() - self._checkpointed >= 60 * self.plan.minutes

    def save(self) -> None:
        """Write a checkpoint of everything a resumed run needs."""
        tensors = self.engine.state() | {f"snapshot.{step}": value for step, value in self.snapshots.items()}
        if self.best_flat is not None:
            tensors["best_flat"] = self.best_flat
        record = {
            "loss_count": self.engine.loss_count,
            "seconds": self.seconds,
            "seeds": [vars(r) for r in self.records],
        }
        save_checkpoint(self.plan.folder, self.plan.identity, self.engine.step, tensors, record)
        self._checkpointed = time.monotonic()

    def resume(self) -> bool:
        """Take up the newest valid checkpoint, if there is one."""
        found = load_checkpoint(self.plan.folder, self.plan.identity, self.progress.say)
        if found is None:
            return False
        step, tensors, record = found
        self._restore(step, tensors, record)
        self.progress.say(f"resumed at step {step}")
        return True

    def _restore(self, step: int, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        self.engine.load_state(tensors, step, record["loss_count"])
        self.records = [SeedRecord(**values) for values in record["seeds"]]
        self.seconds = record["seconds"]
        device = self.engine.device
        self.snapshots = {
            int(name.split(".")[1]): t.to(device)
            for name, t in tensors.items()
            if name.startswith("snapshot.")
        }
        if "best_flat" in tensors:
            self.best_flat = tensors["best_flat"].to(device)
        self.progress.first = step


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def use_threads(threads: int | None) -> None:
    """Set the number of CPU threads, on which numbers depend in their last digits, before any is started.

    Keeps freed memory, and takes numbers below 1e-38 as zero: a trained network saturates, its activations
    fall that low, and a processor computes with such numbers in a slow way of its own, which can nearly
    double a step.
    """
    torch.set_flush_denormal(True)
    if threads is not None:
        torch.set_num_threads(threads)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc's allocator keep what tensors free, where there is a glibc.

    By default it hands blocks of 128 KiB and more back to the system at once, and every step's tensors are
    then paged in anew: a quarter of a small network's step.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, 1 << 30)


def pick_device(name: str) -> str:
    """`auto` is an accelerator where torch sees one. What torch sees decides, not the scheduler's variables.

    Raises:
        UserError: torch knows no such device.
        PassingError: cuda is asked for and torch sees none.
    """
    try:
        kind = "" if name == "auto" else torch.device(name).type
    except RuntimeError:
        kind = name
    if kind not in ("", "cpu", "cuda"):
        raise UserError(f"unknown device {name!r}; valid: auto, cpu, cuda, or one of several as cuda:1")
    available = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if available else "cpu"
    if name.startswith("cuda") and not available:
        raise PassingError(
            f"device {name} was asked for, but torch sees none; check driver and torch build, or ask for cpu"
        )
    return name
