"""Reading what other steps wrote: a file that is missing, cut off or malformed is one clear line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from ired.base.errors import UserError


class FileFault(UserError):
    """Why one file cannot be used. `kind` groups the same trouble of many files into one message, in which
    each file has its `brief`."""

    def __init__(
        self, kind: Literal["missing", "invalid", "mismatch", "protocol"], path: Path, detail: str = ""
    ) -> None:
        self.kind, self.path = kind, path
        self.brief = f"{path}: {detail}" if detail else str(path)
        cure = "ask Snakemake for this path to make it" if not detail else "delete it and ask for it again"
        super().__init__(f"{self.brief}; {cure}" if detail else f"{path} is missing; {cure}")


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises:
        FileFault: it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileFault("missing", path) from None
    except OSError as error:
        raise FileFault("invalid", path, error.strerror or str(error)) from None


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        FileFault: the file is missing or holds something else.
    """
    try:
        value = json.loads(read_bytes(path))
    except ValueError as error:  # not UTF-8, or not JSON
        raise FileFault("invalid", path, f"not valid JSON, {error}") from None
    if not isinstance(value, dict):
        raise FileFault("invalid", path, "not a JSON object")
    return value
