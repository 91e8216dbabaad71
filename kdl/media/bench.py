"""Worker processes that are kept for the next task, and the handing of tasks to them."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from kdl.errors import MachineError
from kdl.media.worker import Gone, NotTaken, Outcome, Worker

_HANDS = 5
"""How many workers may be gone before they take a task: somebody kills them, or none can run here."""


class Dropped(Exception):
    """Nobody wants the task's result any more."""


class Call:
    """One task, which its caller can drop at any time."""

    def __init__(self, payload: bytes, timeout: float) -> None:
        self.payload = payload
        """The pickled ``(fn, args)``."""
        self.timeout = timeout
        """Seconds from when a worker takes it."""
        self.begun = False
        self.dropped = False
        self._worker: Worker | None = None
        self._lock = threading.Lock()

    def begin(self, worker: Worker) -> None:
        """It is in a worker's hands from now on. Raises Dropped."""
        with self._lock:
            if self.dropped:
                raise Dropped
            self.begun, self._worker = True, worker

    def end(self) -> None:
        """It is in no worker's hands any more."""
        with self._lock:
            self._worker = None

    def drop(self) -> None:
        """Nobody wants the result any more: its worker, if it has one, ends."""
        with self._lock:
            self.dropped = True
            if self._worker is not None:
                self._worker.hang_up()


class Bench:
    """Hands each task to an idle worker, or to a new one. Thread-safe: a call for each thread at a time."""

    def __init__(self, start: Callable[[], Worker] = Worker) -> None:
        """``start`` is for callers whose own threads may end before the workers do: see :class:`Worker`."""
        self._start = start
        self._idle: deque[Worker] = deque()

    def work(self, call: Call) -> Outcome[Any]:
        """The task's outcome.

        Raises Gone if the worker died of it, TimeoutError, Dropped, and MachineError if no worker can be
        started.
        """
        for hands in range(_HANDS, 0, -1):
            try:
                return self._hand(call)
            except NotTaken as idle:
                if hands == 1 and not call.dropped:
                    raise _unstartable(idle) from None
            except Gone:
                if not call.dropped:
                    raise
        raise Dropped

    def clear(self) -> list[Worker]:
        """The idle workers, which are the caller's to end."""
        workers, self._idle = self._idle, deque()
        return list(workers)

    def _hand(self, call: Call) -> Outcome[Any]:
        """Hand a task to a worker, which is idle again or has ended afterwards."""
        if call.dropped:
            raise Dropped
        worker = self._take()
        try:
            call.begin(worker)
            outcome = worker.call(call.payload, call.timeout)
        except BaseException:
            call.end()
            worker.end()
            raise
        call.end()
        self._idle.append(worker)
        if call.dropped:  # its program was ended under it, and that is no result
            raise Dropped
        return outcome

    def _take(self) -> Worker:
        """An idle worker, or a new one."""
        with contextlib.suppress(IndexError):
            while True:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.end()
        try:
            return self._start()
        except OSError as error:
            raise _unstartable(error) from error


def block_sigint() -> None:
    """For the threads that start workers, which hand this mask on.

    A worker takes a tenth of a second to reach its first line of ours; Ctrl-C in that time would end it
    with a traceback on the terminal.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _unstartable(reason: Exception) -> MachineError:
    return MachineError(f"worker processes can not be started: {reason}", fix="try fewer --workers")
