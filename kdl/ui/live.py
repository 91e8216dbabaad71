"""The live terminal."""

from __future__ import annotations

import time
from typing import IO, Self

from rich.live import Live
from rich.text import Text

from kdl import events
from kdl.errors import KdlError
from kdl.jobs.runstate import RunState
from kdl.ui.faces import HumanUI
from kdl.ui.plain import SwarmLines, jobs_line
from kdl.ui.streams import is_terminal
from kdl.ui.text import safe
from kdl.ui.view import View
from kdl.values import RunSummary

REFRESHES_A_SECOND = 4


class LiveUI(HumanUI):
    """Redraws the run's picture four times a second; it is wiped at the end, for the summary."""

    def __init__(self, out: IO[str], err: IO[str]) -> None:
        super().__init__(out, err)
        self._state = RunState()
        self._swarms = SwarmLines(time.monotonic)
        self._size = self._console.size
        self._live = Live(
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=REFRESHES_A_SECOND,
            transient=True,
            redirect_stderr=is_terminal(err),
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def close(self) -> None:
        self._live.stop()

    def listen(self, event: events.Event) -> None:
        self._state.apply(event)
        if isinstance(event, events.Noted):
            self._say(safe(event.text))
        elif isinstance(event, events.JobsChanged):
            self._say(jobs_line(event))
        elif isinstance(event, events.SwarmProgress):
            for line in self._swarms.lines(event):
                self._say(line)

    def _say(self, line: str) -> None:
        self._console.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"))

    def finish(self, summary: RunSummary) -> None:
        self.close()
        super().finish(summary)

    def fail(self, error: KdlError, *, dataset: str = "", elapsed_s: float = 0.0) -> None:
        self.close()
        super().fail(error)

    def _picture(self) -> View:
        """A resized terminal has wrapped or scrolled the old picture out of reach: begin on a clean one."""
        if self._console.size != self._size:
            self._size = self._console.size
            self._console.clear()
        return View(self._state.snapshot())
