"""Loose files as one object: the suite of every source, and what is a bundle's own."""

from __future__ import annotations

import hashlib
import io
import pickle
import random
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from kdl.errors import PermanentError, RetryCause
from kdl.events import Event, RetryScheduled
from kdl.fetch.bundle import BundleSource
from kdl.fetch.evidence import Evidence, Proof
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.sources import SourceOptions, Sources
from kdl.fetch.stream import Transfer
from kdl.fetch.transfer import Fetcher
from kdl.values import Listed, Stretch, line_of
from tests.faults.hostile import GOOD, Act, HostileOrigin

LONG = f"{'f' * 98}.mp4"
NAMES = ("a.mp4", "-b c.mp4", "é#1.mp4", "d.mp4", "empty.mp4", LONG, "large.mp4")
SIZES = (1, 70_000, 512, 300_001, 0, 1024, 5_000_000)
FILES = {
    name: random.Random(number).randbytes(size)
    for number, (name, size) in enumerate(zip(NAMES, SIZES, strict=True))
}


class Bundle:
    """The files on a server, and the list of them."""

    def __init__(self, origin: HostileOrigin, folder: Path) -> None:
        self.origin = origin
        self.list = folder / "train.tsv"
        self.urls = {name: origin.put(f"x/{quote(name)}", data) for name, data in FILES.items()}
        self.url = f"{origin.url('x')}/?bundle=0"
        self.told: list[Event] = []

    def stretch(self, *, sizes: bool = True, digests: bool = True, **only: frozenset[str]) -> Stretch:
        lines = [
            line_of(
                Listed(
                    self.urls[name],
                    len(data) if sizes else None,
                    hashlib.sha256(data).hexdigest() if digests else None,
                )
            )
            for name, data in FILES.items()
        ]
        before = b"https://h.example/other.mp4\t7\t-\n"
        body = "".join(lines).encode()
        self.list.write_bytes(before + body)
        return Stretch(str(self.list), len(before), len(before) + len(body), **only)

    def fetcher(self, *overrides: str) -> Fetcher:
        policy = RetryPolicy(tries=3, base=0.001, cap=0.002)
        origins = Origins({"here": self.origin.url("")}, overrides)
        return Fetcher(origins, emit=self.told.append, retry=policy, stall_s=20)

    async def whole(self, stretch: Stretch, spool: Path | None = None) -> tuple[bytes, Transfer]:
        async with (
            self.fetcher() as fetcher,
            fetcher.transfer(self.url, name="x", kind="shard", spool_dir=spool, bundle=stretch) as transfer,
        ):
            return b"".join([chunk async for chunk in transfer]), transfer

    def retries(self) -> list[RetryScheduled]:
        return [event for event in self.told if isinstance(event, RetryScheduled)]


@pytest.fixture
async def bundle(tmp_path: Path) -> AsyncIterator[Bundle]:
    async with HostileOrigin() as origin:
        yield Bundle(origin, tmp_path)


