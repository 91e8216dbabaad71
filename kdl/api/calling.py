"""How a verb is called from a program: its events, its errors, and its two forms."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from kdl.diskerrors import disk_error
from kdl.events import Bus, Listener
from kdl.loop import run_loop

P = ParamSpec("P")
T = TypeVar("T")

OnEvent = Listener | Bus | None
"""What hears a run's events: a function; or a bus of one's own, made for this one call, over which the
caller may tell the run that a signal came (:class:`kdl.events.Interrupted`) before cancelling it."""


async def run_job(work: Callable[[Bus], Awaitable[T]], on_event: OnEvent) -> T:
    """What ``work`` returns, its events told to ``on_event``. Raises KdlError.

    The process is first let open as many files as a run needs. What the system says of a file becomes the
    KdlError that names it.
    """
    from kdl.jobs.tools import require_files

    bus = on_event if isinstance(on_event, Bus) else Bus()
    if on_event is not None and not isinstance(on_event, Bus):
        bus.subscribe(on_event)
    try:
        require_files()
        return await work(bus)
    except OSError as error:
        raise disk_error(error) from error


def typed(words: Iterable[str]) -> None:
    """Runs that begin in this context are recorded as this command line, and not by what was asked."""
    from kdl.jobs.run import TYPED

    TYPED.set(" ".join(words))


def synchronous(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The same function, called without ``await``."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return _run(function(*args, **kwargs))

    return call


def awaitable(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same function in a thread, awaited; cancelled, the thread goes on to its end."""

    @functools.wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    return call


def asking(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, which reads files: what the system says of one becomes a KdlError.

    A reader who has gone away (BrokenPipeError) is the caller's matter.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise disk_error(error) from error

    return call


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end, where no loop runs and where one does."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run_loop(work)
    return _run_beside(work)


def _run_beside(work: Coroutine[Any, Any, T]) -> T:
    """In a thread with a loop of its own: this one's loop, a notebook's perhaps, can not run a second.

    KeyboardInterrupt asks the work to end, waits until it has recorded what it has, and goes on.
    """
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = Future()

    async def go() -> T:
        task = asyncio.ensure_future(work)
        begun.set_result((asyncio.get_running_loop(), task))
        return await task

    with ThreadPoolExecutor(1, thread_name_prefix="kdl") as pool:
        ended = pool.submit(run_loop, go())
        try:
            return ended.result()
        except KeyboardInterrupt:
            either: tuple[Future[Any], ...] = (begun, ended)
            wait(either, return_when=FIRST_COMPLETED)
            if begun.done():
                loop, task = begun.result()
                with suppress(RuntimeError):  # it ended just now, and its loop is closed
                    loop.call_soon_threadsafe(task.cancel)
            raise
