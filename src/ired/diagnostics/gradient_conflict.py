"""Do the two losses pull against each other, as training adds them, and by more than their noise?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ired.base.streams import Streams, stream
from ired.diagnostics.subject import Diagnostic, Subject
from ired.energy import WeightLayout
from ired.record.schema.diagnostics import GRADIENT_CONFLICT
from ired.tasks import ProblemSet
from ired.training.parts import Parts

DRAWS = 8  # of levels and noise for each half


def cosine(a: Tensor, b: Tensor) -> float | None:
    """Of two vectors (P,); None where one of them vanishes."""
    norms = a.norm() * b.norm()
    return (a @ b / norms).item() if norms > 0 else None


def conflict(denoise: Tensor, energy: Tensor) -> dict[str, float | None]:
    """A row of gradient_conflict.csv without its key, from each loss's gradient on two disjoint halves, (2, P) each."""
    denoise, energy = denoise.double(), energy.double()
    both = denoise.mean(0), energy.mean(0)
    across = [cosine(denoise[0], energy[1]), cosine(denoise[1], energy[0])]
    known = [value for value in across if value is not None]
    return {
        "cosine": cosine(*both),
        "norm_ratio": (both[1].norm() / both[0].norm()).item() if both[0].norm() > 0 else None,
        "cosine_across": sum(known) / len(known) if known else None,
        "denoising_floor": cosine(*denoise),
        "energy_floor": cosine(*energy),
    }


def half_gradients(
    parts: Parts, flat: Tensor, problems: ProblemSet, seed: int, step: int, half: int
) -> tuple[Tensor, Tensor]:
    """Gradients by the weights (P,) of the denoising loss and of the energy term with its weight at `step`, by the
    objective that training descends on: levels, noise and negatives are drawn anew DRAWS times."""
    layout = WeightLayout(parts.network.initial_weights(stream(seed, "weights")))
    flat = flat.detach()[None].requires_grad_()
    device = flat.device
    condition, solution = problems.condition[None].to(device), problems.solution[None].to(device)
    weight, objective = parts.contrast_weight(step), parts.objective()
    parts.strategy.load_state({})  # no snapshot keeps a replay buffer
    streams = Streams([seed], device, purpose="diagnosis/gradient_conflict/")
    total = torch.zeros(2, flat.shape[1], device=device, dtype=torch.float64)
    for draw in range(DRAWS):
        terms = objective(
            layout.unflatten(flat), condition, solution, streams.at(half * DRAWS + draw), weight
        )
        losses = terms.denoise.sum(), weight * terms.contrast.sum()
        for row, loss in zip(total, losses, strict=True):
            found = torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True)[0]
            row += 0 if found is None else found[0].double() / DRAWS
    return total[0], total[1]


def compute(subject: Subject) -> pd.DataFrame:
    """gradient_conflict.csv: every snapshot before the end, on two halves of the validation problems."""
    parts, steps, rows = subject.parts, subject.config.training.steps, []
    problems = subject.problems("validation").first(subject.count)
    size = len(problems) // 2
    halves = [
        ProblemSet(
            problems.condition[k * size : (k + 1) * size], problems.solution[k * size : (k + 1) * size]
        )
        for k in range(2)
    ]
    for step, flat in subject.snapshots if parts.contrast is not None else []:
        if step == steps:
            continue
        found = [
            half_gradients(parts, flat, half, subject.config.seed, step, k) for k, half in enumerate(halves)
        ]
        denoise, energy = (torch.stack(each) for each in zip(*found, strict=True))
        key: dict[str, Any] = {"phase": step / steps, "step": step, "matrices": size, "draws": DRAWS}
        rows.append(key | conflict(denoise, energy))
    return pd.DataFrame(rows, columns=GRADIENT_CONFLICT.names)


DIAGNOSTIC = Diagnostic(GRADIENT_CONFLICT, compute)
