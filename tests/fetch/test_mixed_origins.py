"""Origins of several kinds for one host: who stands in for whom, and who is given up."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kdl.errors import PermanentError, TransientError, UsageError
from kdl.events import Event, Noted
from kdl.fetch.health import Health
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from tests.faults.hostile import Act, HostileOrigin

HOST = "https://bucket.invalid/kinetics"
DATA = bytes(range(256)) * 7000
DEAD = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def server() -> AsyncIterator[HostileOrigin]:
    async with HostileOrigin() as origin:
        yield origin


@pytest.fixture
def told() -> list[Event]:
    return []


def fetcher(told: list[Event], overrides: Sequence[object], tries: int = 2) -> Fetcher:
    origins = Origins({"cvdf": HOST}, [str(override) for override in overrides])
    policy = RetryPolicy(tries=tries, base=0.001, cap=0.002)
    return Fetcher(origins, emit=told.append, retry=policy, stall_s=20)


def notes(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Noted)]


async def read(reading: Fetcher, name: str) -> bytes:
    return await reading.read(f"{HOST}/{name}", name=name, kind="list")


async def test_a_folder_stands_in_for_a_dead_server(told: list[Event], tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(DATA)
    async with fetcher(told, [DEAD, tmp_path]) as reading:
        assert await read(reading, "a") == DATA
        assert await read(reading, "b") == DATA
        assert reading.refusal(f"{HOST}/a") is None
    assert f"a: goes on at {tmp_path.as_uri()}, because no connection" in notes(told)[0]
    assert f"{DEAD} refuses every connection and is given up for this run" in notes(told)[1]


async def test_each_folder_is_an_origin_of_its_own(told: list[Event], tmp_path: Path) -> None:
    """A file that one lacks comes from the next; neither is given up for it."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "a").write_bytes(b"from one")
    for name in "ab":
        (tmp_path / "two" / name).write_bytes(b"from two")
    async with fetcher(told, [tmp_path / "one", tmp_path / "two", tmp_path / "gone"]) as reading:
        assert (await read(reading, "b"), await read(reading, "a")) == (b"from two", b"from one")
        with pytest.raises(PermanentError) as raised:
            await read(reading, "c")
    for folder, words in {"one": "no such file", "two": "no such file", "gone": "there is no"}.items():
        assert f"{(tmp_path / folder).as_uri()}: no such file" in raised.value.message
        assert words in raised.value.message
    assert "mount the disk" in raised.value.fix


async def test_what_one_origin_does_not_end_is_begun_anew_at_the_next(
    server: HostileOrigin, told: list[Event], tmp_path: Path
) -> None:
    """Its copy is another version as far as we can tell; nor is the first one asked for ever."""
    server.put("a", DATA, *[Act(close_after=900_000), Act(status=403)] * 20)
    (tmp_path / "a").write_bytes(DATA)
    async with fetcher(told, [server.base, tmp_path]) as reading:
        assert await read(reading, "a") == DATA
    assert len(server.gets()) == 2
    assert len(notes(told)) == 1


async def test_a_copy_with_the_same_tag_goes_on_where_the_other_was_left(
    told: list[Event], tmp_path: Path
) -> None:
    """Two ways to one file: hard links, or two mounts of its folder."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "a").write_bytes(DATA)
    os.link(folders[0] / "a", folders[1] / "a")
    wanted: dict[str, Any] = {"name": "a", "kind": "shard", "spool_dir": tmp_path / "spool"}
    async with fetcher(told, folders) as reading, reading.transfer(f"{HOST}/a", **wanted) as transfer:
        await anext(aiter(transfer))
    (folders[0] / "a").unlink()
    async with fetcher(told, folders) as reading, reading.transfer(f"{HOST}/a", **wanted) as transfer:
        body = b"".join([chunk async for chunk in transfer])
    assert body == DATA
    assert 0 < transfer.resumed < len(DATA)
    assert transfer.fetched == len(DATA) - transfer.resumed
    assert transfer.origin_url == (folders[1] / "a").as_uri()


async def test_a_mount_that_is_gone_is_given_up_and_no_other(
    told: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stale handle that a vanished NFS server leaves: no folder of a test can be made to have one."""
    stale, sound = tmp_path / "stale", tmp_path / "sound"
    for folder in (stale, sound):
        folder.mkdir()
        for name in "ab":
            (folder / name).write_bytes(DATA)
    real, asked = Path.stat, []

    def stat(self: Path, **options: Any) -> os.stat_result:
        if self.parent == stale:
            asked.append(self.name)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(self))
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", stat)
    async with fetcher(told, [stale, sound]) as reading:
        assert await read(reading, "a") == DATA
        assert await read(reading, "b") == DATA
        assert reading.refusal(f"{HOST}/b") is None
    assert asked == ["a", "a"]  # two tries, and b was not asked for any more
    assert "the mount does not answer" in notes(told)[0]
    assert f"{stale.as_uri()} does not answer and is given up for this run" in notes(told)[1]


def test_folders_and_buckets_are_rebased_as_servers_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = ["./k 400", "/mnt/a/", "s3://lab/kinetics/", "file:///mnt/b", "default"]
    assert Origins({"cvdf": HOST}, overrides).candidates(f"{HOST}/k400/driving%20car.tar.gz") == [
        f"{tmp_path.as_uri()}/k%20400/k400/driving%20car.tar.gz",
        "file:///mnt/a/k400/driving%20car.tar.gz",
        "s3://lab/kinetics/k400/driving%20car.tar.gz",
        "file:///mnt/b/k400/driving%20car.tar.gz",
        f"{HOST}/k400/driving%20car.tar.gz",
    ]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("/", "root of all files"),
        ("file://", "root of all files"),
        ("file://host/share", "three slashes"),
        ("s3://lab/k?versionId=1", "no query"),
        ("ftp://host/k", "not an"),
        ("mnt/kinetics", "nor a folder's path"),
    ],
)
def test_what_is_no_origin(override: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        Origins({"cvdf": HOST}, [override])
    assert "--origin" in raised.value.subject + raised.value.fix


def test_what_fails_as_one() -> None:
    """Servers and buckets as such; folders as they were named, for a disk's files share its fate."""
    health = Health(Origins({"cvdf": HOST}, ["/mnt/a", "/mnt/a/b", "s3://lab/k"]).origin, refused_s=0)
    gone = TransientError("the mount does not answer", refused=True)
    for url in ("file:///mnt/a/k400/x", "s3://lab/k/x"):
        health.failed(url, gone)
        health.allow(url, gone, None)
    for url in ("file:///mnt/a/other/y", "s3://lab/elsewhere/y"):
        with pytest.raises(PermanentError, match="given up"):
            health.check(url)
    for url in ("file:///mnt/a/b/x", "file:///mnt/c/x", "s3://other/k/x", f"{HOST}/x"):
        health.check(url)
