"""Takes members from an archive, decides which are clips, and puts those on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from kdl.archive.members import IsClip, Member, OnClip, OnSkip, Place, Placement, Skip
from kdl.diskerrors import disk_errors
from kdl.values import ClipFile

FILE_MODE = 0o644
"""Before the umask."""


class Intake:
    """The one place that writes; paths come from ``place`` alone, never from a member's name.

    Whatever a format yields while a clip is read may raise: the clip is then not put under its name, its
    temporary file is removed and the exception goes on.
    """

    def __init__(
        self, *, is_clip: IsClip, place: Place, on_clip: OnClip, on_skip: OnSkip, tmp_dir: Path, cap: int
    ) -> None:
        """``tmp_dir`` (made if absent) must lie on the file system that ``place`` points to.

        ``cap`` is in bytes. Raises DiskFull and MachineError.
        """
        with disk_errors(tmp_dir):
            tmp_dir.mkdir(parents=True, exist_ok=True)
        self._is_clip = is_clip
        self._place = place
        self._on_clip = on_clip
        self._on_skip = on_skip
        self._temp = tmp_dir / f"clip-{secrets.token_hex(8)}.tmp"
        self._cap = cap
        self.clips = 0
        self.skipped = 0
        self.bytes_out = 0

    def offer(
        self, name: str, size: int, data: Iterable[bytes | memoryview], refusal: Skip | None = None
    ) -> None:
        """Take the member ``name`` of ``size`` bytes if it is a clip, else report it as skipped.

        ``refusal`` is what the format holds against it. ``data`` is read only for clips. Raises DiskFull
        and MachineError, and what ``data`` and the callbacks raise.
        """
        parts = [part for part in name.split("/") if part not in ("", ".")]
        reason = refusal or self._refusal(name, parts, size)
        if reason is not None:
            self.skipped += 1
            self._on_skip(name, reason)
            return
        folder = parts[-2] if len(parts) > 1 else ""
        member = Member(member=name, name=parts[-1], folder=folder, seq=self.clips, size=size)
        clip = self._store(member, self._place(member), data)
        self.clips += 1
        self._on_clip(clip)

    def _refusal(self, name: str, parts: list[str], size: int) -> Skip | None:
        if not parts or "\0" in name:
            return Skip.NAME
        if name.startswith("/"):
            return Skip.ABSOLUTE
        if ".." in parts:
            return Skip.PARENT
        if parts[-1].startswith("._"):
            return Skip.APPLE_DOUBLE
        if not self._is_clip(parts[-1]):
            return Skip.NOT_A_CLIP
        return Skip.TOO_LARGE if size > self._cap else None

    def _store(self, member: Member, placement: Placement, data: Iterable[bytes | memoryview]) -> ClipFile:
        path = placement.path
        if path is None:
            for _ in data:
                pass
            return _clip_file(member)
        digest = hashlib.sha256()
        with _TempFile(self._temp) as temp:
            for piece in data:
                digest.update(piece)
                temp.write(piece)
            sha256 = digest.hexdigest()
            path, written = settled(placement, path, sha256)
            mtime_ns = temp.mtime_ns() if written else None
            if written:
                temp.move_to(path)
                self.bytes_out += member.size
        return _clip_file(member, path, sha256, time_of(path, mtime_ns), written)


def settled(placement: Placement, path: Path, sha256: str) -> tuple[Path, bool]:
    """Where a clip of this digest belongs that is wanted at ``path``, and whether it is to be put there."""
    there = path.is_file()
    wanted = sha256 != placement.known_sha256 or not there
    if wanted and there and placement.aside is not None:
        path = placement.aside
    return path, wanted


def time_of(path: Path, before: int | None) -> int | None:
    """The mtime_ns of a clip in its place; ``before``, which it came with, where it is there no more."""
    # Whoever judges clips may have moved this one on by now: its time is still what it was.
    with disk_errors(path), contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime_ns
    return before


def move(source: Path, path: Path) -> None:
    """Put ``source`` at ``path``, over what is there; parents are made. Raises OSError."""
    try:
        source.replace(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        source.replace(path)


class _TempFile:
    """A file being written; gone at the end of the ``with`` unless it was moved to its final name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> _TempFile:
        with disk_errors(self._path):
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        return self

    def write(self, data: bytes | memoryview) -> None:
        with disk_errors(self._path):
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]

    def mtime_ns(self) -> int:
        with disk_errors(self._path):
            return os.fstat(self._fd).st_mtime_ns

    def move_to(self, path: Path) -> None:
        """Put it at ``path``, over what is there; parents are made."""
        with disk_errors(path):
            self._close()
            move(self._path, path)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Nothing that was lost here was to be kept, so failures have nothing to tell.
        with contextlib.suppress(OSError):
            self._close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _clip_file(
    member: Member,
    path: Path | None = None,
    sha256: str | None = None,
    mtime_ns: int | None = None,
    written: bool = False,
) -> ClipFile:
    return ClipFile(
        member=member.member,
        name=member.name,
        folder=member.folder,
        seq=member.seq,
        size=member.size,
        path=None if path is None else str(path.absolute()),
        sha256=sha256,
        mtime_ns=mtime_ns,
        written=written,
    )
