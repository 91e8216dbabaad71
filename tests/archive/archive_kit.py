"""Archives and a catcher of what comes out of them, for the tests of this room."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kdl.archive.members import Member, Placement, Reading, Skip
from kdl.archive.unpack import unpack
from kdl.archive.zipped import unpack_zip
from kdl.values import ClipFile

_CLIP = re.compile(r"[A-Za-z0-9_-]{11}_\d{6}_\d{6}\.mp4")


def is_clip(name: str) -> bool:
    return _CLIP.fullmatch(name) is not None


def clip_name(n: int) -> str:
    return f"-clip_{n:05}_000010_000020.mp4"


def content(n: int, size: int = 3000) -> bytes:
    """``size`` bytes that do not compress, the same for the same ``n``."""
    return hashlib.shake_128(str(n).encode()).digest(size)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tar_of(
    members: Iterable[tuple[str, bytes] | tarfile.TarInfo], tar_format: int = tarfile.GNU_FORMAT
) -> bytes:
    """A tar of ``(name, bytes)`` files and ready headers without data."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def three_clips() -> tuple[bytes, dict[str, str]]:
    """A tar of three clips, and the tree it makes."""
    members = [(f"./{clip_name(n)}", content(n, 700 * (n + 1))) for n in range(3)]
    return tar_of(members), {Path(name).name: sha256(data) for name, data in members}


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


class Dribble:
    """A reader that gives ``step`` bytes at a time and then raises ``error``, if one is given."""

    def __init__(self, data: bytes, step: int, error: BaseException | None = None) -> None:
        self._buffer = io.BytesIO(data)
        self._step = step
        self._error = error

    def read(self, n: int, /) -> bytes:
        chunk = self._buffer.read(min(n, self._step))
        if not chunk and self._error is not None:
            raise self._error
        return chunk


class Catcher:
    """Unpacks into ``root/out`` through ``root/tmp`` and remembers every call."""

    def __init__(self, root: Path) -> None:
        self.out = root / "out"
        self.tmp = root / "tmp"
        self.clips: list[ClipFile] = []
        self.skips: list[tuple[str, Skip]] = []

    def place(self, member: Member) -> Placement:
        return Placement(self.out / member.folder / member.name)

    def options(self, over: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": "shard.tar.gz",
            "is_clip": is_clip,
            "place": self.place,
            "on_clip": self.clips.append,
            "on_skip": lambda name, reason: self.skips.append((name, reason)),
            "tmp_dir": self.tmp,
            **over,
        }

    def run(self, source: bytes | Dribble, **over: Any) -> Reading:
        reader = io.BytesIO(source) if isinstance(source, bytes) else source
        return unpack(reader, **self.options(over))

    def run_zip(self, path: Path, **over: Any) -> Reading:
        return unpack_zip(path, **self.options(over))

    def tree(self) -> dict[str, str]:
        """Relative path to sha256 of every file in the output, and no temporary file may be left."""
        assert not self.tmp.exists() or not list(self.tmp.iterdir())
        files = (path for path in self.out.rglob("*") if path.is_file())
        return {str(path.relative_to(self.out)): sha256(path.read_bytes()) for path in files}
