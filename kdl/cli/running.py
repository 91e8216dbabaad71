"""Runs a verb under a user interface, with the signals in hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from kdl.api.calling import typed
from kdl.errors import KdlError
from kdl.events import Bus, Event, Interrupted, RunHung, RunStarted
from kdl.heap import prepare_heap
from kdl.loop import run_loop
from kdl.ui.faces import UI
from kdl.ui.factory import make_ui
from kdl.values import Finding, RunSummary

Work = Callable[[Bus], Coroutine[Any, Any, RunSummary]]

_GRACE_S = 30.0
"""A run that hangs has so long to end by itself: not even its threads may get through."""


def run_verb(
    work: Work,
    *,
    dataset: str,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    moves_bytes: bool = False,
) -> int:
    """Run ``work`` to its end and say how it went; the exit code.

    The first SIGINT or SIGTERM is told as an event and cancels it: the job records its state and returns
    a summary whose code is 130 or 143. The second leaves at once. A run that hangs and can not end leaves
    after a time of grace, with what the watchdog said.
    """
    began = time.monotonic()
    typed(sys.argv[1:])
    bus = Bus()
    interrupted: list[signal.Signals] = []
    with make_ui(json=as_json, quiet=quiet, log_json=log_json) as ui:
        bus.subscribe(ui.listen)
        way_out = _WayOut(ui, dataset, began)
        bus.subscribe(way_out.hear)
        if moves_bytes:
            bus.subscribe(_prepare)
        try:
            summary = run_loop(_with_signals(work(bus), interrupted, bus))
        except KdlError as error:
            ui.fail(error, dataset=dataset, elapsed_s=time.monotonic() - began)
            return error.exit_code
        except (asyncio.CancelledError, KeyboardInterrupt):
            number = interrupted[0] if interrupted else signal.SIGINT
            finding = Finding(
                "interrupted", dataset, f"stopped by {number.name}", "the same command goes on from here"
            )
            summary = RunSummary(dataset, 128 + number, time.monotonic() - began, (finding,))
        finally:
            way_out.close()
        ui.finish(summary)
    return summary.exit_code


def _prepare(event: Event) -> None:
    """Once a run has begun, all that it needs is imported."""
    if isinstance(event, RunStarted):
        prepare_heap()


class _WayOut:
    """Ends the process where a hung run does not: its loop, or a thread it waits for, is stuck for good."""

    def __init__(self, ui: UI, dataset: str, began: float) -> None:
        self._ui = ui
        self._dataset = dataset
        self._began = began
        self._timer: threading.Timer | None = None

    def hear(self, event: Event) -> None:
        if isinstance(event, RunHung):
            self._timer = threading.Timer(_GRACE_S, self._leave, (event,))
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self, event: RunHung) -> None:
        finding = Finding("hung", self._dataset, event.where, "what is recorded stays: run the same again")
        took = time.monotonic() - self._began
        self._ui.finish(RunSummary(self._dataset, event.exit_code, took, (finding,)))
        os._exit(event.exit_code)


async def _with_signals(
    work: Awaitable[RunSummary], interrupted: list[signal.Signals], bus: Bus
) -> RunSummary:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)

    def stop(number: signal.Signals) -> None:
        if interrupted:
            os._exit(128 + int(number))
        interrupted.append(number)
        bus.emit(Interrupted(number.name, 128 + number))
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(number)
            if interrupted:  # the loop's handlers go with it, and the loop itself takes a while to close
                signal.signal(number, lambda number, _: os._exit(128 + number))
