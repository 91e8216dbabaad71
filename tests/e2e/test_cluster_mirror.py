"""``kdl mirror`` over a cluster of two workers: what a run without it gives, whoever is lost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kdl import export
from tests.e2e.archives import BROKEN, zipped
from tests.e2e.cluster import Cluster
from tests.e2e.hosted import Hosted
from tests.e2e.killing import Live, differences, end_all, litter, marked, outcome, start
from tests.e2e.running import kdl
from tests.e2e.unruly import (
    ALONE,
    ANNOTATION,
    LABELS,
    Dataset,
    Member,
    Origin,
    annotation,
    clip_name,
    host,
    noise,
    shard_name,
    targz,
    three_clips,
)
from tests.faults.hostile import Act

MIB = 1 << 20
SIZE = 60_000
NAMES = [clip_name(n) for n in range(80)]


@pytest.fixture(autouse=True)
def _nothing_left_going() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


def test_the_demo_is_the_same(demo: Hosted, cluster: Cluster, tmp_path: Path) -> None:
    cluster.ensure("one", "two")
    assert demo.mirrored is not None
    done = demo.mirror(tmp_path, "--executor", cluster.executor)
    assert done.code == 1, done.err  # corrupt clips without a replacement, as without a cluster
    base = tmp_path / demo.name
    assert differences(outcome(base), outcome(demo.mirrored / demo.name)) == {}
    assert litter(base) == []
    assert not list(base.glob(".kdl/tasks/*"))


@pytest.mark.long
def test_clips_that_lie_loose_are_the_same(demo: Hosted, cluster: Cluster, tmp_path: Path) -> None:
    """From an origin that was exported; what is gone there is told by the worker, and costs itself alone."""
    cluster.ensure("one", "two")
    assert demo.mirrored is not None
    out, here, far = tmp_path / "out", tmp_path / "here", tmp_path / "far"
    export(demo.dataset, out, root=demo.mirrored, format="origin")
    gone = "videos/val/driving_car/valClip_1_b_000010_000013.mp4"
    (out / gone).unlink()
    for root, words in ((here, ()), (far, ("--executor", cluster.executor))):
        done = kdl("mirror", demo.dataset, "--root", root, "--origin", out, "--json", *words)
        assert done.code == 4, done.err
        named = {f["subject"] for f in done.result["findings"] if f["kind"] == "object_failed"}
        assert named == {f"{out.as_uri()}/{gone}"}
    assert differences(outcome(far / demo.name), outcome(here / demo.name)) == {}
    assert litter(far / demo.name) == []

    shutil.copy2(demo.mirrored / demo.name / gone, out / gone)
    done = kdl("mirror", demo.dataset, "--root", far, "--origin", out, "--json", *words)
    assert (done.code, done.result["shards"]) == (0, {"done": 1, "failed": 0, "skipped": 9}), done.err


@pytest.fixture
def hostile(origin: Origin, tmp_path: Path) -> Dataset:
    """Shards that are broken, copies of clips in one shard and in two, and clips that nobody lists."""
    broken = ("gzip cut", "tar with a damaged header")
    shards = {shard_name(n): BROKEN[case].make(three_clips(n, SIZE)) for n, case in enumerate(broken)}
    shards["odd.tar.gz"] = targz(
        [
            *three_clips(4, SIZE),
            Member(f"./{clip_name(43)}", b""),
            Member(f"again/{clip_name(40)}", noise("another", 5000)),
            Member("./._notes", b"x"),
            *three_clips(4, SIZE),
        ]
    )
    shards["more.zip"] = zipped(
        [
            Member(clip_name(41), noise("a copy", 7000)),
            Member(clip_name(900), noise("unlisted", 7000)),
            Member(clip_name(50), noise("its own", 7000)),
            Member(clip_name(0), noise("behind a cut", 7000)),
        ]
    )
    data = host(origin, tmp_path, shards)
    driving = [clip_name(n) for n in (1, 41, 52)]
    table = annotation([name for name in NAMES if name not in driving])
    origin.put(ANNOTATION, table + annotation(driving, LABELS[1]).partition(b"\n")[2])
    for name in (shard_name(0), shard_name(1)):
        data.thing(name).s3 = False  # nothing but a second fetch tells that the host has it so
    return data


@pytest.mark.long
def test_what_is_hostile_is_the_same(hostile: Dataset, cluster: Cluster, tmp_path: Path) -> None:
    cluster.ensure("one", "two")
    found = []
    for where in ("local", cluster.executor):
        hostile.root = tmp_path / where[:4]
        some = told(hostile, where, "--class", LABELS[0], "--keep-archives")
        (hostile.base / f"videos/train/{LABELS[0]}/{clip_name(42)}").unlink()
        found.append((some, told(hostile, where)))
    for local, remote in zip(*found, strict=True):
        for part in local:
            assert remote[part] == local[part], part
    assert [each["retries"] for each in found[0]] == [
        {"damaged": 2, "http_503": 1},
        {"damaged": 1, "http_503": 1},
    ]


def told(data: Dataset, where: str, *options: object) -> dict[str, Any]:
    """What a run gave and told, all that depends on time left out."""
    data.thing("odd.tar.gz").script = [Act(503)]
    done = data.run("fetch", "--jobs", 1, *options, "--executor", where)
    assert done.code == 1, done.err
    result = {key: done.result[key] for key in ("bytes", "shards", "clips", "retries")}
    result["findings"] = sorted((f["kind"], f["subject"], f["detail"]) for f in done.result["findings"])
    # One shard begins while another goes into the ledger; each has its own story.
    events = sorted(data.events("shard_changed"), key=lambda event: str(event["name"]))
    kept = ("name", "state", "received", "size", "detail")
    result["stories"] = [tuple(event[key] for key in kept) for event in events]
    return result | everything(data.base)


def everything(base: Path) -> dict[str, Any]:
    """All files but the run's own, and all that the ledger says but times."""
    with closing(sqlite3.connect(base / ".kdl/ledger.db")) as ledger:
        tables = {
            "clips": """split, youtube_id, time_start, time_end, verdict, cause, origin, path, size, sha256,
                        label, class_dir, listed, name, shard_id, seq, provisional, check_level""",
            "objects": "id, url, kind, split, state, size, etag, sha256, proof, clips, attempts, error",
            "duplicates": "clip_id, shard_id, seq, class_dir, path, size, sha256",
            "held": "clip_id, shard_id",
        }
        rows = {
            name: sorted(map(str, ledger.execute(f"SELECT {columns} FROM {name}")))
            for name, columns in tables.items()
        }
    own = ("ledger", "lock", "status", "tasks")
    files = {
        str(path.relative_to(base)): path.read_bytes()
        for path in base.rglob("*")
        if path.is_file()
        and not path.relative_to(base / ".kdl" if ".kdl" in path.parts else base).parts[0].startswith(own)
    }
    return {"files": files, **rows}


