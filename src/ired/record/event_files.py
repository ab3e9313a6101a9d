"""A run's curves as TensorBoard event files: an optional extra, since it brings a server with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ired.base.errors import UserError
from ired.record.schema import DIAGNOSTICS, HISTORY
from ired.record.table import Table


class Scalar(NamedTuple):
    """One point of one curve."""

    name: str
    value: float
    step: int


def export_tensorboard(run: Path, out: Path) -> int:
    """Write a run's history as scalars by step (loss_denoise, loss_contrast, mse_validation), and of its diagnostics
    what was measured at several steps, a curve for each noise level: `energy_profile/saturation_share/t3`. Returns how
    many scalars.

    Raises:
        UserError: the run has no history, a table of it cannot be used, or the extra is not installed.
    """
    found = list(scalars(run))
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("event files need the extra `tensorboard`: pip install 'ired[tensorboard]'") from None
    with SummaryWriter(str(out)) as writer:
        for name, value, step in found:
            writer.add_scalar(name, value, step)
    return len(found)


def scalars(run: Path) -> Iterator[Scalar]:
    """Every point of a run's history, and of its diagnostics by step."""
    yield from _curves(HISTORY, run / "history.csv", "")
    for table in DIAGNOSTICS.values():
        path = run / f"{table.name}.csv"
        if "step" in table.names and path.exists():
            yield from _curves(table, path, f"{table.name}/")


def _curves(table: Table, path: Path, prefix: str) -> Iterator[Scalar]:
    """Numbers by step; words and the noise level `t` tell curves apart."""
    keys = [column.name for column in table.columns if column.kind == "word"]
    values = [column.name for column in table.columns if column.kind == "number" and column.name != "phase"]
    for row in table.read(path).to_dict("records"):
        ends = [str(row[key]) for key in keys] + ([f"t{row['t']}"] if "t" in row else [])
        for name in values:
            if pd.notna(row[name]):
                yield Scalar("/".join([prefix + name, *ends]), float(row[name]), int(row["step"]))
