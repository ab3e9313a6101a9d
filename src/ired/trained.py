"""A finished run in Python: `ired.load(folder)`, then ask its energy for answers. numpy in, numpy out."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ired.base.errors import UserError
from ired.base.streams import Streams
from ired.diffusion.descent import Descender, infer
from ired.diffusion.schedule import noise_schedule
from ired.energy import EnergyNetwork, build_network
from ired.job.finished import open_run, read_weights
from ired.record.errors import Errors, read_errors
from ired.record.schema import HISTORY
from ired.tasks import Task, build_task

Array = NDArray[np.float64]
CHUNK = 2048  # problems answered at a time


class TrainedRun:
    """One finished run: its configuration, its record and its energy.

    Attributes:
        config: the run's configuration.
        metrics: metrics.json as it stands.

    Raises:
        UserError: at construction, where the folder is no finished run or its weights are another's.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.config, self.metrics = open_run(self.folder)
        stored = read_weights(self.folder, "model.safetensors", self.metrics)
        self._weights = {name: value[None] for name, value in stored.items()}
        self._schedule = noise_schedule(self.config.schedule)
        self._at(self.config.problem.n)  # weights of another network are refused here

    @cached_property
    def history(self) -> pd.DataFrame:
        """The learning curve: step, loss_denoise, loss_contrast, mse_validation (docs/tables.md)."""
        return HISTORY.read(self.folder / "history.csv")

    @cached_property
    def errors(self) -> Errors:
        """The squared error per element of every test problem, test set -> (N,) float32; problem i of a test set is
        the same one in every run and for every reference predictor of the scale.

        Raises:
            FileFault: the run has no errors.npz (runs of earlier versions have none), or it is another run's.
        """
        return read_errors(self.folder / "errors.npz", self.config.fingerprint())

    def solve(self, condition: Any) -> Array:
        """Answers by annealed inference (IRED, Algorithm 2), from the noise of the run's seed.

        Args:
            condition: one problem of the task's condition shape, or a stack of them: for inversion (n, n) or (N, n,
                n). n may be another than the run's where the network does not depend on it.

        Returns:
            The solutions, (n, n) or (N, n, n).

        Raises:
            UserError: the shape is not the task's, or the network cannot take that n.
        """
        task, network, batch, alone = self._problems(condition)
        descender = Descender(self._schedule, self.config.inference.clip, self.config.release_compat)
        parts = []
        for index, start in enumerate(range(0, batch.shape[1], CHUNK)):
            streams = Streams([self.config.seed], step=index)
            chunk = batch[:, start : start + CHUNK]
            parts.append(infer(network, self._weights, chunk, streams, self.config.inference, descender))
        answers = torch.cat(parts, 1)[0].double().numpy().reshape(-1, *task.solution_shape)
        return answers[0] if alone else answers

    def energy(self, condition: Any, y: Any, t: int) -> Array:
        """E(A, y, t) of each problem, low = good: a number, or (N,) for a stack.

        Args:
            condition: as of `solve`.
            y: points at noise level t, of the solutions' shape.
            t: the noise level, 0 (nearly none) to T - 1 (nearly all).
        """
        task, network, batch, alone = self._problems(condition)
        points = torch.as_tensor(np.asarray(y), dtype=torch.float32).reshape(1, batch.shape[1], -1)
        if not 0 <= t < self._schedule.levels:
            raise UserError(f"noise level {t} is none of 0 to {self._schedule.levels - 1}")
        if points.shape[-1] != network.solution_size:
            raise UserError(f"y has the shape {np.shape(y)}; solutions have {task.solution_shape}")
        levels = torch.full(batch.shape[:2], t, dtype=torch.int64)
        with torch.no_grad():
            value = network.prepare(self._weights, batch, levels).energy(points)[0].double().numpy()
        return value[0] if alone else value

    def residual(self, condition: Any, answer: Any) -> Array:
        """How badly answers contradict what is given: for inversion ||A Y - I||_F, a number or (N,)."""
        task, _, batch, alone = self._problems(condition)
        answers = torch.as_tensor(np.asarray(answer), dtype=torch.float64).reshape(batch.shape[1], -1)
        value = task.residual(batch[0].double(), answers).numpy()
        return value[0] if alone else value

    def _problems(self, condition: Any) -> tuple[Task, EnergyNetwork, Tensor, bool]:
        """The task and network of the conditions' size, the conditions as (1, N, C), and whether it is one alone."""
        values = np.asarray(condition, dtype=np.float64)
        if values.ndim < 2 or values.shape[-1] != values.shape[-2] or values.shape[-1] < 2:
            raise UserError(
                f"a {self.config.problem.task} problem holds square matrices; got shape {values.shape}"
            )
        task, network = self._at(values.shape[-1])
        alone = values.shape == task.condition_shape
        if not alone and values.shape[1:] != task.condition_shape:
            raise UserError(
                f"got shape {values.shape}; one problem has {task.condition_shape}, a stack (N, ...)"
            )
        if not np.isfinite(values).all():
            raise UserError("the problem holds numbers that are not finite")
        return (
            task,
            network,
            torch.from_numpy(values).float().reshape(1, 1 if alone else len(values), -1),
            alone,
        )

    def _at(self, n: int) -> tuple[Task, EnergyNetwork]:
        """The run's task and network for n x n matrices."""
        task = build_task(self.config.problem.model_copy(update={"n": n}))
        network = build_network(self.config.network, task, self._schedule.levels)
        wanted = {k: v.shape for k, v in network.initial_weights(torch.Generator()).items()}
        found = {k: v.shape[1:] for k, v in self._weights.items()}
        if wanted != found and n != self.config.problem.n:
            raise UserError(
                f"this {self.config.network.kind} network takes n = {self.config.problem.n} alone; got {n}"
            )
        if wanted != found:
            raise UserError(f"{self.folder}/model.safetensors holds the weights of another network")
        return task, network


def load(folder: str | Path) -> TrainedRun:
    """A finished run, from its folder (`results/laptop/runs/none/seed0`, or one under `results/shipped`).

    Raises:
        UserError: the folder is no finished run.
    """
    return TrainedRun(folder)
