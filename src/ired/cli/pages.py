"""Tables into figures and pages; nothing is trained or computed anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ired.base.errors import UserError
from ired.cli.options import PublishedCsv


def figure(
    names: Annotated[list[str], typer.Argument(help="Figures to draw; docs/figures.md lists them.")],
    tables: Annotated[Path, typer.Option(help="An experiment's folder of tables.")],
    published: PublishedCsv,
    out: Annotated[Path, typer.Option(help="Folder for the PDF, PNG and SVG files.")],
    processes: Annotated[int, typer.Option(min=1, help="How many figures are drawn at a time.")] = 1,
    column: Annotated[
        bool, typer.Option("--column", help="For one column of a two-column page: 3.4 inches wide.")
    ] = False,
    expected: Annotated[
        str | None, typer.Option(help="Variant -> mark of the runs that the tables must be of, as JSON.")
    ] = None,
) -> None:
    """Draw figures from tables; computes nothing."""
    from ired.figures.toolkit.output import draw_figures

    marks = json.loads(expected) if expected else None
    draw_figures(names, tables, out, published, processes, marks, column)


def report(
    scale: Annotated[str, typer.Option(help="The scale's name, for the title.")],
    experiments: Annotated[
        str, typer.Option(help="Experiment -> its figures, as JSON; the first one leads.")
    ],
    settings: Annotated[str, typer.Option(help="The configuration to show, as JSON.")],
    tables: Annotated[Path, typer.Option(help="The scale's folder of tables.")],
    figures: Annotated[Path, typer.Option(help="The scale's folder of figures.")],
    published: PublishedCsv,
    workflow: Annotated[Path, typer.Option(help="The workflow graph, an SVG.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    questions: Annotated[str, typer.Option(help="Experiment -> what it asks, as JSON.")] = "{}",
    expected: Annotated[
        str,
        typer.Option(help="Experiment -> variant -> mark of the runs that the tables must be of, as JSON."),
    ] = "{}",
) -> None:
    """One self-contained page that opens with the answer."""
    from ired.record.schema import TABLES
    from ired.record.whole import read_whole
    from ired.report import build
    from ired.report.terminal import opening

    chosen, marks = json.loads(experiments), json.loads(expected)
    for name in chosen:
        read_whole(TABLES, tables / name, marks.get(name))
    graph = workflow.read_text(encoding="utf-8") if workflow.exists() else None
    headline = opening(tables, next(iter(chosen)))
    shown = json.loads(settings)
    asked = json.loads(questions)
    compared = set(chosen) <= set(marks)
    build(tables, figures, out, scale, chosen, headline, shown, published, graph, asked, compared)


def published_table(
    problem: Annotated[
        list[str],
        typer.Option(help="NAME=TASK,REFERENCE.csv,FOLDER: predictors, and networks' tables (may be empty)."),
    ],
    published: PublishedCsv,
    out: Annotated[Path, typer.Option(help="The folder of table and figure.")],
) -> None:
    """IRED's Table 1 beside reference predictors and trained networks: CSV, Markdown and figure."""
    from ired.base.files import write_text
    from ired.figures import draw
    from ired.figures.toolkit.output import save
    from ired.record.schema import PUBLISHED_TABLE
    from ired.tables.published_table import Source, as_markdown
    from ired.tables.published_table import published_table as whole

    sources = []
    for text in problem:
        name, _, paths = text.partition("=")
        if paths.count(",") != 2:
            raise UserError(f"--problem {text!r} is not NAME=TASK,REFERENCE.csv,FOLDER")
        task, reference_csv, folder = paths.split(",")
        sources.append(Source(name, task, Path(reference_csv), Path(folder) if folder else None))
    table = whole(sources, published)
    PUBLISHED_TABLE.write(table, out / f"{PUBLISHED_TABLE.name}.csv")
    write_text(out / f"{PUBLISHED_TABLE.name}.md", as_markdown(table))
    save(draw("published_table", {PUBLISHED_TABLE.name: table}), out / PUBLISHED_TABLE.name)
    print(as_markdown(table))


def docs(
    out: Annotated[Path, typer.Option(help="The folder of tables.md and figures.md.")] = Path("docs"),
) -> None:
    """Write what docs/ says of tables, figures and the worth of a negative, from code and shipped tables."""
    from ired.report.docs import write_docs

    write_docs(out)
