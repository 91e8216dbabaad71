"""The worker processes that checks and derivatives run in.

A task has a worker to itself, so that a decoder's crash, or a clip that is never done, costs that task
alone and another process takes the worker's place. Workers live in sessions of their own with SIGINT
blocked from birth: the terminal's Ctrl-C is for the coordinator alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from kdl.errors import MachineError, WorkerLost
from kdl.events import Listener, Noted
from kdl.media.worker import Gone, NotTaken, Outcome, Worker

T = TypeVar("T")

_HANDS = 5
"""How many workers may be gone before they take a task: somebody kills them, or none can run here."""


class WorkerPool:
    """Runs functions in worker processes; belongs to one event loop.

    No process is started before the first task. Callers bound how much they submit: tasks beyond
    the number of workers wait here.
    """

    def __init__(self, workers: int, *, emit: Listener | None = None) -> None:
        self._emit = emit
        # One thread for each worker: they start the processes, which end with the thread (Linux).
        self._threads = ThreadPoolExecutor(workers, "worker", _block_sigint)
        self._idle: deque[Worker] = deque()
        self._calls: dict[asyncio.Future[Outcome[Any]], _Call] = {}
        self._closed = False

    async def run(self, fn: Callable[..., T], *args: Any, timeout: float) -> T:  # noqa: ASYNC109 - measured by the worker's thread
        """``fn(*args)`` in a worker; both and the result must be picklable.

        ``timeout`` counts seconds from when a worker takes the task. What ``fn`` raises is raised.
        Raises WorkerLost if the worker died of this task or ran out of time, MachineError if no worker
        can be started, CancelledError if the pool closes first. Cancelling the call ends its worker.
        """
        if self._closed:
            raise asyncio.CancelledError("the worker pool is closed")
        call = _Call(pickle.dumps((fn, args)), timeout)
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._work, call)
        self._calls[future] = call
        try:
            outcome = await asyncio.shield(future)
        except _Dropped:
            raise asyncio.CancelledError("the worker pool is closed") from None
        except Gone as gone:
            if self._emit is not None:
                self._emit(Noted(f"a worker process {gone}; another takes its place"))
            raise WorkerLost(f"the worker process {gone}") from None
        except TimeoutError:
            raise WorkerLost(f"gave no result within {timeout:g} s", timed_out=True) from None
        except asyncio.CancelledError:
            call.drop()
            future.cancel()
            raise
        finally:
            future.add_done_callback(self._forget)
        return cast(T, outcome.value())

    async def close(self, grace: float) -> None:
        """Cancels what has not begun, waits ``grace`` seconds for the rest, then ends all workers.

        Takes at most a second or two longer than ``grace``. The second call does nothing.
        """
        self._closed = True
        for future, call in tuple(self._calls.items()):
            if not call.begun:
                call.drop()
                future.cancel()
        running = [future for future in self._calls if not future.done()]
        if running:
            await asyncio.wait(running, timeout=grace)
        for call in tuple(self._calls.values()):
            call.drop()
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        workers, self._idle = self._idle, deque()
        await asyncio.gather(*(asyncio.to_thread(worker.end) for worker in workers))

    def _forget(self, future: asyncio.Future[Outcome[Any]]) -> None:
        del self._calls[future]
        if not future.cancelled():
            future.exception()  # nobody may be left to ask

    # In the threads

    def _work(self, call: _Call) -> Outcome[Any]:
        for hands in range(_HANDS, 0, -1):
            try:
                return self._hand(call)
            except NotTaken as idle:
                if hands == 1 and not call.dropped:
                    raise _unstartable(idle) from None
            except Gone:
                if not call.dropped:
                    raise
        raise _Dropped

    def _hand(self, call: _Call) -> Outcome[Any]:
        """Hand a task to a worker, which is idle again or has ended afterwards."""
        if call.dropped:
            raise _Dropped
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
            raise _Dropped
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
            return Worker()
        except OSError as error:
            raise _unstartable(error) from error


def _unstartable(reason: Exception) -> MachineError:
    return MachineError(f"worker processes can not be started: {reason}", fix="try fewer --workers")


class _Dropped(Exception):
    """Nobody wants the task's result any more."""


class _Call:
    """One task, which its caller can drop at any time."""

    def __init__(self, payload: bytes, timeout: float) -> None:
        self.payload = payload
        self.timeout = timeout
        self.begun = False
        self.dropped = False
        self._worker: Worker | None = None
        self._lock = threading.Lock()

    def begin(self, worker: Worker) -> None:
        """It is in a worker's hands from now on. Raises _Dropped."""
        with self._lock:
            if self.dropped:
                raise _Dropped
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


def _block_sigint() -> None:
    """The threads that start workers hand this mask on.

    A worker takes a tenth of a second to reach its first line of ours; Ctrl-C in that time would end it
    with a traceback on the terminal.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
