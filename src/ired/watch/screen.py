"""Where a board is shown: in place on a terminal, a plain line every some seconds anywhere else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from ired.watch.board import Board

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

PLAIN_SECONDS, FRAMES_A_SECOND = 10.0, 1  # a training tells how far it is every five seconds


def is_plain(stream: TextIO) -> bool:
    """Whether a stream takes lines alone: a pipe, a dumb terminal, or a person who asked for no colour."""
    dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))
    return dumb or not stream.isatty()


class Screen:
    """Shows what `board` returns until closed. It draws in a thread of its own, so nobody waits for it.

    board: called for every frame. every: seconds between two plain lines; a line that says nothing new is left out.
    """

    def __init__(
        self, board: Callable[[], Board], stream: TextIO | None = None, every: float = PLAIN_SECONDS
    ) -> None:
        self._board, self._stream = board, stream or sys.stderr
        self._every, self._spoken = every, ""
        self._over = threading.Event()
        self._live: Live | None = None
        self.plain = is_plain(self._stream)
        if self.plain:
            self._thread = threading.Thread(target=self._speak, name="plain lines", daemon=True)
            self._thread.start()
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False)
        self._live = Live(
            console=console,
            get_renderable=self._frame,
            refresh_per_second=FRAMES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _frame(self) -> RenderableType:
        return self._board().view()

    def _speak(self) -> None:
        while not self._over.wait(self._every):
            self.say_now()

    def say_now(self) -> None:
        """One plain line, unless it is the one before."""
        line = self._board().line()
        if line != self._spoken:
            self._spoken = line
            self.say(line)

    def say(self, text: str) -> None:
        """Lines that stay, above the view."""
        if self._live:
            self._live.console.print(text, markup=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Take the view away."""
        self._over.set()
        if self._live:
            self._live.stop()
        else:
            self._thread.join()
