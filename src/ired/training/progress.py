"""Progress for people: a live bar on a terminal, one plain line every few seconds in a log, and `progress.json` in the
state folder for whoever watches the study."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tqdm import tqdm

from ired.base.errors import UserError
from ired.base.files import write_json

LOG_SECONDS, FILE = 5.0, "progress.json"


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass(frozen=True)
class Reading:
    """How far a training is. rate: steps a second. validation: of the first seed, the newest. time: seconds since
    1970."""

    seeds: Sequence[int]
    step: int
    total: int
    rate: float
    loss: float | None
    validation: float | None
    time: float
    trained: bool = False

    @property
    def left(self) -> float | None:
        """Seconds to the last step."""
        return (self.total - self.step) / self.rate if self.rate > 0 else None

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What a file says; None where it is not there, or is of another version."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


class Progress:
    """Steps done, their rate, the loss, and the time left. `folder`: where to leave `progress.json`, if anywhere.

    Attributes:
        validation: the newest validation MSE of the first seed, set by the training loop.
    """

    def __init__(self, label: str, total: int, folder: Path | None = None, seeds: Sequence[int] = ()) -> None:
        self.label, self.total, self.first = label, total, 0
        self._folder, self._seeds = folder, list(seeds)
        self.validation: float | None = None
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

    def update(self, step: int, loss: float | None) -> None:
        """Show a step and its loss."""
        self._show(step, loss, trained=False)

    def finish(self, step: int, loss: float | None) -> None:
        """Show the last step, which may be an early one, and leave the bar as it stands: what follows is the test."""
        self._show(step, loss, trained=True)
        if self._bar:
            self._bar.close()

    def _show(self, step: int, loss: float | None, trained: bool) -> None:
        self._spoke = time.monotonic()
        rate = (step - self.first) / max(self._spoke - self._started, 1e-9)
        self._leave(Reading(self._seeds, step, self.total, rate, loss, self.validation, time.time(), trained))
        shown = "" if loss is None else f"loss {loss:.4f}"
        if self._bar:
            self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(step - self._bar.n)
            return
        left = "trained" if trained else f"{duration((self.total - step) / rate) if rate else '?'} left"
        self.say(f"step {step}/{self.total}  {rate:.1f} steps/s  {shown}  {left}")

    def _leave(self, reading: Reading) -> None:
        """For watchers. A disk that takes no more is found at the next checkpoint, not here."""
        if self._folder is not None:
            with contextlib.suppress(UserError, OSError):
                write_json(self._folder / FILE, asdict(reading))
