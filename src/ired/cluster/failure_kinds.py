"""Why a run failed, in one word, from what was left behind."""

from __future__ import annotations

import re
from pathlib import Path

# The first that matches is the class; what a scheduler says and what the run itself says.
CLASSES: tuple[tuple[str, str], ...] = (
    (
        "oom",
        r"out.of.memory|oom.?kill|exceeded (job|step) memory limit|MemoryError|worker.*killed",
    ),
    ("timeout", r"time limit is \d+ s away|DUE TO TIME LIMIT|\bTIMEOUT\b|deadline is reached"),
    ("preempted", r"PREEMPT"),
    ("node", r"NODE.?FAIL|BOOT_FAIL"),
    ("checkout", r"was submitted from|config\.yaml changed|Workflow defines configfile"),
    ("stopped", r"/STOP exists"),
    ("second writer", r"is being trained by|was taken over or removed"),
    ("disk", r"cannot write|No space left|free space|Read-only file system"),
    ("cancelled", r"received SIG|CANCELLED"),
    ("config", r"^error: |FATAL"),
    ("bug", r"Traceback"),
)


def classify(text: str) -> str:
    """The class of the first sign of trouble in a text."""
    return next(
        (name for name, pattern in CLASSES if re.search(pattern, text, re.MULTILINE | re.IGNORECASE)),
        "unknown",
    )


def last_words(path: Path, characters: int = 4000) -> str:
    """The end of a log, empty where there is none."""
    try:
        with path.open("rb") as handle:
            handle.seek(max(path.stat().st_size - characters, 0))
            return handle.read().decode(errors="replace")
    except OSError:
        return ""


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
