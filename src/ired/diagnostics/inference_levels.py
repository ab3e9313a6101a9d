"""The error along inference: how far each noise level has brought the answer."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from ired.base.streams import Streams
from ired.diagnostics.subject import Diagnostic, Subject
from ired.diffusion.descent import annealed_levels
from ired.diffusion.solve import CHUNK
from ired.record.schema.diagnostics import INFERENCE_LEVELS
from ired.tasks import ProblemSet


def errors_by_level(subject: Subject, problems: ProblemSet) -> list[float]:
    """MSE after each level, from the noisiest down: the numbers of the answers that are reported."""
    parts, device = subject.parts, subject.device
    condition = problems.condition[None].to(device)
    streams = Streams((subject.config.seed,), device).at(0)  # the first chunk's, as `Solver` starts it
    start = streams.normal("inference", condition.shape[1], parts.network.solution_size)

    def error(estimate: Tensor) -> float:
        return (estimate[0].cpu() - problems.solution).double().square().mean().item()

    with torch.no_grad():
        path = annealed_levels(
            parts.network, subject.reported, condition, start, parts.inference, parts.descender
        )
        return [error(estimate) for estimate in path]


def compute(subject: Subject) -> pd.DataFrame:
    """inference_levels.csv: every test set."""
    task = subject.parts.task
    line = next(p for p in task.predictors(subject.problems("fit")) if p.name == task.line)
    rows = []
    for split in task.splits:
        problems = subject.problems(f"test_{split}").first(min(subject.count, CHUNK))
        errors, beaten = errors_by_level(subject, problems), float(line.squared_error(problems).mean())
        for t, mse in zip(reversed(range(len(errors))), errors, strict=True):
            rows.append({"split": split, "t": t, "matrices": len(problems), "mse": mse, "line_mse": beaten})
    return pd.DataFrame(rows)


DIAGNOSTIC = Diagnostic(INFERENCE_LEVELS, compute)
