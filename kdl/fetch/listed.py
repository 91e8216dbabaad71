"""The files of a folder while they are found, within bounds that no folder of clips comes near."""

from __future__ import annotations

import os
from urllib.parse import quote

from kdl.errors import PermanentError
from kdl.fetch.source import RemoteFile

FILES = 4_000_000
"""Six times the clips of Kinetics-700."""
FOLDERS = 100_000
DEPTH = 12


class Listed:
    """What lies under the folder ``url``, which ends in a slash.

    Names that begin with a dot are passed over, with all that lies in such folders, as web servers do;
    so are names that are none for a file (empty, ``.``, ``..``, or with a null in it).
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._found: list[RemoteFile] = []
        self._folders = 0

    def enter(self, path: str) -> bool:
        """Whether to look into the folder ``path``, which ends in a slash. Raises PermanentError."""
        if not _is_plain(path[:-1]):
            return False
        self._folders += 1
        self._bound(self._folders <= FOLDERS, f"{FOLDERS:,} folders")
        self._bound(path.count("/") <= DEPTH, f"{DEPTH} folders in one another")
        return True

    def add(self, path: str, size: int | None, *, sha256: str | None = None, url: str | None = None) -> None:
        """A file. ``url`` is its own where it is not its path's. Raises PermanentError for one too many."""
        if not _is_plain(path):
            return
        self._bound(len(self._found) < FILES, f"{FILES:,} files")
        name = os.fsencode(path)
        url = url or self._url + quote(name)
        self._found.append(RemoteFile(url, name.decode("utf-8", "replace"), size, sha256))

    def sorted(self) -> list[RemoteFile]:
        """All of them, by path."""
        return sorted(self._found, key=lambda file: file.path)

    def _bound(self, held: bool, limit: str) -> None:
        if not held:
            raise PermanentError(
                f"holds more than {limit}",
                subject=self._url,
                fix="name a folder further down, or a list of the files' URLs",
            )


def _is_plain(path: str) -> bool:
    """No part of the path is hidden or none for a file."""
    return all(part and not part.startswith(".") and "\0" not in part for part in path.split("/"))
