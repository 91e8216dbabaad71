"""The worker's side: what is sent to a cluster's worker runs here, in processes of kdl's own.

A decoder's crash, or a clip that is never done, ends such a process and costs that task alone; the
cluster's worker, which holds them, lives on. They are kept for the next batch and end with the run, or
with the cluster's worker.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kdl.cluster.beacon import Beacon
from kdl.cluster.sight import Mark, unseen
from kdl.errors import MachineError, WorkerLost
from kdl.media.bench import Bench, Call, Dropped, block_sigint
from kdl.media.worker import Gone, Outcome, Worker

T = TypeVar("T")
R = TypeVar("R")

_BEAT_S = 0.5


@dataclass(frozen=True, slots=True)
class Errand:
    """What is sent: tasks to be run one after the other."""

    folder: Path
    """The errand's folder, made by the coordinator: see :mod:`kdl.cluster.beacon`."""
    mark: Mark
    """What a worker finds there if it sees the coordinator's file system."""
    calls: tuple[tuple[bytes, float], ...]
    """Each pickled ``(fn, args)``, and its time limit in seconds."""
    grace_s: float
    """Seconds between the stop mark and the end of the process that does not heed it."""
    aside: bool = False
    """It mostly waits: let the worker take another errand beside it, where the cluster can."""


@dataclass(frozen=True, slots=True)
class Report:
    """What comes back of an errand."""

    who: str
    """The worker, for people: its address at Dask, where it has one, its host and its process."""
    unseen: str = ""
    """Why this worker can do nothing here; nothing was done then."""
    taken: bool = True
    """False if another worker has had the errand before, which was lost then; nothing was done."""
    stopped: bool = False
    """The stop mark ended it, or the coordinator's silence."""
    outcomes: tuple[Outcome[Any], ...] = ()
    """Of the calls in their order; fewer of them if it was stopped."""
    seconds: tuple[float, ...] = ()
    """What each of them took."""


def attend(errand: Errand) -> Report:
    """Run the errand's calls. Never raises for what a call does."""
    who = _name()
    reason = unseen(errand.mark)
    if reason:
        return Report(who, unseen=reason)
    beacon = Beacon(errand.folder)
    if not beacon.enter(who):
        return Report(who, taken=False)
    outcomes, seconds = [], []
    with _bench_for(errand) as bench, _Watch(beacon, errand.grace_s) as watch:
        for item, (payload, timeout) in enumerate(errand.calls):
            began = time.monotonic()
            try:
                outcomes.append(_run(bench, watch.begin(item, payload, timeout)))
            except Dropped:
                break
            seconds.append(time.monotonic() - began)
        watch.done()
    return Report(who, stopped=watch.stopped, outcomes=tuple(outcomes), seconds=tuple(seconds))


def rest() -> None:
    """No more will come for now: end the processes that are idle."""
    for worker in _kept_bench.clear():
        worker.end()


def call_with_beacon(fn: Callable[[T, Beacon], R], task: T, folder: Path) -> R:
    """For a long task: it tells of itself, and looks for the stop mark, from the process it runs in."""
    return fn(task, Beacon(folder))


def _run(bench: Bench, call: Call) -> Outcome[Any]:
    """What a call comes to, its process's own end included. Raises Dropped."""
    try:
        return bench.work(call)
    except Gone as gone:
        return Outcome(error=WorkerLost(f"the worker process {gone}"))
    except TimeoutError:
        message = f"gave no result within {call.timeout:g} s"
        return Outcome(error=WorkerLost(message, timed_out=True))
    except MachineError as error:
        return Outcome(error=error)


class _Watch:
    """Beats while an errand goes on, and drops the call in hand once the errand is to stop."""

    def __init__(self, beacon: Beacon, grace_s: float) -> None:
        self._beacon = beacon
        self._grace_s = grace_s
        self._over = threading.Event()
        self._call: Call | None = None
        self._thread = threading.Thread(target=self._watch, name="kdl-watch", daemon=True)
        self.stopped = False

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def begin(self, item: int, payload: bytes, timeout: float) -> Call:
        """The next call. Raises Dropped if it is not to begin."""
        call = self._call = Call(payload, timeout)
        with contextlib.suppress(OSError):
            self._beacon.beat(item)
        if self._beacon.stopped() or self.stopped:
            self.stopped = True
            raise Dropped
        return call

    def done(self) -> None:
        """No call is in hand any more: if the worker is lost from here on, none of them is to blame."""
        with contextlib.suppress(OSError):
            self._beacon.beat(-1)

    def _watch(self) -> None:
        while not self._over.wait(_BEAT_S):
            with contextlib.suppress(OSError):  # the file system does not answer, or the folder has gone
                self._beacon.beat()
            if self._beacon.stopped():
                self.stopped = True
                self._over.wait(self._grace_s)
                call = self._call
                if call is not None:
                    call.drop()
                return


@contextlib.contextmanager
def _bench_for(errand: Errand) -> Iterator[Bench]:
    """The processes that are kept; for an errand aside, one of its own, whose memory no clip has bounded."""
    if not errand.aside:
        yield _kept_bench
        return
    _leave_the_slot()
    bench = Bench(_start)
    try:
        yield bench
    finally:
        for worker in bench.clear():
            worker.end()


def _name() -> str:
    here = f"{socket.gethostname()} (pid {os.getpid()})"
    if "distributed" in sys.modules:
        from distributed import get_worker

        with contextlib.suppress(ValueError):
            return f"{get_worker().address} on {here}"
    return here


def _leave_the_slot() -> None:
    """Let the dask worker that this thread is in, if it is in one, take another errand."""
    if "distributed" in sys.modules:
        from distributed import secede

        with contextlib.suppress(ValueError, KeyError, AttributeError):
            secede()


# The cluster's own threads may end before the processes, which would end with them: another starts those.
_starter = ThreadPoolExecutor(1, "kdl-starter", block_sigint)


def _start() -> Worker:
    return _starter.submit(Worker).result()


_kept_bench = Bench(_start)
