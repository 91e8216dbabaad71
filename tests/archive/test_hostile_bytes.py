"""Archives damaged at random end in a Reading or an ArchiveError, and the whole way through a channel."""

from __future__ import annotations

import asyncio
import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from archive_kit import Catcher, clip_name, content, gz, tar_of, three_clips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdl.archive.channel import Channel, ChannelClosed
from kdl.archive.members import Member, Placement, Reading
from kdl.archive.unpack import unpack
from kdl.errors import ArchiveError, DiskFull

PLAIN, TREE = three_clips()


def long_names(tar_format: int) -> bytes:
    return tar_of([(f"{'ñ' * 90}/{clip_name(n)}", content(n, 600)) for n in range(3)], tar_format)


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(3):
            archive.writestr(f"ñ/{clip_name(n)}", content(n, 300) + bytes(300))
    return buffer.getvalue()


ARCHIVES = {
    "gnu": long_names(tarfile.GNU_FORMAT),
    "pax": long_names(tarfile.PAX_FORMAT),
    "gzip": gz(long_names(tarfile.PAX_FORMAT)),
    "zip": zip_bytes(),
}
_damage = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=5)


@pytest.mark.parametrize("shape", ARCHIVES)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=_damage)
def test_random_damage(tmp_path: Path, shape: str, damage: list[tuple[float, int]]) -> None:
    data = bytearray(ARCHIVES[shape])
    for where, byte in damage:
        data[int(where * len(data))] = byte
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    catcher = Catcher(root)
    (root / "a.zip").write_bytes(data)
    try:
        reading = catcher.run_zip(root / "a.zip") if shape == "zip" else catcher.run(bytes(data))
    except ArchiveError:
        assert catcher.tree() == {}
        return
    assert reading.whole == (not reading.reason)
    assert reading.clips == len(catcher.clips)
    assert set(catcher.tree().values()) <= {clip.sha256 for clip in catcher.clips}
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) in (["out", "tmp"], ["tmp"])


def test_a_zip_that_points_before_its_begin(catcher: Catcher, tmp_path: Path) -> None:
    data = bytearray(zip_bytes())
    end = data.rindex(b"PK\x05\x06")
    start = int.from_bytes(data[end + 16 : end + 20], "little")
    data[end + 16 : end + 20] = (start + 50).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    reading = catcher.run_zip(tmp_path / "a.zip")
    assert (reading.whole, catcher.tree().keys() & {f"ñ/{clip_name(0)}"}) == (False, set())


async def feed(channel: Channel, data: bytes, fail_at: int | None = None) -> None:
    async with channel:
        for start in range(0, len(data), 500):
            if fail_at is not None and start >= fail_at:
                raise ConnectionResetError("gone")
            await channel.put(data[start : start + 500])


def unpack_from(channel: Channel, catcher: Catcher, **over: object) -> Reading:
    with channel:
        return unpack(channel, **catcher.options(over))


async def test_through_a_channel(catcher: Catcher) -> None:
    channel = Channel(1000)
    reading, _ = await asyncio.gather(
        asyncio.to_thread(unpack_from, channel, catcher), feed(channel, gz(PLAIN))
    )
    assert (reading.whole, catcher.tree()) == (True, TREE)


async def test_a_feeder_that_fails_ends_the_unpacking(catcher: Catcher) -> None:
    channel = Channel(1000)
    unpacked, fed = await asyncio.gather(
        asyncio.to_thread(unpack_from, channel, catcher),
        feed(channel, gz(PLAIN), 2000),
        return_exceptions=True,
    )
    assert unpacked is fed
    assert isinstance(fed, ConnectionResetError)
    assert catcher.tree().items() <= TREE.items()


async def test_an_unpacking_that_fails_ends_the_feeder(catcher: Catcher) -> None:
    def place(member: Member) -> Placement:
        raise DiskFull("no room", subject=member.name)

    channel = Channel(1000)
    unpacked, fed = await asyncio.gather(
        asyncio.to_thread(unpack_from, channel, catcher, place=place),
        feed(channel, PLAIN),
        return_exceptions=True,
    )
    assert isinstance(unpacked, DiskFull)
    assert isinstance(fed, ChannelClosed)
    assert catcher.tree() == {}
