"""Torrents from a swarm on this machine, by a real aria2 on each side."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path

import pytest
from conformance import eventually
from torrents import (
    PIECE,
    Swarm,
    Torrent,
    Tracker,
    fill,
    free_ports,
    make_torrent,
    seeding,
    tracked,
    trackerless,
)

from kdl.errors import PermanentError, RetryCause, SourceChanged, ToolMissing, TransientError, UsageError
from kdl.events import Event, Noted, SwarmProgress
from kdl.fetch.evidence import Evidence, Proof
from kdl.fetch.source import RemoteFile
from kdl.fetch.timetable import Timetable
from kdl.fetch.torrent import TorrentSource
from kdl.fetch.torrentoptions import TorrentHints, TorrentOptions
from tests.replica import nginx

_rng = random.Random(5)
FILES = {
    f"{split}_256/{label}/{number}.mp4": _rng.randbytes(150_000 + 9_001 * number)
    for split in ("train", "val")
    for label in ("abseiling", "zumba")
    for number in range(4)
}
ORDER = sorted(FILES)


@pytest.fixture(scope="module")
def torrent(tmp_path_factory: pytest.TempPathFactory) -> Torrent:
    tmp = tmp_path_factory.mktemp("torrent")
    return make_torrent(fill(tmp / "seed" / "k400", FILES), tmp / "k400.torrent")


def opened(
    options: TorrentOptions, tell: Callable[[Event], None] = lambda event: None, stall_s: float = 60.0
) -> TorrentSource:
    return TorrentSource(options, stall_s=stall_s, connect_s=5.0, tell=tell)


async def body(source: TorrentSource, url: str, offset: int = 0, last: int | None = None) -> bytes:
    async with source.open(url, offset, last=last) as file:
        return b"".join([piece async for piece in file.chunks])


def here(folder: Path, torrent: Torrent) -> dict[str, int]:
    """What is on the disk of the torrent's files: bytes of each, as far as they were written."""
    top = folder / torrent.infohash / torrent.folder.name
    return {
        path.relative_to(top).as_posix(): 512 * path.stat().st_blocks
        for path in top.rglob("*")
        if path.is_file()
    }


@dataclass
class Told:
    """What a run of the source left for the tests to read."""

    listing: list[RemoteFile] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    on_disk: dict[str, int] = field(default_factory=dict)
    beside: list[str] = field(default_factory=list)
    proof: Proof = Proof.NONE
    stall: TransientError | None = None
    events: list[Event] = field(default_factory=list)
    end: list[str] = field(default_factory=list)


async def _run(torrent: Torrent, swarm: Swarm, folder: Path) -> Told:
    """Two neighbours; then a run without any peer, which finds one of them whole and one of them rotten."""
    told = Told()
    options = replace(swarm.options, folder=folder, metainfo=torrent.file)
    async with opened(options, told.events.append) as source:
        told.listing = await source.listing(f"{torrent.url}train_256/")
        urls = [file.url for file in told.listing]
        await source.prefetch(urls[1:3])
        for url in urls[1:3]:
            told.bodies[url] = await body(source, url)
        told.on_disk = here(folder, torrent)
        told.beside = [path.name for path in folder.iterdir()]
        told.bodies["part"] = await body(source, urls[1], 1000, 1999)
        async with source.open(urls[1]) as file:
            evidence = Evidence(file.stat)
            async for piece in file.chunks:
                evidence.update(piece)
            told.proof = evidence.prove()
    swarm.kill()
    _rot(folder / torrent.infohash / "k400" / ORDER[2])
    async with opened(replace(options, metainfo=None), stall_s=0.3) as source:
        told.bodies["resumed"] = await body(source, urls[1])
        with pytest.raises(TransientError) as raised:
            await body(source, urls[2])
        told.stall = raised.value
        await source.release(urls)
    told.end = [path.name for path in (folder / torrent.infohash).rglob("*")]
    return told


