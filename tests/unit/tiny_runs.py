"""Tiny runs for the tests of training: made in a second, and compared byte by byte."""

from __future__ import annotations

from pathlib import Path

from ired.job.train import Execution, train_and_publish
from ired.study.run_config import RunConfig
from ired.training.stopping import Stopper

NUMBERS = (
    "metrics.json",
    "history.csv",
    "model.safetensors",
    "snapshots.safetensors",
    "errors.npz",
    "config.json",
)


def run(
    config: RunConfig, data: Path, root: Path, stopper: Stopper | None = None, **execution: object
) -> Path:
    run_dir = root / "runs" / f"seed{config.seed}"
    train_and_publish([config], [run_dir], Execution(data, root / "state", **execution), stopper or Stopper())  # type: ignore[arg-type]
    return run_dir


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in NUMBERS}


class StopAt(Stopper):
    """Stops when asked for the k-th time."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.left = k

    def reason(self) -> str | None:
        self.left -= 1
        return "the test says so" if self.left < 0 else None
