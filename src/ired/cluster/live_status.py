"""`python -m ired status --watch`: the view of a study that somebody else started, from its files alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ired.cluster.status import Layout, RunStatus
from ired.watch.board import Board, Failure, Work
from ired.watch.screen import PLAIN_SECONDS, Screen


def board_of(found: list[RunStatus], layout: Layout, began: Board | None = None) -> Board:
    """The board of a list of statuses. `began`: the first one of this watch, for the time that is left."""
    running = []
    for status in found:
        if status.kind == "running":
            variant, _, seed = status.run.rpartition("/seed")
            running.append(Work(f"train {variant} seed {seed}", layout.scale, variant, (int(seed),)))
    failures = [
        Failure(f"train {s.run}", f"{s.kind}: {s.detail}", s.log or "", s.rerun or "")
        for s in found
        if s.kind in ("failed", "lost")
    ]
    done = sum(status.kind == "done" for status in found)
    first, started = (began.first_done, began.started) if began else (done, time.time())
    return Board(layout.results, "runs", done, len(found), first, started, running, failures)


def watch(look: Callable[[], list[RunStatus]], layout: Layout, every: float = PLAIN_SECONDS) -> None:
    """Show the view until nothing runs and nothing waits, or until Ctrl-C; jobs go on either way.

    look: the statuses now; asked once in `every` seconds, since it reads many files and asks the scheduler.
    """
    board = began = board_of(look(), layout)
    screen = Screen(lambda: board, every=every)
    try:
        while board.running or board.done + len(board.failures) < board.total:
            time.sleep(every)
            board = board_of(look(), layout, began)
    except KeyboardInterrupt:
        pass
    finally:
        screen.close()
        screen.say("\n".join([board.line(), *(line for f in board.failures for line in f.lines())]))


def chosen_runs(layout: Layout, experiments: Sequence[str], every: bool) -> list[tuple[str, int]]:
    """(variant, seed) of the runs to tell of: of the experiments named, or those of the scale; with `every` of all
    experiments and of the study of worth, and whatever else has a run or a state folder.

    Raises:
        UserError: an experiment that config.yaml does not have, with the nearest name.
    """
    study, scale = layout.study, layout.scale
    names = list(experiments) or list(study.study.experiments if every else study.scale(scale).experiments)
    runs = dict.fromkeys(run for name in names for run in study.experiments.runs(scale, name))
    if every:
        runs |= dict.fromkeys(study.worth.runs(scale, trial=True))
        if study.study.scales[scale].worth and study.worth.tuned(scale):
            runs |= dict.fromkeys(study.worth.runs(scale, trial=False))
        for folder in [layout.results / scale / "runs", layout.results / ".state" / scale]:
            for path in sorted(folder.glob("*/seed*")):
                seed = path.name.removeprefix("seed").partition("-")[0]
                known = path.parent.name in study.variants.settings or path.parent.name in study.worth.at(
                    scale
                )
                if known and seed.isdigit():
                    runs.setdefault((path.parent.name, int(seed)))
    return list(runs)
