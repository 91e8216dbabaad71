"""Bounds on untrusted media: what may be opened, and what reading it may cost."""

from __future__ import annotations

import contextlib
import os
import resource
import stat
import sys
from dataclasses import dataclass

from kdl.errors import MachineError
from kdl.settings import GIB, MIB
from kdl.values import Level

PROTOCOLS = "file"
"""The only protocol a demuxer may open anything with."""
FORMATS = ("mov", "matroska", "avi", "flv", "mpegts", "mpeg")
"""The demuxers allowed, by one of libav's names each (``mov`` is mp4, m4a and 3gp too; ``matroska`` is
webm too). None of them opens a second file: hls, dash, concat, image sequences and the network's are
left out for that."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one clip may cost."""

    pixels: int = 8192 * 4320
    """Of one picture; 8K is allowed."""
    block: int = 256 * MIB
    """Bytes of one allocation in ffprobe and ffmpeg; the largest picture allowed takes 212 MB at
    16 bits and full chroma."""
    address_space: int = 3 * GIB
    """Bytes of address space of ffprobe and ffmpeg; an 8K decoder with 16 reference pictures takes
    about one GiB."""
    output: int = 64 * MIB
    """Bytes that ffprobe or ffmpeg may write to each of stdout and stderr."""
    probe_s: float = 60.0
    """Wall-clock seconds for one clip at level probe, and for every single step of reading it."""
    decode_s: float = 600.0
    """Wall-clock seconds for one clip at level decode."""

    def seconds(self, level: Level) -> float:
        """Wall-clock seconds for one clip at ``level``."""
        return self.decode_s if level is Level.DECODE else self.probe_s


LIMITS = Limits()


def bound_this_process(address_space: int = 4 * GIB) -> None:
    """Caps this process's address space (bytes), for workers that read media in-process.

    An allocation beyond it fails inside libav, which costs that clip alone. Does nothing where the
    system has no such limit, or has a lower one already.
    """
    if sys.platform != "linux":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY or soft > address_space:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (address_space, hard))


def regular_size(path: str) -> int:
    """The size in bytes of the regular file at ``path`` (symbolic links are followed).

    Raises MachineError if it can not be looked at, or is a folder, a pipe or a device: to open one of
    those can block for ever, and it is none of a mirror's clips.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - paths are plain strings in the tasks that cross processes
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise MachineError(
            "could not check it: not a regular file", subject=path, fix="move it out of the mirror"
        )
    return found.st_size


def unreadable(path: str, error: OSError) -> MachineError:
    """The error for a file that this machine does not let us read: that says nothing of the clip."""
    reason = error.strerror or str(error)
    return MachineError(
        f"could not check it: {reason}", subject=path, fix="look at the file's permissions and the disk"
    )
