"""The files of a bundle: as a list names them, and as they lie in its tar."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from tarfile import LENGTH_NAME, PAX_FORMAT, TarInfo

from kdl.diskerrors import disk_errors
from kdl.fetch.source import RemoteStat
from kdl.settings import LARGE
from kdl.urls import folder_name, folder_of, url_name
from kdl.values import Stretch, read_back

BLOCK = 512
END = bytes(2 * BLOCK)
_OCTAL = 8**11
"""From this size on a header has more than one block."""
_LOST = ".lost"


@dataclass(frozen=True, slots=True)
class Member:
    """One of the files."""

    url: str
    name: str
    """In the tar: its folder's name and its own."""
    size: int | None
    sha256: str | None

    @property
    def base_name(self) -> str:
        return self.name.rpartition("/")[2]


def read_stretch(stretch: Stretch) -> list[Member]:
    """The files that a stretch of a list names. Raises MachineError where the list can not be read."""
    path = Path(stretch.path)
    with disk_errors(path), path.open("rb") as file:
        file.seek(stretch.begin)
        lines = file.read(stretch.end - stretch.begin).decode("utf-8").splitlines()
    files = [(url_name(file.url), file) for file in map(read_back, lines)]
    return [
        Member(file.url, f"{folder_name(folder_of(file.url))}/{name}", file.size, file.sha256)
        for name, file in files
        if not stretch.only or name in stretch.only
    ]


def tells_sizes(stretch: Stretch) -> bool:
    """Whether the list has the size of every file. Raises MachineError where it can not be read."""
    return all(member.size is not None for member in read_stretch(stretch))


def find_members(path: Path, url: str, names: frozenset[str]) -> tuple[Stretch, list[Member]] | None:
    """The files of these names of the bundle at ``url`` in the list at ``path``, as a bundle of their own.

    None where the list is not there, or names none of them. Raises MachineError where it can not be read.
    """
    folder = folder_of(url).encode()
    begin, end, at = -1, -1, 0
    if not path.is_file():
        return None
    with disk_errors(path), path.open("rb") as file:
        for line in file:
            at += len(line)
            if line.startswith(folder) and url_name(line.partition(b"\t")[0].decode()) in names:
                begin, end = (at - len(line) if begin < 0 else begin), at
    if begin < 0:
        return None
    stretch = Stretch(str(path), begin, end, names)
    return stretch, read_stretch(stretch)


def lost_name(name: str) -> str:
    """A name of the same length that is no clip's."""
    ext = PurePath(name).suffix
    return name.removesuffix(ext) + _LOST.ljust(len(ext), "_")[: len(ext)]


def header_of(member: Member) -> bytes:
    """What stands before a file in the tar."""
    info = TarInfo(member.name)
    info.size = member.size or 0
    return info.tobuf(PAX_FORMAT, "utf-8", "surrogateescape")


def room_of(member: Member) -> int:
    """Bytes that a member takes in the tar. Of nearly all a header is one block, which need not be made."""
    plain = member.name.isascii() and len(member.name) <= LENGTH_NAME and (member.size or 0) < _OCTAL
    header = BLOCK if plain else len(header_of(member))
    return header + -(-(member.size or 0) // BLOCK) * BLOCK


def told_of(url: str, members: Sequence[Member]) -> RemoteStat:
    """What the tar of these files is, their sizes being known."""
    lines = "".join(f"{each.name}\t{each.size}\t{each.sha256}\n" for each in members)
    return RemoteStat(
        url,
        size=sum(map(room_of, members)) + len(END),
        etag=f'"{hashlib.sha256(lines.encode()).hexdigest()[:32]}-bundle"',
        pieces=url.startswith("torrent:"),
        listed=bool(members) and all(each.sha256 and (each.size or 0) <= LARGE for each in members),
    )
