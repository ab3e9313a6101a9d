"""Snakemake's own events as one view of the study. Found by its name; a profile asks for it by `logger: [ired]`."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from logging import WARNING, LogRecord
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

if TYPE_CHECKING:
    from ired.watch.board import Board, Failure, Work
    from ired.watch.screen import Screen

# What the view says better. Everything else, warnings and what an executor tells among it, is printed as it comes.
SHOWN = {
    LogEvent.JOB_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.JOB_FINISHED,
    LogEvent.PROGRESS,
    LogEvent.RESOURCES_INFO,
    LogEvent.WORKFLOW_STARTED,
    LogEvent.SHELLCMD,
    LogEvent.RUN_INFO,
    LogEvent.RULEGRAPH,
}


class LogHandler(LogHandlerBase):
    """Keeps a board of what Snakemake tells, and shows it from the first job on. A plan (`-n`) is printed as
    Snakemake prints it."""

    def __post_init__(self) -> None:
        self._guard = threading.Lock()
        self._jobs: dict[int, Work] = {}
        self._told: dict[int, dict[str, Any]] = {}
        self._failures: dict[int, Failure] = {}
        self._paused: list[str] = []
        self._done = self._total = 0
        self._started = time.time()
        self._screen: Screen | None = None
        self._plan = bool(self.common_settings.dryrun)

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def emit(self, record: LogRecord) -> None:
        """Note what the record says, or print it."""
        try:
            event = None if self._plan else getattr(record, "event", None)
            if event in SHOWN:
                self._note(LogEvent(event), vars(record))
            elif event in (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR):
                for told in vars(record).get("job_error_info", [vars(record)]):
                    self._fail(told)
            elif event == LogEvent.ERROR and vars(record).get("exception") == "RuleException":
                return  # a failed job's whole command; what its log says has just been told
            elif record.levelno >= WARNING or not (hasattr(record, "quietness") or self._chatter(record)):
                self._print(self.format(record))
        except Exception:
            self.handleError(record)

    def _chatter(self, record: LogRecord) -> bool:
        """What the scheduler's loop tells at every turn."""
        return record.module == "job_scheduler" and not self._plan

    def _note(self, event: LogEvent, told: dict[str, Any]) -> None:
        if event == LogEvent.RUN_INFO:
            self._total = told["stats"].get("total", self._total)
        elif event == LogEvent.JOB_INFO:
            self._begin(told)
        elif event == LogEvent.JOB_FINISHED:
            with self._guard:
                self._jobs.pop(told["job_id"], None)
                self._failures.pop(told["job_id"], None)  # a retry that worked
        elif event == LogEvent.PROGRESS:
            self._done, self._total = told["done"], told["total"]

    def _begin(self, told: dict[str, Any]) -> None:
        from ired.watch.board import Work
        from ired.watch.screen import Screen

        values = dict(told["wildcards"] or {})
        scale, variant = values.get("scale", ""), values.get("variant", "")
        seeds: tuple[int, ...] = ()
        if told["rule_name"] == "train":
            first, last = values.get("first", values.get("seed")), values.get("last", values.get("seed"))
            seeds = tuple(range(int(str(first)), int(str(last)) + 1))
        work = Work(title(told), scale, variant, seeds, time.time())
        with self._guard:
            self._jobs[told["jobid"]], self._told[told["jobid"]] = work, told
        if self._screen is None:
            self._screen = Screen(self._board, sys.stdout if self.common_settings.stdout else sys.stderr)

    def _fail(self, told: dict[str, Any]) -> None:
        from ired.cluster.failure_kinds import last_line, last_words
        from ired.watch.board import Failure

        job = told["jobid"]
        logs = [str(path) for path in told.get("log") or []]
        words = next((last_line(last_words(Path(path))) for path in logs), "")
        what = title(self._told.get(job, told))
        with self._guard:
            self._jobs.pop(job, None)
            if words.startswith("interrupted: "):
                self._paused.append(f"paused: {what}: {words.removeprefix('interrupted: ')}")
                mishap = [self._paused[-1]]
            else:
                if not words:
                    words = "stopped before its log had a word"
                self._failures[job] = Failure(
                    what, words, ", ".join(logs), again(list(told.get("output") or []))
                )
                mishap = self._failures[job].lines()
        # What the executor says of it: a scheduler's state of the job, or why it was not taken; without its whole call.
        said = str(told.get("rule_msg") or "").partition("sbatch call:")[0]
        mishap += [f"  {line}" for line in said.splitlines() if line.strip()]
        if self._screen is None or self._screen.plain or words.startswith("interrupted: "):
            self._print("\n".join(mishap))

    def _board(self) -> Board:
        from ired.watch.board import Board

        with self._guard:
            running, failures = list(self._jobs.values()), list(self._failures.values())
        return Board(
            done=self._done,
            total=self._total,
            started=self._started,
            running=running,
            failures=failures,
        )

    def _print(self, text: str) -> None:
        if text in ("", "None"):
            return
        if self._screen:
            self._screen.say(text)
        else:
            print(text, file=sys.stdout if self.common_settings.stdout else sys.stderr, flush=True)

    def close(self) -> None:
        """The last state stays on the screen, with what failed and what is saved."""
        if self._screen:
            screen, board = self._screen, self._board()
            self._screen = None
            screen.close()
            lines = [f"{board.done} of {board.total} jobs done"]
            if not screen.plain:
                lines += [line for failure in board.failures for line in failure.lines()]
            if board.done < board.total:
                lines.append(
                    "what is finished is kept, and a training goes on from its last checkpoint"
                    " (results/.state): give the same command again"
                )
            screen.say("\n".join(lines))
        super().close()


def title(told: dict[str, Any]) -> str:
    """What a job does, from its rule's `message`, which names its log last."""
    return str(told.get("rule_msg") or told["rule_name"]).partition(", log: ")[0]


def again(outputs: list[Any]) -> str:
    """The command that makes a job's files again, with the profile and configuration of this call."""
    if not outputs:
        return ""
    words, kept = sys.argv[1:], []
    for flag in ("--profile", "--config"):
        if flag in words:
            rest = words[words.index(flag) + 1 :]
            last = next(
                (i for i, w in enumerate(rest) if w.startswith("-") or (flag == "--config" and "=" not in w)),
                len(rest),
            )
            values = rest[:last] if flag == "--config" else rest[:1]
            kept.append((flag, values))
    target = str(outputs[-1])
    options = {flag: " ".join(map(shlex.quote, values)) for flag, values in kept}
    profile = f" --profile {options['--profile']}" if "--profile" in options else ""
    config = f" --config {options['--config']}" if "--config" in options else ""
    return f"snakemake{profile} {shlex.quote(target)}{config}"
