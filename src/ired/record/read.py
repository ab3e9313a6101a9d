"""Reading JSON and CSV files that other steps wrote, refusing what is missing, cut off or malformed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Literal

import pandas as pd

WORDS = {"sample", "split", "predictor"}  # the only columns of any table read that are not numbers


class Problem(Exception):
    """Why one file cannot be used. `kind` groups the same trouble of many files into one message."""

    def __init__(
        self, kind: Literal["missing", "invalid", "mismatch", "protocol"], path: Path, detail: str
    ) -> None:
        super().__init__(f"{path}: {detail}" if detail else str(path))
        self.kind = kind


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise Problem("missing", path, "") from None
    except OSError as error:
        raise Problem("invalid", path, error.strerror or str(error)) from None


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object, or a Problem."""
    try:
        value = json.loads(_read_bytes(path))
    except ValueError as error:  # not UTF-8, or not JSON
        raise Problem("invalid", path, f"not valid JSON, {error}") from None
    if not isinstance(value, dict):
        raise Problem("invalid", path, "not a JSON object")
    return value


def read_table(path: Path, expected: tuple[str, ...]) -> pd.DataFrame:
    """A CSV table with at least the expected columns, all but WORDS numeric; or a Problem.

    A file that was cut off ends without a newline; pandas alone would take its last line for empty cells.
    """
    content = _read_bytes(path)
    if not content.endswith(b"\n"):
        raise Problem("invalid", path, "cut off within a line" if content else "empty")
    try:
        table = pd.read_csv(io.BytesIO(content))
    except (ValueError, pd.errors.ParserError) as error:
        raise Problem("invalid", path, f"not valid CSV, {str(error).strip()}") from None
    missing = [column for column in expected if column not in table]
    if missing:
        raise Problem("invalid", path, f"without the column {', '.join(missing)}")
    for column in expected:
        if column not in WORDS and len(table) and not pd.api.types.is_numeric_dtype(table[column]):
            raise Problem("invalid", path, f"column {column} is not numeric")
    return table
