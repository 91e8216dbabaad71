"""Tars of samples as WebDataset reads them: the members of one key stand together.

The same samples give the same bytes: no time, no owner, USTAR headers.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdl.errors import ArchiveError

_BLOCK = 512
_CHUNK = 1 << 20
END = tarfile.RECORDSIZE
"""Bytes that a tar may have beyond its members: the end mark, and what fills its last record."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What belongs to one key."""

    key: str
    """No dot in it: readers take what follows the first one for the member's kind."""
    media: Path
    """A file, which becomes the member ``<key>.<extension>``."""
    extension: str
    size: int
    """Bytes of the file."""
    texts: tuple[tuple[str, bytes], ...]
    """Further members: extension, content."""

    @property
    def room(self) -> int:
        """Bytes that it takes in a tar."""
        sizes = (self.size, *(len(text) for _, text in self.texts))
        return sum(_BLOCK + -(-size // _BLOCK) * _BLOCK for size in sizes)


def write_samples(path: Path, samples: Iterable[Sample]) -> int:
    """A tar at ``path``, durable when this returns; its bytes.

    Raises ArchiveError if a file is not what its sample says, OSError.
    """
    with path.open("wb") as raw:
        with tarfile.TarFile(mode="w", fileobj=raw, format=tarfile.USTAR_FORMAT, copybufsize=_CHUNK) as tar:
            for sample in samples:
                with sample.media.open("rb") as media:
                    if os.fstat(media.fileno()).st_size != sample.size:
                        raise _changed(sample)
                    tar.addfile(_header(f"{sample.key}.{sample.extension}", sample.size), media)
                for extension, text in sample.texts:
                    tar.addfile(_header(f"{sample.key}.{extension}", len(text)), io.BytesIO(text))
        raw.flush()
        os.fsync(raw.fileno())
        return raw.tell()


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    return info


def _changed(sample: Sample) -> ArchiveError:
    return ArchiveError(
        "it is not as large as it was a moment ago",
        subject=str(sample.media),
        fix="run the same command again when nothing else writes in the mirror",
    )
