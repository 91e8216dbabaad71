"""Folders that web servers list: their pages as they really are, and pages that lead elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kdl.errors import FetchError, PermanentError, TransientError
from kdl.fetch.http import HttpSource
from kdl.fetch.indexpage import Entry, read_index
from kdl.fetch.listed import DEPTH
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from tests.faults.hostile import Act, HostileOrigin

URL = "http://h/k400/"

APACHE_TABLE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">
<html><head><title>Index of /k400</title></head><body><h1>Index of /k400</h1><table>
<tr><th valign="top">&nbsp;</th><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=S;O=A">Size</a></th></tr>
<tr><th colspan="5"><hr></th></tr>
<tr><td valign="top">&nbsp;</td><td><a href="/">Parent Directory</a></td><td>&nbsp;</td><td>  - </td></tr>
<tr><td valign="top">&nbsp;</td><td><a href="big%20(1)+%23%25.mp4">big (1)+#%.mp4</a></td>
<td align="right">2026-11-21 14:18  </td><td align="right">1.2M</td><td>&nbsp;</td></tr>
<tr><td valign="top">&nbsp;</td><td><a href="small.mp4">small.mp4</a></td>
<td align="right">2026-11-21 14:18  </td><td align="right">123 </td><td>&nbsp;</td></tr>
<tr><td valign="top">&nbsp;</td><td><a href="sub%20folder/">sub folder/</a></td>
<td align="right">2026-11-21 14:18  </td><td align="right">  - </td><td>&nbsp;</td></tr>
</table></body></html>"""
APACHE_TEXT = """<html><head><title>Index of /k400</title></head><body><h1>Index of /k400</h1>
<pre>      <a href="?C=N;O=D">Name</a>     <a href="?C=M;O=A">Last modified</a><hr>
<img src="/icons/back.gif"> <a href="/">Parent Directory</a>                             -
      <a href="big%20(1)+%23%25.mp4">big (1)+#%.mp4</a>      2026-11-21 14:18  1.2M
      <a href="small.mp4">small.mp4</a>               2026-11-21 14:18  123   a description 99
      <a href="sub%20folder/">sub folder/</a>             2026-11-21 14:18    -
<hr></pre></body></html>"""
LIGHTTPD = """<!DOCTYPE html><html><head><title>Index of /k400/</title></head><body><h2>Index of /k400/</h2>
<table summary="Directory Listing"><tbody>
<tr class="d"><td class="n"><a href="../">..</a>/</td><td class="m">&nbsp;</td>
<td class="s">- &nbsp;</td></tr>
<tr class="d"><td class="n"><a href="sub%20folder/">sub folder</a>/</td>
<td class="m">2026-Nov-21 14:18:46</td><td class="s">- &nbsp;</td><td class="t">Directory</td></tr>
<tr><td class="n"><a href="big%20%281%29%2b%23%25.mp4">big (1)+#%.mp4</a></td>
<td class="m">2026-Nov-21 14:18:46</td><td class="s">1.1M</td><td class="t">video/mp4</td></tr>
<tr><td class="n"><a href="small.mp4">small.mp4</a></td><td class="m">2026-Nov-21 14:18:46</td>
<td class="s">0.1K</td><td class="t">video/mp4</td></tr></tbody></table></body></html>"""
CADDY = """[{"name":"sub folder/","size":4096,"url":"./sub%20folder/","mode":2147484141,"is_dir":true,
"is_symlink":false},{"name":"big (1)+#%.mp4","size":1234567,"url":"./big%20%281%29+%23%25.mp4",
"mode":420,"is_dir":false,"is_symlink":false},{"name":"small.mp4","size":123,"is_dir":false}]"""
NGINX_JSON = """[
{ "name":"sub folder", "type":"directory", "mtime":"Sat, 21 Nov 2026 14:18:46 GMT" },
{ "name":"big (1)+#%.mp4", "type":"file", "mtime":"Sat, 21 Nov 2026 14:18:46 GMT", "size":1234567 },
{ "name":"small.mp4", "type":"file", "mtime":"Sat, 21 Nov 2026 14:18:46 GMT", "size":123 }
]"""


@pytest.mark.parametrize(
    ("page", "big", "small"),
    [
        pytest.param(APACHE_TABLE, None, 123, id="Apache, as a table"),
        pytest.param(APACHE_TEXT, None, 123, id="Apache, as text"),
        pytest.param(LIGHTTPD, None, None, id="lighttpd"),
        pytest.param(CADDY, 1234567, 123, id="Caddy"),
        pytest.param(NGINX_JSON, 1234567, 123, id="nginx, as JSON"),
    ],
)
def test_the_pages_of_servers(page: str, big: int | None, small: int | None) -> None:
    """A rounded size is none."""
    found = read_index(URL, page.encode())
    assert found is not None
    assert {(entry.name, entry.is_folder, entry.size) for entry in found} == {
        ("big (1)+#%.mp4", False, big),
        ("small.mp4", False, small),
        ("sub folder", True, None),
    }


@pytest.mark.parametrize(
    "href",
    [
        *(
            "http://elsewhere/k400/x.mp4",
            "https://h/k400/x.mp4",
            "http://h:81/k400/x.mp4",
            "//other/k400/x.mp4",
        ),
        *("/", "/x.mp4", "../x.mp4", "..", ".", "./", "", "sub/x.mp4", "/k400", "/k400/", "/K400/x.mp4"),
        *(
            "a%2fb.mp4",
            "?C=N;O=D",
            "x.mp4?download",
            "#top",
            "mailto:me@h",
            "javascript:void(0)",
            "http://[bad",
        ),
    ],
)
def test_links_that_do_not_lead_to_the_next_level_are_passed_over(href: str) -> None:
    page = f'<title>Index of /</title><a href="{href}">x</a> <a>none</a><a href="small.mp4">s</a>'
    assert read_index(URL, page.encode()) == [Entry("small.mp4", False)]


