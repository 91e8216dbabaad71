"""A run in which nothing moves is ended, with an error that says where it hung."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from kdl import events
from kdl.errors import Hung
from kdl.jobs.run import Run
from kdl.jobs.whereabouts import Place, task_places, thread_places
from kdl.settings import human_size

_LOOK_S = 5.0
_LOOKS = 10
"""Looks within a limit, at the least."""
_SHOWN = 8
"""Places and transfers that the error names."""


class Watchdog:
    """An async context manager around a run's work.

    A thread looks at the run's pulse and the ledger's batches. Once neither has moved for ``limit_s``
    seconds, and nobody waits on purpose, the work is cancelled and :class:`~kdl.errors.Hung` is among the
    run's findings; leaving then raises nothing. Time in which the process itself was stopped does not
    count. A limit of 0 watches nothing.
    """

    def __init__(self, run: Run, limit_s: float) -> None:
        self._run = run
        self._limit_s = limit_s
        self._over = threading.Event()
        self._tripped = False
        self._thread = threading.Thread(target=self._watch, name="kdl-watchdog", daemon=True)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        if self._limit_s > 0:
            self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over.set()
        if not self._tripped:
            return False
        # Whoever else has cancelled the run, a signal most likely, is not kept from it.
        return self._task.uncancel() == 0 and kind is asyncio.CancelledError

    def _watch(self) -> None:
        look = min(_LOOK_S, self._limit_s / _LOOKS)
        idle, seen, at = 0.0, (-1, -1), time.monotonic()
        while not self._over.wait(look):
            now = time.monotonic()
            # A stopped process looks late: what it could not do in that time is no fault.
            passed, at = min(now - at, 2 * look), now
            moved = (self._run.pulse.beats, self._run.ledger.batches)
            still = moved == seen and not self._run.pulse.waiting
            idle, seen = idle + passed if still else 0.0, moved
            if idle >= self._limit_s:
                self._end()
                return

    def _end(self) -> None:
        error = hung_error(self._run, self._limit_s, task_places(self._loop), thread_places())
        self._run.fail(error)
        self._run.emit(events.RunHung(error.message, error.exit_code))
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if not self._over.is_set():
            self._tripped = True
            self._task.cancel()


def hung_error(run: Run, limit_s: float, tasks: Iterable[Place], threads: Iterable[Place]) -> Hung:
    """What to say of a run in which nothing moved for ``limit_s`` seconds."""
    tasks, threads = list(tasks), list(threads)
    network = any(place.network for place in tasks)
    seen = run.state.snapshot()
    parts = [f"nothing moved for {limit_s / 60:.3g} min in the step '{seen['phase']}'"]
    transfers = [
        f"{each['name']} at {human_size(each['received'])} of {human_size(each['size'])}"
        for each in seen["running"]
    ]
    stages = [f"{name}: {stage['waiting']} waiting" for name, stage in seen["stages"].items()]
    for words, told in (
        ("transfers", transfers),
        ("stages", stages),
        ("tasks", _counted(tasks)),
        ("threads", _counted(threads)),
    ):
        if told:
            more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
            parts.append(f"{words}: {', '.join(told[:_SHOWN])}{more}")
    if network:
        fix = "run the same again: it goes on from here; another --origin may answer"
    else:
        fix = "look for a disk or a network mount that does not answer, then run the same again"
    return Hung("; ".join(parts), subject=run.dataset, fix=fix, network=network)


def _counted(places: list[Place]) -> list[str]:
    """Those with a name of their own first, and each place once."""
    counts = Counter(str(place) for place in sorted(places, key=lambda place: not place.who))
    return [f"{where} (x{count})" if count > 1 else where for where, count in counts.items()]
