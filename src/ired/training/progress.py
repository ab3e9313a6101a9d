"""Progress for people: a live bar on a terminal, one plain line every few seconds in a log."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

LOG_SECONDS = 5.0


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Progress:
    """Steps done, their rate, the loss, and the time left."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.first = label, total, 0
        self._started = self._spoke = time.monotonic()
        live = sys.stderr.isatty()
        self._bar = tqdm(total=total, desc=label, unit="step", dynamic_ncols=True) if live else None

    def say(self, text: str) -> None:
        """A line of its own, not torn by the bar."""
        if self._bar:
            self._bar.write(text, file=sys.stderr)
        else:
            print(f"{self.label}: {text}", file=sys.stderr, flush=True)

    def due(self) -> bool:
        """Whether a reader has waited long enough: reading a loss makes an accelerator wait, so it is not
        read every step."""
        return time.monotonic() - self._spoke >= (0.5 if self._bar else LOG_SECONDS)

    def update(self, step: int, loss: str) -> None:
        """Show a step and its loss."""
        self._spoke = time.monotonic()
        rate = (step - self.first) / max(self._spoke - self._started, 1e-9)
        if self._bar:
            self._bar.set_postfix_str(loss, refresh=False)
            self._bar.update(step - self._bar.n)
            return
        left = duration((self.total - step) / rate) if rate else "?"
        self.say(f"step {step}/{self.total}  {rate:.1f} steps/s  {loss}  {left} left")

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar:
            self._bar.close()
