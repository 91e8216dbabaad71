"""The barrier, and telling archives by their first bytes."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from archive_kit import tar_of

from kdl.archive import barrier
from kdl.archive.sniff import Kind, sniff
from kdl.errors import DiskFull, MachineError


def test_the_barrier_takes_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    barrier.sync_filesystem(tmp_path)
    barrier.sync_filesystem(tmp_path / "file")


def test_the_barrier_names_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="gone"):
        barrier.sync_filesystem(tmp_path / "gone")


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, MachineError)]
)
def test_writes_that_failed_in_the_background_are_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[MachineError]
) -> None:
    monkeypatch.setattr(barrier, "_syncfs", lambda fd: number)
    with pytest.raises(MachineError) as caught:
        barrier.sync_filesystem(tmp_path)
    assert type(caught.value) is kind
    assert caught.value.fix


def test_without_syncfs_everything_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(barrier, "_LIBC", object())
    monkeypatch.setattr(barrier.os, "sync", lambda: synced.append(True))
    barrier.sync_filesystem(tmp_path)
    assert synced == [True]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", Kind.UNKNOWN),
        (b"\x1f\x8b\x08\x00", Kind.GZIP),
        (b"\x1f\x8b", Kind.UNKNOWN),
        (b"\xfd7zXZ\x00\x00", Kind.XZ),
        (b"BZh91AY&SY", Kind.BZ2),
        (b"PK\x03\x04", Kind.ZIP),
        (b"PK\x05\x06" + bytes(18), Kind.ZIP),
        (bytes(512), Kind.TAR),
        (bytes(511), Kind.UNKNOWN),
        (tar_of([("x", b"")])[:512], Kind.TAR),
        (tar_of([("x", b"")])[:300], Kind.TAR),
        (b"y" + tar_of([("x", b"")])[1:512], Kind.TAR),
        (b"<html>" * 100, Kind.UNKNOWN),
        (b"\x00\x00\x00\x18ftypmp42" * 50, Kind.UNKNOWN),
    ],
)
def test_kinds(head: bytes, kind: Kind) -> None:
    assert sniff(head) is kind


def test_a_header_older_than_posix_is_told_by_its_checksum() -> None:
    block = bytearray(tar_of([("x", b"")])[:512])
    block[257:265] = bytes(8)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert sniff(bytes(block)) is Kind.TAR
