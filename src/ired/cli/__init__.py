"""The command line: what the rules of the workflow call, and what a person may.

Must not import at the top of a file what needs torch, pandas or a figure: a command loads what it uses. No logic lives
here.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from ired.base.errors import UserError
from ired.cli import jobs, login, pages, people, tables

EXIT_INTERRUPTED, EXIT_USER_ERROR = 75, 78

HELP = (
    "Do harder negatives help an energy-based diffusion model? What the rules of the workflow call, and what a person "
    f"may.\n\nExit codes: 0 done; 1 a bug; {EXIT_INTERRUPTED} interrupted with a checkpoint, run it again; "
    f"{EXIT_USER_ERROR} a mistake that you can mend, named in one line."
)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=HELP)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"ired {version('ired')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What every command shares."""


# In the order of `ired --help`: first what rules of the workflow call, in the order of the workflow.
for command in (
    *(jobs.dataset, jobs.reference, jobs.train, jobs.diagnose),
    *(tables.aggregate, tables.tune, tables.worth),
    *(pages.figure, pages.report, pages.published_table, pages.docs),
    *(people.summary, people.compare, people.export, people.config, people.solve),
    *(login.doctor, login.status),
):
    app.command()(command)


def main() -> None:
    """Run a command; a `UserError` becomes one line on stderr."""
    from ired.training.stopping import Interrupted

    for stream in (sys.stdout, sys.stderr):  # a terminal may have no minus sign
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(standalone_mode=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except Interrupted as pause:
        print(f"interrupted: {pause}", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
