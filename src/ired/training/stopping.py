"""When a job has to stop early: a signal, its own deadline, or someone's wish. Handlers only set a flag; the
loop stops at the next step."""

from __future__ import annotations

import signal
import time
from types import FrameType


class Interrupted(Exception):
    """The run was stopped with a checkpoint and can be resumed (exit code 75)."""


class Stopper:
    """Reasons to stop.

    Args:
        max_minutes: minutes from now after which to stop, or None.
        killed_in: seconds from now after which the scheduler kills the job, or None. The stop comes earlier
            by a margin: at most a minute or a quarter of the time, and five times the slowest checkpoint.

    Attributes:
        signalled: whether a signal has come, which is nobody's wish to go on later.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    MARGIN_SECONDS, MARGIN_SHARE, MARGIN_CHECKPOINTS = 60.0, 0.25, 5.0

    def __init__(self, max_minutes: float | None = None, killed_in: float | None = None) -> None:
        now = time.monotonic()
        self._deadline = None if max_minutes is None else now + 60 * max_minutes
        self._killed_at = None if killed_in is None else now + killed_in
        self._margin = min(self.MARGIN_SECONDS, self.MARGIN_SHARE * (killed_in or 0))
        self._wish: str | None = None
        self.signalled = False

    def listen(self) -> None:
        """Install the handlers. Saving inside a handler could meet a half-done save, so it only notes the
        signal."""
        for number in self.SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True
        self._wish = f"received {signal.Signals(number).name}"

    def request(self, reason: str) -> None:
        """Ask for a stop, from any thread."""
        self._wish = self._wish or reason

    def checkpoint_took(self, seconds: float) -> None:
        """Leave room for the slowest checkpoint seen."""
        self._margin = max(self._margin, self.MARGIN_CHECKPOINTS * seconds)

    def reason(self) -> str | None:
        """Why to stop now, or None."""
        if self._wish:
            return self._wish
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            return "the deadline is reached"
        if self._killed_at is not None and now >= self._killed_at - self._margin:
            left = max(self._killed_at - now, 0)
            return f"the job's time limit is {left:.0f} s away"
        return None
