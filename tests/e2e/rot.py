"""What happens to files over the years, done to a mirror's clips on purpose."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def flip(path: Path) -> None:
    """One bit; size and time stay, as when a disk forgets."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def swap(one: Path, other: Path) -> None:
    """Two clips under each other's names."""
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def rename(path: Path) -> Path:
    """Under a name that is nobody's; the new place."""
    return path.rename(path.with_name(f"renamed_{path.name}"))


def lose_folder(path: Path) -> list[Path]:
    """The clips that went with it."""
    lost = sorted(path.rglob("*.mp4"))
    shutil.rmtree(path)
    return lost
