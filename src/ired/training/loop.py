"""The training loop: flat, resumable at every step, one pack of seeds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ired.tasks import ProblemSet
from ired.training.checkpoint import load_checkpoint, save_checkpoint
from ired.training.engine import Engine
from ired.training.progress import Progress
from ired.training.settings import EarlyStopping
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
    """Where checkpoints go and how often: whichever of minutes and steps comes first; None is never.

    at_once: write the first one after the first step, which shows while little is lost that it can be written.
    """

    folder: Path
    identity: str
    minutes: float = 5.0
    steps: int | None = None
    at_once: bool = False


class Callbacks:
    """What others want to do while the loop runs; nothing here."""

    def on_step(self, step: int) -> None:
        """A step has been taken."""

    def before_checkpoint(self) -> None:
        """A checkpoint is about to be written; an exception prevents it."""

    def on_checkpoint(self, step: int, seconds: float) -> None:
        """A checkpoint of `step` has been written and took so long."""


class Trainer:
    """Trains an engine to its end, or until told to stop."""

    def __init__(
        self,
        engine: Engine,
        validation: ProblemSet,
        plan: CheckpointPlan,
        stopper: Stopper,
        progress: Progress,
        early_stopping: EarlyStopping | None = None,
        callbacks: Callbacks | None = None,
    ) -> None:
        self.engine, self.validation, self.plan = engine, validation, plan
        self.stopper, self.progress = stopper, progress
        self.early_stopping, self.callbacks = early_stopping, callbacks or Callbacks()
        self.records = [SeedRecord() for _ in engine.seeds]
        self.snapshots: dict[int, Tensor] = {}
        self.best_flat = engine.average.clone() if early_stopping else None
        self.seconds = 0.0
        steps, shares = engine.training.steps, engine.training.snapshots
        self.snapshot_steps = sorted({max(1, round(share * steps)) for share in shares})
        self._checkpointed: float | None = None if plan.at_once else time.monotonic()

    def run(self) -> None:
        """Train to the end.

        Raises:
            Interrupted: told to stop; a checkpoint of the last finished step is on disk.
        """
        started, before = time.monotonic(), self.seconds
        while self.engine.step < self.engine.training.steps and any(r.active for r in self.records):
            reason = self.stopper.reason()
            if reason:
                self.save()
                raise Interrupted(f"{reason}; step {self.engine.step} is saved in {self.plan.folder}")
            self.engine.advance()
            self._after_step()
            self.callbacks.on_step(self.engine.step)
            self.seconds = before + time.monotonic() - started
            if self._checkpoint_due():
                self.save()
        self.progress.finish(self.engine.step, self._last_loss())

    def _after_step(self) -> None:
        step, settings = self.engine.step, self.engine.training
        validate = step % settings.validate_every == 0 or step == settings.steps
        if step in self.snapshot_steps:
            self.snapshots[step] = self.engine.flat.detach().clone()
        if validate or step % settings.history_every == 0:
            self._record(self._validate() if validate else [None] * len(self.records))
        if self.progress.due():
            loss = self.engine.loss_sums[0].mean().item() / max(self.engine.loss_count, 1)
            self.progress.update(step, _finite(loss) if self.engine.loss_count else self._last_loss())

    def _last_loss(self) -> float | int | None:
        """The last noted loss of the first seed; nothing for one that diverged before it had any."""
        history = self.records[0].history
        return history[-1]["loss_denoise"] if history else None

    def _validate(self) -> list[float | None]:
        """Validation MSE of the averaged weights, per seed; None where it is not a number."""
        engine = self.engine
        result = engine.solver.evaluate(engine.weights(engine.average), self.validation)
        return [_finite(value) for value in result.mse().tolist()]

    def _record(self, validation: list[float | None]) -> None:
        """A row of history for each active seed; then divergence and early stopping. The only place that
        waits for the device."""
        step, patience = self.engine.step, self.early_stopping
        denoise, contrast = self.engine.take_losses()
        if validation[0] is not None:
            self.progress.validation = validation[0]
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
            if self.engine.parts.contrast is not None:
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
        if self._checkpointed is None or (self.plan.steps and self.engine.step % self.plan.steps == 0):
            return True
        return time.monotonic() - self._checkpointed >= 60 * self.plan.minutes

    def save(self) -> None:
        """Write a checkpoint of everything a resumed run needs."""
        self.callbacks.before_checkpoint()
        started = time.monotonic()
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
        self.callbacks.on_checkpoint(self.engine.step, self._checkpointed - started)

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
