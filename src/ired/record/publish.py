"""Finished runs in the state folder, and publishing them again. Needs no torch: many small jobs do only
this, and that import is most of such a job."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ired.base.errors import UserError
from ired.base.files import atomic_path
from ired.base.hashing import fingerprint
from ired.record.read import read_bytes, read_object

# metrics.json is written last: whoever sees it sees a complete folder.
RESULT_FILES = (
    "config.json",
    "history.csv",
    "model.safetensors",
    "snapshots.safetensors",
    "errors.npz",
    "provenance.json",
    "metrics.json",
)


def state_folder(state: Path, seed: int, mark: str) -> Path:
    """Where a run of that fingerprint keeps its finished result and, trained alone, its checkpoints."""
    return state / f"seed{seed}-{mark}"


def is_finished(folder: Path, mark: str) -> bool:
    """Whether a run's state folder holds a complete result of exactly that fingerprint."""
    metrics = folder / "result" / "metrics.json"
    return metrics.exists() and read_object(metrics).get("fingerprint") == mark


def publish(folder: Path, run_dir: Path) -> None:
    """Copy the result in a run's state folder into the results folder, its metrics last.

    Raises:
        UserError: a file of the result is gone or cut, or the results folder cannot be written.
    """
    metrics = read_object(folder / "result/metrics.json") if (folder / "result/metrics.json").exists() else {}
    for name in RESULT_FILES:
        if not (folder / "result" / name).exists():
            raise UserError(f"{folder}/result/{name} is missing; delete {folder} and ask for the run again")
        if name.endswith(".safetensors"):
            refuse_altered(folder / "result" / name, read_bytes(folder / "result" / name), metrics)
        with atomic_path(run_dir / name) as temporary:
            shutil.copyfile(folder / "result" / name, temporary)
    print(f"published {run_dir / 'metrics.json'}", file=sys.stderr)


def refuse_altered(path: Path, content: bytes, metrics: dict[str, Any]) -> None:
    """Refuse weights that the metrics beside them were not measured with. Runs made before metrics.json held checksums
    are taken as they are.

    Raises:
        UserError: the file is cut, or another run's.
    """
    sums = metrics.get("sha256")
    wanted = sums.get(path.name) if isinstance(sums, dict) else None
    if wanted is not None and hashlib.sha256(content).hexdigest() != wanted:
        raise UserError(
            f"{path} is truncated or another run's: its checksum is not the one in metrics.json; delete its folder "
            "and ask for the run again"
        )


def republished(configs: Sequence[str], state: Path, run_dirs: Sequence[Path]) -> bool:
    """Publish runs, given as JSON, if all of them are finished; False, and nothing done, if one is not.

    Text that is no configuration is not finished either: training reports what is wrong with it.
    """
    if len(configs) != len(run_dirs):
        return False
    folders = []
    for text in configs:
        try:
            settings = json.loads(text)
            mark = fingerprint(settings)
            folder = state_folder(state, settings["seed"], mark)
        except (ValueError, KeyError, TypeError):
            return False
        if not is_finished(folder, mark):
            return False
        folders.append(folder)
    for folder, run_dir in zip(folders, run_dirs, strict=True):
        publish(folder, run_dir)
    return True
