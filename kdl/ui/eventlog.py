"""``--log-json FILE``: every event as one JSON line, beside whatever face a run has."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import IO, Self

from rich.console import RenderableType

from kdl import events
from kdl.errors import KdlError, MachineError
from kdl.ui.faces import UI
from kdl.ui.streams import enduring
from kdl.ui.text import safe
from kdl.values import RunSummary


class LoggedUI(UI):
    """Another UI, with every event also appended to ``path``, flushed line by line.

    Opening it raises MachineError if that can not be. A log that can not be written any more (disk
    full) is given up, said once on ``err``, and does not cost the run.
    """

    def __init__(self, ui: UI, path: Path, err: IO[str]) -> None:
        self._ui = ui
        self._path = path
        self._err = enduring(err)
        self._lock = threading.Lock()
        try:
            self._file: IO[str] | None = path.open("a", encoding="ascii")
        except OSError as error:
            raise MachineError(
                f"the event log can not be opened: {error.strerror}",
                subject=str(path),
                fix="name a file that can be written: --log-json FILE",
            ) from error

    def __enter__(self) -> Self:
        self._ui.__enter__()
        return self

    def close(self) -> None:
        self._ui.close()
        with self._lock:
            self._end()

    def listen(self, event: events.Event) -> None:
        line = json.dumps(events.to_dict(event)) + "\n"
        with self._lock:
            self._append(line)
        self._ui.listen(event)

    def _append(self, line: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            self._err.write(f"the event log {safe(self._path)} ends here: {error.strerror}\n")
            self._end()

    def _end(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                file.close()
            except OSError:  # what was buffered has no room either, and that was said
                return

    def show(self, renderable: RenderableType) -> None:
        self._ui.show(renderable)

    def finish(self, summary: RunSummary) -> None:
        self._ui.finish(summary)

    def fail(self, error: KdlError, *, dataset: str = "", elapsed_s: float = 0.0) -> None:
        self._ui.fail(error, dataset=dataset, elapsed_s=elapsed_s)
