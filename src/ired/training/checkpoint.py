"""Checkpoints: atomic, checked, and refused where they are torn or belong to another run.

A checkpoint is `step00001000.safetensors` and, written last, `step00001000.json` with its checksum and all
that is not a tensor. The last two are kept, so that one torn by a full disk or a dying node never costs more
than the steps since the one before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ired.base.errors import UserError
from ired.base.files import read_json, write_bytes, write_json

KEPT = 2


def save_checkpoint(
    folder: Path, identity: str, step: int, tensors: dict[str, Tensor], record: dict[str, Any]
) -> Path:
    """Write a checkpoint; keep it and the one before, and drop all others.

    A checkpoint of a later step was refused when the run resumed, so it is deleted too.

    Args:
        identity: what a resumed run must agree on (the fingerprints of the pack, the kind of device).
        record: JSON values that are not tensors.

    Raises:
        UserError: the folder cannot be written; earlier checkpoints stay as they are.
    """
    # Copies: two names of one tensor (weights that are not averaged) cannot be saved as they are.
    content = save(
        {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    )
    target = folder / f"step{step:09d}.safetensors"
    write_bytes(target, content)
    manifest = {
        "identity": identity,
        "step": step,
        "sha256": hashlib.sha256(content).hexdigest(),
        "record": record,
    }
    write_json(target.with_suffix(".json"), manifest)
    manifests = _manifests(folder)
    kept = manifests[manifests.index(target.with_suffix(".json")) :][:KEPT]
    for manifest_path in manifests:
        if manifest_path not in kept:
            manifest_path.unlink()
            manifest_path.with_suffix(".safetensors").unlink(missing_ok=True)
    return target


def load_checkpoint(
    folder: Path, identity: str, say: Callable[[str], None]
) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
    """The newest valid checkpoint as (step, tensors, record), or None. Says which ones were refused and
    why."""
    for manifest_path in _manifests(folder):
        try:
            manifest = read_json(manifest_path)
            content = manifest_path.with_suffix(".safetensors").read_bytes()
            if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
                raise UserError("its checksum does not agree: torn")
            if manifest["identity"] != identity:
                raise UserError("it belongs to another configuration or kind of device")
            return manifest["step"], load(content), manifest["record"]
        except (UserError, OSError, KeyError, TypeError, SafetensorError) as error:
            say(f"refusing checkpoint {manifest_path.stem}: {error}; trying the one before")
    return None


def _manifests(folder: Path) -> list[Path]:
    """Newest first. The temporary files of a killed writer are hidden and do not match."""
    return sorted(folder.glob("step*.json"), reverse=True) if folder.is_dir() else []
