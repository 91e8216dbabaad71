"""Where clips go, what is left alone, and what stays on disk when things go wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from archive_kit import Catcher, Dribble, clip_name, content, gz, sha256, tar_of, three_clips

from kdl.archive.members import Member, Placement
from kdl.errors import DiskFull, MachineError
from kdl.values import ClipFile

PLAIN, TREE = three_clips()


def test_a_clip_that_nobody_wants_is_reported_and_not_hashed(catcher: Catcher) -> None:
    def place(member: Member) -> Placement:
        return Placement(catcher.out / member.name if member.seq == 1 else None)

    reading = catcher.run(PLAIN, place=place)
    assert catcher.tree() == {clip_name(1): TREE[clip_name(1)]}
    assert (reading.whole, reading.clips, reading.bytes_out) == (True, 3, 1400)
    name, member = clip_name(2), f"./{clip_name(2)}"
    assert catcher.clips[2] == ClipFile(member, name, "", 2, 2100, None, None, None, written=False)


def test_an_unwanted_clip_that_is_cut_is_not_reported(catcher: Catcher) -> None:
    reading = catcher.run(PLAIN[:900], place=lambda _: Placement(None))
    assert (reading.whole, reading.clips, catcher.clips) == (False, 0, [])


def test_a_file_with_the_same_bytes_is_left_alone(catcher: Catcher) -> None:
    catcher.run(PLAIN)
    kept = catcher.out / clip_name(0)
    os.utime(kept, ns=(1, 1_000_000_007))
    inode = kept.stat().st_ino
    known = {**TREE, clip_name(1): sha256(b"older bytes")}
    catcher.clips.clear()
    reading = catcher.run(PLAIN, place=lambda m: Placement(catcher.out / m.name, known[m.name]))
    assert [clip.written for clip in catcher.clips] == [False, True, False]
    assert (kept.stat().st_ino, catcher.clips[0].mtime_ns) == (inode, 1_000_000_007)
    assert (catcher.tree(), reading.bytes_out) == (TREE, 1400)


def test_a_known_file_that_has_gone_is_written_again(catcher: Catcher) -> None:
    catcher.run(PLAIN, place=lambda m: Placement(catcher.out / m.name, TREE[m.name]))
    assert all(clip.written for clip in catcher.clips)
    assert catcher.tree() == TREE


def test_the_mode_follows_the_umask(catcher: Catcher) -> None:
    before = os.umask(0o027)
    try:
        catcher.run(PLAIN)
    finally:
        os.umask(before)
    assert (catcher.out / clip_name(0)).stat().st_mode & 0o777 == 0o640


def test_folders_appear_with_their_first_clip_and_nothing_else_does(catcher: Catcher) -> None:
    catcher.run(tar_of([("empty/notes.txt", b"x"), (f"full/{clip_name(0)}", b"")]))
    assert sorted(path.name for path in catcher.out.iterdir()) == ["full"]
    assert catcher.tree() == {f"full/{clip_name(0)}": sha256(b"")}


def test_a_clip_is_reported_once_it_has_its_name(catcher: Catcher) -> None:
    seen: list[bool] = []

    def on_clip(clip: ClipFile) -> None:
        assert clip.path is not None
        seen.append(Path(clip.path).read_bytes() == content(len(seen), 700 * (len(seen) + 1)))

    catcher.run(PLAIN, on_clip=on_clip)
    assert seen == [True, True, True]


@pytest.mark.parametrize("after", [0, 600, 1500, 4000])
@pytest.mark.parametrize(
    "error", [OSError("connection reset"), ConnectionResetError(104, "reset"), KeyboardInterrupt()]
)
def test_an_error_of_the_reader_comes_through_as_it_is(
    catcher: Catcher, error: BaseException, after: int
) -> None:
    with pytest.raises(type(error)) as caught:
        catcher.run(Dribble(gz(PLAIN)[:after], 100, error))
    assert caught.value is error
    assert catcher.tree().items() <= TREE.items()


def test_an_error_of_a_callback_comes_through_and_stops(catcher: Catcher) -> None:
    def on_clip(clip: ClipFile) -> None:
        raise LookupError(clip.name)

    with pytest.raises(LookupError):
        catcher.run(PLAIN, on_clip=on_clip)
    assert catcher.tree() == {clip_name(0): TREE[clip_name(0)]}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(catcher: Catcher, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    write, left = os.write, 1000

    def write_until_full(fd: int, data: memoryview) -> int:
        nonlocal left
        if not left:
            raise OSError(number, os.strerror(number))
        done = write(fd, data[:left])
        left -= done
        return done

    monkeypatch.setattr("kdl.archive.intake.os.write", write_until_full)
    with pytest.raises(DiskFull, match="clip-") as caught:
        catcher.run(PLAIN)
    monkeypatch.undo()
    assert caught.value.fix
    assert catcher.tree() == {clip_name(0): TREE[clip_name(0)]}


def test_a_final_name_that_can_not_be_had_is_named(catcher: Catcher) -> None:
    (catcher.out / clip_name(1)).mkdir(parents=True)
    with pytest.raises(MachineError) as caught:
        catcher.run(PLAIN)
    assert caught.value.subject == str(catcher.out / clip_name(1))
    assert catcher.tree() == {clip_name(0): TREE[clip_name(0)]}


def test_a_folder_that_can_not_be_made_is_named(catcher: Catcher) -> None:
    catcher.out.mkdir()
    (catcher.out / "class").write_bytes(b"a file")
    with pytest.raises(MachineError, match="class"):
        catcher.run(tar_of([(f"class/{clip_name(0)}", b"x")]))


def test_a_temporary_folder_that_can_not_be_made_is_named(catcher: Catcher) -> None:
    catcher.tmp.write_bytes(b"a file")
    with pytest.raises(MachineError) as caught:
        catcher.run(PLAIN)
    assert caught.value.subject == str(catcher.tmp)


def test_nothing_is_written_through_a_link_at_the_final_name(catcher: Catcher, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    catcher.out.mkdir()
    (catcher.out / clip_name(0)).symlink_to(elsewhere)
    catcher.run(PLAIN)
    assert elsewhere.read_bytes() == b"mine"
    assert catcher.tree() == TREE
