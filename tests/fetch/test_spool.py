"""Spool files: bound to a version, appended whole, told apart from a full disk."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from kdl.diskerrors import disk_errors
from kdl.errors import DiskFull, MachineError
from kdl.fetch.source import RemoteStat
from kdl.fetch.spool import Spool, clear_stale, resumable, spool_path, spools_of

URL = "https://s3.amazonaws.com/kinetics/600/val/mountain%20climber%20%28exercise%29.tar.gz"
NAME = "val/mountain climber (exercise).tar.gz"
STAT = RemoteStat(URL, size=10, etag='"one"')


def path_of(folder: Path, stat: RemoteStat = STAT, url: str = URL) -> Path:
    return spool_path(folder, NAME, url, stat)


def test_the_name_is_readable_and_safe(tmp_path: Path) -> None:
    path = path_of(tmp_path)
    assert path.parent == tmp_path
    assert path.name.startswith("val_mountain_climber_exercise_.tar.gz.")
    assert path.name.endswith(".part")
    long = spool_path(tmp_path, "é" * 300 + "../../etc", URL, STAT)
    assert long.parent == tmp_path
    assert len(long.name.encode()) < 143  # eCryptfs takes no longer names


@pytest.mark.parametrize(
    "other",
    [
        RemoteStat(URL, size=11, etag='"one"'),
        RemoteStat(URL, size=10, etag='"two"'),
        RemoteStat(URL, size=10, etag='W/"one"'),
        RemoteStat(URL, size=10, last_modified="Fri, 14 Jul 2017 02:40:00 GMT"),
    ],
)
def test_the_name_binds_the_version(tmp_path: Path, other: RemoteStat) -> None:
    assert path_of(tmp_path, other) != path_of(tmp_path)


def test_a_strong_tag_holds_wherever_it_is_served_and_a_date_does_not(tmp_path: Path) -> None:
    assert path_of(tmp_path, RemoteStat("http://mirror/x", size=10, etag='"one"')) == path_of(tmp_path)
    dated = [RemoteStat(url, size=10, last_modified="now") for url in (URL, "http://mirror/x")]
    assert path_of(tmp_path, dated[0]) != path_of(tmp_path, dated[1])


def test_the_same_name_of_another_object_is_another_spool(tmp_path: Path) -> None:
    other = path_of(tmp_path, url="https://h/other")
    assert other != path_of(tmp_path)
    other.touch()
    assert spools_of(tmp_path, NAME, URL) == []


async def test_append_read_and_open_again(tmp_path: Path) -> None:
    path = path_of(tmp_path / "new" / "folder")
    spool = await Spool.open(path)
    await spool.append([b"01234"])
    await spool.append([b"56789"])
    assert [chunk async for chunk in spool.read()] == [b"0123456789"]
    await spool.close()

    spool = await Spool.open(path, keep=10)
    await spool.append([b"!"])
    assert spool.length == 11
    await spool.close()
    assert path.read_bytes() == b"0123456789!"


async def test_two_who_hold_the_same_spool_write_the_same_bytes_to_the_same_places(tmp_path: Path) -> None:
    path = path_of(tmp_path)
    lost = await Spool.open(path)
    await lost.append([b"0123"])
    heir = await Spool.open(path, keep=4)
    await heir.append([b"45", b"6"])
    await lost.append([b"45678"])  # it was not lost after all
    await heir.append([b"7"])
    assert path.read_bytes() == b"012345678"
    await heir.append([b"89"])
    await asyncio.gather(lost.close(), heir.close())
    assert path.read_bytes() == b"0123456789"


async def test_who_begins_afresh_is_not_disturbed_by_one_who_was_there_before(tmp_path: Path) -> None:
    path = path_of(tmp_path)
    lost = await Spool.open(path)
    await lost.append([b"0123"])
    heir = await Spool.open(path)
    await heir.append([b"01"])
    await lost.append([b"456"])
    await asyncio.gather(lost.close(), heir.close())
    assert path.read_bytes() == b"01"


async def test_a_cancelled_append_is_whole_all_the_same(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path / "a.part")
    big = bytes(3_000_000)
    writing = asyncio.create_task(spool.append([big]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    await spool.close()
    assert writing.cancelled()
    assert (tmp_path / "a.part").stat().st_size == len(big) == spool.length


async def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    spool = await Spool.open(path)
    await spool.append([bytes(1_000_000)])
    path.write_bytes(b"short")
    with pytest.raises(MachineError, match="shorter"):
        _ = [chunk async for chunk in spool.read()]
    await spool.close()


def test_what_can_be_resumed(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    assert resumable(path, STAT) == 0
    path.write_bytes(b"01234")
    assert resumable(path, STAT) == 5
    assert resumable(path, RemoteStat(URL, size=10)) == 0
    assert resumable(path, RemoteStat(URL, size=10, etag='W/"one"', last_modified="now")) == 0
    assert resumable(path, RemoteStat(URL, size=10, last_modified="now")) == 5
    assert resumable(path, RemoteStat(URL, etag='"one"')) == 0
    assert resumable(path, RemoteStat(URL, size=4, etag='"one"')) == 0


def test_clearing_what_is_stale(tmp_path: Path) -> None:
    current, other = path_of(tmp_path), path_of(tmp_path, url="https://h/other")
    old = path_of(tmp_path, RemoteStat(URL, size=10, etag='"old"'))
    for path in (current, old, other):
        path.touch()
    clear_stale(tmp_path, NAME, URL, current)
    assert sorted(tmp_path.iterdir()) == sorted([current, other])
    clear_stale(tmp_path / "absent", NAME, URL, None)


async def test_a_full_disk_is_named() -> None:
    # /dev/full refuses every write, as a full disk does.
    spool = await Spool.open(Path("/dev/full"))
    with pytest.raises(DiskFull, match="/dev/full: no room left"):
        await spool.append([b"x"])
    await spool.close()


def test_a_quota_is_a_full_disk_and_other_errors_are_not(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="quota"), disk_errors(tmp_path):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    with pytest.raises(MachineError, match="Read-only") as caught, disk_errors(tmp_path):
        raise OSError(errno.EROFS, "Read-only file system")
    assert not isinstance(caught.value, DiskFull)


async def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="file"):
        await Spool.open(tmp_path / "file" / "a.part")
