"""A run's curves as TensorBoard event files: an optional extra, since it brings a server with it."""

from __future__ import annotations

from pathlib import Path

from ired.base.errors import UserError
from ired.record.schema import HISTORY


def export_tensorboard(run: Path, out: Path) -> int:
    """Write a run's history as scalars by step: loss_denoise, loss_contrast, mse_validation. Returns how many.

    Raises:
        UserError: the run has no history, or the extra is not installed.
    """
    history = HISTORY.read(run / "history.csv")
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("event files need the extra `tensorboard`: pip install 'ired[tensorboard]'") from None
    written = 0
    with SummaryWriter(str(out)) as writer:
        for row in history.to_dict("records"):
            for name in HISTORY.names:
                if name != "step" and row[name] == row[name]:  # an empty cell is NaN
                    writer.add_scalar(name, row[name], int(row["step"]))
                    written += 1
    return written
