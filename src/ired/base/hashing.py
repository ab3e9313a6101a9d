"""The identity of a configuration: equal settings, equal digits. Needs no torch, so that tables can be
checked anywhere."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(settings: dict[str, Any]) -> str:
    """Canonical JSON: sorted keys, no spaces."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


def fingerprint(settings: dict[str, Any]) -> str:
    """16 hexadecimal digits that change whenever anything in the settings does."""
    return digest(canonical(settings))


def digest(text: str) -> str:
    """The first 16 hexadecimal digits of a SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def arm_fingerprint(settings: dict[str, Any]) -> str:
    """The fingerprint of a run's configuration without its seed: one for all runs of a variant."""
    return fingerprint(settings | {"seed": 0})
