"""A network that misbehaves: what is borne, what is given up, and that nothing bad is ever kept."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from kdl.settings import MIB
from tests.e2e.running import kdl, tree
from tests.e2e.unruly import (
    ALONE,
    ANNOTATION,
    DEAD,
    HTML,
    LIST,
    README,
    REPLACEMENT,
    S3_ERROR,
    Dataset,
    Member,
    Origin,
    always,
    clip_name,
    host,
    noise,
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


HICCUPS = {
    "dropped half-way": [Act(close_after=200_000)],
    "dropped at once": [Act(close_after=0)],
    "reset half-way": [Act(reset_after=200_000)],
    "closed without an answer": [Act(hang_up=True)],
    "stalled half-way": [Act(stall_after=200_000)],
    "no answer": [Act(silent=True)],
    "chunked, cut": [Act(chunked=True, close_after=150_000)],
    "garbage": [Act(garbage=b"\x00\x01 no HTTP at all\r\n\r\n")],
    "garbage in the headers": [Act(garbage=b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")],
    "408": [Act(status=408)],
    "429 in seconds": [Act(status=429, headers=(("Retry-After", "2"),))],
    "503 without a time": [Act(status=503, body=b"<Error><Code>SlowDown</Code></Error>")],
    "a burst of 500": [Act(status=500)] * 3,
    "one by one": [Act(close_after=50_000), Act(status=502), Act(reset_after=50_000), Act(hang_up=True)],
}
ODDITIES = {
    "chunked, whole": ([Act(chunked=True)], 1),
    "connection lost after a good answer": ([Act(close=True)], 1),
    # It stalls, the rest is asked for (416), and then it is another object than was told of.
    "fewer bytes than told": ([Act(claim=1_000_000)], 3),
}


def test_every_hiccup_is_borne(origin: Origin, tmp_path: Path) -> None:
    cases = {name: (script, len(script) + 1) for name, script in HICCUPS.items()}
    cases |= ODDITIES
    shards = dict(zip(cases, map(shard_name, range(len(cases))), strict=True))
    data = host(origin, tmp_path, plain_shards(len(cases)), replacement=three_clips(90))
    for name, (script, _) in cases.items():
        data.thing(shards[name]).script = [*script]
    for path in (LIST, ANNOTATION, README, REPLACEMENT):
        data.thing(path).script = [Act(close_after=5), Act(status=503)]

    done = data.run("fetch", "--jobs", len(cases))

    assert (done.code, done.result["findings"]) == (0, [])
    assert data.videos() == data.clips
    assert set(data.verdicts().values()) == {"unchecked"}
    assert data.debris() == [f".kdl/replacements/{each.name[2:]}" for each in three_clips(90)]
    asked = {name: len(origin.gets(shard)) for name, shard in shards.items()}
    assert asked == {name: requests for name, (_, requests) in cases.items()}
    assert [len(origin.gets(path)) for path in (LIST, ANNOTATION, README, REPLACEMENT)] == [3, 3, 3, 3]
    assert data.objects()[REPLACEMENT]["proof"] == "md5"
    waits = {event["subject"]: event["delay"] for event in data.events("retry_scheduled")}
    assert waits[f"train/{shards['429 in seconds']}"] == 2


def test_a_server_may_name_the_moment_to_come_back(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(1))
    busy = Act(status=503, headers=(("Retry-After", formatdate(time.time() + 6, usegmt=True)),))
    data.thing(shard_name(0)).script = [busy]
    done = data.run("fetch")
    assert (done.code, data.videos()) == (0, data.clips)
    [waited] = data.events("retry_scheduled")
    assert 0.5 < waited["delay"] <= 6
    assert len(origin.gets(shard_name(0))) == 2


def test_what_is_given_up_is_named_and_the_next_run_fetches_it_alone(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(7))
    stubborn = {
        "part_0.tar.gz": (Act(status=500), "HTTP 500 Internal Server Error"),
        "part_1.tar.gz": (Act(hang_up=True), "the server closed the connection"),
        "part_2.tar.gz": (Act(silent=True), "stalled: no byte for 0.5 s"),
        "part_3.tar.gz": (Act(close_after=0), "the body broke off"),
        "part_4.tar.gz": (Act(garbage=b"hello\r\n\r\n"), "malformed answer"),
    }
    for name, (act, _) in stubborn.items():
        data.thing(name).always = act

    first = data.run("fetch", "--tries", 2, "--jobs", 7)

    assert first.code == 4
    findings = {finding["subject"]: finding for finding in first.result["findings"]}
    assert set(findings) == {origin.url(name) for name in stubborn}
    for name, (act, words) in stubborn.items():
        assert findings[origin.url(name)]["kind"] == "object_failed"
        assert words in findings[origin.url(name)]["detail"]
        # The client itself asks once more where a connection was closed before an answer.
        assert len(origin.gets(name)) == (4 if act.hang_up else 2)
    assert first.result["shards"] == {"done": 2, "failed": 5, "skipped": 0}
    assert data.videos().items() <= data.clips.items()
    assert len(data.videos()) == 6
    assert sorted(data.verdicts().values()) == ["pending"] * 15 + ["unchecked"] * 6
    assert data.debris() == []

    for name in stubborn:
        data.thing(name).always = GOOD
    origin.requests.clear()
    second = data.run("fetch")

    assert (second.code, second.result["findings"]) == (0, [])
    assert second.result["shards"] == {"done": 5, "failed": 0, "skipped": 2}
    assert data.videos() == data.clips
    fetched = [request for request in origin.gets() if request.headers.get("if-none-match") is None]
    assert sorted(request.path for request in fetched) == [*sorted(stubborn), LIST]
    assert data.debris() == []


def test_the_rest_of_a_broken_off_shard_is_all_that_the_next_run_asks_for(
    origin: Origin, tmp_path: Path
) -> None:
    data = host(origin, tmp_path, {shard_name(0): three_clips(0, 700_000)})
    data.thing(shard_name(0)).script = [Act(close_after=1_500_000), Act(status=503)]
    first = data.run("fetch", "--tries", 2)
    assert first.code == 4
    [spool] = data.debris()
    assert spool.startswith(".kdl/spool/train_part_0.tar.gz.")
    held = (data.base / spool).stat().st_size
    assert held == 1_500_000

    second = data.run("fetch")

    assert (second.code, data.videos(), data.debris()) == (0, data.clips, [])
    [request] = origin.gets(shard_name(0))[2:]
    assert request.range_start == held
    assert second.result["bytes"]["fetched"] < len(data.thing(shard_name(0)).body) - held + 1000


def test_an_attempt_that_brings_bytes_starts_the_count_again(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(1))
    data.thing(shard_name(0)).always = Act(close_after=100_000)
    done = data.run("fetch", "--tries", 2)
    assert (done.code, data.videos()) == (0, data.clips)
    assert len(origin.gets(shard_name(0))) == 5


def test_one_try_is_one_request(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(2))
    data.thing(shard_name(0)).script = [Act(status=503)]
    done = data.run("fetch", "--tries", 1)
    assert done.code == 4
    assert len(origin.gets(shard_name(0))) == 1
    assert done.result["shards"] == {"done": 1, "failed": 1, "skipped": 0}


def test_what_is_not_there_is_asked_for_once(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(5))
    codes = {"part_0.tar.gz": 403, "part_1.tar.gz": 404, "part_2.tar.gz": 410}
    for name, status in codes.items():
        always(Act(status=status, body=b"<Error><Code>Gone</Code></Error>"), data.thing(name))

    done = data.run("fetch")

    assert done.code == 4
    told = {finding["subject"]: finding["detail"] for finding in done.result["findings"]}
    assert set(told) == {origin.url(name) for name in codes}
    for name, status in codes.items():
        assert told[origin.url(name)].startswith(f"HTTP {status}")
        # Where HEAD is forbidden, GET may not be: the plan asks for one byte.
        assert len(origin.gets(name)) == (1 if status == 403 else 0)
    assert data.events("retry_scheduled") == []
    assert done.result["shards"] == {"done": 2, "failed": 3, "skipped": 0}
    assert len(data.videos()) == 6
    assert done.result["clips"]["pending"] == 9
    assert data.debris() == []


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


def redirect(target: str) -> Act:
    return Act(status=302, headers=(("Location", target),))


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


def test_redirects(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(5))
    origin.put("elsewhere", data.thing(shard_name(0)).body)
    always(redirect("/elsewhere"), data.thing(shard_name(0)))
    always(redirect(f"/{shard_name(1)}"), data.thing(shard_name(1)))
    always(redirect("file:///etc/passwd"), data.thing(shard_name(2)))
    always(redirect("ftp://127.0.0.1/x"), data.thing(shard_name(3)))

    done = data.run("fetch")

    told = {f["subject"]: f["detail"] for f in done.result["findings"]}
    assert done.code == 4
    assert set(told) == {origin.url(shard_name(n)) for n in (1, 2, 3)}
    assert "redirects in a loop" in told[origin.url(shard_name(1))]
    assert all("no http or https URL" in told[origin.url(shard_name(n))] for n in (2, 3))
    assert data.events("retry_scheduled") == []
    assert {Path(name).name for name in data.videos()} == {clip_name(n) for n in (0, 1, 2, 40, 41, 42)}
    assert data.debris() == []


def test_an_object_that_changes_on_the_way_is_fetched_afresh(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(1))
    old = targz([Member(member.name, noise("old" + member.name)) for member in three_clips(0)])
    data.thing(shard_name(0)).script = [Act(body=old, etag='"old"', close_after=400_000)]
    done = data.run("fetch")
    assert (done.code, data.videos(), data.debris()) == (0, data.clips, [])
    [waited] = data.events("retry_scheduled")[1:]
    assert waited["reason"] == "the object at the server is another one now"
    assert [request.range_start for request in origin.gets(shard_name(0))] == [None, 400_000, None]


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
    assert "do not match the host's digest" in first.result["findings"][-1]["detail"]
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
