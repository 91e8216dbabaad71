"""The programs and packages kdl stands on, each really tried."""

from __future__ import annotations

import importlib
import importlib.metadata
import io
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date

from kdl.fetch.torrentoptions import GET_ARIA2
from kdl.jobs.doctor_check import Check
from kdl.jobs.doctor_youtube import youtube_checks

ENCODERS = ("libx264", "aac", "mjpeg", "png")
FILTERS = ("scale", "tpad", "fps")
OPTIONAL = {"uvloop": "speed", "pyarrow": "parquet"}
"""Package -> the extra of kdl that brings it."""
MIN_PYTHON = (3, 11)
_TOOL_S = 30.0
_GET_FFMPEG = "apt install ffmpeg (or: conda install -c conda-forge ffmpeg; brew install ffmpeg)"


def tool_checks() -> Iterator[Check]:
    """Python, ffmpeg and ffprobe with what they must be able to do, PyAV, isal, and the extras."""
    version = platform.python_version()
    yield Check(
        "python",
        sys.version_info >= MIN_PYTHON,
        f"{version} at {sys.executable}",
        "apt install python3.11 (or: conda create -n kdl python=3.11; brew install python)",
    )
    yield _program("ffmpeg")
    yield _program("ffprobe")
    yield _abilities("encoders", ENCODERS)
    yield _abilities("filters", FILTERS)
    yield _works("pyav", "av", _try_pyav, "pip install av")
    yield _works("isal", "isal", _try_isal, "pip install isal")
    for package, extra in OPTIONAL.items():
        yield _optional(package, extra)
    yield from youtube_checks(date.today())
    yield _aria2()


def _run(*command: str) -> str:
    """What the command says; raises OSError or SubprocessError if it does not run."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True, errors="replace", timeout=_TOOL_S
    ).stdout


def _program(name: str) -> Check:
    path = shutil.which(name)
    if path is None:
        return Check(name, False, "not found on PATH", _GET_FFMPEG)
    try:
        first = _run(path, "-version").partition("\n")[0]
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name, False, f"{path} does not run: {error}", _GET_FFMPEG)
    match = re.match(rf"{name} version (\S+)", first)
    return Check(name, True, f"{match[1] if match else first} at {path}", _GET_FFMPEG)


def _aria2() -> Check:
    path = shutil.which("aria2c")
    if path is None:
        detail = "optional, for torrents; not installed"
        return Check("aria2c", False, detail, GET_ARIA2, required=False)
    try:
        first = _run(path, "--version").partition("\n")[0]
    except (OSError, subprocess.SubprocessError) as error:
        return Check("aria2c", False, f"{path} does not run: {error}", GET_ARIA2, required=False)
    return Check(
        "aria2c", True, f"{first.removeprefix('aria2 version ')} at {path}", GET_ARIA2, required=False
    )


def _abilities(kind: str, wanted: tuple[str, ...]) -> Check:
    """Encoders or filters: ffmpeg lists them one a line, flags first and then the name."""
    path = shutil.which("ffmpeg")
    if path is None:
        return Check(kind, False, "ffmpeg is not there to be asked", _GET_FFMPEG)
    try:
        listing = _run(path, "-hide_banner", f"-{kind}")
    except (OSError, subprocess.SubprocessError) as error:
        return Check(kind, False, f"{path} -{kind} does not run: {error}", _GET_FFMPEG)
    known = {words[1] for line in listing.splitlines() if len(words := line.split()) > 1}
    missing = [name for name in wanted if name not in known]
    detail = f"ffmpeg lacks {', '.join(missing)}" if missing else ", ".join(wanted)
    return Check(kind, not missing, detail, f"a full build: {_GET_FFMPEG}")


def _works(name: str, package: str, attempt: Callable[[], None], fix: str) -> Check:
    try:
        attempt()
        version = importlib.metadata.version(package)
    except Exception as error:  # noqa: BLE001 -- whatever a broken binary package raises is the finding
        return Check(name, False, f"{type(error).__name__}: {error}", fix)
    return Check(name, True, version, fix)


def _try_pyav() -> None:
    """Encodes four pictures in memory and reads them back."""
    av = importlib.import_module("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as made:
        stream = made.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(4):
            made.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        made.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as read:
        next(read.decode(video=0))


def _try_isal() -> None:
    igzip = importlib.import_module("isal.igzip")
    if igzip.decompress(igzip.compress(b"kdl")) != b"kdl":
        raise ValueError("does not give back what it packed")


def _optional(package: str, extra: str) -> Check:
    fix = f"pip install 'kdl[{extra}]'"
    try:
        importlib.import_module(package)
        version = importlib.metadata.version(package)
    except ImportError:
        return Check(package, False, "optional, not installed", fix, required=False)
    return Check(package, True, version, fix, required=False)
