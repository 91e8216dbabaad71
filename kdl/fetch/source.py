"""Where bytes come from: what a server tells of an object, and the protocol that every source follows.

A source makes single requests and says plainly what went wrong. Retries, rate limits, spools and
fail-over are wrapped round it (:mod:`kdl.fetch.stream`), never inside it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class RemoteStat:
    """What a server told of an object; ``None`` where it was silent."""

    url: str
    """The URL that was asked for, before any redirect."""
    size: int | None = None
    """Bytes of the whole object."""
    etag: str | None = None
    """As sent: with its quotes, and ``W/`` in front of a weak one."""
    last_modified: str | None = None
    """As sent: an HTTP date."""
    s3: bool = False
    """It comes from S3 and its ETag is made of MD5 digests (not so for KMS-encrypted objects)."""
    content_type: str | None = None
    pieces: bool = False
    """Its bytes were held against the hashes of a torrent's pieces before they were handed on."""
    encoding: str | None = None
    """A compressing Content-Encoding, lower case, although ``identity`` was asked for."""
    sha256: str | None = None
    """Of the whole object, lower-case hex."""
    listed: bool = False
    """Each file in it was held against the digest that a list gives before it was handed on."""

    @property
    def strong_etag(self) -> str | None:
        """The ETag, if it vouches for every byte."""
        return self.etag if self.etag and self.etag.startswith('"') else None

    @property
    def validator(self) -> str | None:
        """What ``If-Range`` may carry (RFC 9110, 13.1.5): a strong ETag; the date where there is none."""
        return self.strong_etag if self.etag else self.last_modified


def same_object(old: RemoteStat, new: RemoteStat) -> bool:
    """Whether two answers may be about the same bytes.

    On one URL nothing that both tell may differ. Of two origins, size and strong ETag must be
    there and be equal: dates and weak tags of different servers say nothing of each other.
    """
    if old.url != new.url:
        tagged = old.strong_etag is not None and old.strong_etag == new.strong_etag
        return tagged and old.size is not None and old.size == new.size
    pairs = [(old.size, new.size), (old.etag, new.etag)]
    if not (old.etag and new.etag):
        pairs.append((old.last_modified, new.last_modified))
    return all(before is None or after is None or before == after for before, after in pairs)


@dataclass(frozen=True, slots=True)
class Opened:
    """An object being read."""

    stat: RemoteStat
    offset: int
    """The object's byte that ``chunks`` begins with; 0 where the server ignored the range asked."""
    status: int
    """200, 206, 304 (not modified, no bytes) or 416 (resumed at its very end, no bytes)."""
    chunks: AsyncIterator[bytes]
    """Pieces of any size, in order; raises what :meth:`Source.open` raises."""
    paid: bool = False
    """The bytes kept to the limit on the rate already, where they came in."""


class Source(Protocol):
    """Single requests, without retries.

    Both methods raise TransientError, PermanentError or SourceChanged, whose messages are for people
    and whose subject is the URL.
    """

    async def stat(self, url: str) -> RemoteStat:
        """What the server tells of the object, without its bytes."""
        ...

    def open(
        self,
        url: str,
        offset: int = 0,
        validator: str | None = None,
        *,
        known_etag: str | None = None,
        last: int | None = None,
    ) -> AbstractAsyncContextManager[Opened]:
        """Read the object from byte ``offset`` on, to the byte ``last`` (inclusive) or to its end.

        ``validator`` (:attr:`RemoteStat.validator`) binds the rest to what came before: SourceChanged
        if the object is another one now. With ``known_etag`` an unchanged object is answered with
        status 304 and no bytes.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in a folder of a source."""

    url: str
    """Percent-encoded."""
    path: str
    """Relative to the folder that was listed, unquoted: ``abseiling/x.mp4``."""
    size: int | None = None
    """Bytes, where the listing tells."""
    sha256: str | None = None


@runtime_checkable
class Lister(Protocol):
    """A source whose folders can be listed."""

    async def listing(self, url: str) -> list[RemoteFile]:
        """The files under the folder ``url`` (with a slash at its end), in all its folders, by path.

        Raises what :meth:`Source.open` raises.
        """
        ...


@runtime_checkable
class Prefetcher(Protocol):
    """A source that wants to know early what will be opened: it brings many files at a time."""

    async def prefetch(self, urls: Sequence[str]) -> None:
        """These are opened next, in this order."""
        ...

    async def release(self, urls: Sequence[str]) -> None:
        """These are on record, and will not be opened again: what is held of them may go."""
        ...

    async def finish(self) -> None:
        """All that is wanted was opened: what is still to be done for others is done now."""
        ...


async def nothing() -> AsyncGenerator[bytes]:
    """The bytes of an answer that has none."""
    return
    yield b""
