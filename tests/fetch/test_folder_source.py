"""Folders as sources, where they differ from servers: what lies there, moves under our hands, or is gone."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.fetch.folder import FolderSource
from kdl.fetch.folderwords import file_error
from kdl.settings import MIB
from kdl.urls import file_path, place_url

DATA = bytes(range(256)) * (3 * MIB // 256)


@pytest.fixture
async def source() -> AsyncIterator[FolderSource]:
    async with FolderSource(stall_s=20) as source:
        yield source


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.tar"
    path.write_bytes(DATA)
    return path


async def whole(source: FolderSource, url: str) -> bytes:
    async with source.open(url) as opened:
        return b"".join([chunk async for chunk in opened.chunks])


async def refused(source: FolderSource, url: str) -> PermanentError:
    """The one error that all ways to ask for it end in."""
    with pytest.raises(PermanentError) as raised:
        await source.stat(url)
    with pytest.raises(PermanentError) as again:
        await whole(source, url)
    assert (again.value.message, again.value.fix) == (raised.value.message, raised.value.fix)
    assert raised.value.subject == url
    return raised.value


@pytest.mark.parametrize("change", ["grown", "cut", "written over"])
async def test_a_file_that_changes_while_it_is_read_is_another_one(
    change: str, source: FolderSource, file: Path
) -> None:
    async with source.open(file.as_uri()) as opened:
        await anext(opened.chunks)
        with file.open("r+b") as writing:
            if change == "grown":
                writing.seek(0, os.SEEK_END)
                writing.write(b"more")
            elif change == "cut":
                writing.truncate(2 * MIB)
            else:
                writing.write(b"x")
        os.utime(file, ns=(1, 1))  # as if the clock had moved on
        with pytest.raises(SourceChanged, match="changed while it was read"):
            async for _ in opened.chunks:
                pass


async def test_a_file_that_is_replaced_is_read_to_its_end_as_it_was(source: FolderSource, file: Path) -> None:
    """Whoever renames a new version into its place does not disturb us; the next request sees it."""
    async with source.open(file.as_uri()) as opened:
        first = await anext(opened.chunks)
        new = file.with_name("new")
        new.write_bytes(DATA[::-1])
        new.replace(file)
        assert first + b"".join([chunk async for chunk in opened.chunks]) == DATA
    with pytest.raises(SourceChanged):
        async with source.open(file.as_uri(), MIB, opened.stat.validator):
            pass


async def test_what_makes_another_version(source: FolderSource, file: Path) -> None:
    """Inode, size, time; not the name, the mode, or who else has read it."""
    url = file.as_uri()
    first = (await source.stat(url)).etag
    file.chmod(0o400)
    await whole(source, url)
    os.link(file, file.with_name("linked"))
    assert (await source.stat(url)).etag == first
    assert (await source.stat(file.with_name("linked").as_uri())).etag == first
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    later = (await source.stat(url)).etag
    copy = file.with_name("copy")
    copy.write_bytes(DATA)
    os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert len({first, later, (await source.stat(copy.as_uri())).etag}) == 3


async def test_only_files_are_opened(source: FolderSource, tmp_path: Path) -> None:
    """A pipe that nobody writes to would hold us up for ever."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(tmp_path / "socket"))
        for name, words in {
            "folder": "a folder, where a file should be",
            "pipe": "a pipe, where a file should be",
            "zeros": "a device, where a file should be",
            "socket": "a socket, where a file should be",
        }.items():
            assert (await refused(source, (tmp_path / name).as_uri())).message == words


async def test_links_to_files_are_followed_and_broken_ones_missing(
    source: FolderSource, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "linked").symlink_to(file)
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    assert await whole(source, (tmp_path / "linked").as_uri()) == DATA
    assert (await refused(source, (tmp_path / "broken").as_uri())).message == "no such file"
    assert "circle" in (await refused(source, (tmp_path / "circle").as_uri())).message


@pytest.mark.parametrize("climb", ["..", "%2e%2e", "%2E.", "deep/../.."])
async def test_nothing_climbs_out_of_a_folder(climb: str, source: FolderSource, file: Path) -> None:
    url = f"{file.parent.as_uri()}/{climb}/{file.parent.name}/a.tar"
    assert ".." in (await refused(source, url)).message
    with pytest.raises(PermanentError, match=r"\.\."):
        await source.listing(f"{file.parent.as_uri()}/{climb}/")


