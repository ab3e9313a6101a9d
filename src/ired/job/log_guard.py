"""A log that cannot be written (a full disk, a quota, a lost mount) costs words, never the run.

Without this, a run that has trained for hours ends with exit code 1, or Python's wordless 120, because its
last line did not fit on the disk of the log.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TextIO

_lost: list[str] = []
_listeners: list[Callable[[str], None]] = []


class Forgiving:
    """A text stream whose writes may fail."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            _note(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            _note(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def forgive_lost_words() -> None:
    """Let this process's standard output and error fail without a consequence."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Forgiving):
            setattr(sys, name, Forgiving(stream))


def when_words_are_lost(listener: Callable[[str], None]) -> None:
    """Call the listener once with the reason, at the first lost word or, where there is one already, now."""
    _listeners.append(listener)
    for reason in _lost:
        listener(reason)


def _note(error: OSError) -> None:
    if not _lost:
        _lost.append(f"the log cannot be written: {error.strerror}")
        for listener in _listeners:
            listener(_lost[0])
