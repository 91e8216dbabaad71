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


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""  # the reading tells it better
