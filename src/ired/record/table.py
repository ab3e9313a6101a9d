"""A table as a declared thing: its columns, what they mean, and the one way to write and to read it.

Writer and reader are the same object, so a misspelt column is an error on both sides and never an
empty column.
Declarations cost nothing to import: pandas is loaded when a table is written or read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ired.base.files import write_text
from ired.record.read import FileFault, read_bytes

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["number", "integer", "word", "flag"]


@dataclass(frozen=True)
class Column:
    """One column. `kind`: what its cells hold (any cell may be empty). `meaning`: a phrase for
    docs/tables.md, empty where the name says it."""

    name: str
    kind: Kind
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """A CSV file with exactly these columns in this order. `about`: what a row is, for docs/tables.md."""

    name: str
    about: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def frame(self, rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """`rows` with the columns in order and integers as integers; no rows give an empty table.

        Raises:
            ValueError: a column lacks or is one too many: a mistake of the code that made the rows.
        """
        import pandas as pd

        if not isinstance(rows, pd.DataFrame):
            rows = pd.DataFrame(list(rows)) if rows else pd.DataFrame(columns=list(self.names))
        lacking = [name for name in self.names if name not in rows]
        unknown = [str(name) for name in rows if name not in self.names]
        if lacking or unknown:
            raise ValueError(
                f"table {self.name}: lacks {lacking or 'nothing'}, does not know {unknown or 'nothing'}"
            )
        # Integers with empty cells would otherwise become 3.0.
        gaps = {
            c.name: "Int64"
            for c in self.columns
            if c.kind == "integer" and not pd.api.types.is_integer_dtype(rows[c.name])
        }
        return rows[list(self.names)].astype(gaps)

    def write(self, rows: pd.DataFrame | Sequence[Mapping[str, Any]], path: Path) -> None:
        """Write `rows` to `path`, atomically; equal rows give equal bytes."""
        write_text(path, self.frame(rows).to_csv(index=False, lineterminator="\n"))

    def read(self, path: Path) -> pd.DataFrame:
        """Read and check a file that `write` wrote. Only an empty cell is missing: a variant may be called
        `none` or `NA`, and a level `0.10` stays as it is.

        Raises:
            FileFault: the file is missing, cut off, or not this table.
        """
        import pandas as pd

        content = read_bytes(path)
        # A file that was cut off ends without a newline; pandas would fill its last line with empty cells.
        if not content.endswith(b"\n"):
            raise FileFault("invalid", path, "cut off within a line" if content else "empty")
        words = {c.name: str for c in self.columns if c.kind == "word"}
        try:
            rows = pd.read_csv(io.BytesIO(content), dtype=words, keep_default_na=False, na_values=[""])
        except (ValueError, pd.errors.ParserError) as error:
            raise FileFault("invalid", path, f"not valid CSV, {str(error).strip()}") from None
        lacking = [name for name in self.names if name not in rows]
        unknown = [str(name) for name in rows if name not in self.names]
        if lacking:
            raise FileFault("invalid", path, f"without the column {', '.join(lacking)}")
        if unknown:
            raise FileFault("invalid", path, f"with the unknown column {', '.join(unknown)}")
        for column in self.columns:
            self._check(rows[column.name].dropna(), column, path)
        return rows[list(self.names)]

    def _check(self, cells: pd.Series, column: Column, path: Path) -> None:
        """The cells are of the column's kind."""
        from pandas.api.types import is_numeric_dtype

        if not len(cells) or column.kind == "word":
            return
        if column.kind == "flag":
            if not cells.isin([True, False]).all():
                raise FileFault("invalid", path, f"column {column.name} is not True or False")
        elif not is_numeric_dtype(cells):
            raise FileFault("invalid", path, f"column {column.name} is not numeric")
        elif column.kind == "integer" and (cells % 1 != 0).any():
            raise FileFault("invalid", path, f"column {column.name} has a number that is not whole")

    def keyed(self, *keys: Column) -> Table:
        """The same table with columns in front that say whose each row is."""
        return Table(self.name, self.about, (*keys, *self.columns))
