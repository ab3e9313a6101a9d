"""A task of other shapes: two numbers are asked for where six are given. Nothing may take one for the other."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from ired.base.streams import Streams
from ired.diffusion.descent import Descender, Inference, ReleaseCompat
from ired.diffusion.schedule import ScheduleSettings, noise_schedule
from ired.energy import build_network
from ired.energy.mlp import MlpNetwork
from ired.negatives import STRATEGIES, build_strategy, parse_settings
from ired.tasks import Predictor, ProblemSet, Task, TaskSettings
from ired.tasks.held_out import HeldOut, draw_split
from ired.tasks.reference import measure, reference_table
from ired.training.engine import Engine
from ired.training.objective import Contrast, NegativeFilter
from ired.training.parts import Parts
from ired.training.settings import Optimiser, Training


class ToySettings(TaskSettings):
    task: Literal["toy"] = "toy"


class Toy(Task):
    """(3, 2) numbers -> the sums of their columns."""

    Settings = ToySettings
    condition_shape, solution_shape, line = (3, 2), (2,), "zero"

    def draw(self, streams: Streams, count: int, split: str) -> tuple[Tensor, Tensor]:
        given = streams.normal("toy", count, 3, 2) * (0.6 if split == "ood" else 0.3)
        return given.flatten(2), given.sum(2)

    def predictors(self, fit: ProblemSet) -> list[Predictor]:
        return [Predictor("zero", 0, lambda problems: problems.solution.double().square().mean(1).numpy())]

    def residual(self, condition: Tensor, answer: Tensor) -> Tensor:
        return (condition.unflatten(-1, (3, 2)).sum(-2) - answer).norm(dim=-1)


LANGEVIN = {"strategy": "langevin", "opt_steps": 2}
EVERY: dict[str, dict[str, Any]] = {
    **{name: {"strategy": name} for name in STRATEGIES if name not in ("mixed", "none")},
    "replay": LANGEVIN | {"replay": {"size": 40, "buckets": 4, "sample_prob": 0.8}},
    "mixed": {"strategy": "mixed", "first": LANGEVIN, "second": {"strategy": "adversarial"}},
}


def engine(negatives: dict[str, Any], contrast: Contrast | None, steps: int) -> Engine:
    task = Toy(ToySettings(n=2))
    schedule = noise_schedule(ScheduleSettings())
    descender = Descender(schedule, 2.0, ReleaseCompat())
    network = build_network(MlpNetwork(hidden=32, time_features=8), task, schedule.levels)
    strategy = build_strategy(parse_settings(negatives), descender)
    parts = Parts(task, network, descender, strategy, contrast, Inference(), steps)
    optimiser = Optimiser(learning_rate=3e-3, decay="cosine")
    return Engine(parts, optimiser, Training(steps=steps, batch_size=32), (0, 1))


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"conditioning_aware", "symmetric"}))
def test_every_strategy_takes_a_solution_of_another_shape(name: str) -> None:
    trained = engine(EVERY[name], Contrast(filter=NegativeFilter(by="residual", quantile=0.2)), 3)
    for _ in range(3):
        trained.advance()
    assert torch.isfinite(trained.flat).all() and (trained.diverged_at < 0).all()


def test_it_is_learnt_and_answered() -> None:
    trained = engine({"strategy": "none"}, None, 1500)
    for _ in range(1500):
        trained.advance()
    test = draw_split("test_id", trained.task, HeldOut(test_matrices=200))
    found = trained.solver.evaluate(trained.weights(trained.average), test)
    zero = reference_table(trained.task, measure(trained.task, test, {"id": test}))["mse"].item()
    assert zero == pytest.approx(np.square(test.solution.numpy()).mean(), rel=1e-6)
    assert found.squared_error.shape == (2, 200) and (found.mse() < zero / 3).all(), (found.mse(), zero)
    assert found.residual.shape == (2, 200)
