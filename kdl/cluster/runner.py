"""Functions run on a cluster's workers: short ones in batches, long ones each by itself."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from kdl.cluster.batches import LINGER_S, Call, Queue
from kdl.cluster.beacon import Beacon
from kdl.cluster.errands import LOOK_S, Errands
from kdl.cluster.flight import Flight
from kdl.cluster.sight import Mark
from kdl.cluster.site import Site
from kdl.cluster.station import Report, call_with_beacon
from kdl.errors import ClusterError, KdlError, WorkerLost
from kdl.events import Listener, Noted
from kdl.media.worker import Outcome

T = TypeVar("T")
R = TypeVar("R")

_LOSSES = 2
"""Workers that are lost with the same call in hand before the call is to blame."""
_BLIND = 5
"""Workers that do not see the mirror before no more are tried."""


class ClusterRunner:
    """Runs functions on a cluster; belongs to one event loop.

    The same promises as :class:`kdl.media.pool.WorkerPool`: a task that ends its process costs itself
    alone. A cluster's worker that is lost costs nothing: what it had in hand runs elsewhere.
    """

    remote = True

    def __init__(
        self,
        site: Site,
        tasks: Path,
        mark: Mark,
        *,
        emit: Listener,
        most: int = 0,
        at_end: Callable[[], None],
    ) -> None:
        """``tasks`` is the folder for the errands' folders, which all workers see, and ``mark`` lies in it.

        ``most`` bounds the batches that run at the same time; 0 for as many as the cluster takes. ``at_end``
        is called when all has ended.
        """
        self._site = site
        self._emit = emit
        self._most = most
        self._at_end = at_end
        self._queue = Queue()
        self._errands = Errands(site, tasks, mark, emit=emit, on_look=self._dispatch, on_error=self._fail)
        self._carrying: set[asyncio.Task[None]] = set()
        self._blind = 0
        """Errands in a row that met a worker which does not see the mirror."""
        self._timer: asyncio.TimerHandle | None = None
        self._error: KdlError | None = None
        self._closed = False

    def room(self, fn: Callable[..., Any]) -> int:
        """Calls of ``fn`` that keep all workers busy."""
        return max(1, self._limit * self._queue.full(_kind(fn)))

    async def run(self, fn: Callable[..., T], *args: Any, timeout: float) -> T:  # noqa: ASYNC109 - measured by the worker
        """``fn(*args)`` on a worker; both and the result must be picklable, and ``fn`` importable there.

        ``timeout`` counts seconds from when a process takes the task. What ``fn`` raises is raised. Raises
        WorkerLost if its process died of this task or ran out of time, or if several of the cluster's
        workers died with it in hand; ClusterError if the cluster can not do it; CancelledError if the
        runner closes first.
        """
        self._require_open()
        call = Call(_kind(fn), pickle.dumps((fn, args)), timeout, asyncio.get_running_loop().create_future())
        self._queue.put(call)
        self._stir()
        return cast(T, (await call.future).value())

    async def run_long(self, fn: Callable[[T, Beacon], R], task: T, *, emit: Listener) -> R:
        """``fn(task, beacon)`` on a worker, in a process of its own and at once, beside the batches.

        What it tells its beacon is emitted here. Cancelled, it is told to stop and has some seconds for it.
        Raises what ``fn`` raises; WorkerLost if the worker or the process is lost, or silent for long: run
        it again then, and what the lost one still writes is nobody's; ClusterError.
        """
        self._require_open()
        tries = 0
        while True:
            flight = await self._errands.prepare(emit, aside=True)
            payload = pickle.dumps((call_with_beacon, (fn, task, flight.path)))
            await self._somebody()
            with self._site.spread() as desk:
                report = await self._errands.go(flight, desk, ((payload, float("inf")),))
                if report is None or not (report.unseen or report.outcomes):
                    raise WorkerLost(f"the worker{_named(flight)} was lost")
                if not report.unseen:
                    return cast(R, report.outcomes[0].value())
            tries += 1
            if tries == _BLIND:
                raise ClusterError(report.unseen, subject=f"worker {report.who}")

    async def close(self, grace: float) -> None:
        """Ends all that runs, within ``grace`` seconds and a few more, and lets go of the cluster.

        The second call does nothing.
        """
        if self._closed:
            return
        self._closed = True
        for call in self._queue.drain():
            call.future.cancel()
        self._errands.shut()
        if self._carrying:
            await asyncio.wait(self._carrying, timeout=grace + 1)
        for task in tuple(self._carrying):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, KdlError):
                await task
        await self._errands.close()
        await self._site.close()
        self._at_end()

    def _require_open(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closed:
            raise asyncio.CancelledError("the cluster's runner is closed")

    # Batches

    @property
    def _limit(self) -> int:
        """Batches under way: a few more than run, so that no worker waits for its next one."""
        slots = min(self._site.slots, self._most or self._site.slots)
        return slots + (slots + 3) // 4

    def _stir(self) -> None:
        """Look soon for what can be sent; until then others may come along."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._dispatch)

    def _dispatch(self) -> None:
        """Send what waits, as far as workers are free."""
        self._timer = None
        while not self._closed and (free := self._limit - len(self._carrying)) > 0:
            calls = self._queue.take(free)
            if not calls:
                if len(self._queue):
                    self._stir()
                return
            carrying = asyncio.create_task(self._carry(calls))
            self._carrying.add(carrying)
            carrying.add_done_callback(self._carried)

    def _carried(self, task: asyncio.Task[None]) -> None:
        self._carrying.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), KdlError):
            self._fail(error)
        self._dispatch()

    async def _carry(self, calls: list[Call]) -> None:
        """A batch to a worker, and its outcomes back. Raises KdlError where nothing more can be sent."""
        try:
            flight = await self._errands.prepare(self._emit, aside=False)

            def unwanted(_: object) -> None:
                if not any(call.wanted for call in calls):
                    flight.give_up()

            for call in calls:
                call.future.add_done_callback(unwanted)
            report = await self._errands.go(
                flight, self._site.desk, tuple((call.payload, call.timeout) for call in calls)
            )
        except BaseException as error:
            self._error = self._error or (error if isinstance(error, KdlError) else None)
            self._refuse(calls)
            raise
        if self._closed or self._error is not None:
            self._refuse(calls)
        elif report is None:
            self._lost(calls, flight)
        elif report.unseen:
            await self._avoid(calls, report)
        else:
            self._blind = 0
            self._deliver(calls, report)

    def _deliver(self, calls: list[Call], report: Report) -> None:
        """Hand the outcomes on; what has none goes back to the queue."""
        for call, outcome, seconds in zip(calls, report.outcomes, report.seconds, strict=False):
            if isinstance(outcome.error, WorkerLost):
                if not outcome.error.timed_out:
                    text = f"{outcome.error.message} on {report.who}; another takes its place"
                    self._emit(Noted(text))
            else:
                self._queue.learn(call.kind, seconds)
            if call.wanted:
                call.future.set_result(outcome)
        self._queue.put_back([call for call in calls if call.wanted])

    def _lost(self, calls: list[Call], flight: Flight) -> None:
        """A worker was lost with a batch. The call in hand is suspect: it goes alone the next time."""
        wanted = [call for call in calls if call.wanted]
        if not wanted:
            return
        if flight.worker:
            self._emit(Noted(f"the worker {flight.worker} was lost; what it had in hand runs elsewhere"))
        if 0 <= flight.item < len(calls) and (suspect := calls[flight.item]).wanted:
            suspect.losses += 1
            if suspect.losses >= _LOSSES:
                wanted.remove(suspect)
                error = WorkerLost(f"{_LOSSES} of the cluster's workers were lost over it")
                suspect.future.set_result(Outcome(error=error))
        self._queue.put_back(wanted)

    async def _avoid(self, calls: list[Call], report: Report) -> None:
        """A worker that came later does not see the mirror: others may. Raises ClusterError."""
        self._blind += 1
        if self._blind >= _BLIND:
            raise ClusterError(report.unseen, subject=f"worker {report.who}")
        await asyncio.sleep(LOOK_S)
        self._queue.put_back([call for call in calls if call.wanted])

    def _refuse(self, calls: list[Call]) -> None:
        """Nothing more can be sent: whoever waits hears why."""
        for call in calls:
            if call.wanted and self._error is not None:
                call.future.set_exception(self._error)
            call.future.cancel()

    async def _somebody(self) -> None:
        """Wait for a worker, where there is none. Raises KdlError, CancelledError."""
        while not self._site.slots:
            await asyncio.sleep(LOOK_S)
            self._require_open()

    def _fail(self, error: KdlError) -> None:
        self._error = self._error or error
        self._refuse(self._queue.drain())
        self._errands.give_up()


def _kind(fn: Callable[..., Any]) -> str:
    return f"{fn.__module__}.{fn.__qualname__}"


def _named(flight: Flight) -> str:
    return f" {flight.worker}" if flight.worker else ""
