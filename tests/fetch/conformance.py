"""What every kind of source has to do, whatever it reads from: one suite, and a provider for each kind.

A :class:`Provider` stands up a real server or folder on this machine, hosts the files it is given, and
misbehaves when it is told to, as far as its kind can. :class:`Conformance` holds the tests; they go through
:class:`~kdl.fetch.transfer.Fetcher` and :class:`~kdl.fetch.sources.Sources`, as a run does, and never look at
what is behind a URL. What a kind can not do its provider says in :class:`Can`; the suite then asserts what is
promised in its place, never nothing.

A new kind joins in a test module of its own::

    from conformance import Can, Conformance, Provider

    class Torrent(Provider):
        can = Can(condition=False)
        async def put(self, path, data): ...
        def url(self, path): ...

    class TestTorrent(Conformance):
        @pytest.fixture
        async def provider(self, tmp_path):
            async with a_swarm(tmp_path) as provider:
                yield provider

Paths are relative, with folders in them, and unquoted. Files may be put before and after a URL was asked for;
a provider whose kind has to know them all beforehand can make itself anew with each ``put``.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kdl.errors import FetchError, PermanentError, SourceChanged
from kdl.events import Event, RetryScheduled, TransferProgress
from kdl.fetch.evidence import Evidence, Proof
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.source import Opened
from kdl.fetch.sources import SourceOptions, Sources
from kdl.fetch.stream import Transfer
from kdl.fetch.transfer import Fetcher

BODY = random.Random(11).randbytes(1_700_017)
"""Incompressible, of several chunks and no round length."""
NAMES = (
    "plain.mp4",
    "two words.mp4",
    'it\'s "quoted".mp4',
    "a+b=c&d;e,f.mp4",
    "50%.mp4",
    "100%25.mp4",
    "number #1.mp4",
    "why?.mp4",
    "(round) [square] {curly}.mp4",
    "at@home:80.mp4",
    "-_-dashes~.mp4",
    "é, ß and 中文.mp4",
)
_WAIT_S = 30.0


@dataclass(frozen=True)
class Can:
    """What a kind of source is able to do."""

    resume: bool = True
    """Reads from any byte on. Else the whole comes again, from byte 0, and says so."""
    ranges: bool = True
    """Ends where it is told to. Else the whole comes."""
    validate: bool = True
    """Tells versions of an object apart. Else nothing is resumed by a later run."""
    condition: bool = True
    """Answers ``known_etag`` without bytes where nothing has changed. Else it sends them."""
    replace: bool = True
    """An object can become another one at its URL."""
    size: bool = True
    """Tells sizes beforehand."""
    list: bool = True
    """Lists folders. Else it says that it does not, and what to do."""
    list_sizes: bool = True
    empty: bool = True
    """Holds files without a byte."""
    pages: bool = True
    """May send a page in place of the data."""
    proof: Proof = Proof.NONE
    """What its own digest proves of a whole object."""


class Provider:
    """Hosts files for one kind of source."""

    can = Can()
    names: tuple[str, ...] = NAMES
    """Names that its kind can hold."""

    @property
    def options(self) -> SourceOptions:
        """What its kind has to be told to find what was put until now."""
        return SourceOptions()

    async def put(self, path: str, data: bytes) -> str:
        """Host ``data``, in place of what was there; its URL."""
        raise NotImplementedError

    def url(self, path: str) -> str:
        """The URL of a file that is there or not, or of a folder: then with a slash at its end."""
        raise NotImplementedError

    async def busy_once(self, path: str) -> bool:
        """Fail the next request for the file in a way that passes; False where the kind can not."""
        return False

    async def cut_once(self, path: str) -> bool:
        """End the next answer in the midst of the file; False where the kind can not."""
        return False

    def forbidding(self, path: str) -> AbstractContextManager[object] | None:
        """A context in which the file may not be read; None where the kind can not."""
        return None


class Told(list[Event]):
    """Events, in order, of fetchers that read from ``provider``."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider

    def retries(self) -> list[RetryScheduled]:
        return [event for event in self if isinstance(event, RetryScheduled)]


