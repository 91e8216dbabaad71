"""The values of this room: what is met in an archive, where it goes, how the reading went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kdl.archive.sniff import Kind
from kdl.values import ClipFile


class Skip(StrEnum):
    """Why a member of an archive was passed over, in words for a person."""

    NOT_A_CLIP = "not a clip's name"
    APPLE_DOUBLE = "AppleDouble file"
    ABSOLUTE = "absolute path"
    PARENT = "path with .. in it"
    NAME = "no usable name"
    TOO_LARGE = "larger than the cap"
    HARD_LINK = "hard link"
    SYMBOLIC_LINK = "symbolic link"
    DEVICE = "device"
    FIFO = "fifo"
    SPARSE = "sparse file"
    SPECIAL = "special member"
    ENCRYPTED = "encrypted"
    METHOD = "unsupported compression"


@dataclass(frozen=True, slots=True)
class Member:
    """A clip met in an archive, before its bytes are read."""

    member: str
    """Full name in the archive."""
    name: str
    """Base name, extension included."""
    folder: str
    """Name of the folder that holds it; empty at the top."""
    seq: int
    """0-based position among the archive's clips."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What the caller wants done with a clip."""

    path: Path | None
    """Where to put it; ``None`` if nobody wants it: neither hashed nor written."""
    known_sha256: str | None = None
    """Digest of the file that already lies at ``path``: left alone if the clip is the same."""
    aside: Path | None = None
    """Where to put a clip that is not the same as the file at ``path``; ``None`` for over it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the reading of an archive went."""

    kind: Kind
    whole: bool
    """The archive's own evidence says that nothing is missing: end mark, trailers, checksums."""
    reason: str
    """Why it is not whole, in plain words; empty if it is."""
    clips: int
    """Clips reported, unwanted ones included."""
    skipped: int
    """Members reported as skipped."""
    bytes_out: int
    """Bytes of clips put on disk."""
    note: str = ""
    """What is odd about the archive without taking anything from it."""
    damaged_at: int | None = None
    """Bytes of a stream that had been taken when the first damage showed; ``None`` where none did."""


IsClip = Callable[[str], bool]
"""Whether a base name is a clip's."""
Place = Callable[[Member], Placement]
OnClip = Callable[[ClipFile], None]
OnSkip = Callable[[str, Skip], None]
"""Given the member's full name and the reason."""
