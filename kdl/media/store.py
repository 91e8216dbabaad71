"""Where the pictures of one clip are put: a folder of files, or one uncompressed zip or tar.

The same pictures give the same bytes: archives carry no time, owner or order but that of writing.
"""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from kdl.errors import MediaError
from kdl.media.recipe import Storage

_MODE = 0o644
_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""A zip's earliest."""


class Store(Protocol):
    """Takes named files; whole once it has been left without an error."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    def add(self, name: str, data: bytes) -> None:
        """Raises OSError."""


class _Folder(contextlib.nullcontext[None]):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._prefix = f"{path}/"
        path.mkdir()

    def __enter__(self) -> Self:  # type: ignore[override]
        return self

    def add(self, name: str, data: bytes) -> None:
        # Three system calls: at hundreds of files a clip, a file object costs more than the picture.
        fd = os.open(self._prefix + name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            while data:
                data = data[os.write(fd, data) :]
        finally:
            os.close(fd)


class _Zip(zipfile.ZipFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path, "w", zipfile.ZIP_STORED)

    def add(self, name: str, data: bytes) -> None:
        info = zipfile.ZipInfo(name, _NO_TIME)
        info.create_system = 3  # Unix, whatever this machine is
        info.external_attr = _MODE << 16
        self.writestr(info, data)


class _Tar(tarfile.TarFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path, "w", format=tarfile.USTAR_FORMAT)

    def add(self, name: str, data: bytes) -> None:  # type: ignore[override]
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), _MODE
        self.addfile(info, io.BytesIO(data))


def open_store(path: Path, storage: Storage) -> Store:
    """A new store at ``path``, where nothing is yet. Raises OSError."""
    kinds: dict[Storage, type[_Folder] | type[_Zip] | type[_Tar]] = {
        "folder": _Folder, "zip": _Zip, "tar": _Tar,
    }  # fmt: skip
    return kinds[storage](path)


def stored(path: Path, storage: Storage) -> dict[str, int]:
    """What a store holds: name to bytes. Raises MediaError if it can not be read, OSError."""
    try:
        if storage == "zip":
            with zipfile.ZipFile(path) as archive:
                return {info.filename: info.file_size for info in archive.infolist()}
        if storage == "tar":
            with tarfile.open(path, "r:") as tar:
                return {member.name: member.size for member in tar}
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise MediaError(f"the archive of pictures can not be read: {error}") from error
    with os.scandir(path) as entries:
        return {entry.name: entry.stat().st_size for entry in entries}