def fetcher(told: Told, **options: Any) -> Fetcher:
    """One that does not wait long between tries."""
    policy = RetryPolicy(tries=3, base=0.001, cap=0.002)
    sources = told.provider.options
    return Fetcher(Origins({}), emit=told.append, retry=policy, stall_s=_WAIT_S, sources=sources, **options)


async def whole(reading: Fetcher, url: str, spool: Path | None = None) -> tuple[bytes, Transfer]:
    async with reading.transfer(url, name="object", kind="shard", spool_dir=spool) as transfer:
        body = b"".join([chunk async for chunk in transfer])
    return body, transfer


async def read(opened: Opened) -> bytes:
    return b"".join([chunk async for chunk in opened.chunks])


def open_files() -> int:
    """Descriptors of this process. What a server in it has dropped is let go first; a client may not rely
    on that: what it leaves open is a ResourceWarning, and so a failure."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until ``holds()`` is true."""
    async with asyncio.timeout(_WAIT_S):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


class Conformance:
    """The suite. A class that inherits from it has a fixture ``provider``."""

    @pytest.fixture
    def told(self, provider: Provider) -> Told:
        return Told(provider)

    @pytest.fixture(autouse=True)
    def _no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    async def test_an_object_comes_whole_with_its_size_and_digests(
        self, provider: Provider, told: Told
    ) -> None:
        url = await provider.put("k/a.tar", BODY)
        async with fetcher(told) as reading:
            before = await reading.stat(url)
            body, transfer = await whole(reading, url)
        assert body == BODY
        assert before.size == (len(BODY) if provider.can.size else None)
        assert transfer.stat.size in (before.size, len(BODY))
        assert bool(before.validator) is provider.can.validate
        evidence = Evidence(transfer.stat)
        evidence.update(body)
        assert evidence.sha256 == hashlib.sha256(BODY).hexdigest()
        assert evidence.prove() is provider.can.proof
        assert told.retries() == []

    async def test_over_several_connections_it_is_the_same(self, provider: Provider, told: Told) -> None:
        url = await provider.put("k/a.tar", BODY)
        async with fetcher(told, connections_per_file=3) as reading:
            body, _ = await whole(reading, url)
        assert body == BODY

    async def test_it_is_resumed_at_any_byte(self, provider: Provider) -> None:
        url = await provider.put("k/a.tar", BODY)
        async with Sources(provider.options) as source:
            validator = (await source.stat(url)).validator
            for offset in (1, 700_001, len(BODY) - 1, len(BODY)):
                async with source.open(url, offset, validator) as opened:
                    rest = await read(opened)
                if provider.can.resume:
                    status = 416 if offset == len(BODY) else 206
                    assert (opened.offset, opened.status, rest) == (offset, status, BODY[offset:])
                else:
                    assert (opened.offset, opened.status, rest) == (0, 200, BODY)

    async def test_a_range_ends_where_it_should(self, provider: Provider) -> None:
        url = await provider.put("k/a.tar", BODY)
        async with Sources(provider.options) as source:
            for first, last in ((0, 0), (5, 1_200_000), (len(BODY) - 9, len(BODY) + 9)):
                async with source.open(url, first, last=last) as opened:
                    part = await read(opened)
                if provider.can.ranges:
                    assert (opened.offset, opened.status, part) == (first, 206, BODY[first : last + 1])
                else:
                    assert (opened.offset, opened.status, part) == (0, 200, BODY)

    async def test_a_part_of_it_comes_alone(self, provider: Provider, told: Told) -> None:
        """What repairs and seek indexes live on."""
        url = await provider.put("k/a.tar", BODY)
        async with fetcher(told) as reading:
            known = await reading.stat(url)
            if provider.can.ranges:
                assert await reading.part(url, known, 9, 1_300_000, name="part") == BODY[9:1_300_000]
                return
            with pytest.raises(PermanentError, match="no ranges"):
                await reading.part(url, known, 9, 1_300_000, name="part")

    async def test_another_object_at_the_url_is_noticed(
        self, provider: Provider, told: Told, tmp_path: Path
    ) -> None:
        if not provider.can.replace:
            pytest.skip("its objects never change")
        url = await provider.put("k/a.tar", BODY)
        async with fetcher(told) as reading, Sources(provider.options) as source:
            old = await source.stat(url)
            async with reading.transfer(url, name="object", kind="shard", spool_dir=tmp_path) as transfer:
                await anext(aiter(transfer))
            await provider.put("k/a.tar", BODY[::-1][:-1])
            if provider.can.validate and provider.can.resume:
                with pytest.raises(SourceChanged) as raised:
                    async with source.open(url, 1000, old.validator) as opened:
                        await read(opened)
                assert raised.value.subject == url
            body, transfer = await whole(reading, url, tmp_path)
        assert body == BODY[::-1][:-1]
        assert transfer.resumed == 0

    async def test_a_later_run_goes_on_where_one_was_left(
        self, provider: Provider, told: Told, tmp_path: Path
    ) -> None:
        url = await provider.put("k/a.tar", BODY)
        async with (
            fetcher(told) as reading,
            reading.transfer(url, name="object", kind="shard", spool_dir=tmp_path) as transfer,
        ):
            await anext(aiter(transfer))
        async with fetcher(told) as reading:
            body, transfer = await whole(reading, url, tmp_path)
        assert body == BODY
        if provider.can.resume and provider.can.validate and provider.can.size:
            assert 0 < transfer.resumed < len(BODY)
            assert transfer.fetched == len(BODY) - transfer.resumed
        elif not provider.can.validate:
            assert transfer.resumed == 0

    async def test_cancelled_in_the_middle_nothing_is_left_open(
        self, provider: Provider, told: Told, tmp_path: Path
    ) -> None:
        url = await provider.put("k/a.tar", BODY)
        async with fetcher(told) as reading:  # what the first use of a kind loads stays
            await whole(reading, url)
        before, tasks = open_files(), len(asyncio.all_tasks())
        begun = asyncio.Event()

        async def run() -> None:
            async with (
                fetcher(told) as reading,
                reading.transfer(url, name="object", kind="shard", spool_dir=tmp_path) as transfer,
            ):
                async for _ in transfer:
                    begun.set()
                    await asyncio.sleep(_WAIT_S)

        running = asyncio.create_task(run())
        await begun.wait()
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        await eventually(lambda: open_files() <= before and len(asyncio.all_tasks()) <= tasks)

    async def test_a_failure_that_passes_is_tried_again(self, provider: Provider, told: Told) -> None:
        url = await provider.put("k/a.tar", BODY)
        able = await provider.busy_once("k/a.tar")
        async with fetcher(told) as reading:
            body, _ = await whole(reading, url)
        assert body == BODY
        assert len(told.retries()) == able
        assert all(event.reason and event.subject == "object" for event in told.retries())

    async def test_a_transfer_that_breaks_off_goes_on(
        self, provider: Provider, told: Told, tmp_path: Path
    ) -> None:
        url = await provider.put("k/a.tar", BODY)
        able = await provider.cut_once("k/a.tar")
        async with fetcher(told) as reading:
            body, transfer = await whole(reading, url, tmp_path)
        assert body == BODY
        assert len(told.retries()) == able
        assert transfer.received == len(BODY)

    async def test_what_is_missing_is_given_up_at_once(self, provider: Provider, told: Told) -> None:
        await provider.put("k/a.tar", BODY)
        url = provider.url("k/nothing here.tar")
        async with fetcher(told) as reading:
            with pytest.raises(PermanentError) as raised:
                await whole(reading, url)
            with pytest.raises(PermanentError):
                await reading.stat(url)
        _in_words(raised.value, url)
        assert told.retries() == []

    async def test_what_may_not_be_read_is_given_up_with_a_way_out(
        self, provider: Provider, told: Told
    ) -> None:
        url = await provider.put("k/a.tar", BODY)
        forbidding = provider.forbidding("k/a.tar")
        if forbidding is None:
            pytest.skip("nothing of this kind can be forbidden here")
        async with fetcher(told) as reading:
            with forbidding, pytest.raises(PermanentError) as raised:
                await whole(reading, url)
        _in_words(raised.value, url)
        assert told.retries() == []

    async def test_a_page_in_place_of_the_data_is_refused(self, provider: Provider, told: Told) -> None:
        if not provider.can.pages:
            pytest.skip("its bytes are proved")
        url = await provider.put("k/a.tar", b"<!DOCTYPE html><html><body>Too many users</body></html>" * 40)
        async with fetcher(told) as reading:
            with pytest.raises(PermanentError, match="page") as raised:
                await whole(reading, url)
        _in_words(raised.value, url)

    async def test_an_empty_object_is_empty(self, provider: Provider, told: Told) -> None:
        if not provider.can.empty:
            pytest.skip("it holds no empty files")
        url = await provider.put("k/empty.tar", b"")
        for connections in (1, 3):
            async with fetcher(told, connections_per_file=connections) as reading:
                body, transfer = await whole(reading, url)
                assert (body, transfer.received) == (b"", 0)
                assert (await reading.stat(url)).size in (0, None)

    async def test_progress_is_told_to_the_last_byte(self, provider: Provider, told: Told) -> None:
        url = await provider.put("k/a.tar", BODY)
        async with fetcher(told) as reading:
            await whole(reading, url)
        received = [event.received for event in told if isinstance(event, TransferProgress)]
        assert received == sorted(received)
        assert received[-1] == len(BODY)

    async def test_what_has_not_changed_is_not_sent_again(
        self, provider: Provider, told: Told, tmp_path: Path
    ) -> None:
        url = await provider.put("k/list.txt", b"one\ntwo\n" * 500)
        path = tmp_path / "list.txt"
        async with fetcher(told) as reading:
            first = await reading.save(url, path, name="list", kind="list")
            again = await reading.save(url, path, name="list", kind="list", known_etag=first.etag)
            assert (first.changed, first.size) == (True, 4000)
            assert again.sha256 == first.sha256
            assert again.changed is not provider.can.condition
            if provider.can.replace:
                await provider.put("k/list.txt", b"three\n")
                assert (
                    await reading.save(url, path, name="list", kind="list", known_etag=first.etag)
                ).changed
                assert path.read_bytes() == b"three\n"

    async def test_a_folder_is_listed_to_its_last_file(self, provider: Provider, told: Told) -> None:
        files = {f"abseiling/{name}": name.encode() for name in provider.names}
        files |= {"deep/er/still/x.mp4": b"deep", "top.csv": b"label\n"}
        for path, data in files.items():
            await provider.put(f"data/{path}", data)
        await provider.put("beside.mp4", b"not below")
        url = provider.url("data/")
        async with fetcher(told) as reading:
            if not provider.can.list:
                with pytest.raises(PermanentError) as raised:
                    await reading.listing(url)
                _in_words(raised.value, url)
                return
            found = await reading.listing(url)
            assert [file.path for file in found] == sorted(files)
            for file in found:
                data = files[file.path]
                assert file.size in ((len(data),) if provider.can.list_sizes else (len(data), None))
                assert await reading.read(file.url, name=file.path, kind="list") == data
            with pytest.raises(FetchError) as raised:
                await reading.listing(provider.url("no such folder/"))
        _in_words(raised.value, provider.url("no such folder/"))

    async def test_any_name_is_asked_for_as_it_is(self, provider: Provider, told: Told) -> None:
        urls = {name: await provider.put(f"odd & ends/{name}", name.encode()) for name in provider.names}
        async with fetcher(told) as reading:
            for name, url in urls.items():
                assert await reading.read(url, name=name, kind="list") == name.encode()
        assert told.retries() == []


def _in_words(error: FetchError, url: str) -> None:
    """An error for people: of this URL, in a sentence, without what only programmers read."""
    assert error.subject == url
    assert len(error.message) > 8
    assert not any(word in error.message for word in ("Error(", "Exception", "Traceback", "errno"))
    assert error.exit_code == 4
