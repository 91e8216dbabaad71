"""Where bytes come from, how fast, and what of the archives stays on disk."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import kdl, tree
from tests.e2e.unruly import (
    ALONE,
    ANNOTATION,
    DEAD,
    LIST,
    README,
    Origin,
    host,
    plain_shards,
    shard_name,
    targz,
    three_clips,
)
from tests.faults.hostile import GOOD, Act, Request


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


def test_an_origin_that_refuses_is_given_up_within_a_minute(origin: Origin, tmp_path: Path) -> None:
    """Its link list came from elsewhere; of its fifty shards none is waited for on its own."""
    data = host(origin, tmp_path, plain_shards(50))
    text = data.manifest.read_text()
    text = text.replace("hosts = {", 'hosts = { dead = "https://dead.invalid/",')
    text = text.replace(f'"{LIST}"', f'"bucket:{LIST}"').replace(f'"{ANNOTATION}"', f'"bucket:{ANNOTATION}"')
    data.manifest.write_text(text.replace(f'"{README}"', f'"bucket:{README}"'))
    dead = [f"https://dead.invalid/{shard_name(n)}\n" for n in range(50)]
    origin.put(LIST, "".join(dead).encode())

    done = data.run("fetch", origins=[f"bucket={origin.base}", f"dead={DEAD}"])

    assert done.code == 4
    assert done.result["elapsed_s"] < 60
    assert done.result["shards"] == {"done": 0, "failed": 50, "skipped": 0}
    failed = [f for f in done.result["findings"] if f["kind"] == "object_failed"]
    assert {f["subject"] for f in failed} == {f"{DEAD}/{shard_name(n)}" for n in range(50)}
    assert any("refuses every connection and is given up" in f["detail"] for f in failed)
    assert all("--origin" in f["fix"] for f in failed if "given up" in f["detail"])
    assert data.debris() == []


@pytest.mark.long
def test_an_origin_that_dies_under_way_is_given_up_within_a_minute(tmp_path: Path) -> None:
    """It answered, so its refusals are borne longer; but not once a shard."""

    class Mortal(Origin):
        async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
            if request.method == "GET" and request.path.startswith("part_"):
                assert self._server is not None
                self._server.close()
                return False
            return await super()._answer(request, writer)

    with Mortal() as origin:
        data = host(origin, tmp_path, plain_shards(50))
        done = data.run("fetch")
    assert done.code == 4
    assert done.result["elapsed_s"] < 60
    assert done.result["shards"] == {"done": 0, "failed": 50, "skipped": 0}
    assert data.debris() == []


def test_a_living_origin_stands_in_for_a_dead_one(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(2))
    done = data.run("fetch", "--tries", 2, origins=[DEAD, "default", origin.base])
    assert (done.code, done.result["findings"]) == (0, [])
    assert data.videos() == data.clips
    notes = " ".join(event["text"] for event in data.events("noted"))
    assert f"goes on at {origin.base}" in notes
    assert "goes on at https://bucket.invalid" in notes


def test_raw_lines_of_a_link_list_are_rebased(origin: Origin, tmp_path: Path) -> None:
    """K600's own lists hold blanks, brackets and quotes, and the address of the bucket."""
    names = ["massaging person's head", "mountain climber (exercise)", "abseiling"]
    held = {name: three_clips(number) for number, name in enumerate(names)}
    lines = [f"https://s3.amazonaws.com/kinetics/600/val/{name}.tar.gz" for name in names]
    origin.put("600/val/k600_val_path.txt", "\n".join(lines).encode())
    listing = ["val:", *names, ""]
    for name, members in held.items():
        origin.put(f"600/val/{name}.tar.gz", targz(members), s3=True)
        listing += [f"val/{name}:", *(member.name.removeprefix("./") for member in members), ""]
    origin.put("600/annotations/val.txt", "\n".join(listing).encode())
    origin.put("600/readme.md", b"# 600")

    root = tmp_path / "root"
    options = ["--root", root, "--split", "val", "--json", "--origin", f"{origin.base}/"]
    done = kdl("fetch", "k600", *options, **ALONE)

    assert done.code == 0
    assert done.result["shards"] == {"done": 3, "failed": 0, "skipped": 0}
    assert tree(root / "k600" / "videos" / "val") == {
        f"{name.replace(' ', '_')}/{Path(member.name).name}": hashlib.sha256(member.data).hexdigest()
        for name, members in held.items()
        for member in members
    }
    assert {request.path for request in origin.gets()} >= {f"600/val/{name}.tar.gz" for name in names}


