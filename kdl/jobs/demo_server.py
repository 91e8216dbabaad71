"""A bucket's folder served on loopback as S3 would: strong MD5 ETags, ranges, XML errors."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

_CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


@dataclass(frozen=True, slots=True)
class Served:
    """One answered request."""

    method: str
    key: str
    """The object's name, decoded."""
    range: str
    """The request's Range header, empty without one."""
    status: int
    sent: int
    """Bytes of the body that went out."""


class DemoServer:
    """Serves ``directory`` from a thread with a loop of its own, while the ``with`` block lasts.

    The first GET of the object named ``drop`` breaks off half-way through, as busy hosts do.
    """

    def __init__(self, directory: Path, *, drop: str | None = None) -> None:
        self._directory = directory.resolve()
        self._drop = drop
        self._etags: dict[tuple[Path, int], str] = {}
        self._served: list[Served] = []
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="demo-server", daemon=True)
        self._port: int | None = None

    @property
    def url(self) -> str:
        """The bucket's base, with a slash at its end."""
        return f"http://127.0.0.1:{self._port}/"

    @property
    def served(self) -> tuple[Served, ...]:
        """Every request answered so far, in the order in which they ended."""
        return tuple(self._served)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._port is None:
            raise OSError("could not listen on 127.0.0.1")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()
            self._ready.set()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/{key:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._port = runner.addresses[0][1]
            self._ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        path = (self._directory / key).resolve()
        if not path.is_file() or not path.is_relative_to(self._directory):
            return self._refuse(request, key, 404, "NoSuchKey")
        etag, size = await asyncio.to_thread(self._etag, path), path.stat().st_size
        first, last = 0, size - 1
        wanted = _RANGE.match(request.headers.get("Range", ""))
        if wanted and request.headers.get("If-Range", etag) == etag:
            first, last = int(wanted[1]), min(int(wanted[2] or last), last)
            if first > last:
                return self._refuse(request, key, 416, "InvalidRange", {"Content-Range": f"bytes */{size}"})
        else:
            wanted = None
        headers = {
            "Server": "AmazonS3",
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
            "Content-Length": str(last - first + 1),
        }
        if wanted:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        response = web.StreamResponse(status=206 if wanted else 200, headers=headers)
        await response.prepare(request)
        sent = await self._send(request, response, key, path, first, last + 1)
        self._note(request, key, response.status, sent)
        return response

    async def _send(
        self, request: web.Request, response: web.StreamResponse, key: str, path: Path, first: int, end: int
    ) -> int:
        """Streams bytes ``first`` to ``end`` (exclusive); returns how many went out."""
        if request.method == "HEAD":
            return 0
        dropped = key == self._drop
        if dropped:
            self._drop, end = None, (first + end) // 2
        position = first
        with path.open("rb") as file:
            file.seek(position)
            while position < end:
                chunk = file.read(min(_CHUNK, end - position))
                try:
                    await response.write(chunk)
                except ConnectionError:  # the client went away
                    return position - first
                position += len(chunk)
        if dropped and request.transport is not None:
            request.transport.close()
        return position - first

    def _refuse(
        self, request: web.Request, key: str, status: int, code: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        self._note(request, key, status, 0)
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
        headers = {"Server": "AmazonS3", **(headers or {})}
        return web.Response(status=status, text=body, content_type="application/xml", headers=headers)

    def _note(self, request: web.Request, key: str, status: int, sent: int) -> None:
        self._served.append(Served(request.method, key, request.headers.get("Range", ""), status, sent))

    def _etag(self, path: Path) -> str:
        version = (path, path.stat().st_mtime_ns)
        if version not in self._etags:
            with path.open("rb") as file:
                self._etags[version] = f'"{hashlib.file_digest(file, "md5").hexdigest()}"'
        return self._etags[version]
