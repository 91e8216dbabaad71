"""Answers that are not the object, or not the one that was asked for: nothing bad is ever kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.settings import MIB
from tests.e2e.unruly import (
    ANNOTATION,
    HTML,
    LIST,
    README,
    REPLACEMENT,
    S3_ERROR,
    Dataset,
    Member,
    Origin,
    always,
    host,
    noise,
    plain_shards,
    shard_name,
    targz,
    three_clips,
)
from tests.faults.hostile import GOOD, Act


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


MISSES = {
    "HTTP 404": Act(status=404),
    "an HTML page": Act(body=HTML, etag='"page"', headers=(("Content-Type", "text/html"),)),
    "an XML page (SlowDown)": Act(body=S3_ERROR, etag="", headers=(("Content-Type", "application/xml"),)),
}


def heal(data: Dataset, *paths: str) -> None:
    for path in paths:
        data.thing(path).always, data.thing(path).heads = GOOD, []


def test_what_comes_in_place_of_data_is_never_kept(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(4), replacement=three_clips(90))
    for words, miss in MISSES.items():
        for path in (README, REPLACEMENT, shard_name(0), shard_name(1)):
            always(miss, data.thing(path))
        origin.requests.clear()

        done = data.run("fetch")

        assert done.code == 4
        assert {(f["kind"], f["subject"].rpartition("/")[2]) for f in done.result["findings"]} == {
            ("readme_missing", README),
            ("object_failed", REPLACEMENT),
            ("object_failed", shard_name(0)),
            ("object_failed", shard_name(1)),
        }
        assert all(words in finding["detail"] for finding in done.result["findings"])
        assert data.events("retry_scheduled") == []
        assert all(len(origin.gets(path)) == 1 for path in (README, REPLACEMENT))
        assert all(len(origin.gets(shard_name(n))) == (words != "HTTP 404") for n in (0, 1))
        assert len(data.videos()) == 6
        assert data.videos().items() <= data.clips.items()
        assert {each.name for each in (data.base / "annotations").iterdir()} == {
            ANNOTATION,
            "train.normalised.csv",
        }
        assert data.debris() == []

    heal(data, REPLACEMENT, shard_name(0), shard_name(1))
    without_readme = data.run("fetch")
    assert (without_readme.code, without_readme.kinds()) == (0, {"readme_missing"})
    assert data.videos() == data.clips


@pytest.mark.parametrize("path", [LIST, ANNOTATION])
def test_without_link_list_or_annotation_a_split_waits(origin: Origin, tmp_path: Path, path: str) -> None:
    data = host(origin, tmp_path, plain_shards(2))
    for words, miss in MISSES.items():
        data.thing(path).always = miss
        done = data.run("fetch")
        assert done.code == 4
        [finding] = done.result["findings"]
        assert (finding["kind"], finding["subject"]) == ("object_failed", origin.url(path))
        assert words in finding["detail"]
        assert data.videos() == {}
        assert not (data.base / "annotations" / ANNOTATION).exists()
        assert data.debris() == []
    heal(data, path)
    assert data.run("fetch").code == 0
    assert data.videos() == data.clips

    # What was had once is neither lost nor forgotten.
    data.thing(path).always = MISSES["an HTML page"]
    lost = data.run("fetch")
    assert (lost.code, lost.kinds()) == (4, {"object_failed"})
    assert data.videos() == data.clips
    assert (data.base / "annotations" / ANNOTATION).read_bytes() == data.thing(ANNOTATION).body


def test_answers_that_do_not_fit_the_question(origin: Origin, tmp_path: Path) -> None:
    """A transfer breaks off half-way, and what comes next is not the rest of it."""
    cut = Act(close_after=300_000)
    other = targz(three_clips(70))
    odd = {
        "everything, as a 200": [Act(ignore_range=True)],
        "everything, as a 200 without a tag": [Act(ignore_range=True, etag="")],
        "another version, as a 200": [Act(body=other, etag='"other"', ignore_range=True)],
        "another version, as a 206": [
            Act(
                body=other,
                etag='"other"',
                headers=(("Content-Range", "bytes 300000-450683/450684"),),
                status=206,
            )
        ],
        "out of range": [Act(status=416, headers=(("Content-Range", "bytes */299000"),))],
        "another range": [Act(content_range="bytes 0-150683/450684")],
        "no range": [Act(status=206, body=b"x" * 150_000)],
        "a range of nothing readable": [Act(content_range="bytes some")],
        "a page": [Act(ignore_range=True, body=HTML, etag='"page"')],
    }
    data = host(origin, tmp_path, plain_shards(len(odd)))
    for number, script in enumerate(odd.values()):
        data.thing(shard_name(number)).script = [cut, *script]

    done = data.run("fetch", "--jobs", len(odd))

    assert (done.code, done.result["findings"]) == (0, [])
    assert data.videos() == data.clips
    assert data.debris() == []
    for number, name in enumerate(odd):
        starts = [request.range_start for request in origin.gets(shard_name(number))]
        assert starts[:2] == [None, 300_000], name
        assert len(starts) <= 3, name


def test_a_spool_of_an_older_version_is_not_used(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(1))
    thing = data.thing(shard_name(0))
    new, etag = thing.body, thing.etag
    thing.body = targz([Member(member.name, noise("old" + member.name)) for member in three_clips(0)])
    thing.etag, thing.script = '"old"', [Act(close_after=400_000), Act(status=503)]
    assert data.run("fetch", "--tries", 2).code == 4
    assert len(data.debris()) == 1

    thing.body, thing.etag = new, etag
    origin.requests.clear()
    done = data.run("fetch")

    assert (done.code, data.videos(), data.debris()) == (0, data.clips, [])
    assert [request.range_start for request in origin.gets(shard_name(0))] == [None]


EVIDENCE = 9 * MIB
"""Of two parts, as the AWS tools cut it."""


def multipart_tag(body: bytes, part: int) -> str:
    digests = [hashlib.md5(body[at : at + part]).digest() for at in range(0, len(body), part)]
    return f'"{hashlib.md5(b"".join(digests)).hexdigest()}-{len(digests)}"'


def test_what_tags_prove(origin: Origin, tmp_path: Path) -> None:
    sizes = [150_000, 150_000, EVIDENCE // 3, EVIDENCE // 3, 150_000, 150_000]
    data = host(origin, tmp_path, {shard_name(n): three_clips(n, size) for n, size in enumerate(sizes)})
    flipped = bytearray(data.thing(shard_name(1)).body)
    flipped[200_000] ^= 1
    data.thing(shard_name(1)).script = [Act(body=bytes(flipped))]
    data.thing(shard_name(2)).etag = multipart_tag(data.thing(shard_name(2)).body, 8 * MIB)
    data.thing(shard_name(3)).etag = multipart_tag(data.thing(shard_name(3)).body, 7 * MIB)
    data.thing(shard_name(4)).s3, data.thing(shard_name(4)).etag = False, '"5e8c6-1a2b3c"'
    data.thing(shard_name(5)).etag = '"0123456789abcdef0123456789abcdef"'

    done = data.run("fetch")

    assert (done.code, done.result["findings"]) == (0, [])
    objects = data.objects()
    proofs = {shard_name(n): objects[shard_name(n)]["proof"] for n in range(6)}
    assert list(proofs.values()) == ["md5", "md5", "multipart", "unverified", "none", "unverified"]
    for name in proofs:
        assert objects[name]["sha256"] == hashlib.sha256(data.thing(name).body).hexdigest()
        assert objects[name]["state"] == "done"
    # A tag that two fetches agree against is no digest.
    assert [len(origin.gets(name)) for name in proofs] == [1, 2, 1, 1, 1, 2]
    assert data.videos() == data.clips
    assert {row["provisional"] for row in data.rows("SELECT provisional FROM clips")} == {0}
    assert data.debris() == []
