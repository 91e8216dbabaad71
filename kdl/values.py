"""The plain values that flow between the rooms of kdl.

Every class here is frozen and picklable, imports nothing of kdl, and does no I/O: they may cross a
process or a cluster. Durations are seconds, sizes are bytes, digests are lower-case hex.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Any

_INNER = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".flv", ".m4v", ".3gp")


def bare_name(name: str) -> str:
    """A clip's file name without its extension, or both of them: ``x.mp4.mkv`` is called ``x``.

    Folders of frames and other derivatives are named so.
    """
    stem = PurePath(name).stem
    inner = PurePath(stem)
    return inner.stem if inner.suffix.lower() in _INNER else stem


class Verdict(StrEnum):
    """What is judged of a clip."""

    OK = "ok"
    SHORT = "short"
    """Sound, but shorter than its name says."""
    CORRUPT = "corrupt"
    MISSING = "missing"
    """The ledger had it, the disk has not."""
    PENDING = "pending"
    """Listed; its shards are not read yet."""
    UNCHECKED = "unchecked"
    """Bytes whole and hashed, not probed."""
    NEVER_HOSTED = "never_hosted"
    """Listed, but in none of the split's shards, or on the manifest's list of known absences."""
    UNLISTED = "unlisted"
    """In a shard, but in no annotation."""


SOUND = (Verdict.OK, Verdict.SHORT)
"""The verdicts of clips that trainers may read."""


class Cause(StrEnum):
    """Why a clip is corrupt, or what is noteworthy about one that is not."""

    ZERO_BYTES = "zero_bytes"
    MOOV_MISSING = "moov_missing"
    TRUNCATED = "truncated"
    """Headers promise more than the file holds."""
    NO_VIDEO = "no_video"
    DECODE_ERROR = "decode_error"
    NOT_A_VIDEO = "not_a_video"
    TOO_LARGE = "too_large"
    """More pixels than the bound on untrusted media allows."""
    TIMEOUT = "timeout"
    CRASH = "crash"
    """The decoder itself died on it."""
    CHANGED = "changed"
    """The bytes on disk are not those that were recorded."""


class Level(StrEnum):
    """How deep a check goes; each contains the ones before it."""

    STAT = "stat"
    HASH = "hash"
    PROBE = "probe"
    DECODE = "decode"


@dataclass(frozen=True, slots=True, order=True)
class ClipKey:
    """What identifies a clip: never the YouTube id alone, one id can have several clips."""

    split: str
    """``train``, ``val`` or ``test``."""
    youtube_id: str
    """Eleven characters; case matters."""
    start: int | None
    """Seconds into the source video; ``None`` where names carry no times."""
    end: int | None
    """Seconds into the source video; ``None`` where names carry no times."""

    @property
    def nominal(self) -> float | None:
        """The duration its name promises, in seconds."""
        if self.start is None or self.end is None:
            return None
        return float(self.end - self.start)


@dataclass(frozen=True, slots=True)
class Annotation:
    """One normalised annotation row."""

    key: ClipKey
    label: str | None
    """The class name as annotated, spaces and all; ``None`` in splits without labels."""
    is_cc: bool | None = None
    """The video is under a Creative Commons licence; ``None`` where the list does not say."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a list of loose clips: a file at the host."""

    url: str
    """Percent-encoded."""
    size: int | None = None
    """Bytes, where the list tells."""
    sha256: str | None = None
    """Lower-case hex, where the list tells."""


def line_of(file: Listed) -> str:
    """The line of a list that :func:`read_back` reads; ``-`` stands for what is not known."""
    return f"{file.url}\t{'-' if file.size is None else file.size}\t{file.sha256 or '-'}\n"


def read_back(line: str) -> Listed:
    """The file of a line that :func:`line_of` has written."""
    url, size, sha256 = line.rstrip("\n").split("\t")
    return Listed(url, None if size == "-" else int(size), None if sha256 == "-" else sha256)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines in a row of a list of loose clips."""

    path: str
    """The list, on a disk that all who fetch can see; a URL, a size and a sha256 a line, with tabs."""
    begin: int
    """The first byte of the first line."""
    end: int
    """The byte after the last line."""
    only: frozenset[str] = frozenset()
    """File names of those that are wanted; all where it is empty."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One remote archive."""

    url: str
    """Percent-encoded, as the manifest's own host has it (before any ``--origin``)."""
    name: str
    """The archive's file name, unquoted: ``driving car.tar.gz``."""
    split: str
    index: int
    """0-based position in its split's link list."""
    class_hint: str | None = None
    """The class all its clips belong to, where the shard's name or rank tells."""
    size: int | None = None
    """Bytes, once a server has told."""
    sha256: str | None = None
    """Of the archive, lower-case hex, where the link list tells it."""
    bundle: Stretch | None = None
    """Where it is no archive: the loose clips that stand for one."""


@dataclass(frozen=True, slots=True)
class ClipFile:
    """One clip as an archive gave it."""

    member: str
    """Full name of the member in the archive."""
    name: str
    """Base name, extension included."""
    folder: str
    """Name of the folder that holds it in the archive; empty at the top."""
    seq: int
    """0-based position among the archive's clips."""
    size: int
    path: str | None
    """Where it was written, absolute; ``None`` if the caller did not want it."""
    sha256: str | None
    """``None`` if the caller did not want it."""
    mtime_ns: int | None
    written: bool
    """False where the bytes were already on disk, or not wanted."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What probing measured of a clip; ``None`` where it could not be told."""

    size: int = 0
    duration: float | None = None
    """Seconds of the video stream, measured from its packets where the header is silent."""
    width: int | None = None
    """Pixels as shown: rotation metadata applied."""
    height: int | None = None
    """Pixels as shown: rotation metadata applied."""
    fps: float | None = None
    """Average frame rate."""
    frames: int | None = None
    """Frames the video stream holds: decoded if they were, else packets counted."""
    vcodec: str | None = None
    acodec: str | None = None
    pix_fmt: str | None = None
    rotation: int = 0
    """Degrees clockwise: 0, 90, 180 or 270."""
    promised_frames: int | None = None
    """What the header says (``nb_frames``); absent in fragmented mp4 and mkv."""
    packets: int | None = None
    """Video packets really present with a non-zero size."""
    first_picture: bool = False
    """The first picture decoded."""
    errors: tuple[str, ...] = ()
    """What the reader said went wrong, most telling first; at most eight lines."""
    prober: str = ""
    """``pyav`` or ``ffprobe``."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its cause."""

    verdict: Verdict
    cause: Cause | None = None
    detail: str = ""
    """One line for a person."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong, with the command that mends it."""

    kind: str
    """snake_case, stable: ``corrupt_clip``, ``object_failed``, ``readme_missing`` …"""
    subject: str
    """What it is about: a path, a URL, a class."""
    detail: str
    fix: str = ""
    """A command, or a sentence where no command helps."""

    def as_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "subject": self.subject, "detail": self.detail, "fix": self.fix}


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The result of a verb; printed as one object by ``--json``."""

    dataset: str
    exit_code: int
    elapsed_s: float
    findings: tuple[Finding, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    """The verb's own keys, JSON-ready."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "exit_code": self.exit_code,
            "elapsed_s": round(self.elapsed_s, 3),
            **self.extra,
            "findings": [f.as_dict() for f in self.findings],
        }
