"""One worker process, from both sides: the handle that the pool holds, and what runs in the process.

The two talk over a socket pair. The worker reads it all the time, so the coordinator's end, closed by the
pool or by the coordinator's own death, ends a worker in the middle of a task, and its ffmpeg with it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar, cast

from kdl.errors import KdlError
from kdl.tether import die_with_parent, end_children

T = TypeVar("T")

_READY, _TAKEN = b"ready", b"at work"
_START_S = 120.0
"""Seconds for a new process to say that it is ready; a machine that swaps needs many."""
_END_S = 0.5
"""Seconds for a worker to end by itself; one that can run Python needs a few milliseconds."""
_SLICE_S = 1.0
_BEGIN = "import sys; sys.path[:] = {path!r}; from kdl.media.worker import serve; serve({fd})"


class NotTaken(Exception):
    """The process ended, or went silent, before it took a task: another can."""


class Gone(Exception):
    """The process ended with the task in its hands; ``exitcode`` as subprocess gives it."""

    def __init__(self, exitcode: int) -> None:
        super().__init__(describe_exit(exitcode))
        self.exitcode = exitcode


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a task came to, so that its own exceptions are told from the worker's."""

    result: T | None = None
    error: Exception | None = None

    def value(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.result)


class Worker:
    """A running worker process; its methods are for one thread at a time, but for :meth:`hang_up`."""

    def __init__(self) -> None:
        """Starts it. Call it from a thread that outlives the worker. Raises OSError, NotTaken.

        It is born in a session of its own and with the starting thread's signal mask.
        """
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN.format(path=sys.path, fd=theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._pipe = Connection(os.dup(self._socket.fileno()))
        self._await(_READY)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def call(self, payload: bytes, timeout: float) -> Outcome[Any]:
        """The outcome of the pickled ``(fn, args)``.

        ``timeout`` counts seconds from when the worker took the task. Raises NotTaken, Gone, TimeoutError:
        the worker is no good then and :meth:`end` is due.
        """
        self._await(_TAKEN, payload)
        try:
            answer = self._receive(timeout)
        except (EOFError, OSError):
            raise Gone(self.end()) from None
        if answer is None:
            raise TimeoutError
        return cast("Outcome[Any]", pickle.loads(answer))

    def hang_up(self) -> None:
        """Let the worker end, whatever it does now; safe from any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def end(self) -> int:
        """See to it that the process is gone; its exit code."""
        self.hang_up()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._pipe.close()
        self._socket.close()
        return self._process.wait()

    def _await(self, word: bytes, payload: bytes | None = None) -> None:
        """Have ``word`` from the worker, after it was sent ``payload``. Raises NotTaken; it is gone then."""
        try:
            if payload is not None:
                self._pipe.send_bytes(payload)
            if self._receive(_START_S) == word:
                return
        except (EOFError, OSError):
            raise NotTaken(f"the last one {describe_exit(self.end())}") from None
        self.end()
        raise NotTaken(f"the last one was not {word.decode()} within {_START_S:g} s")

    def _receive(self, timeout: float) -> bytes | None:
        """The next message, or None after ``timeout`` seconds. Raises EOFError, OSError.

        Waited for in slices: time in which this process was stopped counts as one of them at most.
        """
        while timeout > 0:
            if self._pipe.poll(min(timeout, _SLICE_S)):
                return self._pipe.recv_bytes()
            timeout -= _SLICE_S
        return None


def describe_exit(exitcode: int) -> str:
    """How a process ended, after the words "the worker process"."""
    try:
        return f"was ended by {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"ended with exit code {exitcode}"


def serve(fd: int) -> None:
    """The life of a worker process: tasks from ``fd``, their outcomes back, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _leave())
    die_with_parent()
    os.set_inheritable(fd, False)
    pipe = Connection(fd)
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, tasks), daemon=True).start()
    try:
        pipe.send_bytes(_READY)
        while True:
            payload = tasks.get()
            pipe.send_bytes(_TAKEN)
            pipe.send_bytes(_run(payload))
    except OSError:  # nobody is there to hear of it
        _leave()


def _listen(pipe: Connection, tasks: queue.SimpleQueue[bytes]) -> None:
    """Runs in a thread of its own; ends the worker when nobody is left who could send a task."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            tasks.put(pipe.recv_bytes())
    _leave()


def _leave() -> None:
    end_children()
    os._exit(1)


def _run(payload: bytes) -> bytes:
    """The pickled outcome of a pickled task."""
    try:
        task: tuple[Callable[..., Any], tuple[Any, ...]] = pickle.loads(payload)
        fn, args = task
        return pickle.dumps(Outcome(result=fn(*args)))
    except Exception as error:  # noqa: BLE001 - raised again in the coordinator
        failed: Outcome[Any] = Outcome(error=_portable(error))
        return pickle.dumps(failed)


def _portable(error: Exception) -> Exception:
    """The error as it can travel, with where it happened unless it is one of ours."""
    if not isinstance(error, KdlError):
        error.add_note("in the worker:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