def _rot(file: Path) -> None:
    """One bit of it is another one."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.fixture(scope="module")
def told(torrent: Torrent, tmp_path_factory: pytest.TempPathFactory) -> Told:
    tmp = tmp_path_factory.mktemp("tracked")
    with tracked(torrent, tmp) as swarm:
        return asyncio.run(_run(torrent, swarm, tmp / "leech"))


def test_a_folder_of_a_torrent_is_listed_with_sizes(told: Told, torrent: Torrent) -> None:
    train = [name for name in ORDER if name.startswith("train_256/")]
    assert [file.path for file in told.listing] == [name.removeprefix("train_256/") for name in train]
    assert [file.size for file in told.listing] == [len(FILES[name]) for name in train]
    assert told.listing[0].url == f"{torrent.url}{train[0]}"


def test_files_come_as_they_are_with_their_pieces_as_proof(told: Told) -> None:
    for file in told.listing[1:3]:
        assert told.bodies[file.url] == FILES[f"train_256/{file.path}"]
    assert told.bodies["part"] == FILES[ORDER[1]][1000:2000]
    assert told.proof is Proof.PIECES


def test_only_what_is_wanted_comes_and_the_pieces_shared_with_neighbours(told: Told) -> None:
    assert set(told.on_disk) == set(ORDER[:4])
    for neighbour in (ORDER[0], ORDER[3]):
        assert told.on_disk[neighbour] < PIECE + 4096 < len(FILES[neighbour])


def test_it_is_told_how_far_the_torrent_is(told: Told) -> None:
    progress = [event for event in told.events if isinstance(event, SwarmProgress)]
    assert progress
    assert all(event.name == "k400" and 0 < event.received <= event.size for event in progress)


def test_the_secret_of_aria2_is_on_no_disk_while_it_runs(told: Told) -> None:
    assert "aria2.log" in told.beside
    assert "aria2.conf" not in told.beside


def test_an_interrupted_run_goes_on_from_what_is_here_and_trusts_none_of_it(told: Told) -> None:
    assert told.bodies["resumed"] == FILES[ORDER[1]]
    assert told.stall is not None
    assert told.stall.message.startswith("nothing came for 0.3 s: no peer was found")
    assert told.stall.cause is RetryCause.STALL
    assert "firewall" in told.stall.fix


def test_in_the_end_all_that_was_released_is_gone(told: Told, torrent: Torrent) -> None:
    assert told.end == [f"{torrent.infohash}.torrent"]


async def test_the_metadata_comes_from_the_web_where_it_is_there(torrent: Torrent, tmp_path: Path) -> None:
    with nginx.serve(torrent.file.parent, exact=False) as server:
        hints = ((torrent.infohash, TorrentHints(f"{server.url}{torrent.file.name}")),)
        async with opened(TorrentOptions(folder=tmp_path, hints=hints)) as source:
            assert len(await source.listing(torrent.url)) == len(FILES)
    assert (tmp_path / torrent.infohash / f"{torrent.infohash}.torrent").is_file()
    assert not (tmp_path / "aria2.log").exists()


async def _far_and_near(torrent: Torrent, options: TorrentOptions) -> None:
    """Peers tell what there is; a file far off comes later, and the first again, released meanwhile."""
    assert options.folder is not None
    events: list[Event] = []
    known = options.hints_of(torrent.infohash)
    hints = ((torrent.infohash, replace(known, metainfo_url="http://127.0.0.1:9/gone.torrent")),)
    async with opened(replace(options, hints=hints), events.append, stall_s=300.0) as source:
        urls = [file.url for file in await source.listing(f"{torrent.url}train_256/")]
        await source.prefetch(urls[1:3])
        assert await body(source, urls[1]) == FILES[ORDER[1]]
        assert await body(source, urls[2]) == FILES[ORDER[2]]
        await source.release(urls[1:3])
        assert not {ORDER[1], ORDER[2]} & set(here(options.folder, torrent))
        await source.prefetch([urls[1], urls[6]])
        assert await body(source, urls[1]) == FILES[ORDER[1]]
        assert await body(source, urls[6]) == FILES[ORDER[6]]
        assert set(here(options.folder, torrent)) <= {*ORDER[:3], *ORDER[5:8]}
        await source.release(urls)
    assert here(options.folder, torrent) == {}
    [note] = [event.text for event in events if isinstance(event, Noted)]
    assert "gone.torrent: no connection" in note


@pytest.mark.long
async def test_the_choice_of_files_changes_while_it_runs(torrent: Torrent, tmp_path: Path) -> None:
    with tracked(torrent, tmp_path) as swarm:
        await _far_and_near(torrent, replace(swarm.options, folder=tmp_path / "leech"))


@pytest.mark.long
@pytest.mark.parametrize("rate", [30_000, Timetable(((time(), 30_000),))])
async def test_the_limit_on_the_rate_is_kept(torrent: Torrent, tmp_path: Path, rate: int | Timetable) -> None:
    loop = asyncio.get_running_loop()
    with tracked(torrent, tmp_path) as swarm:
        options = replace(swarm.options, folder=tmp_path / "l", metainfo=torrent.file, limit_rate=rate)
        async with opened(options) as source:
            began = loop.time()
            assert await body(source, f"{torrent.url}{ORDER[3]}") == FILES[ORDER[3]]
            assert loop.time() - began > 0.6 * len(FILES[ORDER[3]]) / 30_000


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_without_a_tracker_it_is_the_same(torrent: Torrent, tmp_path: Path) -> None:
    with trackerless(torrent, tmp_path) as swarm:
        await _far_and_near(torrent, replace(swarm.options, folder=tmp_path / "leech"))


@pytest.mark.long
async def test_a_tracker_that_refuses_is_named(torrent: Torrent, tmp_path: Path) -> None:
    with Tracker(refusal=b"no such torrent here") as tracker:
        hints = ((torrent.infohash, TorrentHints(trackers=(tracker.url,))),)
        options = TorrentOptions(
            folder=tmp_path, hints=hints, metainfo=torrent.file, listen=free_ports(), dht=False, lsd=False
        )
        async with opened(options, stall_s=1.5) as source:
            with pytest.raises(TransientError, match=r"127.0.0.1.*no such torrent here"):
                await body(source, f"{torrent.url}{ORDER[0]}")


async def test_what_a_torrent_does_not_hold_is_given_up_at_once(torrent: Torrent, tmp_path: Path) -> None:
    async with opened(TorrentOptions(folder=tmp_path, metainfo=torrent.file)) as source:
        for url in (f"{torrent.url}train_256/none.mp4", f"{torrent.url}train_256", torrent.url):
            with pytest.raises(PermanentError, match="at its top it has 'train_256', 'val_256'") as raised:
                await source.stat(url)
            assert (raised.value.status, raised.value.subject) == (404, url)
        with pytest.raises(PermanentError, match="no such folder"):
            await source.listing(f"{torrent.url}test_256/")
        with pytest.raises(PermanentError, match="no infohash"):
            await source.stat("torrent://k400/x.mp4")
        url = f"{torrent.url}{ORDER[0]}"
        tag = (await source.stat(url)).etag
        with pytest.raises(SourceChanged):
            async with source.open(url, 10, '"another"'):
                pass
        async with (
            source.open(url, known_etag=tag) as same,
            source.open(url, len(FILES[ORDER[0]]), tag) as end,
        ):
            assert (same.status, end.status) == (304, 416)
    assert not (tmp_path / "aria2.log").exists()


async def test_a_file_of_another_torrent_is_a_wrong_move(torrent: Torrent, tmp_path: Path) -> None:
    other = make_torrent(fill(tmp_path / "other", {"x": b"y"}), tmp_path / "other.torrent")
    async with opened(TorrentOptions(folder=tmp_path, metainfo=other.file)) as source:
        with pytest.raises(UsageError, match="another torrent") as raised:
            await source.listing(torrent.url)
    assert raised.value.subject == f"--torrent {other.file}"


async def test_without_aria2_it_is_said_how_to_get_it(
    torrent: Torrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with opened(TorrentOptions(folder=tmp_path, metainfo=torrent.file)) as source:
        with pytest.raises(ToolMissing) as raised:
            await body(source, f"{torrent.url}{ORDER[0]}")
    assert "apt install aria2" in raised.value.fix


@pytest.mark.long
async def test_a_seeder_that_is_killed_is_a_stall_and_the_next_goes_on(
    torrent: Torrent, tmp_path: Path
) -> None:
    events: list[Event] = []
    url = f"{torrent.url}{ORDER[1]}"
    with Tracker() as tracker:

        def seeder() -> list[str]:
            own = f"--listen-port={free_ports()}"
            return [own, "--enable-dht=false", f"--bt-tracker={tracker.url}", "--max-upload-limit=40K"]

        hints = ((torrent.infohash, TorrentHints(trackers=(tracker.url,))),)
        options = TorrentOptions(
            folder=tmp_path / "l",
            hints=hints,
            metainfo=torrent.file,
            listen=free_ports(),
            dht=False,
            lsd=False,
        )
        async with opened(options, events.append, stall_s=3.0) as source:
            with seeding(torrent, tmp_path / "1.log", *seeder()):
                await source.prefetch([url])
                await eventually(lambda: any(isinstance(event, SwarmProgress) for event in events))
            with pytest.raises(TransientError, match=r"came for 3 s: (no peer was found|.* has 0 of)"):
                await body(source, url)
            before = sum(here(tmp_path / "l", torrent).values())
            assert before > 0
            with seeding(torrent, tmp_path / "2.log", *seeder()):
                assert await _patiently(lambda: body(source, url)) == FILES[ORDER[1]]


@pytest.mark.long
async def test_pieces_that_do_not_match_are_dropped_and_told(torrent: Torrent, tmp_path: Path) -> None:
    spoilt = dict(FILES)
    data = bytearray(spoilt[ORDER[1]])
    data[70_000] ^= 1
    spoilt[ORDER[1]] = bytes(data)
    torrent = make_torrent(torrent.folder, tmp_path / "k400.torrent", piece=1 << 17)
    liar = replace(torrent, folder=fill(tmp_path / "liar" / "k400", spoilt))
    more = ["--check-integrity=false", "--bt-seed-unverified=true", "--max-upload-limit=100K"]
    with tracked(liar, tmp_path, *more) as swarm:
        options = replace(swarm.options, folder=tmp_path / "leech", metainfo=torrent.file)
        async with opened(options, stall_s=8.0) as source:
            assert await body(source, f"{torrent.url}{ORDER[3]}") == FILES[ORDER[3]]
            told = ""
            async with asyncio.timeout(150):
                while "do not match their hashes" not in told:  # until they come, no peer is there
                    with pytest.raises(TransientError) as raised:
                        await body(source, f"{torrent.url}{ORDER[1]}")
                    told = raised.value.message


@pytest.mark.long
async def test_peers_that_have_only_a_part_are_said_to(torrent: Torrent, tmp_path: Path) -> None:
    part = {name: FILES[name] if name.startswith("train") else b"" for name in ORDER}
    poor = replace(torrent, folder=fill(tmp_path / "poor" / "k400", part))
    with tracked(poor, tmp_path) as swarm:
        options = replace(swarm.options, folder=tmp_path / "leech", metainfo=torrent.file)
        async with opened(options, stall_s=5.0) as source:
            assert await body(source, f"{torrent.url}{ORDER[1]}") == FILES[ORDER[1]]
            with pytest.raises(TransientError, match=r"has 0 of the \d+ pieces"):
                await body(source, f"{torrent.url}{ORDER[-1]}")


@pytest.mark.long
async def test_seeding_keeps_what_came_and_ends_when_it_should(torrent: Torrent, tmp_path: Path) -> None:
    events: list[Event] = []
    url = f"{torrent.url}{ORDER[1]}"
    with tracked(torrent, tmp_path) as swarm:
        options = replace(
            swarm.options, folder=tmp_path / "leech", metainfo=torrent.file, seed_min=0.05, seed_ratio=50.0
        )
        async with opened(options, events.append) as source:
            assert await body(source, url) == FILES[ORDER[1]]
            await source.release([url])
            assert ORDER[1] in here(tmp_path / "leech", torrent)
            began = asyncio.get_running_loop().time()
            await source.finish()
            assert asyncio.get_running_loop().time() - began >= 3
    assert ORDER[1] in here(tmp_path / "leech", torrent)
    assert [event.text for event in events if isinstance(event, Noted)][-1].startswith("k400: gave ")
    async with opened(replace(options, seed_min=None, seed_ratio=None)) as source:
        await source.listing(torrent.url)
        await source.release([url])
    assert ORDER[1] in here(tmp_path / "leech", torrent)


async def _patiently(attempt: Callable[[], Awaitable[bytes]]) -> bytes:
    async with asyncio.timeout(120):
        while True:
            try:
                return await attempt()
            except TransientError:
                await asyncio.sleep(0.1)
