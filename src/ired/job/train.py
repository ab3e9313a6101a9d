"""One training job from configurations to published run folders: idempotent, resumable, nothing half-written.

State lives outside Snakemake's declared outputs, which Snakemake deletes before every attempt:

    {state}/seed{seed}-{fingerprint}/result/         a finished run's files, republished when asked again
    {state}/seed{seed}-{fingerprint}/lock.json       who is writing it now
    {state}/{pack}/checkpoints/, events.jsonl        of the run or pack in progress
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import save

from ired.base.errors import UserError
from ired.base.files import write_bytes, write_json, write_text
from ired.base.hashing import digest
from ired.energy import kernel_of
from ired.job.attempt import Job, JobCallbacks, attempt, sweep
from ired.job.build import build_engine
from ired.job.events import Events, attempts
from ired.job.hold import put_back
from ired.record.errors import write_errors
from ired.record.provenance import snapshot
from ired.record.publish import is_finished, publish, state_folder
from ired.record.schema import HISTORY
from ired.study.run_config import RunConfig, check_pack
from ired.tasks import build_task
from ired.tasks.held_out import read_split
from ired.training.loop import CheckpointPlan, Trainer
from ired.training.precision import check_units
from ired.training.progress import Progress
from ired.training.stopping import Stopper


@dataclass(frozen=True)
class Execution:
    """How a job runs, as opposed to what it computes. The kind of device decides on random numbers (see
    `base/streams.py`) and on rounding; nothing else here may change a number."""

    data: Path
    state: Path
    device: str = "cpu"
    checkpoint_minutes: float = 5.0
    checkpoint_steps: int | None = None


def seed_folder(state: Path, config: RunConfig) -> Path:
    """Where a run keeps its finished result and, trained alone, its checkpoints."""
    return state_folder(state, config.seed, config.fingerprint())


def pack_folder(state: Path, configs: Sequence[RunConfig]) -> Path:
    """Where a pack keeps its checkpoints; a pack of one is the run itself."""
    if len(configs) == 1:
        return seed_folder(state, configs[0])
    return state / f"pack-{digest(' '.join(config.fingerprint() for config in configs))}"


def train_runs(configs: Sequence[RunConfig], execution: Execution, job: Job) -> None:
    """Train whichever of the runs are not finished, as one pack, and keep their results in the state folder.
    The caller holds their locks.

    Raises:
        Interrupted: stopped with a checkpoint.
        UserError: the data, the configuration or the folders are not as they should be.
    """
    missing = [c for c in configs if not is_finished(seed_folder(execution.state, c), c.fingerprint())]
    if not missing:
        return
    # A pack that was cut while it wrote its results (a full disk, say) goes on from its last checkpoint,
    # which is of all its seeds.
    begun = any((pack_folder(execution.state, configs) / "checkpoints").glob("*.json"))
    members = configs if begun else missing
    folder = pack_folder(execution.state, members)
    events = Events(folder)
    trainer = _trainer(members, folder, execution, job, events)
    with attempt(trainer, events):
        trainer.run()
        trainer.save()  # the tests below take a while, and may be cut short
    job.refuse_lost_lock()
    write_results(members, trainer, execution, attempts(events.read()))
    shutil.rmtree(trainer.plan.folder, ignore_errors=True)


def _trainer(
    configs: Sequence[RunConfig], folder: Path, execution: Execution, job: Job, events: Events
) -> Trainer:
    check_pack(configs)
    config = configs[0]
    check_units(config.training.precision, execution.device)
    task = build_task(config.problem)
    validation = read_split(execution.data / "validation.npz", task, config.held_out)
    for split in task.splits:
        # Needed only at the end: a damaged one must not cost the training.
        read_split(execution.data / f"test_{split}.npz", task, config.held_out)
    engine = build_engine(config, [c.seed for c in configs], execution.device)
    label = f"{config.negatives.strategy} seed {','.join(str(seed) for seed in engine.seeds)}"
    progress = Progress(label, config.training.steps, folder, engine.seeds)
    identity = f"{folder.name} on {engine.device.type}"
    minutes, steps = execution.checkpoint_minutes, execution.checkpoint_steps
    plan = CheckpointPlan(folder / "checkpoints", identity, minutes, steps, at_once=True)
    callbacks = JobCallbacks(job, events, plan, progress.say)
    return Trainer(engine, validation, plan, job.stopper, progress, config.early_stopping, callbacks)


def write_results(
    configs: Sequence[RunConfig], trainer: Trainer, execution: Execution, tries: list[dict[str, Any]]
) -> None:
    """Test the reported weights and write the result folder of every seed that has none."""
    tests = _test(configs[0], trainer, execution)
    flat = trainer.final_flat().detach().cpu()
    for index, config in enumerate(configs):
        folder = seed_folder(execution.state, config) / "result"
        if is_finished(folder.parent, config.fingerprint()):
            continue
        weights = {
            name: value[index].contiguous() for name, value in trainer.engine.layout.unflatten(flat).items()
        }
        record = trainer.records[index]
        last = record.stopped_at or trainer.engine.step  # others of its pack may have gone on
        snapshots = {
            f"step{step}": value[index].cpu().contiguous()
            for step, value in trainer.snapshots.items()
            if step <= last
        }
        history = pd.DataFrame(record.history, columns=list(HISTORY.names))
        write_text(folder / "config.json", config.to_json() + "\n")
        HISTORY.write(history, folder / "history.csv")
        tensors = {"model.safetensors": save(weights), "snapshots.safetensors": save(snapshots)}
        for name, content in tensors.items():
            write_bytes(folder / name, content)
        # A diverged run has no answers, as its metrics have no test.
        answered = slice(0 if record.diverged_at is not None else None)
        errors = {split: result.squared_error[index, answered] for split, result in tests.items()}
        write_errors(folder / "errors.npz", errors, config.fingerprint())
        write_json(folder / "provenance.json", _provenance(trainer, execution) | {"attempts": tries})
        checksums = {name: hashlib.sha256(content).hexdigest() for name, content in tensors.items()}
        metrics = _metrics(config, trainer, index, tests) | {"sha256": checksums}
        write_json(folder / "metrics.json", metrics)


def _test(config: RunConfig, trainer: Trainer, execution: Execution) -> dict[str, Any]:
    """Both test sets under the reported weights: {split: Evaluation}."""
    engine = trainer.engine
    weights = engine.weights(trainer.final_flat())
    result = {}
    for split in engine.task.splits:
        problems = read_split(execution.data / f"test_{split}.npz", engine.task, config.held_out)
        result[split] = engine.solver.evaluate(weights, problems)
    return result


def _metrics(config: RunConfig, trainer: Trainer, index: int, tests: dict[str, Any]) -> dict[str, Any]:
    record, engine = trainer.records[index], trainer.engine
    diverged = record.diverged_at is not None
    last = next(
        (row["mse_validation"] for row in reversed(record.history) if row["mse_validation"] is not None), None
    )
    test = {
        split: {
            "matrices": result.squared_error.shape[1],
            "mse": result.mse()[index].item(),
            "mse_se": result.mse_se()[index].item(),
            "residual": result.residual[index].mean().item(),
        }
        for split, result in tests.items()
    }
    return {
        "protocol": config.protocol,
        "fingerprint": config.fingerprint(),
        "strategy": config.negatives.strategy,
        "seed": config.seed,
        "status": "diverged" if diverged else "finished",
        "diverged_at": record.diverged_at,
        "steps": record.diverged_at or record.stopped_at or engine.step,
        "n": config.problem.n,
        "parameters": engine.layout.parameters,
        "madds_per_step": engine.multiply_adds_per_step(),
        "mse_validation": None if diverged else last,
        "best_mse_validation": None if diverged else record.best_mse,
        "best_step": None if diverged else record.best_step,
        "test": None if diverged else test,
    }


def _provenance(trainer: Trainer, execution: Execution) -> dict[str, Any]:
    facts = snapshot(execution.device)
    facts["kernel"] = kernel_of(trainer.engine.network, trainer.engine.device)
    facts["train_seconds"] = round(trainer.seconds, 3)
    facts["seconds_per_step"] = trainer.seconds / max(trainer.engine.step, 1)
    facts["seeds_per_job"] = len(trainer.engine.seeds)
    return facts


def train_and_publish(
    configs: Sequence[RunConfig], run_dirs: Sequence[Path], execution: Execution, stopper: Stopper
) -> None:
    """What the training command does: under the runs' locks, train what is missing and publish everything
    asked for. Without folders to publish to, results wait in the state folder."""
    folders = [seed_folder(execution.state, config) for config in configs]
    if len(set(folders)) < len(folders):
        raise UserError("one run is asked for twice in one call; give each --config once")
    job = Job(folders, stopper)
    with put_back(folders, stopper), job.holding():
        sweep([*folders, *run_dirs])
        train_runs(configs, execution, job)
        for folder, run_dir in zip(folders, run_dirs, strict=bool(run_dirs)):
            publish(folder, run_dir)
