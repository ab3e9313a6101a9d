"""Options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[str, typer.Option(help="A resolved configuration as JSON.")]
DataFolder = Annotated[Path, typer.Option(help="Folder of the held-out sets.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: an accelerator where torch sees one.")]
MOST_THREADS = 1024  # torch ends with a segmentation fault at some tens of thousands
Threads = Annotated[int | None, typer.Option(min=1, max=MOST_THREADS, help="CPU threads.")]
RunsFolder = Annotated[Path, typer.Option(help="Folder of {variant}/seed{seed}/.")]
TablesFolder = Annotated[Path, typer.Option(help="Folder for the tables.")]
ReferenceCsv = Annotated[Path, typer.Option(help="The scale's reference.csv.")]
PublishedCsv = Annotated[Path, typer.Option(help="The published figures.")]
ScaleName = Annotated[str | None, typer.Option(help="A scale of config.yaml; by default the one it names.")]


def minutes(value: float | None) -> float | None:
    """A length of time; `nan` would be no deadline at all."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value} is no number of minutes above 0")
    return value