def members(body: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    return found


async def test_it_is_a_tar_of_its_files_whose_size_is_known_before(bundle: Bundle) -> None:
    stretch = bundle.stretch()
    async with bundle.fetcher() as fetcher:
        told = await fetcher.stat(bundle.url, bundle=stretch)
        assert bundle.origin.requests == [], "the list says it all"
    body, transfer = await bundle.whole(stretch)
    assert members(body) == {f"x/{name}": data for name, data in FILES.items()}
    assert (told.size, told.etag) == (len(body), transfer.stat.etag)
    evidence = Evidence(transfer.stat)
    evidence.update(body)
    assert evidence.prove() is Proof.LISTED


async def test_sizes_that_the_list_does_not_tell_are_asked_for(bundle: Bundle) -> None:
    known, _ = await bundle.whole(bundle.stretch())
    asked, transfer = await bundle.whole(bundle.stretch(sizes=False, digests=False))
    assert asked == known
    assert not transfer.stat.listed


async def test_from_any_byte_on_it_begins_with_the_file_that_holds_it(bundle: Bundle) -> None:
    stretch = bundle.stretch()
    body, _ = await bundle.whole(stretch)
    async with Sources(SourceOptions()) as sources:
        source = BundleSource(sources, bundle.url, stretch)
        etag = (await source.stat(bundle.url)).validator
        for offset in (1, 511, 512, 70_000, 300_000, len(body) - 1100, len(body) - 1):
            async with source.open(bundle.url, offset, etag) as opened:
                rest = b"".join([chunk async for chunk in opened.chunks])
            assert opened.offset <= offset
            assert rest == body[opened.offset :]
        async with source.open(bundle.url, len(body), etag) as opened:
            assert opened.status == 416


async def test_what_was_left_in_the_midst_is_gone_on_with(bundle: Bundle, tmp_path: Path) -> None:
    stretch, spool = bundle.stretch(), tmp_path / "spool"
    whole, _ = await bundle.whole(stretch)
    async with (
        bundle.fetcher() as fetcher,
        fetcher.transfer(bundle.url, name="x", kind="shard", spool_dir=spool, bundle=stretch) as transfer,
    ):
        await anext(aiter(transfer))
    body, transfer = await bundle.whole(stretch, spool)
    assert body == whole
    assert transfer.resumed > 0


@pytest.mark.parametrize("name", ["d.mp4", "large.mp4"])
async def test_bytes_that_are_not_the_lists_are_asked_for_again(bundle: Bundle, name: str) -> None:
    flipped = bytearray(FILES[name])
    flipped[1000] ^= 1
    thing = bundle.origin.things[f"x/{quote(name)}"]
    thing.script.append(Act(body=bytes(flipped)))
    body, _ = await bundle.whole(bundle.stretch())
    assert members(body)[f"x/{name}"] == FILES[name]
    assert [event.cause for event in bundle.retries()] == [RetryCause.MISMATCH]


@pytest.mark.parametrize("wrong", [FILES["d.mp4"][::-1], FILES["d.mp4"][:-1], FILES["d.mp4"] + b"!"])
async def test_bytes_that_never_are_the_lists_cost_their_file_alone(bundle: Bundle, wrong: bytes) -> None:
    bundle.origin.put("x/d.mp4", wrong)
    body, transfer = await bundle.whole(bundle.stretch())
    assert {name for name in members(body) if name.endswith(".mp4")} == {
        f"x/{name}" for name in FILES if name != "d.mp4"
    }
    (error,) = transfer.lost.values()
    assert error.subject.endswith("x/d.mp4")
    assert "listed" in error.message
    assert len(bundle.retries()) == 1
    assert pickle.loads(pickle.dumps(error)).message == error.message, "it comes from a cluster's workers"


async def test_a_file_that_one_origin_lacks_comes_from_the_next(bundle: Bundle, tmp_path: Path) -> None:
    """Rotten, gone, or its size not even told: each file alone is asked for elsewhere."""
    for name, data in FILES.items():
        if name not in ("-b c.mp4", "large.mp4"):
            (tmp_path / "copy/x").mkdir(parents=True, exist_ok=True)
            (tmp_path / "copy/x" / name).write_bytes(data[::-1] if name == "d.mp4" else data)
    for sizes in (True, False):
        stretch = bundle.stretch(sizes=sizes)
        async with (
            bundle.fetcher(str(tmp_path / "copy"), "default") as fetcher,
            fetcher.transfer(bundle.url, name="x", kind="shard", bundle=stretch) as transfer,
        ):
            body = b"".join([chunk async for chunk in transfer])
        assert members(body) == {f"x/{name}": data for name, data in FILES.items()}
        assert transfer.lost == {}
    lacking = {"x/-b c.mp4", "x/large.mp4", "x/d.mp4"}
    assert {request.path for request in bundle.origin.requests} == lacking


async def test_a_host_that_refuses_all_ends_it_and_one_that_refuses_some_does_not(bundle: Bundle) -> None:
    """S3 says 403 of what is not there."""
    bundle.origin.things["x/d.mp4"].always = Act(status=403)
    _, transfer = await bundle.whole(bundle.stretch())
    assert [url.rpartition("/")[2] for url in transfer.lost] == ["d.mp4"]
    for thing in bundle.origin.things.values():
        thing.always = Act(status=403)
    with pytest.raises(PermanentError):
        await bundle.whole(bundle.stretch())


@pytest.mark.parametrize("sizes", [True, False])
async def test_where_no_file_is_there_that_is_told_once(bundle: Bundle, sizes: bool) -> None:
    lines = [line_of(Listed(bundle.origin.url(f"x/{n}.mp4"), 9 if sizes else None)) for n in range(50)]
    bundle.list.write_text("".join(lines))
    stretch = Stretch(str(bundle.list), 0, bundle.list.stat().st_size)
    with pytest.raises(PermanentError, match="none of its clips is there") as raised:
        await bundle.whole(stretch)
    assert raised.value.status == 404
    assert len(bundle.origin.requests) <= (40 if sizes else 51)

    bundle.origin.put("x/49.mp4", b"123456789")
    body, transfer = await bundle.whole(stretch)
    assert [name for name in members(body) if name.endswith(".mp4")] == ["x/49.mp4"]
    assert len(transfer.lost) == 49


async def test_behind_a_lost_file_the_next_run_begins_again(bundle: Bundle, tmp_path: Path) -> None:
    """The spool holds no zeros, so a file that is back by then is not lost for good."""
    stretch, spool = bundle.stretch(), tmp_path / "spool"
    bundle.origin.things["x/d.mp4"].always = Act(status=404)
    _, transfer = await bundle.whole(stretch, spool)
    assert len(transfer.lost) == 1
    bundle.origin.things["x/d.mp4"].always = GOOD
    body, transfer = await bundle.whole(stretch, spool)
    assert members(body) == {f"x/{name}": data for name, data in FILES.items()}
    assert transfer.lost == {}


@pytest.mark.parametrize("sizes", [True, False])
async def test_a_file_that_is_gone_does_not_cost_the_others(bundle: Bundle, sizes: bool) -> None:
    for name in ("d.mp4", "large.mp4"):
        bundle.origin.things[f"x/{name}"].always = Act(status=404)
    body, transfer = await bundle.whole(bundle.stretch(sizes=sizes))
    found = members(body)
    kept = {name for name in FILES if name not in ("d.mp4", "large.mp4")}
    assert {name for name in found if name.endswith(".mp4")} == {f"x/{name}" for name in kept}
    assert {url.rpartition("/")[2] for url in transfer.lost} == {"d.mp4", "large.mp4"}
    assert bundle.retries() == []


async def test_only_what_is_wanted_comes(bundle: Bundle) -> None:
    body, _ = await bundle.whole(bundle.stretch(only=frozenset({"é#1.mp4", LONG})))
    assert set(members(body)) == {"x/é#1.mp4", f"x/{LONG}"}


async def test_another_origin_has_the_same_files_below_its_own_address(
    bundle: Bundle, tmp_path: Path
) -> None:
    for name, data in FILES.items():
        (tmp_path / "copy/x").mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy/x" / name).write_bytes(data)
    stretch = bundle.stretch()
    async with (
        bundle.fetcher(str(tmp_path / "copy")) as fetcher,
        fetcher.transfer(bundle.url, name="x", kind="shard", bundle=stretch) as transfer,
    ):
        body = b"".join([chunk async for chunk in transfer])
    assert members(body) == {f"x/{name}": data for name, data in FILES.items()}
    assert bundle.origin.requests == []
