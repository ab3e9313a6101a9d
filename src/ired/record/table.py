"""A table as a declared thing: its columns, what they mean, and the one way to write and to read it.

Writer and reader are the same object, so a misspelt column is an error on both sides and never an empty column.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from ired.base.errors import UserError
from ired.base.files import write_text

Kind = Literal["number", "integer", "word", "flag"]


@dataclass(frozen=True)
class Column:
    """One column. `kind`: what its cells hold (any cell may be empty). `meaning`: one line for docs/tables.md."""

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True)
class Table:
    """A CSV file with exactly these columns in this order. `about`: one line for docs/tables.md."""

    name: str
    about: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    def frame(self, rows: pd.DataFrame) -> pd.DataFrame:
        """`rows` with the columns in order and integers as integers.

        Raises:
            ValueError: a column lacks or is one too many: a mistake of the code that made the rows.
        """
        lacking = [name for name in self.names if name not in rows]
        unknown = [str(name) for name in rows if name not in self.names]
        if lacking or unknown:
            raise ValueError(
                f"table {self.name}: lacks {lacking or 'nothing'}, does not know {unknown or 'nothing'}"
            )
        integers = {c.name: "Int64" for c in self.columns if c.kind == "integer"}
        return rows[self.names].astype(integers)

    def write(self, rows: pd.DataFrame, path: Path) -> None:
        """Write `rows` to `path`, atomically."""
        write_text(path, self.frame(rows).to_csv(index=False))

    def read(self, path: Path) -> pd.DataFrame:
        """Read and check a file that `write` wrote.

        Raises:
            UserError: the file is missing, cut off, or not this table; the line names it and the cure.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error.strerror}); ask Snakemake for this path"
            ) from None
        # A file that was cut off ends without a newline; pandas alone would fill its last line with empty cells.
        if not content.endswith(b"\n"):
            raise UserError(f"{path} is cut off; delete it and ask Snakemake for this path")
        try:
            rows = pd.read_csv(io.BytesIO(content))
        except (ValueError, pd.errors.ParserError) as error:
            raise UserError(
                f"{path} is not valid CSV ({str(error).strip()}); delete it and ask for it again"
            ) from None
        for column in self.columns:
            if column.name not in rows:
                raise UserError(
                    f"{path} lacks the column {column.name}; delete it and ask Snakemake for this path"
                )
            numeric = column.kind in ("number", "integer")
            if numeric and len(rows) and not pd.api.types.is_numeric_dtype(rows[column.name]):
                raise UserError(
                    f"{path}: column {column.name} is not numeric; delete it and ask for it again"
                )
        unknown = [str(name) for name in rows if name not in self.names]
        if unknown:
            raise UserError(f"{path} has unknown columns ({', '.join(unknown)}): it is of another version")
        return self.frame(rows)
