"""Disks that are too small, or fill up on the way. Collected where small disks can be mounted."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.errors import DiskFull
from kdl.media.worker import Worker
from kdl.settings import parse_size
from tests.e2e.hosted import Hosted
from tests.e2e.unruly import Origin, host, shard_name, three_clips
from tests.jobs.shard_task import Task


class Disk:
    """A file system of a given size, in memory."""

    def __init__(self, path: Path, size: str) -> None:
        self.path = path
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "kdl-test", path], check=True)

    def grow(self, size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path], check=True)

    def freeze(self) -> None:
        """Nothing can be written any more, not even by root."""
        subprocess.run(["mount", "-o", "remount,ro", self.path], check=True)

    def close(self) -> None:
        subprocess.run(["umount", "-l", self.path], check=True)


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    """Of the size that the test's ``room`` mark names."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = Disk(folder, request.param)
    yield mounted
    mounted.close()


def sized(size: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("disk", [size], indirect=True)


@sized("1500k")
def test_a_run_that_can_not_fit_does_not_start(demo: Hosted, disk: Disk) -> None:
    plan = demo.mirror(disk.path, "--dry-run")
    assert plan.code == 3
    (volume,) = plan.result["plan"]["volumes"]
    assert volume["needed_peak"] > volume["free"]
    mark = demo.mark()
    refused = demo.run("mirror", disk.path)
    assert refused.code == 3
    told = re.search(r"([0-9.]+ MB) at its peak", refused.out)
    assert told is not None
    assert volume["free"] < parse_size(told[1]) <= volume["needed_peak"]  # what the plan read is here by now
    assert "--force" in refused.out
    assert demo.fetched(mark) == []
    disk.grow("8m")
    assert demo.mirror(disk.path).code == 1
    assert demo.seen(disk.path) == demo.seen(demo.mirrored or disk.path)


@pytest.mark.parametrize(
    ("disk", "option"),
    [("900k", "--force"), ("2200k", "--force"), ("1500k", "--no-spool")],
    indirect=["disk"],
)
def test_a_disk_that_fills_up_on_the_way(demo: Hosted, disk: Disk, option: str) -> None:
    stopped = demo.mirror(disk.path, "--force", option)
    assert stopped.code == 3, stopped.out
    assert "disk_full" in stopped.kinds()
    assert all(finding["fix"] for finding in stopped.result["findings"] if finding["kind"] == "disk_full")
    demo.refuse_partial_files(disk.path)
    disk.grow("12m")
    mark = demo.mark()
    goes_on = demo.mirror(disk.path)
    assert goes_on.code == 1, goes_on.out
    assert demo.seen(disk.path) == demo.seen(demo.mirrored or disk.path)
    done = 10 - goes_on.result["shards"]["skipped"]
    assert len([name for name in demo.fetched(mark) if not name.startswith("replacement")]) <= done


@sized("600k")
def test_a_disk_that_fills_up_under_a_cluster_s_worker(disk: Disk, tmp_path: Path) -> None:
    with Origin() as origin:
        task = Task(host(origin, tmp_path, {shard_name(0): three_clips(0)}), disk.path)
        worker = Worker()
        try:
            with pytest.raises(DiskFull):
                task.mirror(worker)
            assert [path.name for path in task.shard.tmp.iterdir()] == ["turns"]
            disk.grow("3m")
            assert task.mirror(worker).result.state == "done"
        finally:
            worker.end()
        assert len(origin.gets(shard_name(0))) <= 2  # what is spooled is not asked for again


@pytest.mark.long
@sized("200k")
def test_no_room_for_derivatives(demo: Hosted, disk: Disk, tmp_path: Path) -> None:
    demo.copy(tmp_path)
    options = ("--recipe", "320p", "--derived", disk.path / "made", "--json")
    stopped = demo.run("derive", tmp_path, *options)
    assert stopped.code == 3
    assert "disk_full" in stopped.kinds()
    made = {path.name for path in (disk.path / "made").rglob("*.mp4")}
    assert len(made) == stopped.result["derived"]["320p"]["done"]
    refused = demo.mirror(tmp_path, *options[:-1])
    assert refused.code == 3
    assert {f["subject"] for f in refused.result["findings"] if f["kind"] == "disk_full"} == {
        str(disk.path / "made" / "320p")
    }
    disk.grow("60m")
    done = demo.run("derive", tmp_path, *options)
    assert (done.code, done.result["derived"]) == (0, {"320p": {"done": 34, "failed": 0}})
    assert made < {path.name for path in (disk.path / "made").rglob("*.mp4")}
    assert not list((disk.path / "made").rglob(".tmp-*"))


@pytest.mark.parametrize("disk", ["24k", "160k"], indirect=True)
def test_no_room_for_the_ledger(demo: Hosted, disk: Disk, tmp_path: Path) -> None:
    ledger = ("--ledger", disk.path / "demo.db")
    stopped = demo.mirror(tmp_path, *ledger)
    assert stopped.code == 3
    assert stopped.kinds() & {"disk_full"}
    demo.refuse_partial_files(tmp_path)
    disk.grow("8m")
    assert demo.mirror(tmp_path, *ledger).code == 1
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored or tmp_path)


@sized("8m")
def test_a_disk_that_can_only_be_read(demo: Hosted, disk: Disk) -> None:
    demo.copy(disk.path)
    disk.freeze()
    mark = demo.mark()
    for verb in ("mirror", "fetch", "lists"):
        refused = demo.run(verb, disk.path, "--json")
        assert refused.code == 3
        (finding,) = refused.result["findings"]
        assert str(disk.path) in finding["subject"]
        assert finding["fix"]
    assert demo.run("status", disk.path, "--json").code == 0
    assert demo.fetched(mark) == []
    assert demo.seen(disk.path) == demo.seen(demo.mirrored or disk.path)


@sized("64k")
def test_a_full_folder_for_temporary_files_is_in_nobodys_way(
    demo: Hosted, disk: Disk, tmp_path: Path
) -> None:
    with contextlib.suppress(OSError):
        (disk.path / "filler").write_bytes(bytes(65536))
    done = demo.mirror(tmp_path, "--split", "val", "--prober", "ffprobe", TMPDIR=str(disk.path))
    assert done.code == 1
    found, wanted = (
        {clip: (row["verdict"], row["cause"]) for clip, row in rows.items() if clip[0] == "val"}
        for _, rows in (demo.seen(tmp_path), demo.seen(demo.mirrored or tmp_path))
    )
    assert found == wanted