@pytest.mark.parametrize(
    "href", ["/k400/x.mp4", "http://h/k400/x.mp4", "./x.mp4", "x%2Emp4", "/%6b400/x.mp4"]
)
def test_ways_to_write_a_file_of_the_folder(href: str) -> None:
    page = f'<a href="{href}"><img></a><a href="{href}">x.mp4</a>  21-Nov-2026 14:18   77\n'
    assert read_index(URL, page.encode()) == [Entry("x.mp4", False, 77)]


@pytest.mark.parametrize("page", ["<html><p>Welcome</html>", "", "[1, 2]", "[{", '[{"size": 3}]', "\xff\xfe"])
def test_a_page_that_is_no_listing(page: str) -> None:
    assert read_index(URL, page.encode("latin-1")) is None


def test_an_empty_folder_is_a_listing() -> None:
    assert read_index(URL, b'<title>Index of /k400/</title><a href="../">../</a>') == []


@pytest.fixture
async def origin() -> AsyncIterator[HostileOrigin]:
    async with HostileOrigin() as server:
        yield server


async def listing(url: str) -> list[str]:
    async with HttpSource(stall_s=20) as source:
        return [file.path for file in await source.listing(url)]


def page_of(*hrefs: str) -> bytes:
    return "".join(f'<a href="{href}">x</a>' for href in hrefs).encode()


async def test_a_folder_in_itself_is_not_followed_for_ever(origin: HostileOrigin) -> None:
    for depth in range(DEPTH + 3):
        origin.put(f"{'again/' * depth}", page_of("again/", "x.mp4"))
    with pytest.raises(PermanentError, match=f"more than {DEPTH} folders in one another") as raised:
        await listing(origin.url(""))
    assert raised.value.fix
    assert len(origin.gets()) == DEPTH + 1


async def test_hidden_and_climbing_names_are_passed_over(origin: HostileOrigin) -> None:
    names = [".git/", "%2e%2e/", ".DS_Store", "%2e%2e", "..%2f", "a%00b.mp4", "x.mp4"]
    origin.put("k/", page_of(*names))
    assert await listing(origin.url("k/")) == ["x.mp4"]
    assert len(origin.gets()) == 1


async def test_a_folder_that_leads_elsewhere_is_refused(origin: HostileOrigin) -> None:
    origin.put("k/", page_of("sub/"))
    origin.put("k/sub/", b"", Act(status=302, headers=(("Location", "/other/"),)))
    origin.put("other/", page_of("x.mp4"))
    with pytest.raises(PermanentError, match="leads to another place"):
        await listing(origin.url("k/"))


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (Act(status=403), PermanentError, "403"),
        (Act(body=b"<html>Welcome to my site</html>"), PermanentError, "lists no files"),
        (Act(status=503), TransientError, "503"),
        (Act(body=page_of("x.mp4") * 9, close_after=30), TransientError, "broke off"),
    ],
)
async def test_a_page_that_does_not_come(
    act: Act, kind: type[FetchError], words: str, origin: HostileOrigin
) -> None:
    """One folder that can not be read fails the whole: what is listed is all there is, or nothing."""
    origin.put("k/", page_of("a/", "b/"))
    origin.put("k/a/", page_of("x.mp4"))
    url = origin.put("k/b/", b"", always=act)
    with pytest.raises(kind, match=words) as raised:
        await listing(origin.url("k/"))
    assert raised.value.subject == url
    assert bool(raised.value.fix) is (kind is PermanentError)


async def test_a_page_that_failed_is_asked_for_again_and_no_other(origin: HostileOrigin) -> None:
    """Among hundreds of folders one is likely to fail, and would fail them all again and again."""
    origin.put("k/", page_of("a/", "b/"))
    origin.put("k/a/", page_of("x.mp4"))
    origin.put("k/b/", page_of("y.mp4"), Act(status=503), Act(status=500))
    policy = RetryPolicy(tries=3, base=0.001, cap=0.002)
    async with Fetcher(Origins({}), emit=lambda event: None, retry=policy) as fetcher:
        for times in (1, 2):
            found = await fetcher.listing(origin.url("k/"))
            assert [file.path for file in found] == ["a/x.mp4", "b/y.mp4"]
            assert len(origin.gets("k/a/")) == times  # what came is not kept any longer than that
    assert len(origin.gets("k/b/")) == 4


async def test_pythons_own_server(tmp_path: Path) -> None:
    """Which tells no sizes, and marks a link by an @ in its text alone."""
    (tmp_path / "sub folder").mkdir()
    for name in ("sub folder/é, it's.mp4", "a+b #1 50%.mp4"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.mp4").symlink_to("a+b #1 50%.mp4")
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "-d", str(tmp_path), "0"]
    pipe = asyncio.subprocess.PIPE
    server = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        port = (await server.stdout.readline()).split()[5].decode()
        async with HttpSource(stall_s=20) as source:
            found = await source.listing(f"http://127.0.0.1:{port}/")
    finally:
        server.terminate()
        await server.communicate()
    assert [(file.path, file.size) for file in found] == [
        ("a+b #1 50%.mp4", None),
        ("link.mp4", None),
        ("sub folder/é, it's.mp4", None),
    ]
