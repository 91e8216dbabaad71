"""How a run ends: well, with an error, or asked to stop. In each case it is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

from kdl.diskerrors import disk_error
from kdl.errors import KdlError
from kdl.jobs.run import Run
from kdl.jobs.watchdog import Watchdog
from kdl.settings import WATCHDOG_S
from kdl.values import Finding, RunSummary


async def recorded(
    run: Run,
    going: Coroutine[Any, Any, None],
    result: Callable[[], Awaitable[dict[str, Any]]],
    *,
    watchdog_s: float = WATCHDOG_S,
) -> RunSummary:
    """Run ``going`` to its end; the summary, with the verb's own ``result``, as the ledger has it too.

    A KdlError, or what the system says of a file, is a finding of the summary. So is a signal, whose exit
    code the summary then has; where nobody told of a signal, it is recorded like one, and CancelledError
    goes on.
    And so is the end of a run in which nothing moved for ``watchdog_s`` seconds (0: however long).
    """
    cancelled: asyncio.CancelledError | None = None
    try:
        async with Watchdog(run, watchdog_s):
            await going
    except BaseExceptionGroup as group:
        _fail_with(run, group)
    except KdlError as error:
        run.fail(error)
    except OSError as error:
        run.fail(disk_error(error))
    except asyncio.CancelledError as error:
        cancelled = error
    counting = asyncio.ensure_future(result())
    try:
        extra = await asyncio.shield(counting)
    except asyncio.CancelledError as error:  # asked to stop when all was done: it only remains to say so
        cancelled = error
        extra = await counting
    called_off = None if run.interrupted else cancelled
    if called_off is not None:
        detail = "called off by the program that began it; everything so far is recorded"
        run.find(Finding("interrupted", run.dataset, detail, "the same call goes on from here"), 130)
    summary = run.summary(extra)
    run.end(summary)
    if called_off is not None:
        raise called_off
    return summary


def _fail_with(run: Run, group: BaseExceptionGroup[BaseException]) -> None:
    """The stages ended one another: report what began it."""
    known, other = group.split((KdlError, OSError))
    if other is not None:
        raise other
    assert known is not None
    first: BaseException = known
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    run.fail(disk_error(first) if isinstance(first, OSError) else cast(KdlError, first))
