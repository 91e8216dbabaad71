"""Makes the seek index of an archive that lies on disk, in one reading of it."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from kdl.archive.members import IsClip
from kdl.archive.seekindex import Held, Point, SeekIndex
from kdl.archive.sniff import HEAD, Kind, sniff
from kdl.archive.stream import Damage, Pieces, chunks_of
from kdl.archive.tarstream import TarStream
from kdl.diskerrors import disk_errors
from kdl.errors import ArchiveError

_MAGIC = bytes(8) + b"gzipindx"
"""How an index in gztool's format begins; all its numbers are big-endian."""
_POINT = struct.Struct(">QQII")
"""Offset that comes out, first whole byte read, bits of the byte before it, length of the window."""


def build_index(
    path: Path, url: str, etag: str, *, is_clip: IsClip, beat: Callable[[], None] = lambda: None
) -> SeekIndex | None:
    """The index of the archive at ``path``, which is known to be whole; None for a zip, xz or bz2.

    Blocks, at about the speed of unpacking: call it in a thread; ``beat`` is called with each MiB and may
    raise to end it. Memory is flat. Raises ArchiveError where the data can not be followed, MachineError.
    """
    with disk_errors(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            kind = sniff(file.read(HEAD))
    try:
        if kind is Kind.GZIP:
            points, clips = _of_gzip(path, is_clip, beat)
        elif kind is Kind.TAR:
            with disk_errors(path), path.open("rb") as file:
                points, clips = (), _clips(chunks_of(file), is_clip, beat)
        else:
            return None
    except (Damage, ValueError, RuntimeError, struct.error) as error:
        raise ArchiveError(f"no seek index can be made of it ({error})", subject=path.name) from error
    return SeekIndex(url, size, etag, points, clips)


def _of_gzip(
    path: Path, is_clip: IsClip, beat: Callable[[], None]
) -> tuple[tuple[Point, ...], tuple[Held, ...]]:
    from rapidgzip import IndexFormat, RapidgzipFile  # 32 MB that only those load who make an index

    with RapidgzipFile(str(path), parallelization=1) as file:
        clips = _clips(chunks_of(file), is_clip, beat)
        exported = io.BytesIO()
        file.export_index(exported, IndexFormat.GZTOOL)
    return tuple(_points(exported.getvalue())), clips


def _clips(chunks: Iterator[bytes], is_clip: IsClip, beat: Callable[[], None]) -> tuple[Held, ...]:
    """The clips of a tar, read to its end."""

    def beating() -> Iterator[bytes]:
        for chunk in chunks:
            beat()
            yield chunk

    pieces = Pieces(beating())
    tar = TarStream(pieces)
    return tuple(
        Held(entry.name, entry.offset, entry.size)
        for entry in tar.entries()
        if entry.refusal is None and is_clip(entry.name.rpartition("/")[2])
    )


def _points(data: bytes) -> Iterator[Point]:
    """The points of an index in gztool's format."""
    if not data.startswith(_MAGIC):
        raise ValueError("an index in another format")
    (count,) = struct.unpack_from(">Q", data, len(_MAGIC))
    at = len(_MAGIC) + 16
    for _ in range(count):
        out, whole, bits, length = _POINT.unpack_from(data, at)
        at += _POINT.size
        yield Point(out, whole * 8 - bits, data[at : at + length])
        at += length
