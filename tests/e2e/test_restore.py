"""What goes missing or changes on disk comes back, and nothing else is fetched for it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.running import Ran

ABSEILING, DRIVING = "videos/train/abseiling", "videos/train/driving_car"
CLIP = f"{ABSEILING}/CaseMatters_000005_000008.mp4"
REPLACED = f"{ABSEILING}/zeroBytes01_000041_000044.mp4"
NEVER_IN_A_SHARD = "videos/train/tying_knot_(not_on_a_tie)/onlyMended1_000007_000010.mp4"
UNLISTED = "unlisted/train/inNoListing_000006_000009.mp4"
REPLACEMENTS = ".kdl/replacements"
ARCHIVE = "replacement_for_corrupted_demo.tgz"


def delete(*paths: str) -> Callable[[Path], None]:
    def change(base: Path) -> None:
        for path in paths:
            target = base / path
            shutil.rmtree(target) if target.is_dir() else target.unlink()

    return change


def flip(path: str, *, size: int = 0) -> Callable[[Path], None]:
    """Other bytes in the same file, ``size`` more of them."""

    def change(base: Path) -> None:
        data = bytearray((base / path).read_bytes())
        data[len(data) // 2] ^= 0xFF
        with (base / path).open("r+b") as file:  # in place: a hard link sees it too
            file.write(bytes(data) + bytes(size))
        os.utime(base / path, ns=(1, 1))

    return change


def touch(*paths: str) -> Callable[[Path], None]:
    def change(base: Path) -> None:
        for path in paths:
            os.utime(base / path, ns=(7, 7))

    return change


CHANGES = {
    "a clip": (delete(CLIP), ["abseiling.tar.gz"]),
    "a class folder": (delete("videos/val/abseiling"), ["demo_val_001.tar.gz"]),
    "a split": (delete("videos/test"), ["part_0.tar.gz", "part_1.tar.gz"]),
    "an unlisted clip": (delete(UNLISTED), ["massaging person's head.tar.gz"]),
    "other bytes": (flip(CLIP), ["abseiling.tar.gz"]),
    "another size": (flip(CLIP, size=10), ["abseiling.tar.gz"]),
    "a touched clip": (touch(CLIP, REPLACED), []),
    "a replaced clip": (delete(REPLACED), []),
    "a replaced clip that no shard holds": (delete(NEVER_IN_A_SHARD), []),
    "a replaced clip's bytes": (flip(REPLACED), [ARCHIVE]),
    "the replacements": (delete(REPLACEMENTS), [ARCHIVE]),
    "a replaced clip and the replacements": (delete(REPLACED, REPLACEMENTS), [ARCHIVE]),
    "the annotations": (delete("annotations"), []),
    "the lists": (delete("lists"), []),
    "the spool": (delete(".kdl/spool"), []),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_comes_back(demo: Hosted, tmp_path: Path, what: str) -> None:
    base = demo.copy(tmp_path)
    change, shards = CHANGES[what]
    change(base)
    mark = demo.mark()
    done = demo.mirror(tmp_path)
    assert done.code == 1
    assert demo.fetched(mark) == shards
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored or tmp_path)


def test_a_changed_clip_is_told_and_kept_aside(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    flip(CLIP)(base)
    changed = (base / CLIP).read_bytes()
    done = demo.mirror(tmp_path)
    (finding,) = (f for f in done.result["findings"] if f["kind"] == "clip_changed")
    assert finding["subject"] == CLIP
    aside = base / finding["fix"].rpartition(" ")[2]
    assert aside.read_bytes() == changed


def test_an_emptied_quarantine_stays_empty(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    shutil.rmtree(base / ".kdl" / "quarantine")
    mark = demo.mark()
    done = demo.mirror(tmp_path)
    assert (done.code, done.result["clips"]["corrupt"]) == (1, 3)
    assert demo.fetched(mark) == []
    assert demo.seen(tmp_path)[0] == demo.seen(demo.mirrored or tmp_path)[0]


def test_fetch_restores_too(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    delete(CLIP, REPLACED)(base)
    mark = demo.mark()
    done = demo.run("fetch", tmp_path, "--json")
    assert demo.fetched(mark) == ["abseiling.tar.gz"]
    assert done.result["clips"]["missing"] == 0
    assert (done.result["clips"]["unchecked"], done.result["clips"]["replaced"]) == (1, 4)
    demo.mirror(tmp_path)
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored or tmp_path)


@pytest.mark.long
def test_derivatives_come_back(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    recipe = ("--split", "val", "--recipe", "256p-dense", "--json")
    made = demo.run("derive", tmp_path, *recipe)
    assert made.result["derived"] == {"256p-dense": {"done": 8, "failed": 0}}
    folder = base / "derived" / "256p-dense" / "val"
    names = {path.relative_to(folder) for path in folder.rglob("*.mp4")}
    assert len(names) == 8
    (folder / "driving_car" / "valClip_1_a_000010_000013.mp4").unlink()
    shutil.rmtree(folder / "abseiling")
    flip("videos/val/tying_knot_(not_on_a_tie)/valClip_3_a_000030_000033.mp4")(base)
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.mp4")}
    mark = demo.mark()
    again = demo.mirror(tmp_path, *recipe[:-1])
    assert demo.fetched(mark) == ["demo_val_004.tar.gz"]
    assert again.result["derived"] == made.result["derived"]
    assert {path.relative_to(folder) for path in folder.rglob("*.mp4")} == names
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


@pytest.mark.parametrize("lost", ["deleted", "emptied"])
def test_a_lost_ledger_costs_bytes_and_no_more(demo: Hosted, tmp_path: Path, lost: str) -> None:
    base = demo.copy(tmp_path)
    ledger = base / ".kdl" / "ledger.db"
    ledger.unlink()
    if lost == "emptied":
        ledger.touch()
    for verb in ("lists", "export", "derive"):
        told = demo.run(verb, tmp_path, *(("--recipe", "320p") if verb == "derive" else ()))
        assert told.code == 3
        assert f"kdl mirror {demo.dataset} --root {tmp_path}" in told.err
    done = demo.mirror(tmp_path)
    assert done.code == 1
    (finding,) = (f for f in done.result["findings"] if f["kind"] == "ledger_lost")
    assert "fetched again" in finding["detail"]
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored or tmp_path)


def truncate(ledger: Path) -> None:
    with ledger.open("r+b") as file:
        file.truncate(60_000)


def overwrite(ledger: Path) -> None:
    ledger.write_bytes(os.urandom(100_000))


def scribble(ledger: Path) -> None:
    """Damage past the first page, which holds what is read on opening."""
    with ledger.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(ledger.stat().st_size - 8192))


def stranger(ledger: Path) -> None:
    ledger.unlink()
    other = sqlite3.connect(ledger)
    other.execute("CREATE TABLE recipes (cake TEXT)")
    other.close()


def newer(ledger: Path) -> None:
    later = sqlite3.connect(ledger)
    later.execute("PRAGMA user_version = 99")
    later.close()


@pytest.mark.parametrize("damage", [truncate, overwrite, scribble, stranger, newer])
def test_a_ledger_that_can_not_be_read(demo: Hosted, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    base = demo.copy(tmp_path)
    ledger = base / ".kdl" / "ledger.db"
    damage(ledger)
    damaged = ledger.read_bytes()
    mark = demo.mark()
    told: list[Ran] = [
        demo.mirror(tmp_path),
        demo.mirror(tmp_path, "--dry-run"),
        demo.run("status", tmp_path, "--json"),
        demo.run("export", tmp_path, "--out", tmp_path / "rows.csv", "--json"),
    ]
    for done in told:
        assert done.code == 3
        (finding,) = done.result["findings"]
        assert (finding["kind"], finding["subject"]) == ("ledger", str(ledger))
        assert finding["fix"].startswith("pip install" if damage is newer else f"mv {ledger} {ledger}.bad")
    assert demo.fetched(mark) == []
    assert ledger.read_bytes() == damaged
    assert (base / CLIP).is_file()


def test_the_next_command_after_damage(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    ledger = base / ".kdl" / "ledger.db"
    open_still = sqlite3.connect(ledger)
    open_still.execute("PRAGMA foreign_keys = OFF")
    open_still.execute("DELETE FROM clips")
    open_still.commit()
    shutil.copy(f"{ledger}-wal", base / "wal")
    open_still.close()
    overwrite(ledger)
    shutil.move(base / "wal", f"{ledger}-wal")  # not to be replayed into the new ledger
    command = demo.mirror(tmp_path).result["findings"][0]["fix"]
    subprocess.run(command, shell=True, check=True)
    demo.mirror(tmp_path)
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored or tmp_path)
