"""Do harder negatives help an energy-based diffusion model (IRED) learn a precise task, and if not, why?

`ired.load(folder)` gives a finished run, `ired.read_tables(scale)` an experiment's tables; everything else is asked of
the command line (`python -m ired --help`) or of Snakemake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ired.report.terminal import read_tables
    from ired.trained import TrainedRun, load

__all__ = ["TrainedRun", "load", "read_tables"]


def __getattr__(name: str) -> Any:
    """Loaded when first asked for: planning a workflow imports this package and must not wait for torch."""
    if name == "read_tables":
        from ired.report.terminal import read_tables

        return read_tables
    if name in __all__:
        from ired import trained

        return getattr(trained, name)
    raise AttributeError(f"module 'ired' has no attribute {name!r}")
