"""errors.npz: the squared error of every test problem, one file a run and one for the reference predictors.

Runs and predictors of a scale answer the same problems in the same order, so that their errors are pairs.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ired.base.files import write_bytes
from ired.record.read import FileFault, read_bytes

Errors = dict[str, NDArray[np.float32]]
OWNER = "fingerprint"


def write_errors(path: Path, errors: Mapping[str, ArrayLike], fingerprint: str) -> None:
    """Write squared errors per element as float32; equal errors are equal bytes.

    Args:
        errors: name -> (problems,). A run's names are its test sets, a predictor's `{predictor}.{test set}`.
        fingerprint: of the run's configuration, or the digest of the ensemble; a reader asks for it.
    """
    buffer = io.BytesIO()
    arrays = {name: np.asarray(values, dtype=np.float32) for name, values in errors.items()}
    # An archive in memory: numpy then stamps its members 1980, and zip keeps a checksum of each.
    np.savez(buffer, **{OWNER: np.array(fingerprint)}, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def read_errors(path: Path, fingerprint: str | None = None) -> Errors:
    """The squared errors of a file, name -> (problems,); a diverged run's are empty.

    Raises:
        FileFault: the file is missing, cut off, altered (a member's checksum), or of another configuration.
    """
    content = read_bytes(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileFault("invalid", path, f"not an archive of errors, {error}") from None
    owner = str(arrays.pop(OWNER, ""))
    if fingerprint is not None and owner != fingerprint:
        raise FileFault("mismatch", path, f"written by configuration {owner or 'unknown'}, not {fingerprint}")
    for name, values in arrays.items():
        if values.dtype != np.float32 or values.ndim != 1:
            raise FileFault(
                "invalid", path, f"{name} is {values.dtype} of {values.ndim} dimensions, not one of float32"
            )
    return arrays
