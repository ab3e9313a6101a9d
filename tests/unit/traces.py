"""Everything that a run does, in order, as a list of labelled digests that two runs can be compared by."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ired.base.settings import parsed
from ired.job.build import build_engine
from ired.study.run_config import Ensemble, RunConfig
from ired.tasks import ProblemSet, build_task
from ired.tasks.held_out import SPLITS, draw_split
from ired.training.engine import Engine
from ired.training.loop import CheckpointPlan, Trainer
from ired.training.progress import Progress
from ired.training.stopping import Stopper

# fit, validation, test_id, test_ood   the held-out sets
# backend                              the arithmetic that the accelerator is told to use
# initial                              the weights before the first step
# answer                               inference on the test matrices, with those weights
# matrices ... average                 of each step: its matrices, negatives, loss terms, weights and average
# stop                                 the step at which the run ended
# history, snapshots, reported         what it left: validation and losses, weights for diagnostics, the model
# output                               the fingerprint that its files carry
LABELS = (
    *SPLITS,
    *("backend", "initial", "answer"),
    *("matrices", "negatives", "denoise", "contrast", "weights", "average"),
    *("stop", "history", "snapshots", "reported", "output"),
)


class Trace(list[tuple[str, str]]):
    """(label, digest) of each event, in order."""

    def note(self, label: str, *values: Any) -> None:
        """Add an event of tensors or JSON values."""
        assert label in LABELS
        content = hashlib.sha256()
        for value in values:
            if isinstance(value, Tensor):
                content.update(str(tuple(value.shape)).encode() + value.detach().numpy().tobytes())
            else:
                content.update(json.dumps(value, default=vars).encode())
        self.append((label, content.hexdigest()))

    def of(self, label: str) -> list[str]:
        """The digests of one kind of event."""
        return [digest for name, digest in self if name == label]


def first_difference(one: Trace, other: Trace) -> set[str]:
    """The labels of the first events that are not the same; empty where the traces are equal."""
    for a, b in zip(one, other, strict=False):
        if a != b:
            return {a[0], b[0]}
    assert len(one) == len(other), "a trace ends with its output, so that none can begin with another"
    return set()


def trace(config: RunConfig) -> Trace:
    """Train a run in memory and note everything that it does."""
    result = Trace()
    sets = {split: _split(split, config.model_dump_json(include={"problem", "held_out"})) for split in SPLITS}
    for split, matrices in sets.items():
        result.note(split, matrices.condition, matrices.solution)
    engine = build_engine(config, (config.seed,))
    result.note("initial", engine.flat)
    answers = engine.solver.answers(engine.weights(engine.flat), sets["test_id"])
    result.note("answer", *(answer for _, _, answer in answers))
    _watch(engine, result)
    with tempfile.TemporaryDirectory() as folder:
        plan = CheckpointPlan(Path(folder), "trace", minutes=1e9)
        progress = Progress("trace", config.training.steps)
        trainer = Trainer(engine, sets["validation"], plan, Stopper(), progress, config.early_stopping)
        trainer.run()
    result.note("stop", engine.step)
    result.note("history", [record.history for record in trainer.records])
    result.note("snapshots", *_flat(trainer.snapshots.items()))
    result.note("reported", trainer.final_flat())
    result.note("output", config.fingerprint())
    return result


def _watch(engine: Engine, result: Trace) -> None:
    """Note what each step draws, proposes, computes and changes."""
    objective, propose, advance = engine.objective, engine.strategy.propose, engine.advance

    def watched_propose(*arguments: Any) -> Any:
        proposal = propose(*arguments)
        batch = proposal.batch or arguments[1]
        result.note("negatives", proposal.negative, proposal.solution, batch.condition, batch.t)
        return proposal

    def watched_objective(weights: Any, condition: Tensor, solution: Tensor, *rest: Any) -> Any:
        result.note("matrices", condition, solution)
        result.note("backend", torch.backends.cuda.matmul.fp32_precision)
        terms = objective(weights, condition, solution, *rest)
        result.note("denoise", terms.denoise)
        result.note("contrast", terms.contrast)
        return terms

    def watched_advance() -> None:
        advance()
        result.note("weights", engine.flat)
        result.note("average", engine.average)

    engine.strategy.propose = watched_propose  # type: ignore[method-assign]
    engine.objective = watched_objective  # type: ignore[assignment]
    engine.advance = watched_advance  # type: ignore[method-assign]


@cache
def _split(split: str, settings: str) -> ProblemSet:
    ensemble = parsed(Ensemble, settings, "trace")
    return draw_split(split, build_task(ensemble.problem), ensemble.held_out)


def _flat(pairs: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [value for pair in pairs for value in pair]
