"""A finished run's folder, opened: its configuration, its metrics and the weights that these were measured with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ired.base.errors import UserError
from ired.base.hashing import fingerprint
from ired.base.settings import validated
from ired.record.publish import refuse_altered
from ired.record.read import read_bytes, read_object
from ired.study.run_config import RunConfig


def open_run(folder: Path) -> tuple[RunConfig, dict[str, Any]]:
    """A run's configuration and metrics.

    Raises:
        UserError: one is missing or cannot be used, or they do not belong together.
    """
    metrics = read_object(folder / "metrics.json")
    path = folder / "config.json"
    settings = read_object(path)
    config = validated(RunConfig, settings, str(path))
    # Of the settings as they stand: a run is older than a setting that has come since.
    if metrics.get("fingerprint") != fingerprint(settings):
        raise UserError(f"{path} does not match metrics.json beside it; delete both and ask for them again")
    return config, metrics


def read_weights(folder: Path, name: str, metrics: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors of model.safetensors or snapshots.safetensors by name.

    Raises:
        UserError: the file is missing or cut, or is not the one that the metrics were measured with.
    """
    content = read_bytes(folder / name)
    refuse_altered(folder / name, content, metrics)
    try:
        return load(content)
    except SafetensorError as error:
        raise UserError(
            f"{folder / name} cannot be read ({error}); delete its folder and ask for the run again"
        ) from None


def read_snapshots(folder: Path, metrics: dict[str, Any]) -> list[tuple[int, Tensor]]:
    """Each snapshot's step and flat weights, in order; errors as of `read_weights`."""
    stored = read_weights(folder, "snapshots.safetensors", metrics)
    try:
        return sorted((int(name.removeprefix("step")), flat) for name, flat in stored.items())
    except ValueError:
        raise UserError(f"{folder}/snapshots.safetensors holds no snapshots: {', '.join(stored)}") from None
