"""Archives as they should not be: what is read of them all the same, and what is told of the rest."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    wrong_checksum,
)
from tests.faults.hostile import Act

RED = "[red]\x1b[31mname\u202e[/red]"
"""Obeyed by a terminal, and by a library that reads markup."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


def zipped(members: list[Member]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member.name, member.data)
    return buffer.getvalue()


def in_pieces(members: list[Member]) -> bytes:
    """One tar in several gzip members."""
    whole = tar(members)
    return b"".join(gzip.compress(whole[at : at + 100_000], 1) for at in range(0, len(whole), 100_000))


def odd_members(shard: int) -> list[Member]:
    """Three clips among all that is none."""
    first, *rest = three_clips(shard)
    clip = clip_name(999)
    return [
        Member("./", kind=tarfile.DIRTYPE),
        Member(f"./._{clip}", b"Mac OS X"),
        Member(f"../{clip}", b"outside"),
        Member(f"/tmp/{clip}", b"outside"),
        first,
        Member(f"./{clip}", kind=tarfile.SYMTYPE),
        Member(f"./{clip}", kind=tarfile.LNKTYPE),
        Member(f"./{clip}", kind=tarfile.CHRTYPE),
        Member(f"./{clip}", kind=tarfile.FIFOTYPE),
        *rest,
        Member(f"./{clip}", noise("too large", 700_000)),
        Member(f"./{RED}.mp4", b"no clip's name"),
        Member("./read me.txt", b"no clip"),
    ]


SOUND = {
    "a plain tar": tar,
    "a zip": zipped,
    "an xz": lambda members: lzma.compress(tar(members), preset=0),
    "a bz2": lambda members: bz2.compress(tar(members)),
    "several gzip members": in_pieces,
    "two tars": lambda members: targz(members[:1]) + targz(members[1:]),
    "garbage after the end": lambda members: targz(members) + b"left over from an upload" * 100,
    "zeros after the end": lambda members: targz(members) + bytes(10_000),
}


def test_every_kind_of_archive_is_read_by_its_content(origin: Origin, tmp_path: Path) -> None:
    makers = list(SOUND.values())
    names = [clip_name(10 * shard + each) for shard in range(len(makers)) for each in range(3)]
    shards = {shard_name(n): make(three_clips(n)) for n, make in enumerate(makers)}
    shards["nothing.tar.gz"] = targz([])
    data = host(origin, tmp_path, shards, listed=names)

    done = data.run("fetch")

    assert (done.code, done.result["findings"]) == (0, [])
    assert data.videos() == {
        f"videos/train/abseiling/{name}": hashlib.sha256(noise(name)).hexdigest() for name in names
    }
    assert {row["state"] for row in data.objects().values()} == {"done"}
    assert any("belong to no archive follow its end" in event["text"] for event in data.events("noted"))
    assert data.debris() == []


def test_what_is_no_clip_is_passed_over_and_told(origin: Origin, tmp_path: Path) -> None:
    names = [clip_name(10 * shard + each) for shard in range(2) for each in range(3)]
    tiny = [Member(f"{n % 7}/{n}.txt", b"x") for n in range(5000)]
    shards = {shard_name(0): targz(odd_members(0)), shard_name(1): targz([*tiny, *three_clips(1)])}
    data = host(origin, tmp_path, shards, listed=names, top='max_member = "500K"')

    done = data.run("fetch")

    assert done.code == 0
    told = {finding["subject"]: finding["detail"] for finding in done.result["findings"]}
    assert {finding["kind"] for finding in done.result["findings"]} == {"members_skipped"}
    assert "5000 x not a clip's name" in told["train/part_1.tar.gz"]
    for words in (
        "1 x AppleDouble file",
        "1 x path with .. in it",
        "1 x absolute path",
        "1 x symbolic link",
        "1 x hard link",
        "1 x device",
        "1 x fifo",
        "1 x larger than the cap",
        "2 x not a clip's name",
    ):
        assert words in told["train/part_0.tar.gz"]
    assert set(data.videos()) == {f"videos/train/abseiling/{name}" for name in names}
    assert data.debris() == []
    assert not Path("/tmp", clip_name(999)).exists()
    assert not list(tmp_path.rglob(clip_name(999)))


