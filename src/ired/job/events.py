"""events.jsonl: one line for everything that happened to a run. It survives a lost log and a killed job."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ired.job.slurm import job_id


def now() -> str:
    """The time as people and programs read it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Events:
    """Appends to a folder's events.jsonl. Evidence, not a result: a full disk here stops nobody."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "events.jsonl"

    def note(self, event: str, **facts: Any) -> None:
        """Add a line; a single write, so that lines of two jobs do not mix."""
        who = {"host": socket.gethostname(), "job": job_id(), "pid": os.getpid()}
        line = json.dumps({"time": now(), "event": event, **who, **facts}) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as handle:
                handle.write(line)
        except OSError as error:
            print(f"cannot note {event!r} in {self.path}: {error}", file=sys.stderr)

    def read(self) -> list[dict[str, Any]]:
        """All whole lines; whatever else stands there, or cannot be read, is left out."""
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        found = []
        for line in text.splitlines():
            with suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and {"event", "time"} <= set(event):
                    found.append(event)
        return found


def attempts(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each attempt's beginning and end. An attempt without an end was killed before it could speak."""
    found: list[dict[str, Any]] = []
    for event in events:
        if event["event"] == "started":
            kept = ("host", "job", "commit", "diff", "kernel", "step")
            found.append({"started": event["time"], **{k: event[k] for k in kept if k in event}, "end": None})
        elif event["event"] in ("ended", "checkpoint", "resumed") and found:
            found[-1]["step"] = event.get("step", found[-1].get("step"))
            if event["event"] == "ended":
                found[-1] |= {"ended": event["time"], "end": event.get("why")}
    return found
