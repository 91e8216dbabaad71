"""Zips, which are read from a file."""

from __future__ import annotations

import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from archive_kit import Catcher, clip_name, content, sha256

from kdl.archive.members import Skip
from kdl.archive.sniff import Kind
from kdl.errors import ArchiveError, MachineError

MEMBERS = [(f"top/some class/{clip_name(n)}", content(n)) for n in range(4)]
TREE = {f"some class/{clip_name(n)}": sha256(content(n)) for n in range(4)}


def make_zip(path: Path, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir("top")
        for name, data in MEMBERS:
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_sound_zip(catcher: Catcher, tmp_path: Path, method: int) -> None:
    reading = catcher.run_zip(make_zip(tmp_path / "a.tar.gz", method))
    assert (reading.kind, reading.whole, reading.reason) == (Kind.ZIP, True, "")
    assert (reading.clips, reading.skipped, reading.bytes_out) == (4, 0, 12_000)
    assert [(clip.member, clip.seq) for clip in catcher.clips] == [(MEMBERS[n][0], n) for n in range(4)]
    assert catcher.tree() == TREE


def test_info_zip(catcher: Catcher, tmp_path: Path) -> None:
    for name, data in MEMBERS:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "source" / clip_name(9)).symlink_to("/etc/passwd")
    command = ["zip", "-q", "-r", "-y", "../a.zip", "."]
    subprocess.run(command, cwd=tmp_path / "source", check=True)
    reading = catcher.run_zip(tmp_path / "a.zip")
    assert catcher.skips == [(clip_name(9), Skip.SYMBOLIC_LINK)]
    assert (reading.whole, catcher.tree()) == (True, TREE)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_costs_itself_alone(catcher: Catcher, tmp_path: Path, method: int) -> None:
    path = make_zip(tmp_path / "a.zip", method)
    data = bytearray(path.read_bytes())
    at = data.index(clip_name(1).encode()) + 1000
    data[at] ^= 0x10
    path.write_bytes(data)
    reading = catcher.run_zip(path)
    assert not reading.whole
    assert clip_name(1) in reading.reason
    assert catcher.tree() == {name: digest for name, digest in TREE.items() if clip_name(1) not in name}
    assert reading.clips == 3


def test_every_cut_is_told(catcher: Catcher, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip")
    data = path.read_bytes()
    for cut in range(4, len(data), 379):
        path.write_bytes(data[:cut])
        reading = catcher.run_zip(path)
        assert (reading.whole, reading.clips) == (False, 0)
        assert "directory" in reading.reason
    assert catcher.tree() == {}


def test_what_is_refused(catcher: Catcher, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    fifo = zipfile.ZipInfo(clip_name(5))
    fifo.external_attr = (stat.S_IFIFO | 0o644) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"/{clip_name(0)}", b"x")
        archive.writestr(f"a/../../{clip_name(1)}", b"x")
        archive.writestr(f"__MACOSX/._{clip_name(2)}", b"x")
        archive.writestr("notes.txt", b"x")
        archive.writestr(clip_name(3), b"x" * 101)
        archive.writestr(clip_name(4), b"x", zipfile.ZIP_LZMA)
        archive.writestr(fifo, b"")
        archive.writestr(clip_name(6), b"")
    reading = catcher.run_zip(path, cap=100)
    assert [reason for _, reason in catcher.skips] == [
        Skip.ABSOLUTE,
        Skip.PARENT,
        Skip.APPLE_DOUBLE,
        Skip.NOT_A_CLIP,
        Skip.TOO_LARGE,
        Skip.METHOD,
        Skip.SPECIAL,
    ]
    assert (reading.whole, catcher.tree()) == (True, {clip_name(6): sha256(b"")})


def test_an_encrypted_member_is_skipped(catcher: Catcher, tmp_path: Path) -> None:
    (tmp_path / clip_name(0)).write_bytes(content(0))
    command = ["zip", "-q", "-P", "secret", "a.zip", "--", clip_name(0)]
    subprocess.run(command, cwd=tmp_path, check=True)
    reading = catcher.run_zip(tmp_path / "a.zip")
    assert (reading.clips, catcher.skips) == (0, [(clip_name(0), Skip.ENCRYPTED)])


def test_a_directory_that_claims_more_than_a_member_holds(catcher: Catcher, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 20 : entry + 28] = (4_000_000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    reading = catcher.run_zip(path)
    assert (reading.whole, reading.clips) == (False, 3)


def test_no_zip_and_no_file(catcher: Catcher, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>")
    with pytest.raises(ArchiveError):
        catcher.run_zip(tmp_path / "a.zip")
    with pytest.raises(MachineError, match=r"b\.zip"):
        catcher.run_zip(tmp_path / "b.zip")
