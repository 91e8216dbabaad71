"""What a disk does to a mirror over the years, done to one: each way has a finding of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.running import Ran, clips

ABSEILING, DRIVING, MASSAGING, TYING = (
    f"videos/train/{name}"
    for name in ("abseiling", "driving_car", "massaging_person's_head", "tying_knot_(not_on_a_tie)")
)
ROTTEN = f"{ABSEILING}/CaseMatters_000005_000008.mp4"
CHANGED = f"{DRIVING}/caseMatters_000005_000008.mp4"
CUT = f"{DRIVING}/portrait_01_000020_000023.mp4"
DELETED = f"{DRIVING}/silent_clip_000100_000103.mp4"
SWAPPED = (f"{MASSAGING}/plainClip_1_000001_000004.mp4", f"{MASSAGING}/plainClip_2_000002_000005.mp4")
RENAMED, NEW_NAME = f"{MASSAGING}/secondSound_000003_000006.mp4", f"{TYING}/a film.mp4"
STRAY = f"{ABSEILING}/notes.txt"
LOCKED = f"{TYING}/portrait_02_000005_000008.mp4"
FOLDER = "videos/val/abseiling"
IN_FOLDER = (f"{FOLDER}/valClip_0_a_000000_000003.mp4", f"{FOLDER}/valClip_0_b_000000_000003.mp4")
TOUCHED = "videos/test/testClip_01_000000_000003.mp4"
LOOPED = "videos/test/testClip_04_000033_000036.mp4"
QUARANTINED = 3
"""Clips of the demo that are corrupt and stay so."""

CHANGES_ON_DISK = {
    CHANGED: "clip_changed",
    CUT: "clip_truncated",
    DELETED: "missing_clip",
    SWAPPED[0]: "clip_swapped",
    SWAPPED[1]: "clip_swapped",
    RENAMED: "clip_renamed",
    IN_FOLDER[0]: "missing_clip",
    IN_FOLDER[1]: "missing_clip",
}
"""What size and time give away."""
NOT_LOOKED_AT = {LOCKED: "permission_lost", LOOPED: "not_checked"}


def write(path: Path, change: Callable[[bytearray], object], *, keep_time: bool) -> None:
    """Alter a file's bytes in place."""
    stat, data = path.stat(), bytearray(path.read_bytes())
    change(data)
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
    if keep_time:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    else:
        os.utime(path, ns=(1, 1))


