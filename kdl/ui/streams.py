"""Streams that outlive their terminal."""

from __future__ import annotations

import io
import os
import select
from typing import IO, Any, TextIO, cast


class Enduring:
    """A text stream for words that may be lost: writing to it never raises.

    A run of days goes on when the terminal it was started from is closed, or the pipe it was
    writing to.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def enduring(stream: IO[str]) -> IO[str]:
    """``stream``, unable to fail: what its encoding lacks is escaped, what can not be written is lost."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return cast("IO[str]", Enduring(stream))


def buffered(stream: TextIO) -> TextIO:
    """``stream`` with a buffer under it, where ``PYTHONUNBUFFERED`` or ``python -u`` took that away.

    Without one the rest of a write that the kernel cut short is lost without a word: a signal does that
    to a full pipe, and so does the end of an event loop that used io_uring.
    """
    if not isinstance(getattr(stream, "buffer", None), io.RawIOBase):
        return stream
    return open(stream.fileno(), "w", 1, encoding=stream.encoding, errors=stream.errors, closefd=False)


def is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def can_draw(stream: IO[str]) -> bool:
    """Whether ``stream`` is a terminal whose cursor can be moved."""
    return is_terminal(stream) and os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")


def wait_while_read(stream: IO[str], seconds: float) -> None:
    """Sleep, but raise BrokenPipeError as soon as whoever reads ``stream`` goes away (``| head``).

    Who writes now and then only would not hear of it for as long.
    """
    reader = select.poll()
    reader.register(stream.fileno(), 0)  # what goes wrong is told unasked
    if reader.poll(1000 * seconds):
        raise BrokenPipeError
