"""The folder source: files of this machine and of its mounts, by ``file`` URLs.

A file's identity is its inode, size and time of change. It is held against the open file with each
piece, so that what is read is of one version or an error. Every call into the file system runs in a thread
and is given the time that a stall is borne: a mount whose server is gone holds up its thread, not the run.
"""

from __future__ import annotations

import asyncio
import os
import stat as modes
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from kdl.errors import PermanentError, RetryCause, SourceChanged, TransientError
from kdl.fetch.folderwords import CHECK_MOUNT, file_error, misplaced
from kdl.fetch.listed import Listed
from kdl.fetch.source import Opened, RemoteFile, RemoteStat
from kdl.settings import MIB
from kdl.urls import file_path

T = TypeVar("T")

_THREADS = 32
"""More than a run has jobs: those that a dead mount holds are not to starve the others."""
_WHOLE, _PART = HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT
_SAME, _AT_END = HTTPStatus.NOT_MODIFIED, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


class FolderSource:
    """A :class:`~kdl.fetch.source.Source` of files in folders, as an async context manager.

    Links to files are followed, as labs share disks by them. ``..`` is not, and neither devices nor pipes
    are opened.
    """

    def __init__(self, *, stall_s: float) -> None:
        """``stall_s``: seconds that one call into the file system may take."""
        self._stall_s = stall_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="kdl-folder")

    async def __aenter__(self) -> FolderSource:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def stat(self, url: str) -> RemoteStat:
        """Size, validator and date of the file."""
        path = _place(url)
        return await self._ask(url, path, lambda: _told(url, path.stat()))

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
        file = _File(url, _place(url))
        try:
            stat = await self._ask(url, file.path, file.open)
            if offset and validator is not None and validator != stat.etag:
                raise SourceChanged("the file is another one now", subject=url)
            size = stat.size or 0
            end = size if last is None else min(last + 1, size)
            status = _PART if size and (offset or last is not None) else _WHOLE
            if known_etag is not None and known_etag == stat.etag:
                status, end = _SAME, offset
            elif offset > size:
                raise SourceChanged(f"it has no byte {offset} any more", subject=url, status=_AT_END)
            elif offset and offset == size:
                status = _AT_END
            async with aclosing(self._read(file, offset, end)) as chunks:
                yield Opened(stat, offset, status, chunks)
        finally:
            file.leave()

    async def listing(self, url: str) -> list[RemoteFile]:
        """See :meth:`kdl.fetch.source.Lister.listing`. Links to folders are not followed."""
        path = _place(url)
        return await self._ask(url, path, lambda: _walk(url, path), timed=False)

    async def _read(self, file: _File, begin: int, end: int) -> AsyncGenerator[bytes]:
        while begin < end:
            read = partial(file.read, begin, min(MIB, end - begin))
            piece = await self._ask(file.url, file.path, read)
            if not piece:
                words = f"ended after {begin} of {end} bytes"
                raise TransientError(words, subject=file.url, cause=RetryCause.TRUNCATED)
            yield piece
            begin += len(piece)

    async def _ask(self, url: str, path: Path, call: Callable[[], T], *, timed: bool = True) -> T:
        """The result of ``call`` in a thread; what the system has against it in kdl's words."""

        def work() -> T:
            try:
                return call()
            except OSError as error:
                raise file_error(url, path, error) from error

        asked = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            async with asyncio.timeout(self._stall_s if timed else None):
                return await asked
        except TimeoutError as error:
            words = f"stalled: the disk or mount gave nothing for {self._stall_s:g} s"
            raise TransientError(words, subject=url, fix=CHECK_MOUNT, cause=RetryCause.STALL) from error


class _File:
    """An open file. Left while a thread is at work in it, it is closed when the thread is done."""

    def __init__(self, url: str, path: Path) -> None:
        self.url = url
        self.path = path
        self._fd = -1
        self._etag: str | None = None
        self._left = False
        self._lock = threading.Lock()

    def open(self) -> RemoteStat:
        """Open it, if it is a file. Raises FetchError and OSError."""
        with self._at_work():
            _told(self.url, self.path.stat())  # opening a device may do something to it already
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            stat = _told(self.url, os.fstat(self._fd))
            self._etag = stat.etag
            return stat

    def read(self, at: int, count: int) -> bytes:
        """Up to ``count`` bytes from byte ``at`` on. Raises SourceChanged and OSError."""
        with self._at_work():
            piece = os.pread(self._fd, count, at)
            if _told(self.url, os.fstat(self._fd)).etag != self._etag:
                raise SourceChanged("the file changed while it was read", subject=self.url)
            return piece

    def leave(self) -> None:
        """Nobody asks for more."""
        self._left = True
        self._close()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        finally:
            if self._left:
                self._close()

    def _close(self) -> None:
        if self._lock.acquire(blocking=False):  # whoever else has it comes here after that
            try:
                if self._fd >= 0:
                    os.close(self._fd)
                    self._fd = -1
            finally:
                self._lock.release()


def _told(url: str, found: os.stat_result) -> RemoteStat:
    """What the file system tells of a file. Raises PermanentError for what is none."""
    if not modes.S_ISREG(found.st_mode):
        raise misplaced(url, found.st_mode)
    return RemoteStat(
        url=url,
        size=found.st_size,
        etag=f'"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"',
        last_modified=formatdate(found.st_mtime, usegmt=True),
    )


def _place(url: str) -> Path:
    try:
        return file_path(url)
    except ValueError as error:
        raise PermanentError(str(error), subject=url) from error


def _walk(url: str, top: Path) -> list[RemoteFile]:
    """The files under ``top``, at ``url``. Raises FetchError and OSError."""
    listed = Listed(url)
    folders: list[tuple[str, Path]] = [("", top)]
    while folders:
        prefix, folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if listed.enter(f"{name}/"):
                        folders.append((f"{name}/", folder / entry.name))
                elif entry.is_file():
                    listed.add(name, entry.stat().st_size)
    return listed.sorted()
