"""A scripted origin on loopback that misbehaves on request, in raw asyncio.

Objects are bytes with an ETag. A script is a list of :class:`Act`, one a request to that path, in order;
when it is used up (or empty) the object is served as a good server would: HEAD, Range, If-Range,
If-None-Match, keep-alive. Every request is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import unquote

_TLS_HELLO = b"\x16"
_SLICES = 20
"""Pieces a second of a body sent at a rate."""


@dataclass(frozen=True)
class Act:
    """How one request is answered; every field departs from good manners in one way."""

    status: int | None = None
    """Answer with this status and ``body``, whatever was asked."""
    body: bytes | None = None
    """Send these bytes as the object's."""
    headers: tuple[tuple[str, str], ...] = ()
    """Set after all others; an empty value removes a header."""
    close_after: int | None = None
    """Close after so many bytes of the body."""
    reset_after: int | None = None
    """The same with a TCP reset."""
    stall_after: int | None = None
    """Send nothing more after so many bytes, and keep the connection."""
    claim: int | None = None
    """Content-Length to tell instead of the true one."""
    chunked: bool = False
    ignore_range: bool = False
    """Answer 200 with everything to a range request."""
    content_range: str | None = None
    """Tell this instead of the true Content-Range."""
    garbage: bytes | None = None
    """Send these bytes instead of an answer."""
    silent: bool = False
    """Accept the request and never answer."""
    hang_up: bool = False
    """Close without an answer."""
    close: bool = False
    """Close the connection after a good answer that promised to keep it."""
    rate: int | None = None
    """Send the body at so many bytes a second."""
    etag: str | None = None
    """The ETag of this answer, and the one that conditions are held against; empty for none."""
    unsized: bool = False
    """Tell no length; the connection's end is the body's."""
    retry_in: float | None = None
    """A Retry-After as the date so many seconds from the answer."""
    drip: float | None = None
    """Send the headers line by line, so many seconds apart."""
    endless: str = ""
    """``head``: one header after the other, without end; ``tail``: so many trailers behind the chunks."""


GOOD = Act()


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    connection: int
    """Number of the connection it came on."""

    @property
    def range_start(self) -> int | None:
        value = self.headers.get("range")
        return int(value.removeprefix("bytes=").partition("-")[0]) if value else None


@dataclass
class Thing:
    """An object of the origin."""

    body: bytes
    etag: str = ""
    last_modified: str = formatdate(1_500_000_000, usegmt=True)
    content_type: str = "application/octet-stream"
    script: list[Act] = field(default_factory=list)
    always: Act = GOOD
    """What follows the script."""
    heads: list[Act] = field(default_factory=list)
    """The script of HEAD requests."""
    s3: bool = False


class HostileOrigin:
    """The server; use as an async context manager. ``url("name")`` is the address of an object."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._tls = tls
        self.things: dict[str, Thing] = {}
        self.requests: list[Request] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> HostileOrigin:
        self._server = await asyncio.start_server(self._connected, self._host, 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def base(self) -> str:
        assert self._server is not None
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{self._host}:{self._server.sockets[0].getsockname()[1]}"

    def url(self, path: str) -> str:
        return f"{self.base}/{path}"

    def put(
        self,
        path: str,
        body: bytes,
        *script: Act,
        always: Act = GOOD,
        heads: Sequence[Act] = (),
        etag: str | None = None,
        s3: bool = False,
        content_type: str = "application/octet-stream",
        last_modified: str | None = None,
    ) -> str:
        """Host ``body``; its URL. The ETag is its MD5 unless told otherwise, empty for none."""
        thing = Thing(
            body,
            f'"{hashlib.md5(body).hexdigest()}"' if etag is None else etag,
            script=list(script),
            always=always,
            heads=list(heads),
            s3=s3,
            content_type=content_type,
        )
        if last_modified is not None:
            thing.last_modified = last_modified
        self.things[unquote(path)] = thing
        return self.url(path)

    def gets(self, path: str | None = None) -> list[Request]:
        return [r for r in self.requests if r.method == "GET" and path in (None, r.path)]

    def heads(self) -> list[Request]:
        return [r for r in self.requests if r.method == "HEAD"]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.connections += 1
        number = self.connections
        try:
            while (request := await _read_request(reader, number)) is not None:
                self.requests.append(request)
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self._serving.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open."""
        thing = self.things.get(request.path)
        if thing is None:
            return await _send(writer, 404, {}, b"not here", request.method, Act())
        script = thing.heads if request.method == "HEAD" else thing.script
        fallback = GOOD if request.method == "HEAD" else thing.always
        act = script.pop(0) if script else fallback
        if act.garbage is not None:
            writer.write(act.garbage)
            await writer.drain()
            return False
        if act.silent:
            await asyncio.sleep(3600)
        if act.hang_up:
            return False
        status, headers, body = _compose(thing, act, request)
        return await _send(writer, status, headers, body, request.method, act)


