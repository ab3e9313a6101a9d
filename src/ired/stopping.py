"""When a job has to stop early: a signal, or its own deadline. Handlers only set a flag; the loop stops at
the next step."""

from __future__ import annotations

import signal
import time
from types import FrameType


class Interrupted(Exception):
    """The run was stopped with a checkpoint and can be resumed (exit code 75)."""


class Stopper:
    """Reasons to stop. `max_minutes`: minutes from now after which to stop, or None."""

    SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)

    def __init__(self, max_minutes: float | None = None) -> None:
        self._deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        self._signal: str | None = None

    def listen(self) -> None:
        """Install the handlers. Saving inside a handler could meet a half-done save, so it only notes the
        signal."""
        for number in self.SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signal = signal.Signals(number).name

    def reason(self) -> str | None:
        """Why to stop now, or None."""
        if self._signal:
            return f"received {self._signal}"
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return "the deadline is reached"
        return None
