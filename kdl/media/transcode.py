"""One ffmpeg process for a clip: videos into files, pictures through pipes into sinks."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kdl.errors import MediaError, ToolMissing
from kdl.media.child import Deadline, Finished, run_child
from kdl.media.graph import Target, command
from kdl.media.hwaccel import Hwaccel
from kdl.media.pictures import Sink
from kdl.media.recipe import Recipe
from kdl.media.y4m import pictures

_ERROR = re.compile(r"^(?:\[(?P<part>[^\]]+?)(?: @ \w+)?\] )?\[(?:error|fatal|panic)\] (?P<text>.*\S)", re.M)
_DECODED = re.compile(r"\(video\): \d+ packets read \(\d+ bytes\); (\d+) frames decoded")
_DROPPED = re.compile(r"^\[info\] frame=.* drop=(\d+)", re.M)
_HINDERED = {
    os.strerror(code): code for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)
}
"""What ffmpeg says where the machine is to blame, as the C library words it."""
_NO_ENCODER = re.compile(r"Unknown encoder '([^']+)'")
_NO_FILTER = re.compile(r"No such filter: '([^']+)'")
_KEPT = 4
"""How many of ffmpeg's complaints are told."""
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Feed:
    """Pictures by a recipe, for a sink that runs in a thread of its own."""

    recipe: Recipe
    sink: Sink


@dataclass(frozen=True, slots=True)
class Transcoded:
    """How it went."""

    decoded: int | None
    """Video frames that ffmpeg says it decoded."""
    dropped: int
    """Frames that it left out of its outputs, all together, because they share a time with another."""
    complaint: str
    """What it called an error and went on in spite of; mostly empty."""


def transcode(
    clip: Path,
    outputs: Sequence[Target | Feed],
    *,
    acodec: str | None,
    frames: int | None,
    deadline: Deadline,
    hwaccel: Hwaccel = "none",
) -> Transcoded:
    """Makes all outputs; ``acodec``, ``frames`` and ``hwaccel`` as :func:`kdl.media.graph.command` has them.

    Raises MediaError with ffmpeg's last words, ToolMissing for a part that it lacks, OSError where the disk
    or the machine refuses, and what the sinks raise.
    """
    feeds = [output for output in outputs if isinstance(output, Feed)]
    with ThreadPoolExecutor(max(len(feeds), 1)) as threads:
        targets, ends, readers = [], [], []
        for output in outputs:
            if isinstance(output, Feed):
                ours, theirs = os.pipe()
                ends.append(theirs)
                readers.append(threads.submit(_feed, output.sink, ours))
                output = Target(output.recipe, theirs)
            targets.append(output)
        argv = command(clip, targets, acodec=acodec, frames=frames, hwaccel=hwaccel)
        finished = run_child(argv, timeout=deadline.left, hand_over=ends)
    _raise_of(readers)
    return judged(finished, deadline)


def _feed(sink: Sink, fd: int) -> None:
    """A sink's thread. Ended by an error it closes the pipe, which ends ffmpeg."""
    with os.fdopen(fd, "rb", _BUFFER) as stream:
        for planes in pictures(stream):
            sink.take(planes)


def _raise_of(readers: Sequence[Future[None]]) -> None:
    for reader in readers:
        reader.result()


def judged(finished: Finished, deadline: Deadline) -> Transcoded:
    """What an ffmpeg that has ended came to. Raises as :func:`transcode` does."""
    errors = _errors(finished.stderr_tail)
    for words, code in _HINDERED.items():
        if any(words in error for error in errors):
            raise OSError(code, words)
    for pattern, part in ((_NO_ENCODER, "encoder"), (_NO_FILTER, "filter")):
        if missing := next(filter(None, map(pattern.search, errors)), None):
            raise ToolMissing(
                f"this ffmpeg has no {part} {missing[1]}",
                subject="ffmpeg",
                fix="install a full build of ffmpeg",
            )
    words = "; ".join(errors[-_KEPT:])
    if finished.timed_out:
        raise MediaError(f"ended at {deadline}" + (words and f": {words}"))
    if finished.returncode != 0:
        raise MediaError(f"{_ending(finished)}: {words or 'without a word'}")
    decoded, dropped = (pattern.search(finished.stderr_tail) for pattern in (_DECODED, _DROPPED))
    return Transcoded(int(decoded[1]) if decoded else None, int(dropped[1]) if dropped else 0, words)


def _errors(stderr: str) -> list[str]:
    """The different things that ffmpeg called an error, in order."""
    errors: dict[str, None] = {}
    for match in _ERROR.finditer(stderr):
        if match["text"] != "Conversion failed!":
            errors[f"{match['part']}: {match['text']}" if match["part"] else match["text"]] = None
    return list(errors)


def _ending(finished: Finished) -> str:
    if finished.returncode < 0:
        return f"ffmpeg was ended by signal {-finished.returncode}"
    return f"ffmpeg failed with exit code {finished.returncode}"
