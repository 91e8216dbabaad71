"""Proxies and logins from the environment, against a server that notes what it is asked."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from kdl.fetch.http import HttpSource
from kdl.fetch.surroundings import Surroundings


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, list[str]]]:
    """Its ``host:port``, and the heads of the requests it had, in lower case."""
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        host, port = listening.sockets[0].getsockname()
        yield f"{host}:{port}", heads


async def test_a_proxy_is_asked_in_the_hosts_place(
    server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    at, heads = server
    monkeypatch.setenv("http_proxy", f"http://me:secret@{at}")
    async with HttpSource() as source:
        assert (await source.stat("http://far.invalid/a.tar")).size == 3
    [head] = heads
    assert head.startswith("head http://far.invalid/a.tar ")
    assert f"proxy-authorization: basic {base64.b64encode(b'me:secret').decode()}".lower() in head


async def test_no_proxy_is_heeded_and_the_netrc_gives_the_login(
    server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at, heads = server
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password word\n")
    async with HttpSource() as source:
        await source.stat(f"http://{at}/a.tar")
        await source.stat(f"http://you:other@{at}/a.tar")
    for head, login in zip(heads, (b"me:word", b"you:other"), strict=True):
        assert head.startswith("head /a.tar ")
        assert f"authorization: basic {base64.b64encode(login).decode()}".lower() in head


@pytest.mark.parametrize(
    ("value", "proxy"),
    [("proxy:3128", "http://proxy:3128"), ("https://p:1", "https://p:1"), ("socks5://p:1", None), ("", None)],
)
def test_proxies_as_people_write_them(
    value: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("this is not\na netrc\n")
    monkeypatch.setenv("https_proxy", value)
    way = Surroundings().way_to(URL("https://host/x"))
    assert (way.proxy, way.headers) == (proxy, {})
