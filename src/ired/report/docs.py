"""The parts of docs/ that say what code and shipped tables say: the columns of every table, how to read every figure,
what every experiment gave, what a negative was worth."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from ired.base.files import write_text
from ired.figures import FIGURES, figure
from ired.record.schema import PUBLISHED, PUBLISHED_TABLE, TABLES, WORTH
from ired.record.table import Table
from ired.report.designs import designs_section
from ired.report.experiments_page import experiments_sections
from ired.report.worth_page import read, scale_section, worth_section

MARK = "<!-- What follows is written by `python -m ired docs`. -->\n"
WIDTH = 120
PAGES = ("tables.md", "figures.md", "findings.md", "theory.md", "experiments.md")
SHIPPED = Path("results/shipped")


def _filled(words: str) -> str:
    lines = textwrap.wrap(" ".join(words.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def _table(table: Table) -> str:
    """A heading, what a row is, and the columns in order, each with its meaning in brackets."""
    columns = (f"`{c.name}`" + (f" ({c.meaning})" if c.meaning else "") for c in table.columns)
    return f"## {table.name}.csv\n{_filled(table.about)}\n{_filled(', '.join(columns) + '.')}"


def _sections(page: str, shipped: Path) -> Iterator[str]:
    if page == "tables.md":
        own = (PUBLISHED, PUBLISHED_TABLE)
        yield from (_table(table) for table in (*TABLES.values(), *WORTH.values(), *own))
    elif page == "figures.md":
        yield from (_filled(f"**{name}.** {figure(name).reading}") for name in FIGURES)
    elif page == "experiments.md":
        yield from experiments_sections(shipped)
    elif page == "theory.md":
        for folder in sorted(shipped.glob("*/tables/consistency")):
            yield scale_section(folder)
    else:
        for folder in sorted(shipped.glob("*/tables/worth")):
            yield worth_section(read(folder), folder.parts[-3])
        yield designs_section(shipped)


def generated(page: str, text: str, shipped: Path = SHIPPED) -> str:
    """The page with everything after the mark written anew; `shipped`: the folder of the shipped scales."""
    return text[: text.index(MARK) + len(MARK)] + "\n" + "\n".join(_sections(page, shipped))


def write_docs(folder: Path) -> None:
    """Write the pages anew; what stands above their mark is left as it is."""
    for page in PAGES:
        write_text(folder / page, generated(page, (folder / page).read_text(encoding="utf-8")))
