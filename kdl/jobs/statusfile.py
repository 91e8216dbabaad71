"""A run's picture on disk, for whoever asks from another process: ``.kdl/status.json``."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kdl.jobs.runstate import SCHEMA, RunState

SILENT_S = 60.0
"""A run that has not published for so long is taken for dead."""


class StatusFile:
    """Publishes a run's snapshot once a second, each time whole (sibling temp, rename).

    A context manager. Nothing that goes wrong here may cost the run: a failed write is kept in
    :attr:`error` and the next second tries again.
    """

    def __init__(self, path: Path, state: RunState, *, every_s: float = 1.0) -> None:
        self.error: OSError | None = None
        """Why the last write failed; ``None`` if it did not."""
        self._path = path
        self._state = state
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="kdl-status", daemon=True)

    def __enter__(self) -> Self:
        self.publish()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.publish()

    def _loop(self) -> None:
        while not self._stop.wait(self._every_s):
            self.publish()

    def publish(self) -> None:
        temp = self._path.with_name(f"{self._path.name}.{self._state.run_id or os.getpid()}.tmp")
        try:
            temp.write_text(json.dumps(self._state.snapshot()) + "\n", encoding="ascii")
            temp.replace(self._path)
            self.error = None
        except OSError as error:
            self.error = error
            with suppress(OSError):
                temp.unlink()


def read_status(path: Path) -> dict[str, Any] | None:
    """The snapshot last published at ``path``; ``None`` if there is none that can be understood."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None


def condition(snapshot: dict[str, Any], *, now: float | None = None) -> str:
    """``live``, ``ended``, or ``stale``: it never said goodbye, and its process is gone or silent."""
    if snapshot["finished"] is not None:
        return "ended"
    silent = (time.time() if now is None else now) - snapshot["updated"]
    if silent > SILENT_S:
        return "stale"
    here = snapshot["host"] == socket.gethostname()
    return "live" if not here or _alive(int(snapshot["pid"])) else "stale"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
