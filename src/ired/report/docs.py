"""The parts of docs/ that say what code says: the columns of every table, how to read every figure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from ired.base.files import write_text
from ired.figures import FIGURES, figure
from ired.record.schema import PUBLISHED, PUBLISHED_TABLE, TABLES, WORTH
from ired.record.table import Table

MARK = "<!-- What follows is written by `python -m ired docs`. -->\n"
WIDTH = 120


def _filled(words: str) -> str:
    lines = textwrap.wrap(" ".join(words.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def _table(table: Table) -> str:
    """A heading, what a row is, and the columns in order, each with its meaning in brackets."""
    columns = (f"`{c.name}`" + (f" ({c.meaning})" if c.meaning else "") for c in table.columns)
    return f"## {table.name}.csv\n{_filled(table.about)}\n{_filled(', '.join(columns) + '.')}"


def _sections(page: str) -> Iterator[str]:
    if page == "tables.md":
        own = (PUBLISHED, PUBLISHED_TABLE)
        yield from (_table(table) for table in (*TABLES.values(), *WORTH.values(), *own))
    else:
        yield from (_filled(f"**{name}.** {figure(name).reading}") for name in FIGURES)


def generated(page: str, text: str) -> str:
    """The page with everything after the mark written anew."""
    return text[: text.index(MARK) + len(MARK)] + "\n" + "\n".join(_sections(page))


def write_docs(folder: Path) -> None:
    """Write tables.md and figures.md anew; what stands above their mark is left as it is."""
    for page in ("tables.md", "figures.md"):
        write_text(folder / page, generated(page, (folder / page).read_text(encoding="utf-8")))
