"""Tables in, pictures out: reading what the pipeline wrote, saving PDF, PNG and SVG.

The same table gives the same bytes: no dates, no versions of a tool, fonts that ship with the library.
"""

from __future__ import annotations

import io
import multiprocessing
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from ired.base.files import write_bytes
from ired.figures import draw, figure
from ired.figures.toolkit import fonts
from ired.figures.toolkit.sheet import Sheet
from ired.figures.toolkit.style import PNG_DPI, RC
from ired.record.schema import PUBLISHED, TABLES, WORTH
from ired.record.whole import Marks, refuse_holes, refuse_others


def save(figure: Sheet, path_prefix: Path) -> list[Path]:
    """Write `<prefix>.pdf`, `.png` and `.svg`, each atomically and reproducibly; return their paths.

    The SVG is without the title, which is the heading of a page that shows it.
    """
    written = []
    metadata: dict[str, dict[str, str | None]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
    }
    for kind, facts in metadata.items():
        buffer = io.BytesIO()
        # Some settings (fonts of a PDF) act when a figure is saved, not when drawn.
        with (
            mpl.rc_context(RC),
            fonts.parsed_once(),
            figure.untitled() if kind == "svg" else nullcontext() as cut,
        ):
            figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=facts, bbox_inches=cut)
        target = Path(f"{path_prefix}.{kind}")  # not with_suffix: a prefix may hold a dot
        write_bytes(target, buffer.getvalue())
        written.append(target)
    return written


def read_tables(names: Iterable[str], folder: Path, published: Path | None = None) -> dict[str, pd.DataFrame]:
    """The named tables of one experiment's folder; `published` lives elsewhere.

    Raises:
        FileFault: a table is missing or cannot be used.
    """
    tables: dict[str, pd.DataFrame] = {}
    for name in dict.fromkeys(names):
        if name == PUBLISHED.name:
            tables |= {} if published is None else {name: PUBLISHED.read(published)}
        else:
            tables[name] = (TABLES | WORTH)[name].read(folder / f"{name}.csv")
    return tables


def draw_figures(
    names: Iterable[str],
    folder: Path,
    output: Path,
    published: Path | None = None,
    processes: int = 1,
    expected: Marks | None = None,
    column: bool = False,
) -> list[Path]:
    """Draw the named figures of one experiment into `output`/<name>.pdf, .png and .svg; return the paths.
    `expected`: marks of the runs that the tables must be of (None: of any). `column`: as wide
    as one column of a two-column page.

    Raises:
        UserError: a figure is unknown, or one of its tables is missing.
    """
    chosen = {name: figure(name) for name in names}
    needed = [table for spec in chosen.values() for table in spec.tables]
    # What gives every variant of an experiment one look; the study of worth names arms and has no such table.
    needed += [] if set(needed) <= set(WORTH) else ["runs"]
    # A folder may lack what a figure can do without.
    needed += [
        t for spec in chosen.values() for t in (*spec.optional, *spec.says) if (folder / f"{t}.csv").exists()
    ]
    tables = read_tables(needed, folder, published)
    if expected is not None:
        refuse_others(tables["runs"], expected, folder / "runs.csv")
    refuse_holes(tables, folder)
    jobs = [(name, tables, output, column) for name in chosen]
    # A forked worker has every import and table at hand; where forking is not safe, one process does it all.
    if processes == 1 or sys.platform != "linux":
        return [path for job in jobs for path in _draw_one(*job)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        return [path for paths in pool.map(_draw_one, *zip(*jobs, strict=True)) for path in paths]


def _draw_one(name: str, tables: Mapping[str, pd.DataFrame], output: Path, column: bool) -> list[Path]:
    return save(draw(name, tables, column), output / name)