@pytest.fixture
def slow(origin: Origin, tmp_path: Path) -> Dataset:
    """One shard, whose first bytes take their time when they are first asked for."""
    data = host(origin, tmp_path, {shard_name(0): three_clips(0, 2 * MIB)})
    data.thing(shard_name(0)).script = [Act(rate=MIB)]
    return data


def begin(data: Dataset, cluster: Cluster, *options: object) -> Live:
    """A run over the cluster, met when the shard's first bytes are in the spool."""
    where = ("--root", data.root, "--origin", data.origin.base, "--executor", cluster.executor)
    run = start(data.log, "fetch", data.manifest, *where, *options, **ALONE)
    assert run.wait_for(lambda event: event["event"] == "transfer_progress" and event["received"] > MIB)
    return run


def holder(data: Dataset) -> int:
    """The process id of the worker that has the shard."""
    (entered,) = (data.base / ".kdl/tasks").glob("*/entered")
    return int(re.findall(r"pid (\d+)", entered.read_text())[0])


def is_had(data: Dataset) -> None:
    assert data.videos() == data.clips
    assert data.objects()[shard_name(0)]["state"] == "done"
    assert litter(data.base) == []
    first, second = (request.range_start for request in data.origin.gets(shard_name(0)))
    assert first is None
    assert second is not None
    assert second >= MIB / 2


def test_a_worker_is_killed_in_the_middle_of_a_shard(slow: Dataset, cluster: Cluster) -> None:
    cluster.ensure("one", "two")
    run = begin(slow, cluster)
    pid = holder(slow)
    next(node for node in cluster.nodes.values() if node.pid == pid).kill()
    code, _, err = run.end()
    assert code == 0, err
    is_had(slow)
    assert [event["cause"] for event in slow.events("retry_scheduled")] == ["worker"]
    states = [event["state"] for event in slow.events("shard_changed")]
    assert states == ["queued", "started", "retried", "resumed", "unpacked", "proved", "done"]


def test_the_coordinator_is_killed_and_the_next_run_goes_on(slow: Dataset, cluster: Cluster) -> None:
    cluster.ensure("one", "two")
    before = set(marked(cluster.mark))
    run = begin(slow, cluster)
    run.kill()
    assert litter(slow.base)  # what the worker has begun
    done = slow.run("fetch", "--executor", cluster.executor)
    assert done.code == 0, done.err
    is_had(slow)
    until = time.monotonic() + 60
    while set(marked(cluster.mark)) - before:  # the worker's task of the run that was killed
        assert time.monotonic() < until
        time.sleep(0.05)
    assert litter(slow.base) == []


def test_ctrl_c(slow: Dataset, cluster: Cluster) -> None:
    cluster.ensure("one", "two")
    run = begin(slow, cluster)
    at = time.monotonic()
    os.kill(run.process.pid, signal.SIGINT)
    code, _, _ = run.end()
    assert code == 130
    assert time.monotonic() - at < 30  # five on a machine that does nothing else
    assert [name for name in litter(slow.base) if not name.startswith(".kdl/spool")] == []
    done = slow.run("fetch", "--executor", cluster.executor)
    assert done.code == 0, done.err
    is_had(slow)


@pytest.mark.long
def test_a_worker_that_was_taken_for_lost_comes_back(slow: Dataset, cluster: Cluster) -> None:
    cluster.ensure("one", "two")
    run = begin(slow, cluster)
    pid = holder(slow)
    held = [pid, *below(pid)]
    for each in held:
        os.kill(each, signal.SIGSTOP)
    try:
        assert run.wait_for(lambda event: event.get("state") == "resumed", timeout=150)
    finally:
        for each in held:
            os.kill(each, signal.SIGCONT)
    code, _, err = run.end()
    assert code == 0, err
    is_had(slow)
    until = time.monotonic() + 60
    while below(pid):  # it finds that nobody waits for it any more
        assert time.monotonic() < until
        time.sleep(0.05)
    is_had(slow)


def below(pid: int) -> list[int]:
    """A process's descendants."""
    children = [
        int(child)
        for listed in Path(f"/proc/{pid}/task").glob("*/children")
        for child in listed.read_text().split()
    ]
    return [*children, *(each for child in children for each in below(child))]
