"""Files of clips to be left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_kit import split_of

from kdl.dataset.exclusion import Exclusion, read_exclusion
from kdl.errors import UsageError
from kdl.values import ClipKey

ID, OTHER = "-0wR5jVB-WP", "_tail_here_"


def read(folder: Path, text: str, *, times: bool = True) -> Exclusion:
    path = folder / "out.txt"
    path.write_text(text)
    return read_exclusion(path, [split_of("train", times=times), split_of("val", times=times)])


@pytest.mark.parametrize(
    "line",
    [
        f"{OTHER}_000001_000011",
        f"{OTHER}_000001_000011.mp4",
        f"  val/air drumming/{OTHER}_000001_000011.mp4\r",
    ],
)
def test_a_clips_name_is_that_clip(tmp_path: Path, line: str) -> None:
    found = read(tmp_path, f"# why\n\n{ID}\n{line}\n")
    assert (found.entries, found.unknown) == (2, 0)
    assert found.covers(ClipKey("val", OTHER, 1, 11))
    assert not found.covers(ClipKey("val", OTHER, 30, 40))
    assert not found.covers(ClipKey("val", OTHER.lower()[::-1], 1, 11))


def test_an_id_is_all_its_clips(tmp_path: Path) -> None:
    found = read(tmp_path, f"{ID}\n")
    assert [
        found.covers(ClipKey(split, ID, start, start + 10)) for split in ("train", "val") for start in (0, 7)
    ] == [True] * 4
    assert not found.covers(ClipKey("val", ID.swapcase(), 0, 10))


def test_where_names_carry_no_times_a_clip_is_its_id(tmp_path: Path) -> None:
    found = read(tmp_path, f"{OTHER}_000001_000011.mp4\n{ID}.mp4\n", times=False)
    assert found.covers(ClipKey("val", OTHER, None, None))
    assert found.covers(ClipKey("val", ID, None, None))


def test_what_names_neither_is_counted(tmp_path: Path) -> None:
    found = read(tmp_path, f"{ID}\nnothing\nyoutube_id,time_start\n{OTHER}_1_11.mp4\n")
    assert (found.entries, found.unknown, len(found.ids), len(found.clips)) == (1, 3, 1, 0)


@pytest.mark.parametrize("content", [b"", b"\n \n# only words\n", b"\xff\xfe"])
def test_a_file_that_names_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "out.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_exclusion(path, [split_of()])
    assert caught.value.subject == str(path)
    assert "--overlap" in caught.value.fix


@pytest.mark.parametrize("name", ["none.txt", "."])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="can not read what is to be left out"):
        read_exclusion(tmp_path / name, [split_of()])
