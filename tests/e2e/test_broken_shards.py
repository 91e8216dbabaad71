"""Archives as they should not be: what is read of them all the same, and what is told of the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.archives import BROKEN, cut
from tests.e2e.running import kdl
from tests.e2e.unruly import (
    ALONE,
    REPLACEMENT,
    Member,
    Origin,
    always,
    clip_name,
    host,
    noise,
    plain_shards,
    shard_name,
    tar,
    targz,
    three_clips,
)
from tests.faults.hostile import Act

RED = "[red]\x1b[31mname\u202e[/red]"
"""Obeyed by a terminal, and by a library that reads markup."""
SIZE = 60_000
CUT = cut(targz, 0.75)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


@pytest.mark.parametrize("face", [(), ("--quiet",)])
def test_names_from_outside_are_shown_and_not_obeyed(
    origin: Origin, tmp_path: Path, face: tuple[str, ...]
) -> None:
    members = [Member(f"./{RED}.mp4", b"x"), *three_clips(0)]
    data = host(origin, tmp_path, {shard_name(0): targz(members)}, listed=[clip_name(n) for n in range(3)])
    done = kdl("fetch", data.manifest, "--root", data.root, "--origin", origin.base, *face, **ALONE)
    said = done.out + done.err
    assert done.code == 0
    assert r"[red]\x1b[31mname\u202e[/red].mp4" in said
    assert "\x1b" not in said
    assert "\u202e" not in said


def expected(names: list[str]) -> dict[str, str]:
    return {f"videos/train/abseiling/{name}": hashlib.sha256(noise(name, SIZE)).hexdigest() for name in names}


@pytest.mark.parametrize("s3", [True, False], ids=["host tells digests", "host tells none"])
def test_what_is_broken_at_the_source(origin: Origin, tmp_path: Path, s3: bool) -> None:
    cases = dict(zip(BROKEN, range(len(BROKEN)), strict=True))
    whole = len(BROKEN)
    names = [clip_name(10 * shard + each) for shard in range(whole + 1) for each in range(4)]
    unhosted = [clip_name(10 * shard + 3) for shard in range(whole + 1)]
    shards = {shard_name(n): BROKEN[case].make(three_clips(n, SIZE)) for case, n in cases.items()}
    shards[shard_name(whole)] = targz(three_clips(whole, SIZE))
    data = host(origin, tmp_path, shards, listed=names)
    if not s3:
        for name in shards:
            data.thing(name).s3 = False

    first = data.run("fetch")

    assert first.code == 1
    told = {f["subject"]: f["detail"] for f in first.result["findings"] if f["kind"] == "shard_broken"}
    assert set(told) == {f"train/{shard_name(n)}" for n in cases.values()}
    verdicts = data.verdicts()
    for case, n in cases.items():
        clips = len(BROKEN[case].had)
        assert BROKEN[case].broken in told[f"train/{shard_name(n)}"], case
        found = [verdicts[clip_name(10 * n + each)] for each in range(4)]
        assert sorted(found) == ["pending"] * (4 - clips) + ["unchecked"] * clips, case
        assert len(origin.gets(shard_name(n))) == (1 if s3 else 2), case
    proofs = {row["proof"] for name, row in data.objects().items() if name in shards}
    assert proofs == {"md5" if s3 else "none"}
    # A split that was not read whole tells nothing about what was never hosted.
    assert verdicts[clip_name(10 * whole + 3)] == "pending"
    assert first.result["clips"]["never_hosted"] == 0
    rows = data.rows("SELECT count(*) AS n FROM clips WHERE path IS NOT NULL AND provisional")
    assert rows[0]["n"] == sum(len(shape.had) for shape in BROKEN.values())
    assert data.debris() == []
    kept = data.videos()
    assert kept.items() <= expected(names).items()

    origin.requests.clear()
    second = data.run("fetch")
    assert (second.code, second.kinds()) == (1, {"shard_broken"})
    assert second.result["shards"] == {"done": 0, "failed": len(cases), "skipped": 1}
    assert {request.path for request in origin.gets()} & set(shards) == set()
    assert data.videos() == kept

    for n in cases.values():
        data.thing(shard_name(n)).body = body = targz(three_clips(n, SIZE))
        data.thing(shard_name(n)).etag = f'"{hashlib.md5(body).hexdigest()}"'
    third = data.run("fetch")
    assert third.code == 0
    assert third.kinds() == {"never_hosted_clips"}
    assert data.videos() == expected([name for name in names if name not in unhosted])
    assert data.rows("SELECT * FROM clips WHERE provisional") == []
    assert third.result["clips"]["never_hosted"] == whole + 1
    assert data.debris() == []


def test_a_broken_replacement_archive_gives_what_it_can(origin: Origin, tmp_path: Path) -> None:
    mends = three_clips(90)
    data = host(origin, tmp_path, plain_shards(1), replacement=CUT(mends))
    for _ in range(2):
        done = data.run("fetch")
        assert (done.code, done.kinds()) == (1, {"shard_broken"})
        assert data.debris() == [f".kdl/replacements/{each.name[2:]}" for each in mends[:2]]
        assert data.videos() == data.clips
    assert len(origin.gets(REPLACEMENT)) == 1
    assert data.objects()[REPLACEMENT]["proof"] == "md5"

    origin.put(REPLACEMENT, targz(mends), s3=True)
    done = data.run("fetch")
    assert (done.code, done.result["findings"]) == (0, [])
    assert data.debris() == [f".kdl/replacements/{each.name[2:]}" for each in mends]


def test_a_broken_shard_is_not_called_unchanged_where_the_host_is_silent(
    origin: Origin, tmp_path: Path
) -> None:
    data = host(
        origin, tmp_path, {shard_name(0): CUT(three_clips(0))}, listed=[clip_name(n) for n in range(3)]
    )
    assert data.run("fetch").kinds() == {"shard_broken"}
    always(Act(status=404), data.thing(shard_name(0)))
    done = data.run("fetch")
    assert (done.code, done.kinds()) == (4, {"object_failed"})
    assert len(data.videos()) == 2


def test_a_byte_that_flips_on_the_way_costs_a_second_fetch(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(4), s3=False)
    data.thing(shard_name(2)).s3 = True
    plain = {shard_name(n): tar(three_clips(n)) for n in (1, 2)}
    for name, body in plain.items():
        data.thing(name).body, data.thing(name).etag = body, f'"{hashlib.md5(body).hexdigest()}"'
    for n, at in ((0, 200_000), (2, 200_000), (3, 5000)):
        body = bytearray(data.thing(shard_name(n)).body)
        body[at] ^= 0x10
        data.thing(shard_name(n)).script = [Act(body=bytes(body))]

    done = data.run("fetch")

    assert (done.code, done.result["findings"]) == (0, [])
    assert data.videos() == data.clips
    assert [len(origin.gets(shard_name(n))) for n in range(4)] == [2, 1, 2, 2]
    assert data.rows("SELECT * FROM clips WHERE provisional") == []
    assert data.debris() == []
