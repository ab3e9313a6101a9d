"""The one place where a run's configuration becomes the things that train it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ired.diffusion.descent import Descender
from ired.diffusion.schedule import noise_schedule
from ired.energy import EnergyNetwork, build_network
from ired.negatives import build_strategy
from ired.study.run_config import RunConfig
from ired.tasks import Task, build_task
from ired.training.engine import Engine
from ired.training.parts import Parts


def build_parts(config: RunConfig, device: torch.device | str = "cpu") -> Parts:
    """Task, network, descent and strategy of a run, of whatever seed."""
    task = build_task(config.problem)
    network = build_network(config.network, task, config.schedule.timesteps)
    descender = Descender(
        noise_schedule(config.schedule).to(device), config.inference.clip, config.release_compat
    )
    strategy = build_strategy(config.negatives, descender)
    turns = tuple(_at_size(config, n) for n in config.training.sizes or ())
    return Parts(
        task, network, descender, strategy, config.contrast, config.inference, config.training.steps, turns
    )


def _at_size(config: RunConfig, n: int) -> tuple[Task, EnergyNetwork]:
    task = build_task(config.problem.model_copy(update={"n": n}))
    return task, build_network(config.network, task, config.schedule.timesteps)


def build_engine(config: RunConfig, seeds: Sequence[int], device: torch.device | str = "cpu") -> Engine:
    """The engine of a pack: runs configured as `config`, whose own seed is not looked at, with these seeds."""
    return Engine(build_parts(config, device), config.optimiser, config.training, tuple(seeds), device)