def flip(data: bytearray) -> None:
    data[len(data) // 2] ^= 0xFF


def halve(data: bytearray) -> None:
    del data[len(data) // 2 :]


def age(base: Path) -> None:
    """All of it at once."""
    write(base / ROTTEN, flip, keep_time=True)
    write(base / CHANGED, flip, keep_time=False)
    write(base / CUT, halve, keep_time=True)
    (base / DELETED).unlink()
    one, other = (base / name for name in SWAPPED)
    one.rename(base / "aside")
    other.rename(one)
    (base / "aside").rename(other)
    (base / RENAMED).rename(base / NEW_NAME)
    (base / STRAY).write_text("a file of somebody's")
    (base / LOCKED).chmod(0)
    shutil.rmtree(base / FOLDER)
    os.utime(base / TOUCHED, ns=(7, 7))
    (base / LOOPED).unlink()
    (base / LOOPED).symlink_to(Path(LOOPED).name)


def by_subject(done: Ran) -> dict[str, str]:
    """Subject to kind; that each is told once is part of it."""
    findings = [(f["subject"], f["kind"]) for f in done.result["findings"] if f["kind"] != "corrupt_clip"]
    assert len(dict(findings)) == len(findings)
    return dict(findings)


@dataclass(frozen=True)
class Aged:
    """A mirror that much has happened to, looked at three times and then put right by hand."""

    base: Path
    stat: Ran
    hash: Ran
    again: Ran
    healed: Ran
    listed: dict[str, str]
    """Path to mark, of the look at ``hash``."""
    rows: dict[tuple[str, str], dict[str, str]]
    """Exported after it was put right."""

    def finding(self, subject: str) -> dict[str, Any]:
        (found,) = (f for f in self.hash.result["findings"] if f["subject"] == subject)
        return dict(found)


@pytest.fixture(scope="module")
def aged(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Aged:
    root = tmp_path_factory.mktemp("aged")
    base = demo.copy(root)
    age(base)
    lines = root / "combined"
    stat = demo.run("verify", root, "--level", "stat", "--json")
    hashed = demo.run("verify", root, "--level", "hash", "--combined", lines, "--json")
    listed = {line[2:]: line[0] for line in lines.read_text().splitlines()}
    again = demo.run("verify", root, "--level", "stat", "--json")
    shutil.rmtree(base / "videos")
    assert demo.mirrored is not None
    shutil.copytree(demo.mirrored / "demo" / "videos", base / "videos")
    healed = demo.run("verify", root, "--level", "stat", "--json")
    return Aged(base, stat, hashed, again, healed, listed, clips(demo.dataset, root))


def test_size_and_time_give_away_all_but_rot(aged: Aged) -> None:
    expected = CHANGES_ON_DISK | {LOCKED: "permission_lost", STRAY: "extra_file", FOLDER: "folder_missing"}
    assert by_subject(aged.stat) == expected | {LOOPED: "not_checked"}


def test_every_kind_of_damage_is_told_by_a_name_of_its_own(aged: Aged) -> None:
    expected = CHANGES_ON_DISK | NOT_LOOKED_AT | {ROTTEN: "bit_rot"}
    assert by_subject(aged.hash) == expected | {STRAY: "extra_file", FOLDER: "folder_missing"}


def test_what_could_not_be_looked_at_is_not_called_bad(aged: Aged) -> None:
    for done in (aged.stat, aged.hash):
        assert done.code == 3
        assert done.result["could_not_check"] == len(NOT_LOOKED_AT)
    bad = len(CHANGES_ON_DISK) + 1
    assert aged.hash.result["by_verdict"]["missing"] == bad
    assert aged.hash.result["by_verdict"]["corrupt"] == QUARANTINED
    assert aged.hash.result["checked"] == sum(aged.hash.result["by_verdict"].values())


def test_findings_name_both_places_and_the_way_out(aged: Aged) -> None:
    assert SWAPPED[1] in aged.finding(SWAPPED[0])["detail"]
    assert SWAPPED[0] in aged.finding(SWAPPED[1])["detail"]
    renamed = aged.finding(RENAMED)
    assert NEW_NAME in renamed["detail"]
    assert renamed["fix"].startswith("mv -n ")
    assert aged.finding(LOCKED)["fix"].startswith("chmod ")
    assert "2 clips" in aged.finding(FOLDER)["detail"]
    assert all(f["fix"] for f in aged.hash.result["findings"])


def test_only_what_is_altered_is_read_at_level_stat(aged: Aged, demo: Hosted) -> None:
    assert demo.mirrored is not None
    read = (CHANGED, *SWAPPED, RENAMED, TOUCHED)
    size = sum((demo.mirrored / "demo" / name).stat().st_size for name in read)
    assert aged.stat.result["bytes"] == size + (aged.base / CUT).stat().st_size // 2
    assert aged.stat.result["touched"] == 1
    assert aged.hash.result["touched"] == 0


def test_the_combined_list_has_every_path_once(aged: Aged, demo: Hosted) -> None:
    other = {ROTTEN, CHANGED, CUT, *SWAPPED}
    gone = {DELETED, RENAMED, *IN_FOLDER}
    marks = dict.fromkeys(other, "*") | dict.fromkeys(gone, "+") | dict.fromkeys(NOT_LOOKED_AT, "!")
    marks |= {STRAY: "-", NEW_NAME: "-"}
    assert {path: mark for path, mark in aged.listed.items() if mark != "="} == marks
    assert aged.listed[TOUCHED] == "="
    rows = clips(demo.dataset, demo.mirrored or Path())
    assert set(aged.listed) == {row["path"] for row in rows.values() if row["path"]} | {STRAY, NEW_NAME}


def test_what_was_found_bad_by_its_bytes_is_not_cleared_by_its_time(aged: Aged) -> None:
    assert by_subject(aged.again)[ROTTEN] == "bit_rot"


def test_a_clip_that_is_sound_again_has_its_verdict_back(aged: Aged, demo: Hosted) -> None:
    assert (aged.healed.code, by_subject(aged.healed)) == (1, {})
    assert aged.rows == clips(demo.dataset, demo.mirrored or Path())


def test_mirror_mends_what_verify_found(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    write(base / ROTTEN, flip, keep_time=True)
    replaced = base / ABSEILING / "zeroBytes01_000041_000044.mp4"
    write(replaced, flip, keep_time=True)  # the replacement's own file by another name, too
    found = demo.run("verify", tmp_path, "--json")
    assert {"bit_rot", "replacement_damaged"} <= found.kinds()
    mark = demo.mark()
    demo.mirror(tmp_path)
    assert demo.fetched(mark) == ["abseiling.tar.gz", "replacement_for_corrupted_demo.tgz"]
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored or tmp_path)
    assert by_subject(demo.run("verify", tmp_path, "--json")) == {}


def test_verify_mends_in_the_same_run_if_told_to(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    write(base / ROTTEN, flip, keep_time=True)
    (base / DELETED).unlink()
    assert demo.run("verify", tmp_path, "--from", tmp_path, "--json").code == 2
    options = ("--repair", "--from", demo.mirrored, "--origin", demo.server.url, "--split", "train")
    mark = demo.mark()
    done = demo.run("verify", tmp_path, *options, "--json")
    assert done.result["by_verdict"]["missing"] == done.result["repair"]["repaired"] == 2
    assert "bit_rot" not in done.kinds()
    assert demo.fetched(mark) == []
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored or tmp_path)