def _compose(thing: Thing, act: Act, request: Request) -> tuple[int, dict[str, str], bytes]:
    etag = thing.etag if act.etag is None else act.etag
    body = thing.body if act.body is None else act.body
    headers = {
        "Content-Type": thing.content_type,
        "Last-Modified": thing.last_modified,
        "ETag": etag,
        "Accept-Ranges": "bytes",
    }
    if thing.s3:
        headers |= {"Server": "AmazonS3", "x-amz-request-id": "4442587FB7D0A2F9"}
    status = 200
    start = None if act.ignore_range else request.range_start
    condition = request.headers.get("if-range")
    if condition is not None and condition not in (etag, thing.last_modified):
        start = None
    if act.status is not None:
        status, body = act.status, act.body or b""
    elif etag and request.headers.get("if-none-match") == etag:
        status, body = 304, b""
    elif start is not None and start >= len(body):
        status, headers["Content-Range"], body = 416, f"bytes */{len(body)}", b"out of range"
    elif start is not None:
        last = request.headers["range"].rpartition("-")[2]
        end = min(int(last) + 1, len(body)) if last else len(body)
        status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{len(body)}"
        body = body[start:end]
    if act.content_range is not None:
        headers["Content-Range"] = act.content_range
    if act.retry_in is not None:
        headers["Retry-After"] = formatdate(time.time() + act.retry_in, usegmt=True)
    headers |= dict(act.headers)
    return status, {name: value for name, value in headers.items() if value}, body


async def _send(
    writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes, method: str, act: Act
) -> bool:
    bodiless = method == "HEAD" or status == 304
    if act.chunked or act.endless == "tail":
        headers["Transfer-Encoding"] = "chunked"
    elif act.unsized:
        headers["Connection"] = "close"
    elif status != 304:
        headers.setdefault("Content-Length", str(len(body) if act.claim is None else act.claim))
    phrase = HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    await _send_head(writer, lines, act)
    if act.endless == "tail":
        writer.write(_chunks(body, whole=True).removesuffix(b"\r\n"))
        await _go_on_for_ever(writer)
    if not bodiless:
        stop = next((n for n in (act.close_after, act.reset_after, act.stall_after) if n is not None), None)
        sent = body if stop is None else body[:stop]
        framed = _chunks(sent, whole=stop is None) if act.chunked else sent
        step = len(framed) if act.rate is None else max(act.rate // _SLICES, 1)
        for at in range(0, len(framed), step or 1):
            writer.write(framed[at : at + step])
            await writer.drain()
            if act.rate is not None:
                await asyncio.sleep(1 / _SLICES)
        if act.stall_after is not None:
            await asyncio.sleep(3600)
        if act.reset_after is not None:
            await _reset(writer)
        if stop is not None:
            return False
    await writer.drain()
    return not (act.close or act.unsized)


async def _send_head(writer: asyncio.StreamWriter, lines: list[str], act: Act) -> None:
    if act.endless == "head":
        writer.write(f"{lines[0]}\r\n".encode())
        await _go_on_for_ever(writer)
    if act.drip is None:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        return
    for line in [*lines, ""]:
        writer.write(f"{line}\r\n".encode())
        await writer.drain()
        await asyncio.sleep(act.drip)


async def _go_on_for_ever(writer: asyncio.StreamWriter) -> None:
    """A header or a trailer ten times a second, until the client has enough of it."""
    while True:
        writer.write(b"X-Patience: please\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


def _chunks(body: bytes, *, whole: bool) -> bytes:
    pieces = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return framed + (b"0\r\n\r\n" if whole else b"")


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST once the client had time to take what was sent."""
    await asyncio.sleep(0.05)
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Request | None:
    try:
        head = await reader.readexactly(1)
        if head == _TLS_HELLO:
            return None
        head += await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    headers.pop("", None)
    # A proxied request names the whole URL.
    path = target.split("://", 1)[-1].partition("/")[2]
    return Request(method, unquote(path.partition("?")[0]), headers, connection)
