"""The worker processes that checks and derivatives run in.

A task has a worker to itself, so that a decoder's crash, or a clip that is never done, costs that task
alone and another process takes the worker's place. Workers live in sessions of their own with SIGINT
blocked from birth: the terminal's Ctrl-C is for the coordinator alone.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from kdl.errors import WorkerLost
from kdl.events import Listener, Noted
from kdl.media.bench import Bench, Call, Dropped, block_sigint
from kdl.media.worker import Gone, Outcome

T = TypeVar("T")


class WorkerPool:
    """Runs functions in worker processes; belongs to one event loop.

    No process is started before the first task. Callers bound how much they submit: tasks beyond
    the number of workers wait here.
    """

    def __init__(self, workers: int, *, emit: Listener | None = None) -> None:
        self._emit = emit
        # One thread for each worker: they start the processes, which end with the thread (Linux).
        self._threads = ThreadPoolExecutor(workers, "worker", block_sigint)
        self._bench = Bench()
        self._workers = workers
        self._calls: dict[asyncio.Future[Outcome[Any]], Call] = {}
        self._closed = False

    remote = False

    def room(self, fn: Callable[..., Any]) -> int:
        """As many tasks as there are workers."""
        return self._workers

    async def run(self, fn: Callable[..., T], *args: Any, timeout: float) -> T:  # noqa: ASYNC109 - measured by the worker's thread
        """``fn(*args)`` in a worker; both and the result must be picklable.

        ``timeout`` counts seconds from when a worker takes the task. What ``fn`` raises is raised.
        Raises WorkerLost if the worker died of this task or ran out of time, MachineError if no worker
        can be started, CancelledError if the pool closes first. Cancelling the call ends its worker.
        """
        if self._closed:
            raise asyncio.CancelledError("the worker pool is closed")
        call = Call(pickle.dumps((fn, args)), timeout)
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._bench.work, call)
        self._calls[future] = call
        try:
            outcome = await asyncio.shield(future)
        except Dropped:
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
        await asyncio.gather(*(asyncio.to_thread(worker.end) for worker in self._bench.clear()))

    def _forget(self, future: asyncio.Future[Outcome[Any]]) -> None:
        del self._calls[future]
        if not future.cancelled():
            future.exception()  # nobody may be left to ask
