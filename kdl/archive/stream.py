"""The plumbing between a reader of bytes and the formats: pieces without copies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from kdl.settings import MIB

READ = MIB
"""Bytes asked of a reader, and inflated, at a time."""


class Reader(Protocol):
    """Anything that bytes can be read from: a channel, a file."""

    def read(self, n: int, /) -> bytes:
        """Up to ``n`` bytes; ``b""`` at the end."""


class Damage(Exception):
    """The archive's bytes are wrong or end early; the message says how, in plain words."""


def chunks_of(reader: Reader) -> Iterator[bytes]:
    """What ``reader`` gives, chunk by chunk, to its end."""
    while chunk := reader.read(READ):
        yield chunk


class Pieces:
    """Chunks cut to the lengths that a format asks for; long stretches come as views, not copies."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._view = memoryview(b"")
        self.given = 0
        """Bytes handed out so far, those put back not counted."""

    def piece(self, n: int) -> memoryview:
        """Between 1 and ``n`` bytes, as many as one chunk holds; empty at the end."""
        while not self._view:
            chunk = next(self._chunks, None)
            if chunk is None:
                return self._view
            self._view = memoryview(chunk)
        taken, self._view = self._view[:n], self._view[n:]
        self.given += len(taken)
        return taken

    def exactly(self, n: int) -> bytes:
        """``n`` bytes; fewer only at the end."""
        first = bytes(self.piece(n))
        if len(first) == n or not first:
            return first
        parts, missing = [first], n - len(first)
        while missing and (more := self.piece(missing)):
            parts.append(bytes(more))
            missing -= len(more)
        return b"".join(parts)

    def unread(self, data: bytes) -> None:
        """Put ``data`` back in front."""
        self._view = memoryview(data + bytes(self._view))
        self.given -= len(data)

    def rest(self) -> Iterator[bytes]:
        """All that is left, chunk by chunk."""
        while piece := self.piece(READ):
            yield bytes(piece)

    def drain(self) -> None:
        """Read to the end and forget it."""
        while self.piece(READ):
            pass
