"""``kdl export --format origin``: what lies in the folder, and what becomes of it when it is made again."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from kdl import api
from kdl.errors import KdlError, UsageError
from kdl.jobs.demo_bucket import BASE, REPLACEMENT
from tests.e2e.hosted import Hosted


@pytest.fixture
def mine(demo: Hosted, tmp_path: Path) -> Path:
    """The folder of a finished mirror that may be changed; its root is above it."""
    return demo.copy(tmp_path / "mine")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "served"


def export(demo: Hosted, mine: Path, out: Path, *splits: str) -> int:
    return api.export(demo.dataset, out, root=mine.parent, format="origin", splits=splits).rows


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file that is for readers, by path."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".kdl-origin" not in path.parts
    }


def listed(out: Path) -> Iterator[tuple[str, int, str]]:
    """Path, size and digest of each clip that a link list of the folder names."""
    for path in sorted(out.rglob("*_path.txt")):
        for line in path.read_text().splitlines():
            url, size, sha256 = line.split("\t")
            assert url.startswith(BASE)
            yield unquote(url.removeprefix(BASE)), int(size), sha256


def test_it_has_what_the_host_has_and_each_clip_by_its_digest(demo: Hosted, mine: Path, out: Path) -> None:
    count = export(demo, mine, out)
    clips = [name for name in files(out) if name.startswith(("videos/", "unlisted/"))]
    others = {name for name in files(out) if name not in clips}
    hosted = {str(path.relative_to(demo.bucket)) for path in demo.bucket.rglob("*") if path.is_file()}
    assert others - {"SHA256SUMS"} == {name for name in hosted if not name.endswith(".tar.gz")}
    assert count == len(clips) == sum(1 for _ in listed(out))
    assert any(name.startswith("unlisted/") for name in clips)
    for name in clips:
        assert (out / name).samefile(mine / name), "a hard link"
    sums = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=out, capture_output=True)
    assert (sums.returncode, sums.stdout) == (0, b"")
    assert len((out / "SHA256SUMS").read_text().splitlines()) == len(files(out)) - 1
    with tarfile.open(out / REPLACEMENT, "r:gz") as tar:
        inside = {Path(name).name for name in tar.getnames()}
    reader = sqlite3.connect(mine / ".kdl/ledger.db")
    used = {row[0] for row in reader.execute("SELECT name FROM clips WHERE origin = 'replacement'")}
    reader.close()
    assert used
    assert used <= inside
    assert used.isdisjoint(Path(name).name for name in clips), "what is replaced comes from that archive"


def test_made_again_it_is_not_touched(demo: Hosted, mine: Path, out: Path) -> None:
    export(demo, mine, out)
    before = files(out)
    export(demo, mine, out)
    assert files(out) == before


def test_what_changed_is_added_and_removed_and_other_splits_stay(demo: Hosted, mine: Path, out: Path) -> None:
    export(demo, mine, out)
    before = files(out)
    gone, *_ = [name for name in before if name.startswith("videos/val/")]
    bad, other, *_ = [name for name in before if name.startswith("videos/train/")]
    ledger = sqlite3.connect(mine / ".kdl/ledger.db")
    ledger.execute("UPDATE clips SET verdict = 'corrupt', cause = 'changed' WHERE path = ?", (gone,))
    ledger.execute("UPDATE clips SET verdict = 'corrupt', cause = 'changed' WHERE path = ?", (bad,))
    ledger.commit()
    ledger.close()
    (out / "mine.txt").write_text("put there by a person")
    export(demo, mine, out, "val")
    after = files(out)
    assert before.keys() - after.keys() == {gone}
    assert after.keys() - before.keys() == {"mine.txt"}
    assert gone not in {path for path, _, _ in listed(out)}
    broken = (out / other).read_bytes()
    (out / other).unlink()  # a link no more, and with a bit flipped
    (out / other).write_bytes(bytes([broken[0] ^ 1]) + broken[1:])
    export(demo, mine, out)
    assert before.keys() - files(out).keys() == {gone, bad}
    assert (out / other).samefile(mine / other)


def test_a_clip_that_is_not_there_is_told_and_the_others_are_offered(
    demo: Hosted, mine: Path, out: Path
) -> None:
    count = export(demo, mine, out)
    lost, *_ = [name for name in files(out) if name.startswith("videos/val/")]
    (mine / lost).unlink()
    with pytest.raises(KdlError, match="1 clips are not on disk") as raised:
        export(demo, mine, out)
    assert raised.value.subject == lost
    assert raised.value.fix.startswith("kdl repair")
    assert len(list(listed(out))) == count - 1
    assert not (out / lost).exists()


def test_a_run_that_was_ended_leaves_nothing_behind_for_ever(demo: Hosted, mine: Path, out: Path) -> None:
    export(demo, mine, out)
    before = files(out)
    (out / "videos/val/stale.mp4").write_bytes(b"linked by a run that was killed")
    line = f"{hashlib.sha256(b'').hexdigest()}  videos/val/stale.mp4\n"
    (out / ".kdl-origin/val.clips.new").write_text(f"{line}{line[:70]}")
    export(demo, mine, out)
    assert files(out) == before


def test_folders_that_are_somebodys_are_refused(demo: Hosted, mine: Path, out: Path) -> None:
    out.mkdir()
    (out / "thesis.tex").write_text("all of it")
    for place, words in (
        (out, "holds something else"),
        (mine / "videos/o", "own folders"),
        (mine.parent, "own"),
    ):
        with pytest.raises(UsageError, match=words):
            export(demo, mine, place)
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


def test_where_links_can_not_be_the_clips_are_copied(demo: Hosted, mine: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        out = Path(folder) / "served"
        if os.stat(folder).st_dev == mine.stat().st_dev:
            pytest.skip("one file system")
        export(demo, mine, out)
        before = files(out)
        for name, _, sha256 in listed(out):
            assert hashlib.sha256((out / name).read_bytes()).hexdigest() == sha256
        export(demo, mine, out)
        assert files(out) == before
