"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kdl.diskerrors import disk_error
from kdl.errors import UsageError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends well. Devices and pipes are written into.

    Raises UsageError for a folder, MachineError or DiskFull where the file can not be written.
    """
    if path.is_dir():
        raise UsageError("is a folder; name a file", subject=str(path))
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                yield stream
            return
        final = Path(os.path.realpath(path))
        temp = final.with_name(f".{final.name}.{os.getpid()}.tmp")
        try:
            with temp.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temp.replace(final)
        finally:
            temp.unlink(missing_ok=True)
    except BrokenPipeError:
        return
    except OSError as error:
        raise disk_error(error, path) from error
