"""One view of a running study: how much is done, what runs now and how far, what failed and the command that mends it.

Everything comes from files: `progress.json` of each run in its state folder, the reference line of the scale. So it
is the same view for one's own study, for a cluster's, and for one that somebody else started.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ired.training.progress import FILE, Reading, duration

if TYPE_CHECKING:
    from rich.console import Group

MOST_FAILURES = 8


@dataclass(frozen=True)
class Work:
    """Something that runs now. `seeds`: of a training; empty for other work. `since`: seconds since 1970."""

    what: str
    scale: str = ""
    variant: str = ""
    seeds: tuple[int, ...] = ()
    since: float = 0.0

    def reading(self, results: Path) -> Reading | None:
        """The newest progress of this training, none of an attempt before it."""
        folder = results / ".state" / self.scale / self.variant
        if not self.seeds or not folder.is_dir():
            return None
        found = [Reading.read(path) for path in folder.glob(f"*/{FILE}")]
        own = [r for r in found if r and set(self.seeds) & set(r.seeds) and r.time >= self.since]
        return max(own, key=lambda r: r.time, default=None)


@dataclass(frozen=True)
class Failure:
    """A job that failed: its last words, its log, and the command that makes it again."""

    what: str
    words: str
    log: str = ""
    again: str = ""

    def lines(self) -> list[str]:
        """What, why, where, and what to do, a line each."""
        told = [f"failed: {self.what}: {self.words}"]
        told += [f"  log    {self.log}"] if self.log else []
        return told + ([f"  again  {self.again}"] if self.again else [])


@dataclass
class Board:
    """The state of a study at a moment. `unit`: what `done` and `total` count."""

    results: Path = Path("results")
    unit: str = "jobs"
    done: int = 0
    total: int = 0
    first_done: int = 0
    started: float = field(default_factory=time.time)
    running: Sequence[Work] = ()
    failures: Sequence[Failure] = ()

    def left(self) -> str:
        """The time to the end at the pace so far; empty until something is done."""
        paced = self.done - self.first_done
        if paced < 1 or self.done >= self.total:
            return ""
        return duration((time.time() - self.started) / paced * (self.total - self.done))

    def line(self) -> str:
        """The view as one plain line."""
        head = f"{self.done}/{self.total} {self.unit} done"
        head += f", {len(self.failures)} failed" if self.failures else ""
        left = self.left()
        now = [" ".join(filter(None, (w.what, *cells(w, self.results)))) for w in self.running]
        return "; ".join([head + (f", about {left} left" if left else ""), *now])

    def view(self) -> Group:
        """The view for a terminal of any width."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        left = self.left()
        top = Table.grid(padding=(0, 2), expand=False)
        words = f"{self.done} of {self.total} {self.unit}" + (f", about {left} left" if left else "")
        top.add_row(ProgressBar(max(self.total, 1), self.done, width=30), Text(words))
        rows = Table.grid(padding=(0, 2))
        for work in self.running:
            rows.add_row(Text(work.what, no_wrap=True), *(Text(cell) for cell in cells(work, self.results)))
        mishaps = [
            Text("\n".join(failure.lines()), style="red") for failure in self.failures[-MOST_FAILURES:]
        ]
        return Group(top, rows, *mishaps)


def cells(work: Work, results: Path) -> list[str]:
    """Step, rate, loss, validation error against the line, and time left of something that runs."""
    reading = work.reading(results)
    if reading is None:
        waited = time.time() - work.since if work.since else 0
        return ["", "", "", "", f"for {duration(waited)}" if waited >= 1 else ""]
    line = reference_line(results / work.scale / "tables/reference.csv")
    validation = ""
    if reading.validation is not None:
        against = f" ({reading.validation / line:.2g} x the line)" if line else ""
        validation = f"validation {reading.validation:.3g}{against}"
    to_go = "" if reading.left is None else f"{duration(reading.left)} left"
    loss = "" if reading.loss is None else f"loss {reading.loss:.4f}"
    until = "testing" if reading.trained else to_go
    return [f"step {reading.step}/{reading.total}", f"{reading.rate:.1f}/s", loss, validation, until]


@lru_cache(maxsize=8)
def _line(path: Path, changed: float) -> float | None:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r.get("line") == "True" and r.get("split") == "id"]
    try:
        return float(rows[0]["mse"]) if rows else None
    except ValueError:
        return None


def reference_line(path: Path) -> float | None:
    """The in-distribution error of the line to beat; None before the table is there."""
    try:
        return _line(path, path.stat().st_mtime)
    except (OSError, KeyError, UnicodeDecodeError):
        return None