async def test_what_is_missing_says_what_is_missing(source: FolderSource, file: Path, tmp_path: Path) -> None:
    alone = await refused(source, (tmp_path / "b.tar").as_uri())
    assert (alone.message, alone.fix, alone.status) == ("no such file", "", 404)

    mount = tmp_path / "mnt"
    gone = await refused(source, (mount / "k400" / "b.tar").as_uri())
    assert gone.message == f"no such file: there is no {mount}"
    assert f"mount the disk that {mount} is on" in gone.fix

    mount.mkdir()  # a mount point whose disk was not mounted
    empty = await refused(source, (mount / "k400" / "b.tar").as_uri())
    assert empty.message == f"no such file: there is no {mount / 'k400'}"
    (mount / "k400").mkdir()
    empty = await refused(source, (mount / "k400" / "b.tar").as_uri())
    assert empty.message == f"no such file: {mount / 'k400'} is empty"
    assert "mount the disk" in empty.fix

    assert "a file, where a folder" in (await refused(source, f"{file.as_uri()}/b.tar")).message
    assert "too long" in (await refused(source, f"{tmp_path.as_uri()}/{'x' * 300}")).message
    assert "not the path" in (await refused(source, f"{tmp_path.as_uri()}/a%00b")).message


@pytest.mark.parametrize(
    ("code", "refused", "cause", "words"),
    [
        (errno.ESTALE, True, RetryCause.REFUSED, "the mount does not answer"),
        (errno.ENOTCONN, True, RetryCause.REFUSED, "the mount does not answer"),
        (errno.EIO, False, RetryCause.RESET, "can not be read: Input/output error"),
        (errno.EMFILE, False, RetryCause.MACHINE, "no file descriptor left"),
    ],
)
def test_what_may_pass_is_tried_again(code: int, refused: bool, cause: RetryCause, words: str) -> None:
    """A mount that is gone speaks against all of its files; a bad sector against one."""
    found = file_error("file:///a", Path("/a"), OSError(code, os.strerror(code)))
    assert isinstance(found, TransientError)
    assert (found.refused, found.cause) == (refused, cause)
    assert words in found.message


async def test_a_mount_that_hangs_holds_up_its_thread_and_not_the_run(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file system of a test hangs: the call into it is made to wait."""
    ends = threading.Event()
    pread = os.pread

    def hanging(fd: int, count: int, at: int) -> bytes:
        if at:
            ends.wait(60)
        return pread(fd, count, at)

    monkeypatch.setattr("kdl.fetch.folder.os.pread", hanging)
    before = len(os.listdir("/proc/self/fd"))
    async with FolderSource(stall_s=0.2) as source:
        with pytest.raises(TransientError, match=r"gave nothing for 0\.2 s") as raised:
            await whole(source, file.as_uri())
        assert raised.value.cause is RetryCause.STALL
        ends.set()
        async with asyncio.timeout(30):
            while len(os.listdir("/proc/self/fd")) > before:  # noqa: ASYNC110 - the thread closes it
                await asyncio.sleep(0.01)


async def test_a_listing_stays_in_its_folder(source: FolderSource, tmp_path: Path) -> None:
    base = tmp_path / "k400"
    outside = tmp_path / "outside"
    for path in (
        base / "a" / "x.mp4",
        base / ".kdl" / "spool.mp4",
        base / "a" / ".tmp.mp4",
        outside / "y.mp4",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"clip")
    (base / "loop").symlink_to(base)
    (base / "elsewhere").symlink_to(outside)
    (base / "linked.mp4").symlink_to(outside / "y.mp4")
    (base / "broken.mp4").symlink_to("nowhere")
    os.mkfifo(base / "pipe.mp4")
    (base / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"odd")  # Latin-1, from an old disk
    found = await source.listing(f"{base.as_uri()}/")
    assert [(file.path, file.size) for file in found] == [
        ("a/x.mp4", 4),
        ("caf�.mp4", 3),
        ("linked.mp4", 4),
    ]
    assert [await whole(source, file.url) for file in found] == [b"clip", b"odd", b"clip"]


async def test_a_folder_that_can_not_be_listed(source: FolderSource, file: Path, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="a file, where a folder should be"):
        await source.listing(f"{file.as_uri()}/")
    with pytest.raises(FetchError, match="there is no"):
        await source.listing(f"{tmp_path.as_uri()}/gone/k400/")


def test_what_people_write_for_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "near").symlink_to(tmp_path / "far" / "away")
    for text, path in {
        "/mnt/my disk #1/50%": Path("/mnt/my disk #1/50%"),
        "./x": tmp_path / "x",
        ".": tmp_path,
        "~/k": tmp_path / "home" / "k",
        "./near/../k400": tmp_path / "far" / "k400",  # as the shell's ls has it
        f"file://{quote(str(tmp_path))}/a%20b": tmp_path / "a b",
    }.items():
        assert file_path(place_url(text)) == path
    for text in ("file://host/mnt", "~nobody-of-that-name/k"):
        with pytest.raises(ValueError, match=r"three slashes|no such user"):
            place_url(text)
