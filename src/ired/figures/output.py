"""Tables in, pictures out: reading what the pipeline wrote, saving PDF and PNG.

The same table gives the same bytes: no dates, no versions of a tool, fonts that ship with the library.
"""

from __future__ import annotations

import io
import multiprocessing
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from fontTools.subset import Options
from matplotlib.figure import Figure

from ired.base.errors import UserError
from ired.base.files import write_bytes
from ired.figures.registry import draw, figure_spec
from ired.figures.style import PNG_DPI, RC

# A PDF embeds the outlines of its glyphs; the tables that shape text are not looked at again, and to read
# and trim them would take most of the time of a save.
Options._drop_tables_default = [*Options._drop_tables_default, "GDEF", "GPOS", "GSUB"]

# Text that may look like a number: a level "0.10", a fingerprint of digits alone.
TEXT_COLUMNS = dict.fromkeys(
    ("variant", "strategy", "factor", "level", "fingerprint", "method", "table"), str
)


def save(figure: Figure, path_prefix: Path) -> list[Path]:
    """Write `<prefix>.pdf` and `<prefix>.png`, each atomically and reproducibly; return their paths."""
    written = []
    metadata: dict[str, dict[str, str | None]] = {
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    for kind, facts in metadata.items():
        buffer = io.BytesIO()
        with mpl.rc_context(RC):  # some settings (fonts of a PDF) act when a figure is saved, not when drawn
            figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=facts)
        target = Path(f"{path_prefix}.{kind}")  # not with_suffix: a prefix may hold a dot
        write_bytes(target, buffer.getvalue())
        written.append(target)
    return written


def read_table(path: Path) -> pd.DataFrame:
    """One CSV of docs/tables.md. Only an empty cell is missing: a variant may be called `none` or `NA`.

    Raises:
        UserError: the file is missing or is not a table.
    """
    try:
        return pd.read_csv(path, dtype=TEXT_COLUMNS, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise UserError(f"{path} is missing; ask Snakemake for this path to make it") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{path} is not a table ({error}); delete it and ask for it again") from error


def read_tables(
    names: Iterable[str], folder: Path, reference: Path | None = None, published: Path | None = None
) -> dict[str, pd.DataFrame]:
    """The named tables of one experiment's folder; `reference` and `published` live elsewhere.

    Raises:
        UserError: one of the experiment's own tables is missing.
    """
    elsewhere = {"reference": reference, "published": published}
    tables = {}
    for name in dict.fromkeys(names):
        path = elsewhere[name] if name in elsewhere else folder / f"{name}.csv"
        if path is not None:
            tables[name] = read_table(path)
    return tables


def draw_figures(
    names: Iterable[str],
    folder: Path,
    output: Path,
    reference: Path | None = None,
    published: Path | None = None,
    processes: int = 1,
) -> list[Path]:
    """Draw the named figures of one experiment into `output`/<name>.pdf and .png; return the paths.

    Raises:
        UserError: a figure is unknown, or one of its tables is missing.
    """
    specs = [figure_spec(name) for name in names]
    needed = [table for spec in specs for table in (*spec.tables, *spec.optional)]
    tables = read_tables(["runs", *needed], folder, reference, published)
    jobs = [(spec.name, tables, output) for spec in specs]
    # A forked worker has every import and table at hand; where forking is not safe, one process does it all.
    if processes == 1 or sys.platform != "linux":
        return [path for job in jobs for path in _draw_one(*job)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        return [path for paths in pool.map(_draw_one, *zip(*jobs, strict=True)) for path in paths]


def _draw_one(name: str, tables: Mapping[str, pd.DataFrame], output: Path) -> list[Path]:
    return save(draw(name, tables), output / name)
