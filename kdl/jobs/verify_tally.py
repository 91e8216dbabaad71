"""What a verification has come to so far, kept by several threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from kdl import events

_TELL_S = 0.2


class Tally:
    """Counts; every method may be called from any thread."""

    def __init__(self, emit: events.Listener, clock: Callable[[], float] = time.monotonic) -> None:
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._told = 0.0
        self.due = 0
        """Clips that this run is to look at."""
        self.taken = 0
        """Clips of those whose turn has come."""
        self.checked = 0
        self.read = 0
        """Bytes."""
        self.could_not = 0
        self.touched = 0
        """Clips whose bytes are the same and their time is not."""
        self.extra_files = 0
        self.verdicts: Counter[str] = Counter()
        self.derivatives: Counter[str] = Counter()

    @property
    def bad(self) -> int:
        return self.verdicts["missing"] + self.verdicts["corrupt"]

    def passed(self, count: int) -> None:
        """So many bytes were read."""
        with self._lock:
            self.read += count

    def add(self, *, verdicts: Counter[str], could_not: int = 0, touched: int = 0) -> None:
        """Clips that were looked at, by the verdict they have now, and those that could not be."""
        with self._lock:
            self.verdicts += verdicts
            self.checked += verdicts.total()
            self.could_not += could_not
            self.touched += touched
            now = self._clock()
            due = now - self._told >= _TELL_S
            self._told = now if due else self._told
        if due:
            self.tell()

    def tell(self) -> None:
        """Say how far it is."""
        done = self.checked + self.could_not
        self._emit(events.StageProgress("verify", done, self.bad, max(self.due - done, 0)))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; sizes are bytes."""
        return {
            "checked": self.checked,
            "bytes": self.read,
            "by_verdict": dict(sorted(self.verdicts.items())),
            "could_not_check": self.could_not,
            "not_reached": self.due - self.taken,
            "touched": self.touched,
            "extra_files": self.extra_files,
            "derivatives": {
                name: self.derivatives[name] for name in ("checked", "damaged", "could_not_check")
            },
        }
