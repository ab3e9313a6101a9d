"""What the view of a study takes: processor time of its thread and of the files that it reads.

    python benchmarks/view.py [--seconds 20] [--out results/bench]

Prints a table and writes view.csv. The view is shown, on a pseudo-terminal and on a pipe, in a process that does
nothing else, beside state folders of running trainings; so the time of that process is the time of the view. `share`:
seconds of one core a second, in per cent; a study that keeps several cores busy loses that divided by their number.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from itertools import count
from pathlib import Path

import pandas as pd

from ired.base.files import write_json
from ired.training.progress import FILE, Reading
from ired.watch.board import Board, Work
from ired.watch.screen import Screen

VARIANTS = ("none", "random", "adversarial", "langevin")


def study(results: Path, running: int, seeds: int = 10) -> Board:
    """A board of so many running trainings; every variant has state folders of `seeds` seeds."""
    now = time.time()
    for variant in VARIANTS:
        for seed in range(seeds):
            folder = results / ".state/laptop" / variant / f"seed{seed}-0123456789ab"
            folder.mkdir(parents=True)
            write_json(folder / FILE, asdict(Reading([seed], 700, 3000, 41.5, 0.0931, 0.0212, now)))
    works = [
        Work(f"train {VARIANTS[k % 4]} seed {k // 4}", "laptop", VARIANTS[k % 4], (k // 4,), now - 1)
        for k in range(running)
    ]
    return Board(results, done=12, total=60, started=now - 100, running=works)


def shown(terminal: bool, running: int, seconds: float) -> float:
    """Processor seconds a second of a view of so many trainings; every frame tells something new."""
    ours, theirs = os.openpty() if terminal else os.pipe()[::-1]
    reader, writer = (ours, theirs) if terminal else (theirs, ours)
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(["cat"], stdin=reader, stdout=subprocess.DEVNULL) as sink,
        open(writer, "w", encoding="utf-8") as stream,
    ):
        board, done = study(Path(folder), running), count()

        def now() -> Board:
            board.done = next(done) % board.total
            return board

        screen = Screen(now, stream)
        assert screen.plain is not terminal
        wall, own = time.perf_counter(), time.process_time()
        time.sleep(seconds)
        share = (time.process_time() - own) / (time.perf_counter() - wall)
        screen.close()
        sink.terminate()
    return share


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each view is shown")
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    chosen = parser.parse_args()
    os.environ.pop("NO_COLOR", None)
    os.environ["TERM"] = "xterm-256color"
    shown(True, 1, 1.0)  # imports
    rows = [
        {
            "shown_on": kind,
            "trainings": running,
            "share": 100 * shown(kind == "terminal", running, chosen.seconds),
        }
        for kind in ("terminal", "pipe")
        for running in (2, 16)
    ]
    table = pd.DataFrame(rows)
    chosen.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(chosen.out / "view.csv", index=False)
    print(table.to_string(index=False, float_format="{:.2f}".format))


if __name__ == "__main__":
    sys.exit(main())
