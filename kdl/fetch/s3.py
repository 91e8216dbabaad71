"""The S3 source: ``s3://bucket/key`` on Amazon's servers, or on MinIO, Ceph and others of that kind.

Credentials, profile, region and endpoint come from where the AWS tools look for them: the environment,
``~/.aws``, the role of the machine. Where there are none, or with ``AWS_NO_SIGN_REQUEST=YES``, requests are
anonymous. ``AWS_ENDPOINT_URL`` names another server than Amazon's, and ``AWS_REQUEST_PAYER=requester``
consents to pay for a bucket whose owner does not.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import UNSIGNED
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader
from multidict import CIMultiDict

from kdl import __version__
from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.fetch.answers import read_stat, tags_are_md5
from kdl.fetch.bodies import body_of, hold_to, placed
from kdl.fetch.listed import Listed
from kdl.fetch.s3errors import not_s3, s3_error
from kdl.fetch.source import Opened, RemoteFile, RemoteStat, nothing

_CONNECTIONS = 10_000
"""So that none waits for a free one: that would count as waiting for the server."""


class S3Source:
    """A :class:`~kdl.fetch.source.Source` of objects in S3 buckets, as an async context manager.

    aiobotocore signs and sends the requests; their answers are read like those of
    :class:`~kdl.fetch.http.HttpSource`.
    """

    def __init__(self, *, stall_s: float, connect_s: float) -> None:
        """``stall_s``: seconds without a byte that are borne; ``connect_s``: for a connection to stand."""
        self._stall_s = stall_s
        self._connect_s = connect_s
        self._stack = AsyncExitStack()
        self._made: Any = None
        self._making = asyncio.Lock()
        self._anonymous = _is_set("AWS_NO_SIGN_REQUEST", "yes", "true", "1")
        self._payer = {"RequestPayer": "requester"} if _is_set("AWS_REQUEST_PAYER", "requester") else {}

    async def __aenter__(self) -> S3Source:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def stat(self, url: str) -> RemoteStat:
        """HEAD; where it is refused, a GET of the first byte, whose answer says why."""
        try:
            found = await self._ask(url, "head_object", ChecksumMode="ENABLED")
        except PermanentError:
            async with self.open(url, last=0) as opened:
                return opened.stat
        headers = CIMultiDict[str](found["ResponseMetadata"]["HTTPHeaders"])
        return _by_s3(read_stat(url, headers, found["ContentLength"]), headers)

    @asynccontextmanager
    async def open(
        self,
        url: str,
        offset: int = 0,
        validator: str | None = None,
        *,
        known_etag: str | None = None,
        last: int | None = None,
    ) -> AsyncIterator[Opened]:
        """See :meth:`kdl.fetch.source.Source.open`."""
        asked: dict[str, str] = {}
        if offset or last is not None:
            asked["Range"] = f"bytes={offset}-{'' if last is None else last}"
            if validator is not None and validator.startswith('"'):
                asked["IfMatch"] = validator
        if known_etag is not None:
            asked["IfNoneMatch"] = known_etag
        async with AsyncExitStack() as stack:
            try:
                answer = await self._ask(url, "get_object", ChecksumMode="ENABLED", **asked)
            except FetchError as error:
                opened = await self._bodiless(url, error, offset, validator, known_etag)
            else:
                response = answer["Body"].raw_stream
                # Closes the connection unless the body was read to its end.
                stack.callback(response.release)
                found = placed(url, response, offset, last)
                if found is None:
                    raise not_s3(url)
                stat, begin = _by_s3(found[0], response.headers), found[1]
                if offset and validator is not None:
                    hold_to(validator, stat, response.status)
                body = await stack.enter_async_context(aclosing(body_of(url, response, self._stall_s)))
                opened = Opened(stat, begin, response.status, body)
            yield opened

    async def listing(self, url: str) -> list[RemoteFile]:
        """See :meth:`kdl.fetch.source.Lister.listing`."""
        prefix, listed = _key(url), Listed(url)
        following: dict[str, str] = {}
        anything = False
        while True:
            page = await self._ask(url, "list_objects_v2", Prefix=prefix, Key=None, **following)
            if "Name" not in page:
                raise not_s3(url)
            for found in page.get("Contents", ()):
                anything = True
                path = found["Key"][len(prefix) :]
                if path and not path.endswith("/"):
                    listed.add(path, found["Size"])
            if not page.get("IsTruncated"):
                break
            following = {"ContinuationToken": page["NextContinuationToken"]}
        if not anything:
            words = "the bucket holds nothing under that name"
            raise PermanentError(words, subject=url, status=HTTPStatus.NOT_FOUND)
        return listed.sorted()

    async def _bodiless(
        self, url: str, error: FetchError, offset: int, validator: str | None, known_etag: str | None
    ) -> Opened:
        """What an answer without bytes means, if it is none of the errors; else raises ``error``."""
        if known_etag is not None and error.status == HTTPStatus.NOT_MODIFIED:
            return Opened(RemoteStat(url, etag=known_etag), offset, HTTPStatus.NOT_MODIFIED, nothing())
        if not offset or error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise error
        stat = await self.stat(url)
        if stat.size != offset:
            words = f"it has no byte {offset} any more"
            raise SourceChanged(words, subject=url, status=error.status) from error
        if validator is not None:
            hold_to(validator, stat, error.status)
        return Opened(stat, offset, error.status, nothing())

    async def _ask(self, url: str, operation: str, **asked: Any) -> Any:
        """One request about the object. Raises FetchError."""
        asked = {"Bucket": _bucket(url), "Key": _key(url), **self._payer, **asked}
        allowed = self._connect_s + self._stall_s
        try:
            async with asyncio.timeout(allowed):
                call = getattr(await self._client(), operation)
                return await call(**{name: value for name, value in asked.items() if value is not None})
        except TimeoutError as error:
            words = f"stalled: no answer within {allowed:g} s"
            raise TransientError(words, subject=url, cause=RetryCause.STALL) from error
        except (BotoCoreError, ClientError) as error:
            raise s3_error(url, error, anonymous=self._anonymous, stall_s=self._stall_s) from error

    async def _client(self) -> Any:
        """The one client, made when it is first needed. Raises BotoCoreError."""
        async with self._making:
            if self._made is None:
                session = AioSession()
                session.register_component("data_loader", _models())
                if not self._anonymous and await session.get_credentials() is None:
                    self._anonymous = True
                config = AioConfig(
                    signature_version=UNSIGNED if self._anonymous else None,
                    connect_timeout=self._connect_s,
                    read_timeout=self._stall_s,
                    max_pool_connections=_CONNECTIONS,
                    retries={"total_max_attempts": 1},
                    # Of what is asked for here: that servers of other makers take no offence.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    user_agent_extra=f"kdl/{__version__}",
                )
                made = session.create_client("s3", config=config)
                self._made = await self._stack.enter_async_context(made)
            return self._made


@cache
def _models() -> Loader:
    """botocore's description of S3, read once: a worker makes a source for every shard."""
    return create_loader()


def _by_s3(stat: RemoteStat, headers: Mapping[str, str]) -> RemoteStat:
    """With what is known because an S3 server said it, whichever make it is."""
    return replace(stat, s3=tags_are_md5(headers))


def _bucket(url: str) -> str:
    return url.removeprefix("s3://").partition("/")[0]


def _key(url: str) -> str:
    """The object's name, or the beginning of those in a folder. Raises PermanentError for a ``..`` in it."""
    key = unquote(url.partition("?")[0].removeprefix("s3://").partition("/")[2])
    if not {".", ".."}.isdisjoint(key.split("/")):
        raise PermanentError("leads out of its folder by '..'", subject=url)
    return key


def _is_set(name: str, *values: str) -> bool:
    return os.environ.get(name, "").lower() in values
