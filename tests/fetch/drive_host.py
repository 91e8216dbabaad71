"""Google Drive on loopback: its two hosts behind a proxy, and a certificate that the clients trust.

The clients are the real ones: they find the proxy and the certificate in the environment, and ask for
https://drive.google.com as they always do.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import ssl
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from aiohttp import web

HOSTS = ("drive.google.com", "drive.usercontent.google.com", "raw.githubusercontent.com")
QUOTA = (
    "<html><head><title>Google Drive - Quota exceeded</title></head><body>"
    '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p>'
    "</body></html>"
)
SORRY = "<html><body>Our systems have detected unusual traffic from your computer network.</body></html>"
SIGN_IN = "<html><head><title>Google Drive: Sign in</title></head><body>Sign in</body></html>"


def drive_id(name: str) -> str:
    """An id as Drive's are: long, of letters, digits, ``-`` and ``_``."""
    return f"1_{hashlib.sha256(name.encode()).hexdigest()[:31]}"


@dataclass
class Google:
    """What Drive holds, and how it behaves; an async context manager."""

    files: dict[str, bytes]
    """By path from the shared folder."""
    root: str = drive_id("root")
    warned: set[str] = field(default_factory=set)
    """Paths that come behind the page that warns of viruses."""
    pages: dict[str, str] = field(default_factory=dict)
    """Paths in whose place a page comes, for good."""
    cut: dict[str, int] = field(default_factory=dict)
    """Paths whose next answer of more than so many bytes breaks off after them."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """The files' requests: path and Range."""
    busy: set[str] = field(default_factory=set)
    """Paths whose next answer is that there is no room."""
    elsewhere: dict[str, bytes] = field(default_factory=dict)
    """What lies at other hosts, by host and path."""
    version: int = 1
    """Told by the date of all files."""
    folders: int = 0
    """Folder pages that were sent."""

    async def __aenter__(self) -> Google:
        self._stack = AsyncExitStack()
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS).configure_cert(context)
        self.authority = authority.cert_pem.bytes()
        app = web.Application()
        app.router.add_get("/embeddedfolderview", self._folder)
        app.router.add_get("/uc", self._uc)
        app.router.add_get("/download", self._download)
        app.router.add_get("/{path:.*}", self._elsewhere)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        assert site._server is not None
        self._port = site._server.sockets[0].getsockname()[1]
        self._tunnels: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        proxy = await asyncio.start_server(self._tunnel, "127.0.0.1", 0)
        self._stack.callback(proxy.close)
        self.proxy = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tunnels)

    def surroundings(self, folder: Path) -> dict[str, str]:
        """The environment in which Google is found here; the certificate goes into ``folder``."""
        trusted = folder / "authority.pem"
        trusted.write_bytes(self.authority)
        return {
            "https_proxy": self.proxy,
            "HTTPS_PROXY": self.proxy,
            "no_proxy": "127.0.0.1",
            "NO_PROXY": "127.0.0.1",
            "SSL_CERT_FILE": str(trusted),
            "REQUESTS_CA_BUNDLE": str(trusted),
        }

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tunnels.add(task)
        self._writers.append(writer)
        try:
            asked = (await reader.readuntil(b"\r\n\r\n")).decode()
            host = asked.split()[1].partition(":")[0]
            assert asked.startswith("CONNECT "), asked
            if host not in HOSTS:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writers.append(far_writer)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tunnels.discard(task)
            writer.transport.abort()

    async def _folder(self, request: web.Request) -> web.Response:
        self.folders += 1
        wanted = request.query["id"]
        if wanted in self.pages:
            return web.Response(text=self.pages[wanted], content_type="text/html", status=403)
        here = next((at for at in self._folders() if self._folder_id(at) == wanted), None)
        if here is None:
            return web.Response(text="<html><body>Not found</body></html>", status=404)
        links = []
        for path in self._folders():
            if path and path.rpartition("/")[0] == here:
                link = f"https://drive.google.com/drive/folders/{self._folder_id(path)}"
                links.append(f'<a href="{link}"><div>{html.escape(path.rpartition("/")[2])}</div></a>')
        for path in self.files:
            if path.rpartition("/")[0] == here:
                link = f"https://drive.google.com/file/d/{drive_id(path)}/view?usp=drive_web"
                links.append(f'<a href="{link}"><div>{html.escape(path.rpartition("/")[2])}</div></a>')
        title = html.escape(here.rpartition("/")[2]) or "shared"
        body = f"<html><head><title>{title}</title></head><body>{''.join(links)}</body></html>"
        return web.Response(text=body, content_type="text/html")

    def _folders(self) -> list[str]:
        found = {""}
        for path in self.files:
            parts = path.split("/")[:-1]
            found |= {"/".join(parts[: at + 1]) for at in range(len(parts))}
        return sorted(found)

    def _folder_id(self, path: str) -> str:
        return drive_id(f"d-{path}") if path else self.root

    async def _uc(self, request: web.Request) -> web.Response:
        path = self._path(request)
        if path in self.warned:
            form = (
                '<html><body><form id="download-form" method="get" '
                'action="https://drive.usercontent.google.com/download">'
                f'<input type="hidden" name="id" value="{request.query["id"]}">'
                '<input type="hidden" name="confirm" value="t"></form></body></html>'
            )
            return web.Response(text=form, content_type="text/html")
        raise web.HTTPSeeOther(f"https://drive.usercontent.google.com/download?id={request.query['id']}")

    async def _download(self, request: web.Request) -> web.StreamResponse:
        path = self._path(request)
        if path in self.pages:
            return web.Response(text=self.pages[path], content_type="text/html")
        asked = request.headers.get("Range")
        self.asked.append((path, asked))
        if path in self.busy:
            self.busy.discard(path)
            return web.Response(status=503)
        dated = {"Last-Modified": f"Tue, 03 Jan 2023 10:00:{self.version:02d} GMT"}
        body, headers, status = self.files[path], dated, 200
        if (
            asked is not None
            and request.headers.get("If-Range", dated["Last-Modified"]) != dated["Last-Modified"]
        ):
            asked = None
        if asked is not None:
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            last = min(int(end), len(body) - 1) if end else len(body) - 1
            if int(begin) >= len(body):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {begin}-{last}/{len(body)}"
            body, status = body[int(begin) : last + 1], 206
        answer = web.StreamResponse(status=status, headers=headers)
        answer.content_type, answer.content_length = "application/octet-stream", len(body)
        await answer.prepare(request)
        if len(body) > self.cut.get(path, len(body)):
            await answer.write(body[: self.cut.pop(path)])
            assert request.transport is not None
            request.transport.abort()
            return answer
        with suppress(ConnectionError):
            await answer.write(body)
        return answer

    async def _elsewhere(self, request: web.Request) -> web.Response:
        body = self.elsewhere.get(f"{request.host}{request.path}")
        return web.Response(status=404) if body is None else web.Response(body=body)

    def _path(self, request: web.Request) -> str:
        found = [path for path in self.files if drive_id(path) == request.query["id"]]
        if not found:
            raise web.HTTPNotFound
        return found[0]


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()
