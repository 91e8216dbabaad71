"""The worker processes that checks and derivatives run in.

Pebble's pool is what survives a crash: each task has a worker's fate to itself. What is added here
is life and death. Workers live in sessions of their own with SIGINT blocked from birth, so that the
terminal's Ctrl-C is for the coordinator alone. Each holds the reading end of a pipe, the *lifeline*,
whose writing end only the coordinator has: when that closes, because the pool does or because the
coordinator was killed, a worker ends at once and takes its ffmpeg with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar, cast

from pebble import CONSTS, ProcessExpired, ProcessPool

from kdl.errors import KdlError, MachineError, WorkerLost
from kdl.events import Listener, Noted
from kdl.tether import die_with_parent, end_children

T = TypeVar("T")

_RETRIES = 2
"""How often a task is handed on after the pool broke by another's doing."""
_LOOK_S = 0.5
"""Seconds between looks at the health of a pool that is waited for."""

# A worker that can run Python at all ends on SIGTERM at once; the others need not be waited for.
CONSTS.term_timeout = 0.5
# Taking a task and giving a result take milliseconds: after this, who has the lock is dead.
CONSTS.channel_lock_timeout = 10


class WorkerPool:
    """Runs functions in worker processes; belongs to one event loop.

    No process is started before the first task. Callers bound how much they submit: tasks beyond
    the number of workers wait here.
    """

    def __init__(self, workers: int, *, emit: Listener | None = None) -> None:
        self._workers = workers
        self._emit = emit
        self._pool: ProcessPool | None = None
        self._lifeline: Connection | None = None
        self._calls: dict[Future[Any], asyncio.Future[Any]] = {}
        """What pebble holds of each task, and what the caller awaits."""
        self._retired: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, fn: Callable[..., T], *args: Any, timeout: float) -> T:  # noqa: ASYNC109 - measured in the worker
        """``fn(*args)`` in a worker; both and the result must be picklable.

        ``timeout`` counts seconds from when a worker takes the task. What ``fn`` raises is raised.
        Raises WorkerLost if the worker died of this task or ran out of time, MachineError if no worker
        can be started, CancelledError if the pool closes first. Cancelling the call ends its worker.
        """
        for _ in range(1 + _RETRIES):
            if self._closed:
                raise asyncio.CancelledError("the worker pool is closed")
            pool = self._started()
            try:
                outcome = await self._schedule(pool, fn, args, timeout)
            except TimeoutError:
                raise WorkerLost(f"gave no result within {timeout:g} s", timed_out=True) from None
            except ProcessExpired as expired:
                raise self._lost(expired.exitcode) from None
            except BrokenProcessPool:
                self._retire(pool)
                continue
            return outcome.value()
        raise self._lost(None)

    async def close(self, grace: float) -> None:
        """Cancels what has not begun, waits ``grace`` seconds for the rest, then ends all workers.

        Takes at most a second or two longer than ``grace``. The second call does nothing.
        """
        self._closed = True
        for future in tuple(self._calls):
            if not future.running():
                future.cancel()
        running = [call for future, call in self._calls.items() if future.running()]
        if running:
            await asyncio.wait(running, timeout=grace)
        for future in tuple(self._calls):
            future.cancel()
        if self._pool is not None:
            self._retire(self._pool)
        if self._retired:
            await asyncio.wait(self._retired)

    def _started(self) -> ProcessPool:
        """The pool, with its processes running."""
        if self._pool is None:
            reader, self._lifeline = multiprocessing.Pipe(duplex=False)
            pool = ProcessPool(
                max_workers=self._workers,
                initializer=_begin_worker,
                initargs=(reader,),
                context=multiprocessing.get_context("spawn"),
            )
            try:
                with _sigint_blocked():
                    _ = pool.active  # asking starts it
            except (BrokenProcessPool, OSError) as error:
                raise MachineError(
                    f"worker processes can not be started: {error}", fix="try fewer --workers"
                ) from error
            self._pool = pool
        return self._pool

    async def _schedule(
        self, pool: ProcessPool, fn: Callable[..., T], args: tuple[Any, ...], limit: float
    ) -> _Outcome[T]:
        try:
            # Pickled here: a worker holds a lock that all need while it takes a task, imports included.
            payload = pickle.dumps((fn, args))
            future: Future[_Outcome[T]] = pool.schedule(_call, args=(payload,), timeout=limit)
        except RuntimeError as error:  # it broke since, with no task of ours on it
            raise BrokenProcessPool(str(error)) from error
        call: asyncio.Future[_Outcome[T]] = asyncio.wrap_future(future)
        self._calls[future] = call
        try:
            while not (await asyncio.wait([call], timeout=_LOOK_S))[0]:
                if not pool.active:  # a broken pool forgets tasks that it had not passed on
                    raise BrokenProcessPool("the pool broke")
            return await call
        finally:
            call.cancel()
            del self._calls[future]

    def _lost(self, exitcode: int | None) -> WorkerLost:
        how = "crashed" if exitcode is None else _describe(exitcode)
        if self._emit is not None:
            self._emit(Noted(f"a worker process {how}; another takes its place"))
        return WorkerLost(f"the worker process {how}")

    def _retire(self, pool: ProcessPool) -> None:
        """Ends a pool's workers; the next task finds a new pool. Safe to call for each of its tasks."""
        if pool is not self._pool:
            return
        lifeline, self._pool, self._lifeline = self._lifeline, None, None
        pool.stop()  # type: ignore[no-untyped-call]
        if lifeline is not None:
            lifeline.close()
        retiring = asyncio.create_task(asyncio.to_thread(pool.join))
        self._retired.add(retiring)
        retiring.add_done_callback(self._retired.discard)


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    """What a task came to, so that its own exceptions are told from the pool's."""

    result: T | None = None
    error: Exception | None = None

    def value(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.result)


def _call(payload: bytes) -> _Outcome[Any]:
    """Runs in the worker."""
    try:
        fn, args = pickle.loads(payload)
        return _Outcome(result=fn(*args))
    except Exception as error:  # noqa: BLE001 - raised again in the coordinator
        return _Outcome(error=_portable(error))


def _portable(error: Exception) -> Exception:
    """The error as it can travel: an unpicklable one would break the pool for all."""
    if not isinstance(error, KdlError):
        error.add_note("in the worker:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _begin_worker(lifeline: Connection) -> None:
    """Runs first in each worker."""
    os.setsid()
    die_with_parent()
    signal.signal(signal.SIGTERM, lambda *_: _end_worker())
    threading.Thread(target=_hold, args=(lifeline,), daemon=True).start()


def _hold(lifeline: Connection) -> None:
    """Ends the worker when nobody is left who could write to the lifeline."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    _end_worker()


def _end_worker() -> None:
    end_children()
    os._exit(1)


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Threads and processes started inside are born with SIGINT blocked.

    A worker takes a tenth of a second to reach its first line of ours; Ctrl-C in that time would end
    it with a traceback on the terminal.
    """
    resource_tracker.ensure_running()  # starting it unblocks SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _describe(exitcode: int) -> str:
    """How a process ended, after the words "the worker process"."""
    try:
        return f"was ended by {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"ended with exit code {exitcode}"
