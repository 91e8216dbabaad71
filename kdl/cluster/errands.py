"""All errands that are on their way to a cluster's workers: sent, listened to, and given up where nobody is
left who does them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path

from kdl.cluster.flight import Flight
from kdl.cluster.sight import Mark
from kdl.cluster.site import Desk, Site
from kdl.cluster.station import Report
from kdl.errors import ClusterError, KdlError, MachineError
from kdl.events import Listener, Noted

LOOK_S = 0.5
_REFRESH_S = 2.0
_SHORT_GRACE_S, _LONG_GRACE_S = 0.0, 2.0
"""What is left to an errand between the stop mark and its end: a clip is made anew, a shard can say how
far it came."""


class Errands:
    """Belongs to one event loop."""

    def __init__(
        self,
        site: Site,
        tasks: Path,
        mark: Mark,
        *,
        emit: Listener,
        on_look: Callable[[], None],
        on_error: Callable[[KdlError], None],
    ) -> None:
        """``on_look`` is called after each look at them, ``on_error`` once the cluster itself has gone."""
        self._site = site
        self._tasks = tasks
        self._mark = mark
        self._emit = emit
        self._on_look = on_look
        self._on_error = on_error
        self._numbers = itertools.count()
        self._flights: set[Flight] = set()
        self._background: list[asyncio.Task[None]] = []
        self._closed = False

    async def prepare(self, emit: Listener, *, aside: bool) -> Flight:
        """An errand's folder; what its task tells is handed to ``emit``. Raises DiskFull, MachineError."""
        if not self._background:
            work = (self._watch(), self._tend())
            self._background = [asyncio.create_task(each, name="cluster") for each in work]
        path = self._tasks / f"{next(self._numbers):06d}"
        grace = _LONG_GRACE_S if aside else _SHORT_GRACE_S
        return await asyncio.to_thread(Flight, path, self._mark, grace_s=grace, aside=aside, emit=emit)

    async def go(self, flight: Flight, desk: Desk, calls: tuple[tuple[bytes, float], ...]) -> Report | None:
        """What came back; None where the worker was lost. Raises ClusterError."""
        self._flights.add(flight)
        try:
            report = await flight.go(desk, calls)
        except Exception as error:
            if self._site.means_lost(error):
                return None
            raise _unable(error) from error
        finally:
            self._flights.discard(flight)
        if report is None and not self._closed:
            await self._site.refresh()
        if report is not None and report.unseen:
            self._emit(Noted(f"the worker {report.who} {report.unseen}"))
        return None if report is not None and (not report.taken or report.stopped) else report

    def give_up(self) -> None:
        """Tell all of them to stop."""
        for flight in self._flights:
            flight.give_up()

    def shut(self) -> None:
        """The same, for good."""
        self._closed = True
        self.give_up()

    async def close(self) -> None:
        """Listen no longer."""
        for task in self._background:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _tend(self) -> None:
        """See who comes and who goes, in its own time: a scheduler may take long to tell."""
        while True:
            await asyncio.sleep(_REFRESH_S)
            try:
                await self._site.refresh()
            except ClusterError as error:
                self._on_error(error)
                return

    async def _watch(self) -> None:
        """Hear the errands and let them know that we live."""
        while True:
            await asyncio.sleep(LOOK_S)
            for flight in tuple(self._flights):
                if await asyncio.to_thread(flight.look):
                    self._site.avoid(flight.worker)
                    flight.give_up(alone=True)
                elif flight.desk is not None and self._site.stranded(flight.desk, flight.worker):
                    flight.give_up(alone=flight.worker != "")
            self._on_look()


def _unable(error: Exception) -> MachineError:
    """What an executor raises in place of a report."""
    if isinstance(error, MachineError):
        return error
    return ClusterError(
        f"the cluster could not run what was sent to it ({type(error).__name__}: {error})",
        fix="install the same kdl for scheduler and workers; their logs say more",
    )
