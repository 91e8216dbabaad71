"""Reads an archive from a stream, once, and writes its clips while the bytes arrive."""

from __future__ import annotations

from pathlib import Path

from kdl.archive.inflate import Inflater
from kdl.archive.intake import Intake
from kdl.archive.members import IsClip, OnClip, OnSkip, Place, Reading
from kdl.archive.sniff import HEAD, MAGIC, Kind, sniff, words_for
from kdl.archive.stream import Damage, Pieces, Reader, chunks_of
from kdl.archive.tarstream import TarStream
from kdl.errors import ArchiveError
from kdl.settings import MEMBER_CAP


class SeekNeeded(ArchiveError):
    """A zip: it is read from a file, by :func:`kdl.archive.zipped.unpack_zip`."""


def unpack(
    reader: Reader,
    *,
    name: str,
    is_clip: IsClip,
    place: Place,
    on_clip: OnClip,
    on_skip: OnSkip,
    tmp_dir: Path,
    cap: int = MEMBER_CAP,
) -> Reading:
    """Unpack a tar, plain or in gzip, xz or bz2, told by content. Blocks: call it in a thread.

    Regular files whose base name ``is_clip`` accepts are clips: each goes where ``place`` says, through
    a temporary file in ``tmp_dir`` (same file system; made if absent), and is told by ``on_clip`` after
    it has its final name. Everything else but directories is told by ``on_skip``, members larger than
    ``cap`` bytes too. Memory is flat, whatever the archive claims.

    Where a Reading is returned the reader was read to its end, damaged archives included; the clips
    before and, where headers can be found again, after the damage are on disk. ``name`` is for messages.

    Raises ArchiveError where nothing can be recognised, SeekNeeded for a zip, DiskFull and MachineError
    from writing, and as they are the exceptions of the reader and the callbacks. No temporary file is
    left in any of these cases.
    """
    raw = Pieces(chunks_of(reader))
    head = raw.exactly(HEAD)
    raw.unread(head)
    kind = sniff(head)
    if kind is Kind.ZIP:
        raise SeekNeeded("a zip can only be read from a file", subject=name, fix="spool it first")
    if kind is Kind.UNKNOWN:
        raise ArchiveError(_unrecognised(head), subject=name)
    intake = Intake(is_clip=is_clip, place=place, on_clip=on_clip, on_skip=on_skip, tmp_dir=tmp_dir, cap=cap)
    inflater = Inflater(kind, raw) if kind in MAGIC else None
    plain = raw if inflater is None else Pieces(inflater.chunks())
    damaged_at: list[int] = []
    tar = TarStream(plain, on_damage=lambda: damaged_at.append(raw.given))
    reason = ""
    try:
        if inflater is not None:
            _require_tar(plain, kind, name)
        for entry in tar.entries():
            intake.offer(entry.name, entry.size, tar.data(), entry.refusal)
    except Damage as damage:
        reason = str(damage)
        damaged_at.append(raw.given)
        raw.drain()
    reason = tar.damage or reason
    return Reading(
        kind=kind,
        whole=not reason,
        reason=reason,
        clips=intake.clips,
        skipped=intake.skipped,
        bytes_out=intake.bytes_out,
        note=_note(tar.trailing + (inflater.trailing if inflater else 0)),
        damaged_at=damaged_at[0] if damaged_at else None,
    )


def _require_tar(plain: Pieces, kind: Kind, name: str) -> None:
    """Raises ArchiveError for sound data of another kind, Damage where the data is not sound."""
    head = plain.exactly(HEAD)
    plain.unread(head)
    if sniff(head) is not Kind.TAR:
        plain.drain()
        inner = words_for(head)
        raise ArchiveError(f"{kind} data that holds no tar{inner and f' but {inner}'}", subject=name)


def _unrecognised(head: bytes) -> str:
    if not head:
        return "it is empty"
    if head.lstrip().startswith(b"<"):
        return "no archive but a page of HTML or XML"
    if foreign := words_for(head):
        return f"{foreign}, which is not read here; tar is, plain or in gzip, xz or bz2, and zip"
    return f"no archive that is known here: it begins with {head[:16]!r}"


def _note(trailing: int) -> str:
    return f"{trailing} bytes that belong to no archive follow its end" if trailing else ""
