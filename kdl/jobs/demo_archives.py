"""Archives as the hosts of Kinetics have them: good ones, and those that surprise people."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

APPLE_DOUBLE = bytes.fromhex("00051607 00020000") + b"Mac OS X        ".ljust(4088, b"\0")
"""What macOS puts beside a file ``x`` as ``._x``: a magic number, a version, attributes."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive, written under exactly this name."""

    name: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE
    """A type of :mod:`tarfile`: ``REGTYPE``, ``DIRTYPE``, ``SYMTYPE`` …"""
    target: str = ""
    """Where a link points."""


def write_archive(path: Path, members: Iterable[Member], *, compressed: bool = True) -> None:
    """Writes a tar, gzipped unless told otherwise, whatever ``path`` is called; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # mp4 does not compress: the quickest level costs nothing in size
    with (
        gzip.open(path, "wb", compresslevel=1) if compressed else path.open("wb") as file,
        tarfile.open(fileobj=file, mode="w") as archive,
    ):
        for member in members:
            archive.addfile(_header(member), io.BytesIO(member.data))


def _header(member: Member) -> tarfile.TarInfo:
    header = tarfile.TarInfo(member.name)
    header.size = len(member.data)
    header.type = member.kind
    header.linkname = member.target
    header.mode = 0o755 if member.kind == tarfile.DIRTYPE else 0o644
    return header
