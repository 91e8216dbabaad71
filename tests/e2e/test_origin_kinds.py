"""Mirrors from a folder and a bucket, together and in place of a server that is gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.running import kdl
from tests.e2e.unruly import (
    ANNOTATION,
    DEAD,
    LIST,
    README,
    Dataset,
    Origin,
    host,
    plain_shards,
    shard_name,
    wrong_checksum,
)
from tests.fetch.bucket_host import BucketServer, Spoil


@pytest.fixture(scope="module")
def buckets() -> Iterator[BucketServer]:
    with BucketServer() as server:
        yield server


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Dataset]:
    """Six shards; the server that has them is not asked."""
    with Origin() as origin:
        yield host(origin, tmp_path, plain_shards(6))


def put(data: Dataset, folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.thing(name).body)


def bodies(data: Dataset, *names: str) -> dict[str, bytes]:
    return {f"kinetics/{name}": data.thing(name).body for name in names}


def test_a_folder_a_bucket_and_a_server_make_one_dataset(
    data: Dataset, tmp_path: Path, buckets: BucketServer
) -> None:
    """The first is dead; the folder lacks most shards, the bucket the last two."""
    folder = tmp_path / "a disk's folder #1"
    put(data, folder, LIST, ANNOTATION, shard_name(0), shard_name(1))
    buckets.put("lab", bodies(data, README, shard_name(2), shard_name(3)), checksums=True)
    buckets.once[f"/lab/kinetics/{shard_name(2)}"] = [Spoil("503 Slow Down", "SlowDown"), Spoil(cut=100_000)]
    origins = [DEAD, str(folder), "s3://lab/kinetics", data.origin.base]

    done = data.run("fetch", "--tries", 2, origins=origins, **buckets.surroundings(tmp_path))

    assert (done.code, done.result["findings"]) == (0, [])
    assert (data.videos(), data.debris()) == (data.clips, [])
    proofs = [data.objects()[shard_name(number)]["proof"] for number in range(6)]
    assert proofs == ["none", "none", "sha256", "sha256", "md5", "md5"]
    asked = {request.path for request in data.origin.gets()}
    assert asked == {shard_name(4), shard_name(5)}
    causes = {event["cause"] for event in data.events("retry_scheduled") if shard_name(2) in event["subject"]}
    assert {"http_503", "truncated"} <= causes


@pytest.mark.long
def test_a_folder_alone_in_a_run_that_goes_on(data: Dataset, tmp_path: Path) -> None:
    """Shards that are damaged or lack, said as of a server's; put right, the next run takes them alone."""
    folder = tmp_path / "folder"
    put(data, folder, LIST, ANNOTATION, README, *map(shard_name, range(5)))
    (folder / shard_name(0)).write_bytes(wrong_checksum([]))
    first = data.run("fetch", "--tries", 2, origins=[str(folder)])
    assert first.code == 4
    found = {finding["subject"]: finding for finding in first.result["findings"]}
    lacking = found[f"{folder.as_uri()}/{shard_name(5)}"]
    assert (lacking["kind"], lacking["detail"]) == ("object_failed", "no such file")
    assert first.result["shards"] == {"done": 4, "failed": 2, "skipped": 0}
    assert "shard_broken" in first.kinds()

    put(data, folder, shard_name(0), shard_name(5))
    second = data.run("fetch", origins=[str(folder)])
    assert (second.code, data.videos(), data.debris()) == (0, data.clips, [])
    assert second.result["shards"] == {"done": 2, "failed": 0, "skipped": 4}
    assert data.origin.requests == []


@pytest.mark.long
def test_a_whole_mirror_of_a_folder_and_a_bucket(demo: Hosted, tmp_path: Path, buckets: BucketServer) -> None:
    """The same to the byte as one that came from a server."""
    assert demo.mirrored is not None
    folder = tmp_path / "half"
    files = sorted(path for path in demo.bucket.rglob("*") if path.is_file())
    for path in files[::2]:
        place = folder / path.relative_to(demo.bucket)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
    rest = {f"k/{path.relative_to(demo.bucket)}": path.read_bytes() for path in files[1::2]}
    buckets.put("demo", rest)
    root = tmp_path / "root"
    named = ["--origin", folder, "--origin", "s3://demo/k", "--origin", "default"]
    mark = demo.mark()
    done = kdl("mirror", demo.dataset, "--root", root, "--json", *named, **buckets.surroundings(tmp_path))
    assert done.code == 1, done.err  # corrupt clips without a replacement
    assert demo.seen(root) == demo.seen(demo.mirrored)
    assert demo.mark() == mark