def test_the_rate_is_limited_for_all_transfers_together(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, {shard_name(n): three_clips(n, 400_000) for n in range(5)})
    done = data.run("fetch", "--limit-rate", "2M")
    assert (done.code, data.videos()) == (0, data.clips)
    ended = [event for event in data.events("transfer_ended") if event["kind"] == "shard"]
    fetched = sum(event["fetched"] for event in ended)
    began = min(event["time"] - event["seconds"] for event in ended)
    rate = fetched / (max(event["time"] for event in ended) - began)
    assert fetched == sum(len(data.thing(shard_name(n)).body) for n in range(5))
    assert 1_400_000 < rate < 2_600_000


def test_without_a_spool_nothing_of_an_archive_is_on_disk(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(2))
    data.thing(shard_name(0)).script = [Act(close_after=300_000), Act(status=503)]
    first = data.run("fetch", "--no-spool", "--tries", 2)
    assert (first.code, data.debris()) == (4, [])
    origin.requests.clear()
    second = data.run("fetch", "--no-spool")
    assert (second.code, data.videos(), data.debris()) == (0, data.clips, [])
    assert [request.range_start for request in origin.gets(shard_name(0))] == [None]


def test_archives_are_kept_as_they_are(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(3))
    data.thing(shard_name(0)).script = [Act(close_after=300_000)]
    body = data.thing(shard_name(1)).body
    # Another time in the gzip header: sound, and not what the host's digest is of.
    data.thing(shard_name(1)).always = Act(body=body[:4] + b"\1" + body[5:])

    first = data.run("fetch", "--keep-archives", "--tries", 1)
    assert (first.code, first.result["shards"]["done"]) == (4, 1)
    assert any("do not match the host's digest" in told["detail"] for told in first.result["findings"])
    assert [name for name in data.debris() if "spool" not in name] == [f"archives/train/{shard_name(2)}"]
    data.thing(shard_name(1)).always = GOOD
    second = data.run("fetch", "--keep-archives")
    assert second.code == 0
    archives = [f"archives/train/{shard_name(n)}" for n in range(3)]
    assert data.debris() == archives
    for number, name in enumerate(archives):
        assert (data.base / name).read_bytes() == data.thing(shard_name(number)).body

    origin.requests.clear()
    third = data.run("fetch", "--keep-archives")
    assert (third.code, third.result["shards"]["skipped"], data.debris()) == (0, 3, archives)
    assert {request.path for request in origin.requests} == {LIST, ANNOTATION, README}
    assert data.videos() == data.clips


def test_the_proxy_of_the_environment(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(2))
    through = {"HTTP_PROXY": origin.base, "http_proxy": origin.base}
    done = data.run("fetch", origins=["http://bucket.invalid/kinetics"], **through)
    assert done.code == 4  # the proxy is asked for kinetics/…, which it has not
    for path in [LIST, ANNOTATION, README, *map(shard_name, range(2))]:
        origin.things[f"kinetics/{path}"] = data.thing(path)
    done = data.run("fetch", origins=["http://bucket.invalid/kinetics"], **through)
    assert (done.code, data.videos()) == (0, data.clips)
    assert {request.headers["host"] for request in origin.requests} == {"bucket.invalid"}

    with Origin() as other:
        for path in (LIST, ANNOTATION, README):
            other.things[path] = data.thing(path)
        origin.requests.clear()
        direct = data.run(
            "fetch", origins=[other.base], **through, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1"
        )
        assert direct.code == 0
        assert origin.requests == []
        assert {request.path for request in other.requests} == {LIST, ANNOTATION, README}
