"""The file system under a root: its rules for names, its locks and its room, tried in a temp folder."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kdl.jobs.doctor_check import Check
from kdl.settings import GIB, human_size

MIN_FREE = 4 * GIB
"""Bytes: spools of four train shards need more; below this not even one edition's val split fits."""
MIN_INODES = 1_000_000
"""The largest edition has 635,000 clips."""
ODD_NAMES = (
    "-begins_with_a_dash.mp4",
    "mountain climber (exercise).tar.gz",
    "massaging person's head.tar.gz",
    'double "quotes" and; others & $HOME.mp4',
    " leading and trailing ",
    "späť-日本語-🎬.mp4",
)
LONGEST_NAME = 255
NETWORK_TYPES = frozenset(
    ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "smbfs", "afs", "9p", "glusterfs")
)
_LOCAL = "put the mirror on a local disk: --root DIR"


def disk_checks(root: Path) -> Iterator[Check]:
    """Room, and what can be done there; the folder these are tried in is removed again."""
    place = nearest(root)
    yield _type(place)
    yield from _room(place)
    where = str(root) if place == root else f"{root} (not there yet; tried in {place})"
    fix = f"choose another --root, or: sudo chown $USER {place}"
    try:
        folder = Path(tempfile.mkdtemp(prefix=".kdl-doctor-", dir=place))
    except OSError as error:
        yield Check("writable", False, f"{where}: {error.strerror}", fix)
        return
    try:
        yield Check("writable", True, where, fix)
        yield from _trials(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def nearest(root: Path) -> Path:
    """``root``, or the closest of its parents that exists."""
    root = root.absolute()
    return next(path for path in (root, *root.parents) if path.exists())


def _type(place: Path) -> Check:
    name = filesystem_type(place)
    network = name in NETWORK_TYPES or name.startswith("fuse.sshfs")
    advice = " (shared by network: the ledger keeps its journal in DELETE mode there)" if network else ""
    fix = "faster and safer: keep the ledger on a local disk with --ledger PATH"
    return Check("file system", not network, f"{name or 'type unknown'}{advice}", fix, required=False)


def filesystem_type(place: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The type of the file system that holds ``place``, as the kernel names it; empty if it can't be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best = ("", "")
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
        if place.resolve().is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


def _room(place: Path) -> Iterator[Check]:
    stat = os.statvfs(place)
    free = stat.f_bavail * stat.f_frsize
    fix = "free some, or choose another --root; kdl mirror DATASET --dry-run tells what is needed"
    yield Check("space", free >= MIN_FREE, f"{human_size(free)} free on {place}", fix)
    counted = stat.f_files > 0  # btrfs and others count none
    detail = f"{stat.f_favail:,} free" if counted else "not limited"
    fix = "mind frames: 300 files a clip; a file system made with more inodes (mkfs -i) helps"
    yield Check("inodes", not counted or stat.f_favail >= MIN_INODES, detail, fix, required=False)


def _trials(folder: Path) -> Iterator[Check]:
    """Each trial says what it found; an OSError says that it can not be done here."""
    trials: tuple[tuple[str, Callable[[Path], str], bool], ...] = (
        ("letter case", _try_case, True),
        ("file names", _try_names, True),
        ("long names", _try_long, False),
        ("atomic rename", _try_rename, True),
        ("locking", _try_lock, True),
        ("hard links", _try_hard_link, False),
        ("symbolic links", _try_symlink, False),
    )
    for name, attempt, required in trials:
        here = folder / name.replace(" ", "_")
        try:
            here.mkdir()
            yield Check(name, True, attempt(here), _LOCAL, required)
        except OSError as error:
            yield Check(name, False, error.strerror or str(error), _LOCAL, required)


def _try_case(here: Path) -> str:
    """YouTube ids differ by case alone."""
    (here / "aBc").write_bytes(b"1")
    (here / "AbC").write_bytes(b"2")
    if (here / "aBc").read_bytes() != b"1":
        raise OSError("names that differ by case alone are one file here")
    return "told apart"


def _try_names(here: Path) -> str:
    for name in ODD_NAMES:
        (here / name).write_bytes(b"")
    if sorted(os.listdir(here)) != sorted(ODD_NAMES):  # noqa: PTH208 -- names as they are stored
        raise OSError("names are stored otherwise than they were given")
    return "leading dash, blanks, parentheses, quotes, non-ASCII"


def _try_long(here: Path) -> str:
    (here / ("x" * LONGEST_NAME)).write_bytes(b"")
    return f"{LONGEST_NAME} bytes"


def _try_rename(here: Path) -> str:
    old, new = here / "old", here / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    new.replace(old)
    if old.read_bytes() != b"new" or new.exists():
        raise OSError("a rename does not take the place of an existing file")
    return "over an existing file"


def _try_lock(here: Path) -> str:
    """flock belongs to the open file, so a second opening of it here is as strange as another process."""
    path = here / "lock"
    with path.open("w") as first, path.open("w") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "flock holds"
    raise OSError("flock lets two in at once")


def _try_hard_link(here: Path) -> str:
    source = here / "file"
    source.write_bytes(b"")
    (here / "link").hardlink_to(source)
    if source.stat().st_nlink != 2:
        raise OSError("a hard link is a copy here")
    return "work"


def _try_symlink(here: Path) -> str:
    (here / "link").symlink_to("file")
    (here / "file").write_bytes(b"kdl")
    if (here / "link").read_bytes() != b"kdl":
        raise OSError("a symbolic link is not followed")
    return "work"