def test_five_thousand_tiny_clips(origin: Origin, tmp_path: Path) -> None:
    clips = [Member(clip_name(n), f"{n}".encode()) for n in range(5000)]
    data = host(origin, tmp_path, {shard_name(0): clips})
    done = data.run("fetch")
    assert (done.code, done.result["clips"]["unchecked"]) == (0, 5000)
    assert data.videos() == data.clips


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


def cut(members: list[Member]) -> bytes:
    """The upload of it broke off: without its last quarter."""
    body = targz(members)
    return body[: len(body) * 3 // 4]


def damaged_header(members: list[Member]) -> bytes:
    """One bit of the second member's header has flipped."""
    body = bytearray(tar(members))
    at = 512 + -(-len(members[0].data) // 512) * 512
    body[at + 5] ^= 1
    return gzip.compress(bytes(body), 1)


BROKEN = {
    "a cut gzip": (cut, 2, "ends early"),
    "a wrong checksum": (wrong_checksum, 3, "wrong checksum"),
    "a damaged header": (damaged_header, 2, "wrong checksum"),
    "a cut plain tar": (lambda members: tar(members)[:250_000], 1, "ends inside"),
    "a tar without its end mark": (lambda members: tar(members)[: 3 * (512 + 150_016)], 3, "end mark"),
    "a cut zip": (lambda members: zipped(members)[:300_000], 0, "zip"),
    "a cut xz": (lambda members: lzma.compress(tar(members), preset=0)[:350_000], 2, "ends early"),
    "gzip of something else": (lambda _: gzip.compress(b"no tar" * 1000), 0, "holds no tar"),
    "no archive": (lambda _: b"The quick brown fox" * 1000, 0, "no archive that is known here"),
    "nothing": (lambda _: b"", 0, "empty"),
}


def expected(names: list[str]) -> dict[str, str]:
    return {f"videos/train/abseiling/{name}": hashlib.sha256(noise(name)).hexdigest() for name in names}


@pytest.mark.parametrize("s3", [True, False], ids=["host tells digests", "host tells none"])
def test_what_is_broken_at_the_source(origin: Origin, tmp_path: Path, s3: bool) -> None:
    cases = dict(zip(BROKEN, range(len(BROKEN)), strict=True))
    whole = len(BROKEN)
    names = [clip_name(10 * shard + each) for shard in range(whole + 1) for each in range(4)]
    unhosted = [clip_name(10 * shard + 3) for shard in range(whole + 1)]
    shards = {shard_name(n): BROKEN[case][0](three_clips(n)) for case, n in cases.items()}
    shards[shard_name(whole)] = targz(three_clips(whole))
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
        _, clips, words = BROKEN[case]
        assert words in told[f"train/{shard_name(n)}"], case
        found = [verdicts[clip_name(10 * n + each)] for each in range(4)]
        assert sorted(found) == ["pending"] * (4 - clips) + ["unchecked"] * clips, case
        assert len(origin.gets(shard_name(n))) == (1 if s3 else 2), case
    proofs = {row["proof"] for name, row in data.objects().items() if name in shards}
    assert proofs == {"md5" if s3 else "none"}
    # A split that was not read whole tells nothing about what was never hosted.
    assert verdicts[clip_name(10 * whole + 3)] == "pending"
    assert first.result["clips"]["never_hosted"] == 0
    rows = data.rows("SELECT count(*) AS n FROM clips WHERE path IS NOT NULL AND provisional")
    assert rows[0]["n"] == sum(clips for _, clips, _ in BROKEN.values())
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
        data.thing(shard_name(n)).body = body = targz(three_clips(n))
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
    data = host(origin, tmp_path, plain_shards(1), replacement=cut(mends))
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
        origin, tmp_path, {shard_name(0): cut(three_clips(0))}, listed=[clip_name(n) for n in range(3)]
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
