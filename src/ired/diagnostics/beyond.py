"""The reported weights where they were not trained: on other sizes n, on other diagonals c, and with more or fewer
steps of inference, beside what an exact inverse costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ired.base.streams import INITIALISATION, Streams, stream
from ired.diagnostics.subject import Diagnostic, Subject
from ired.diffusion.solve import Solver
from ired.energy import WeightLayout, build_network
from ired.record.schema.diagnostics import BEYOND
from ired.tasks import ProblemSet, Task, build_task

SIZES = (5, 6, 8, 10, 14, 20, 30, 40)
DIAGONALS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
STEPS = (1, 2, 5, 10, 20)
FIT = 2000  # matrices that the line of each ensemble is fitted on


def drawn(task: Task, count: int, purpose: str) -> ProblemSet:
    """Problems of the in-distribution ensemble, the same for every run: none of training's or of the held-out sets."""
    condition, solution = task.draw(
        Streams([0], step=INITIALISATION, purpose=f"beyond/{purpose}/"), count, "id"
    )
    return ProblemSet(condition[0], solution[0])


def answer_madds(subject: Subject, network: Any, steps: int) -> int:
    """Counted multiply-adds of one answer: at each noise level a first gradient, then `steps` of descent."""
    shared, energy, gradient = network.multiply_adds()
    levels = subject.parts.schedule.levels
    return int(shared + levels * ((2 + steps) * energy + (1 + steps) * gradient))


def exact_madds(n: int) -> float:
    """Cholesky, its inverse, and their product: n^3 multiply-adds (Higham 2002, section 14)."""
    return float(n**3)


def measured(
    subject: Subject, kind: str, count: int, n: int, diagonal: float, steps: int
) -> dict[str, Any] | None:
    """A row of beyond.csv; None where the network's weights have another shape at this n."""
    config, parts = subject.config, subject.parts
    task = build_task(config.problem.model_copy(update={"n": n, "diagonal_id": diagonal}))
    network = build_network(config.network, task, config.schedule.timesteps)
    shapes = WeightLayout(network.initial_weights(stream(config.seed, "weights"))).shapes
    if shapes != {name: tuple(value.shape[1:]) for name, value in subject.reported.items()}:
        return None
    inference = config.inference.model_copy(update={"steps": steps})
    solver = Solver(task, network, inference, parts.descender, (config.seed,), subject.device)
    problems = drawn(task, count, "test")
    result = solver.evaluate(subject.reported, problems)
    line = next(p for p in task.predictors(drawn(task, FIT, "fit")) if p.name == task.line)
    return {
        "kind": kind,
        "n": n,
        "diagonal": diagonal,
        "steps": steps,
        "matrices": count,
        "mse": result.mse()[0].item(),
        "mse_se": result.mse_se()[0].item(),
        "line_mse": float(line.squared_error(problems).mean()),
        "madds": answer_madds(subject, network, steps),
        "exact_madds": exact_madds(n),
    }


def cases(subject: Subject) -> Iterator[tuple[str, int, float, int]]:
    """(kind, n, diagonal, steps): one of the three moves away from what the run was trained for."""
    problem: Any = subject.config.problem  # an inversion's, whose diagonal a checker does not know of
    steps = subject.config.inference.steps
    yield from (("size", n, problem.diagonal_id, steps) for n in sorted({*SIZES, problem.n}))
    yield from (("diagonal", problem.n, c, steps) for c in sorted({*DIAGONALS, problem.diagonal_id}))
    yield from (("steps", problem.n, problem.diagonal_id, k) for k in sorted({*STEPS, steps}))


def compute(subject: Subject) -> pd.DataFrame:
    """beyond.csv."""
    rows = [measured(subject, case[0], subject.count, *case[1:]) for case in cases(subject)]
    return pd.DataFrame([row for row in rows if row is not None])


DIAGNOSTIC = Diagnostic(BEYOND, compute, tasks=("inversion",))
