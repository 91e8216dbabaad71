"""Untrusted media: what reading it may open, and what it may cost."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kdl.check.children import run_bounded
from kdl.check.ffprobe import read_with_ffprobe
from kdl.check.judge import Expectation, judge
from kdl.check.limits import Limits
from kdl.check.pyav import read_with_pyav
from kdl.errors import MachineError
from kdl.settings import GIB, MIB
from kdl.values import Cause, Facts, Level, Verdict

READERS = pytest.mark.parametrize("read", [read_with_pyav, read_with_ffprobe], ids=["pyav", "ffprobe"])
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="inotify and PR_SET_PDEATHSIG are Linux's")


@contextmanager
def watched(path: Path) -> Iterator[Callable[[], bool]]:
    """Tells whether anybody opened the file since, by inotify(7)."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(descriptor, os.fsencode(path), 0x20) >= 0  # IN_OPEN

    def opened() -> bool:
        try:
            return bool(os.read(descriptor, 4096))
        except BlockingIOError:
            return False

    try:
        yield opened
    finally:
        os.close(descriptor)


def concat_script(sound: bytes, canary: Path) -> bytes:
    return f"ffconcat version 1.0\nfile '{canary.name}'\n".encode()


def hls_playlist(sound: bytes, canary: Path) -> bytes:
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:2,", canary.name, "#EXT-X-ENDLIST", "")
    return "\n".join(lines).encode()


def film_with_outside_data(sound: bytes, canary: Path) -> bytes:
    """The clip with its data reference replaced by a Macintosh alias to the canary (QuickTime, dref)."""
    path = os.fsencode(canary)
    name = canary.name.encode()
    alias = bytes(10) + b"\x00" + bytes(27) + bytes(12) + bytes([len(name)]) + name.ljust(63, b"\x00")
    alias += bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    alias += struct.pack(">HH", 2, len(path)) + path + b"\x00" * (len(path) % 2)
    alias += struct.pack(">hH", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    dref = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    return _replaced(sound, [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"], dref)


def _replaced(data: bytes, way: list[bytes], box: bytes) -> bytes:
    """``data`` with the box at the end of ``way`` replaced, and the sizes around it made right."""
    made, position = b"", 0
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        if name != way[0]:
            made += data[position : position + length]
        elif len(way) == 1:
            made += box
        else:
            inside = _replaced(data[position + 8 : position + length], way[1:], box)
            made += struct.pack(">I4s", 8 + len(inside), name) + inside
        position += length
    return made


TRAPS = {
    "concat": (concat_script, ("-safe", "0")),
    "hls": (hls_playlist, ("-allowed_extensions", "ALL")),
    "dref": (film_with_outside_data, ("-enable_drefs", "1", "-use_absolute_path", "1")),
}


@LINUX
@READERS
@pytest.mark.parametrize("trap", TRAPS)
def test_a_file_opens_no_other(
    clips: Path, tmp_path: Path, trap: str, read: Callable[[str, Level], Facts]
) -> None:
    make, unguarded = TRAPS[trap]
    sound = (clips / "moov_last.mp4").read_bytes()
    canary, clip = tmp_path / "canary.mp4", tmp_path / "clip.mp4"
    canary.write_bytes(sound)
    clip.write_bytes(make(sound, canary))
    with watched(canary) as opened:
        command = ("ffprobe", "-v", "quiet", *unguarded, f"file:{clip}")
        subprocess.run(command, check=False, capture_output=True)
        assert opened(), "the trap works on a reader without bounds"
        found = read(str(clip), Level.DECODE)
        assert not opened()
    verdict = judge(found, Expectation(None), Level.DECODE)
    assert verdict.verdict is Verdict.CORRUPT
    assert trap == "dref" or verdict.cause is Cause.NOT_A_VIDEO


@READERS
def test_a_pipe_does_not_hang_a_reader(tmp_path: Path, read: Callable[[str, Level], Facts]) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MachineError, match="not a regular file"):
        read(str(tmp_path / "pipe.mp4"), Level.PROBE)


@READERS
@pytest.mark.parametrize(
    ("limits", "cause"),
    [(Limits(pixels=160 * 120 - 1), Cause.TOO_LARGE), (Limits(probe_s=0.0), Cause.TIMEOUT)],
    ids=["pixels", "time"],
)
def test_the_bounds_hold(
    clips: Path, read: Callable[[str, Level, Limits], Facts], limits: Limits, cause: Cause
) -> None:
    found = read(str(clips / "sound.mp4"), Level.PROBE, limits)
    assert judge(found, Expectation(None), Level.PROBE).cause is cause


@pytest.mark.parametrize("limits", [Limits(block=MIB // 64), Limits(output=2000)], ids=["block", "output"])
def test_the_bounds_on_the_tools_hold(clips: Path, limits: Limits) -> None:
    found = read_with_ffprobe(str(clips / "sound.mp4"), Level.PROBE, limits)
    assert judge(found, Expectation(None), Level.PROBE).cause is Cause.TOO_LARGE


def test_a_child_may_not_take_all_memory() -> None:
    limits = Limits(address_space=GIB)
    ended = run_bounded((sys.executable, "-c", "bytearray(1 << 31)"), 30, limits)
    assert "MemoryError" in ended.stderr


@LINUX
def test_a_worker_can_bound_itself() -> None:
    code = "from kdl.check.limits import *; bound_this_process(1 << 30); bytearray(1 << 31)"
    ended = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=False)
    assert "MemoryError" in ended.stderr


def test_a_child_may_not_write_without_end() -> None:
    ended = run_bounded(("yes",), 30, Limits(output=10_000))
    assert ended.overflowed
    assert len(ended.stdout) == 10_000


def alive(pid: int) -> bool:
    """Running, and not merely waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    """It ends soon; the test's own time limit is the bound."""
    while alive(pid):
        time.sleep(0.01)
    return True


@LINUX
def test_a_child_out_of_time_goes_with_its_whole_group() -> None:
    ended = run_bounded(("sh", "-c", "sleep 60 & echo $!; wait"), 0.5, Limits())
    assert ended.timed_out
    assert gone(int(ended.stdout))


@LINUX
def test_a_child_dies_with_its_parent() -> None:
    code = (
        "import sys; from kdl.check.children import run_bounded; from kdl.check.limits import Limits\n"
        "run_bounded(('sh', '-c', f'echo $$ >{sys.argv[1]}; exec sleep 60'), 60, Limits())\n"
    )
    read_end, write_end = os.pipe()
    command = (sys.executable, "-c", code, f"/proc/{os.getpid()}/fd/{write_end}")
    with subprocess.Popen(command) as parent:
        pid = int(os.read(read_end, 20))
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    os.close(read_end)
    os.close(write_end)
    assert gone(pid)
