"""A part of an object, whole and of one version, over whatever the network does meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from kdl.errors import PermanentError, RetryCause, SourceChanged, TransientError
from kdl.fetch.limits import RateLimit
from kdl.fetch.source import RemoteStat, Source, same_object


class Part:
    """Bytes ``begin`` to ``end`` (exclusive) of the object that ``known`` tells of, in memory."""

    def __init__(
        self,
        known: RemoteStat,
        begin: int,
        end: int,
        source: Source,
        rate: RateLimit,
        on_bytes: Callable[[int], None],
    ) -> None:
        """``on_bytes`` is told how many have come, each time some have."""
        self._known = known
        self._begin = begin
        self._end = end
        self._source = source
        self._rate = rate
        self._on_bytes = on_bytes
        self.data = bytearray()

    async def bring(self, url: str) -> None:
        """One attempt at the rest; what came of it is kept when it fails.

        Raises TransientError, PermanentError where ranges are not served or another origin has another
        version, SourceChanged where the object is another one now.
        """
        offset = self._begin + len(self.data)
        if offset >= self._end:
            return
        known = self._known
        validator = known.validator if known.url == url else known.strong_etag
        async with self._source.open(url, offset, validator, last=self._end - 1) as opened:
            if not same_object(known, opened.stat):
                raise self._other_version(url)
            if opened.status != HTTPStatus.PARTIAL_CONTENT:
                raise PermanentError("the server gives no ranges", subject=url)
            async for chunk in opened.chunks:
                self.data += chunk
                self._on_bytes(len(chunk))
                if len(self.data) > self._end - self._begin:
                    raise TransientError("more bytes came than were asked for", subject=url, status=206)
                await self._rate.pay(len(chunk))
        if len(self.data) < self._end - self._begin:
            words = f"ended {self._end - self._begin - len(self.data)} bytes before the range's end"
            raise TransientError(words, subject=url, cause=RetryCause.TRUNCATED)

    def _other_version(self, url: str) -> PermanentError | SourceChanged:
        if url == self._known.url:
            return SourceChanged("the object at the server is another one now", subject=url)
        return PermanentError("has another version of it", subject=url)
