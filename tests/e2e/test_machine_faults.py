"""A machine that refuses at every stage: said plainly, nothing lost, and gone on with where it stopped."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.faulty import Faults
from tests.e2e.hosted import Hosted
from tests.e2e.killing import litter
from tests.e2e.running import KDL, Ran, tree

VAL = ("--split", "val")
TOLD = {"disk_full", "machine", "ledger"}
STAGES = (
    # call, where, errno, calls that pass, what the finding names
    ("open", "/.kdl/lock", errno.EROFS, 0, ".kdl/lock"),
    ("write", "ledger.db", errno.EIO, 0, "ledger.db"),
    ("write", "/annotations/", errno.ENOSPC, 0, "/annotations/"),
    ("write", "/.kdl/spool/", errno.EDQUOT, 0, "/.kdl/spool/"),
    ("open", "/.kdl/tmp/", errno.EMFILE, 0, "/.kdl/tmp/"),
    ("write", "/.kdl/tmp/", errno.EDQUOT, 0, "/.kdl/tmp/"),
    ("rename", "/videos/", errno.EROFS, 0, "/videos/"),
    ("write", "ledger.db-wal", errno.ENOSPC, 20, "ledger.db"),
    ("rename", "/quarantine/", errno.ENOSPC, 0, "/val/"),
    ("rename", "/lists/", errno.EDQUOT, 1, "/lists/"),
)
KINDS = {errno.ENOSPC: "disk_full", errno.EDQUOT: "disk_full", errno.EIO: "ledger"}
"""Of findings, by errno; the others are told of as "machine"."""


@pytest.fixture(scope="module")
def undisturbed(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of the split that met no fault."""
    root = tmp_path_factory.mktemp("undisturbed")
    assert demo.mirror(root, *VAL).code == 1
    return root


def test_every_stage_of_a_mirror(demo: Hosted, faults: Faults, undisturbed: Path, tmp_path: Path) -> None:
    for call, part, number, after, named in STAGES:
        stopped = demo.mirror(tmp_path, *VAL, **faults.failing(call, part, number, after))
        assert stopped.code == 3, (call, part, stopped.out)
        (finding,) = [f for f in stopped.result["findings"] if f["kind"] in TOLD]
        assert finding["kind"] == KINDS.get(number, "machine"), finding
        assert named in finding["subject"], finding
        assert finding["detail"], finding
        assert finding["fix"], finding
        if number == errno.EMFILE:
            assert "ulimit -n" in finding["fix"]
        demo.refuse_partial_files(tmp_path)
    assert demo.mirror(tmp_path, *VAL).code == 1
    assert demo.seen(tmp_path) == demo.seen(undisturbed)


def test_a_status_file_and_a_log_without_room_cost_nothing(
    demo: Hosted, faults: Faults, undisturbed: Path, tmp_path: Path
) -> None:
    done = demo.mirror(
        tmp_path, *VAL, "--log-json", "/dev/full", **faults.failing("write", "status.json", errno.ENOSPC)
    )
    assert done.code == 1
    assert done.err == "the event log /dev/full ends here: No space left on device\n"
    assert demo.seen(tmp_path) == demo.seen(undisturbed)


@pytest.mark.long
def test_every_stage_of_derivatives(demo: Hosted, faults: Faults, undisturbed: Path, tmp_path: Path) -> None:
    base = replace(demo, mirrored=undisturbed).copy(tmp_path)
    derive = ("derive", tmp_path, *VAL, "--recipe", "320p", "--json")
    for call, number, kind in (
        ("mkdir", errno.ENOSPC, "disk_full"),
        ("open", errno.EMFILE, "machine"),  # ffmpeg says so
        ("write", errno.EDQUOT, "disk_full"),
        ("sync", errno.EIO, "machine"),
    ):
        stopped = demo.run(*derive, **faults.failing(call, "/derived", number))
        assert stopped.code == 3, (call, stopped.out)
        (finding,) = [f for f in stopped.result["findings"] if f["kind"] in TOLD]
        assert (finding["kind"], "/derived" in finding["subject"]) == (kind, True), finding
        assert finding["fix"], finding
        assert _rows(tmp_path, "SELECT recipe, state FROM derivatives") == []
    done = demo.run(*derive)
    assert (done.code, done.result["derived"]) == (0, {"320p": {"done": 8, "failed": 0}})
    assert len(list((base / "derived").rglob("*.mp4"))) == 8
    assert litter(base) == []
    originals = {name: sha for name, sha in tree(base).items() if not name.startswith("derived/")}
    assert originals == tree(undisturbed / "demo")


def test_only_what_a_barrier_put_on_disk_is_called_done(
    demo: Hosted, faults: Faults, undisturbed: Path, tmp_path: Path
) -> None:
    """The second barrier fails, as a disk does that loses what it was given.

    Whether what the first one put there is on record by then is a matter of moments.
    """
    failing = faults.failing("sync", "demo/videos", errno.EIO, 1)
    stopped = demo.mirror(tmp_path, *VAL, "--jobs", 1, **failing)
    assert stopped.code == 3
    (finding,) = [f for f in stopped.result["findings"] if f["kind"] == "machine"]
    assert "not safely on disk: Input/output error" in finding["detail"]
    states = dict(_rows(tmp_path, "SELECT state, count(*) FROM objects WHERE kind = 'shard' GROUP BY state"))
    unproved = (
        "SELECT 1 FROM clips JOIN objects ON objects.id = shard_id WHERE NOT provisional AND state <> 'done'"
    )
    assert stopped.result["shards"]["done"] <= states.get("done", 0)
    assert _rows(tmp_path, unproved) == []
    assert demo.mirror(tmp_path, *VAL).code == 1
    assert demo.seen(tmp_path) == demo.seen(undisturbed)


def _rows(root: Path, sql: str) -> list[tuple[object, ...]]:
    """What the ledger says."""
    with contextlib.closing(sqlite3.connect(root / "demo/.kdl/ledger.db")) as ledger:
        return ledger.execute(sql).fetchall()


def test_few_open_files(demo: Hosted, tmp_path: Path) -> None:
    def limited(limit: str) -> Ran:
        mirror = ("mirror", demo.dataset, "--root", tmp_path, "--origin", demo.server.url, *VAL, "--json")
        wrapped = ["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", *KDL, *map(str, mirror)]
        done = subprocess.run(wrapped, capture_output=True, text=True, timeout=170)
        assert "Traceback" not in done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    refused = limited("-n 64")
    assert refused.code == 3
    (finding,) = refused.result["findings"]
    assert "only 64 files may be open" in finding["detail"]
    assert "ulimit" in finding["fix"]
    assert not (tmp_path / "demo").exists()
    assert limited("-Sn 24").code == 1  # as many as it may have, it takes
