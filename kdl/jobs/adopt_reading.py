"""One reading of an archive that lies on disk, whole or in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdl.archive.joined import Joined
from kdl.archive.members import Reading
from kdl.archive.sniff import HEAD, Kind, sniff
from kdl.archive.unpack import unpack
from kdl.archive.zipped import unpack_zip
from kdl.errors import ArchiveError
from kdl.jobs.adopt_sources import ArchiveSource
from kdl.jobs.run import Run
from kdl.jobs.shardpass import Sink
from kdl.settings import MIB


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What the reading of an archive came to."""

    reading: Reading
    size: int
    sha256: str


def read_archive(run: Run, source: ArchiveSource, sink: Sink, cap: int, stage: Path) -> Unpacked:
    """Read an archive, in one file or in pieces, from its first byte to its last. Runs in a thread."""
    options = {
        "name": source.name,
        "is_clip": sink.is_clip,
        "place": sink.place,
        "on_clip": sink.clip,
        "on_skip": sink.skip,
        "tmp_dir": stage,
        "cap": cap,
    }
    with Joined(source.paths, run.checkpoint) as joined:
        if sniff(_head(source.paths[0])) is Kind.ZIP:
            if len(source.paths) > 1:
                raise ArchiveError("a zip in pieces can not be read as a stream", subject=source.shown)
            reading = unpack_zip(source.paths[0], **options)  # type: ignore[arg-type]
        else:
            reading = unpack(joined, **options)  # type: ignore[arg-type]
        joined.drain(MIB)
        return Unpacked(reading, joined.size, joined.sha256)


def broken_piece(source: ArchiveSource, damaged_at: int | None) -> str:
    """Which piece of an archive the damage shows in, and what may be wrong with it, in words.

    ``damaged_at``: as :class:`~kdl.archive.members.Reading` has it; ``None`` where no archive begins at all.
    """
    sizes = [path.stat().st_size for path in source.paths]
    if damaged_at is None:
        return f"{source.paths[0].name} does not begin an archive: it is another piece than its name says"
    if damaged_at >= sum(sizes):
        last = source.paths[-1].name
        return f"all pieces are read: a further one after {last} is lacking, or {last} is cut short"
    number = 0
    while damaged_at > sizes[number]:
        damaged_at -= sizes[number]
        number += 1
    name = source.paths[number].name
    odd = [path.name for path, size in zip(source.paths[:-1], sizes, strict=False) if size != sizes[0]]
    hint = f"; sizes differ, too: {', '.join(odd[:3])}" if odd else ""
    return f"it shows {damaged_at} bytes into {name}, which is damaged, or another piece than it says{hint}"


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""  # the reading tells it better
