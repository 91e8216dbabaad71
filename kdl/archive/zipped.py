"""Unpacks a zip from a file: its directory stands at the end, so it can't be read from a stream."""

from __future__ import annotations

import errno
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from kdl.archive.intake import Intake
from kdl.archive.members import IsClip, OnClip, OnSkip, Place, Reading, Skip
from kdl.archive.sniff import HEAD, Kind, sniff
from kdl.archive.stream import READ, Damage
from kdl.errors import ArchiveError, MachineError
from kdl.settings import MEMBER_CAP

_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others are inflated by the standard library without a bound on memory."""
_MALFORMED = (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, RuntimeError, struct.error)
"""What zipfile raises for what it can't make sense of."""


def unpack_zip(
    path: Path,
    *,
    name: str,
    is_clip: IsClip,
    place: Place,
    on_clip: OnClip,
    on_skip: OnSkip,
    tmp_dir: Path,
    cap: int = MEMBER_CAP,
) -> Reading:
    """Unpack the zip at ``path``; all else as :func:`kdl.archive.unpack.unpack` has it.

    A clip whose checksum is wrong is not put on disk, and the others are read. A zip without its
    directory (it stands at the end) is not whole and gives no clip. Whole means here that the directory
    was read and every clip in it had the right checksum. Raises ArchiveError for what is no zip.
    """
    intake = Intake(is_clip=is_clip, place=place, on_clip=on_clip, on_skip=on_skip, tmp_dir=tmp_dir, cap=cap)
    reason = ""
    try:
        with path.open("rb") as file:
            if sniff(file.read(HEAD)) is not Kind.ZIP:
                raise ArchiveError("not a zip", subject=name)
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    except _MALFORMED as error:
        reason = f"the zip's directory, at its end, is missing or damaged ({error})"
    else:
        with archive:
            reason = _unpack_all(archive, path, intake)
    return Reading(
        kind=Kind.ZIP,
        whole=not reason,
        reason=reason,
        clips=intake.clips,
        skipped=intake.skipped,
        bytes_out=intake.bytes_out,
    )


def _unpack_all(archive: zipfile.ZipFile, path: Path, intake: Intake) -> str:
    """Offer every member but directories; the first damage, in plain words."""
    reason = ""
    for info in archive.infolist():
        if info.filename.endswith("/"):
            continue
        try:
            intake.offer(info.filename, info.file_size, _data(archive, info, path), _refusal(info))
        except Damage as damage:
            reason = reason or str(damage)
    return reason


def _refusal(info: zipfile.ZipInfo) -> Skip | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return Skip.SYMBOLIC_LINK
    if kind not in (0, stat.S_IFREG):
        return Skip.SPECIAL
    if info.flag_bits & _ENCRYPTED:
        return Skip.ENCRYPTED
    return None if info.compress_type in _METHODS else Skip.METHOD


def _data(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Iterator[bytes]:
    """A member's bytes. Raises Damage where they are not what the directory promises."""
    left = info.file_size
    try:
        with archive.open(info) as file:
            while chunk := file.read(READ):
                left -= len(chunk)
                yield chunk
    except (*_MALFORMED, zlib.error, OSError) as error:
        # EINVAL: the directory points to before the file's begin.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise _unreadable(path, error) from error
        raise Damage(f"the zip is damaged at {info.filename!r} ({error})") from error
    if left:
        raise Damage(f"the zip holds too little of {info.filename!r}")


def _unreadable(path: Path, error: OSError) -> MachineError:
    return MachineError(f"can not be read: {error.strerror or error}", subject=str(path))
