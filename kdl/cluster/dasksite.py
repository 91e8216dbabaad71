"""The workers of a Dask scheduler: who is there, who is good for the work, and how they are reached."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

from kdl.cluster.flight import SILENT_S
from kdl.cluster.sight import Question, answer, judge, require_all
from kdl.cluster.site import Desk
from kdl.cluster.station import rest
from kdl.errors import ClusterError, WorkerLost
from kdl.events import Listener, Noted
from kdl.media.bench import block_sigint

T = TypeVar("T")

_CONNECT_S = 10.0
TRY_S = 3.0
"""What one try to connect may take."""
_ANSWER_S = 60.0
"""What the workers may take to say what they see."""
_ARRIVE_S = 60.0
"""What the first worker may take to come, where none has to wait in a batch system's queue."""
_GONE_S = 60.0
"""The same, where all have gone."""
_LOOK_S = 0.5
_CLOSE_S = 1.5


class DaskSite:
    """The workers of one scheduler. Made by :mod:`kdl.cluster.daskopen`."""

    def __init__(
        self,
        open_client: Callable[[], tuple[Any, Any]],
        question: Question,
        *,
        queued: bool,
        emit: Listener,
    ) -> None:
        self._open_client = open_client
        self._question = question
        self._queued = queued
        """The workers are jobs in a queue: how long they wait is nobody's fault."""
        self._emit = emit
        self._present: dict[str, int] = {}
        """All workers that the scheduler has, by address, with the number of their threads."""
        self._threads: dict[str, int] = {}
        """Those that were found good."""
        self._kept_out: dict[str, str] = {}
        """Those that can not do the work, with the reason."""
        self._signs: dict[str, tuple[float, float]] = {}
        """The last sign of life that the scheduler had of each, and since when it is that."""
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._opened = False
        self._desk: Desk | None = None
        self._long: Counter[str] = Counter()
        """Long tasks that go on, by worker."""
        self._lost: Counter[str] = Counter()
        """Long tasks that a worker was lost with, or was silent about for long."""
        self._empty_since: float | None = None

    async def open(self) -> None:
        """Connect, wait for workers, and ask them what they see.

        Raises ClusterError where there is no scheduler, no worker, or one that can not do the work.
        """
        self._client, self._cluster = await self._connect()
        try:
            await self._arrive()
            await asyncio.gather(*self._asking.values())
            require_all(self._kept_out)
            self._opened = True
        except BaseException:
            await asyncio.shield(self.close())
            raise

    async def _connect(self) -> tuple[Any, Any]:
        """Each try is short: who is cancelled meanwhile waits no longer for it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _CONNECT_S
        while True:
            try:
                return await _in_thread(self._open_client)
            except ClusterError:
                if loop.time() > until:
                    raise
            await asyncio.sleep(_LOOK_S)

    async def _arrive(self) -> None:
        """Wait for the first worker."""
        loop = asyncio.get_running_loop()
        until, told = loop.time() + _ARRIVE_S, False
        await self._see()
        while not self._present:
            if not self._queued and loop.time() > until:
                address = self._client.scheduler.address
                raise ClusterError(
                    f"no worker came within {_ARRIVE_S:.0f} s",
                    subject=address,
                    fix=f"start some: dask worker {address}; docs/cluster.md says how",
                )
            if not told:
                told = True
                self._emit(Noted("waiting for the cluster's first worker"))
            await asyncio.sleep(_LOOK_S)
            await self._see()

    @property
    def waiting(self) -> bool:
        """Whether nothing can move because a batch system has not started a worker yet."""
        return self._queued and not self._threads

    @property
    def slots(self) -> int:
        """Threads of all workers that were found good."""
        return sum(self._threads.values())

    @property
    def desk(self) -> Desk:
        """For every good worker, and no other: what is stranded there is handed in again."""
        if self._desk is None or (self._threads and self._desk.workers != self._threads.keys()):
            self._desk = self._desk_of(frozenset(self._threads))
        return self._desk

    @contextmanager
    def spread(self) -> Iterator[Desk]:
        """A worker of the host that has the fewest long tasks, since they share its network card.

        One that lost a long task comes last: it may be there still, and silent.
        """
        hosts: Counter[str] = Counter()
        for address, count in self._long.items():
            hosts[_host(address)] += count
        chosen = min(self._threads, key=lambda each: (self._lost[each], hosts[_host(each)], self._long[each]))
        self._long[chosen] += 1
        try:
            yield self._desk_of(frozenset((chosen,)))
        except WorkerLost:
            self._lost[chosen] += 1
            raise
        finally:
            self._long[chosen] -= 1

    def stranded(self, desk: Desk, taken_by: str) -> bool:
        """Dask does not tell which worker an errand waits at: any of the desk's may have it."""
        may = {_address(taken_by)} if taken_by else desk.workers
        return not may <= self._threads.keys()

    def avoid(self, worker: str) -> None:
        """The next look at the cluster meets it as if it had just come."""
        self._threads.pop(_address(worker), None)

    def means_lost(self, error: BaseException) -> bool:
        """Dask gives a task up after some workers have died of it."""
        from distributed.scheduler import KilledWorker

        return isinstance(error, KilledWorker)

    async def refresh(self) -> None:
        """See who has come, who is asked then what it sees, and who has gone. Raises ClusterError."""
        await self._see()
        self._mind_emptiness()

    async def close(self) -> None:
        """Leave the scheduler; end the workers that were started for this run."""

        def close() -> None:
            with suppress(Exception):
                if self._cluster is None and self._threads:
                    self._client.run(rest, workers=list(self._threads), on_error="ignore")
                self._client.close(timeout=_CLOSE_S)
            if self._cluster is not None:
                with suppress(Exception):
                    self._cluster.close(timeout=_CLOSE_S)

        for asking in tuple(self._asking.values()):
            asking.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(_in_thread(close), 2 * _CLOSE_S)

    async def _see(self) -> None:
        def look() -> dict[str, dict[str, Any]]:
            found = self._client.sync(self._client.scheduler.identity, n_workers=-1)
            return dict(found["workers"])

        try:
            present = await asyncio.wait_for(_in_thread(look), _ANSWER_S)
        except Exception as error:
            raise ClusterError(
                f"the scheduler is gone ({str(error) or type(error).__name__})",
                subject=self._client.scheduler.address if self._client.scheduler else "",
                fix="start it again, with its workers, and run the same again: it goes on from here",
            ) from error
        self._present = {address: told["nthreads"] for address, told in present.items()}
        silent = self._silent({address: told["last_seen"] for address, told in present.items()})
        self._threads = {
            each: count for each, count in self._threads.items() if each in present and each not in silent
        }
        self._kept_out = {each: why for each, why in self._kept_out.items() if each in present}
        for address in present.keys() - self._threads.keys() - self._kept_out.keys() - self._asking.keys():
            self._asking[address] = asyncio.create_task(self._meet(address))

    def _silent(self, seen: dict[str, float]) -> set[str]:
        """Workers whose sign of life, which each gives every few seconds, is the same for long."""
        now = asyncio.get_running_loop().time()
        self._signs = {
            address: (sign, now if self._signs.get(address, (None,))[0] != sign else self._signs[address][1])
            for address, sign in seen.items()
        }
        return {address for address, (_, since) in self._signs.items() if now - since > SILENT_S}

    async def _meet(self, address: str) -> None:
        """Ask a worker what it sees. One that hangs, or whose file system does, keeps nobody waiting."""

        def ask() -> dict[str, str]:
            answers = self._client.run(answer, self._question, workers=[address], on_error="return")
            return judge(self._question, answers)

        try:
            bad = await asyncio.wait_for(_in_thread(ask), _ANSWER_S)
        except TimeoutError:
            bad = {address: f"does not say within {_ANSWER_S:.0f} s what it sees: look for what it hangs in"}
        except Exception as error:  # noqa: BLE001 - whatever Dask raises where a worker has just gone
            bad = {address: f"gave no answer ({error}): look into its log"}
        finally:
            del self._asking[address]
        if address not in self._present:
            return
        if bad:
            self._kept_out |= bad
        else:
            self._threads[address] = self._present[address]
            self._signs.pop(address, None)
            return
        if self._opened:
            self._emit(Noted(f"worker {address} {bad[address]}; it gets no work"))

    def _mind_emptiness(self) -> None:
        """Raises ClusterError where no worker has been left for long."""
        now = asyncio.get_running_loop().time()
        if self._threads or self._queued:
            self._empty_since = None
            return
        if self._empty_since is None:
            self._empty_since = now
            self._emit(Noted("the cluster has no worker left; waiting for one"))
        elif now - self._empty_since > _GONE_S:
            raise ClusterError(
                f"no worker is left, and none has come for {_GONE_S:.0f} s",
                fix="start some, and run the same again: it goes on from here",
            )

    def _desk_of(self, addresses: frozenset[str]) -> Desk:
        return Desk(self._client.get_executor(pure=False, workers=list(addresses)), addresses)


async def _in_thread(work: Callable[[], T]) -> T:
    """``work()`` in a thread of its own, which the process's end does not wait for: a hung worker may keep
    it for ever.

    Dask's own threads and processes begin in such threads and inherit their mask: Ctrl-C is the
    coordinator's alone.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if not done.done():
            if error is None:
                done.set_result(cast(T, result))
            else:
                done.set_exception(error)

    def run() -> None:
        block_sigint()
        result, failed = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="kdl-dask", daemon=True).start()
    return await done


def _address(worker: str) -> str:
    """Of a worker as it names itself: see :class:`kdl.cluster.station.Report`."""
    return worker.partition(" ")[0]


def _host(address: str) -> str:
    return address.rpartition(":")[0]
