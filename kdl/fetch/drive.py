"""Public files and folders of Google Drive: ``gdrive://<folder id>/`` and what lies in it.

gdown reads the folders' pages and knows the way from Drive's warning pages to the file; the bytes come over
:class:`~kdl.fetch.http.HttpSource`, with its resumes, limits and words. A page in place of the file is
told by what it says: a used-up quota, a file that is not shared, Google's doubt that we are a person.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from kdl.errors import FetchError, PermanentError, ToolMissing, TransientError
from kdl.fetch.http import HttpSource
from kdl.fetch.source import Opened, RemoteFile, RemoteStat
from kdl.settings import MIB

T = TypeVar("T")

_FILE = "https://drive.google.com/uc?export=download&id={}"
_PAGE_CAP = MIB
_WAIT = "try again in a day, or take another copy and give it to `kdl adopt`"
_SHARED = "its owner has to share it with anyone who has the link"
_SIGNS = (
    (("quota", "too many users"), "Drive's quota for downloads of this file is used up", _WAIT),
    (("unusual traffic", "automated queries"), "Google takes this address for a robot", _WAIT),
    (("sign in", "request access", "you need access"), "it is not shared with everybody", _SHARED),
)
"""What a page says, in lower case; what it means; what helps."""


class DriveSource:
    """A :class:`~kdl.fetch.source.Source` of public files on Google Drive, as an async context manager.

    A file is ``gdrive://<folder id>/<path>?id=<file id>``, as :meth:`listing` gives it, or
    ``gdrive://<file id>/<name>``. Drive publishes no digest.
    """

    def __init__(self, *, stall_s: float, connect_s: float) -> None:
        self._stall_s = stall_s
        self._http = HttpSource(stall_s=stall_s, connect_s=connect_s)
        self._direct: dict[str, str] = {}
        """By file id, the URL behind a warning page."""

    async def __aenter__(self) -> DriveSource:
        try:
            await asyncio.to_thread(__import__, "gdown")
        except ImportError as error:
            raise ToolMissing(
                "the package gdown is not installed, and Google Drive is read with it",
                subject="gdown",
                fix="pip install 'kdl[drive]'",
            ) from error
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def stat(self, url: str) -> RemoteStat:
        """What the answer to a request for the first byte tells."""
        try:
            async with self.open(url, last=0) as opened:
                return opened.stat
        except PermanentError as error:
            if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return RemoteStat(url, size=0)
            raise

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
        file_id = _file_id(url)

        async def ask(stack: AsyncExitStack, where: str) -> Opened:
            opening = self._http.open(where, offset, validator, known_etag=known_etag, last=last)
            try:
                return await stack.enter_async_context(opening)
            except FetchError as error:
                raise _of(error, url) from error

        async with AsyncExitStack() as stack:
            opened = await ask(stack, self._direct.get(file_id) or _FILE.format(file_id))
            if _is_page(opened):
                page = await _text(opened)
                await stack.aclose()
                self._direct[file_id] = await asyncio.to_thread(_way_on, page, url)
                opened = await ask(stack, self._direct[file_id])
                if _is_page(opened):
                    del self._direct[file_id]
                    raise _refusal(await _text(opened), url)
            yield replace(opened, stat=replace(opened.stat, url=url))

    async def listing(self, url: str) -> list[RemoteFile]:
        """See :meth:`kdl.fetch.source.Lister.listing`. Drive tells no sizes."""
        folder = urlsplit(url).netloc

        def look() -> list[RemoteFile]:
            import gdown
            import requests

            try:
                found = gdown.download_folder(
                    id=folder, skip_download=True, quiet=True, use_cookies=False, timeout=self._stall_s
                )
            except gdown.DownloadError as error:
                raise _refusal(str(error), url) from error
            except requests.RequestException as error:
                words = f"no connection to Google Drive: {type(error).__name__}"
                fix = "check the network and the proxy settings; then run the same again"
                raise TransientError(words, subject=url, fix=fix, refused=True) from error
            return [
                RemoteFile(f"gdrive://{folder}/{quote(path)}?id={file_id}", path)
                for file_id, path, _ in sorted(found, key=lambda file: str(file[1]))
            ]

        return await _in_daemon(look)


def _file_id(url: str) -> str:
    parts = urlsplit(url)
    return parse_qs(parts.query).get("id", [parts.netloc])[0]


def _is_page(opened: Opened) -> bool:
    return (opened.stat.content_type or "").lower().startswith("text/html")


async def _text(opened: Opened) -> str:
    body = bytearray()
    async for chunk in opened.chunks:
        body += chunk
        if len(body) > _PAGE_CAP:
            break
    return body.decode("utf-8", errors="replace")


def _way_on(page: str, url: str) -> str:
    """The URL that a warning page leads to. Raises PermanentError for a page that leads nowhere."""
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    try:
        return str(get_url_from_gdrive_confirmation(page))
    except FileURLRetrievalError as error:
        raise _refusal(page, url) from error


def _refusal(page: str, url: str) -> PermanentError:
    """What a page, or gdown's word on it, means for a person."""
    text = page.lower()
    for signs, words, fix in _SIGNS:
        if any(sign in text for sign in signs):
            return PermanentError(words, subject=url, fix=fix)
    words = "Google Drive answered with a page that kdl does not know, in place of the data"
    return PermanentError(words, subject=url, fix=f"open it in a browser to see why; {_SHARED}")


def _of(error: FetchError, url: str) -> FetchError:
    """An error of the file's own, not of the address behind it."""
    error.subject = url
    if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        error.fix = f"{_SHARED}, or its quota is used up: {_WAIT}"
    return error


async def _in_daemon(work: Callable[[], T]) -> T:
    """The result of ``work``, in a thread that the end of the process does not wait for.

    gdown's walk over hundreds of folders can not be cancelled.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(settler: Callable[[], None]) -> None:
        if not done.done():
            settler()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            settler: Callable[[], None] = partial(done.set_exception, error)
        else:
            settler = partial(done.set_result, result)
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(settle, settler)

    threading.Thread(target=run, name="kdl-gdrive", daemon=True).start()
    return await done
