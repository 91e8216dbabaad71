"""Checking one clip from end to end, with the real readers."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kdl.check.hashes import sha256_file
from kdl.check.inspect import CheckTask, inspect, inspect_after_crash
from kdl.check.judge import Expectation
from kdl.errors import MachineError, ToolMissing
from kdl.values import Cause, Level, Verdict

TWO_SECONDS = Expectation(2.0)


def task(path: Path, **changes: object) -> CheckTask:
    given = {"expectation": TWO_SECONDS, "level": Level.PROBE, **changes}
    return CheckTask(str(path), "train/x", **given)  # type: ignore[arg-type]


@pytest.fixture
def without_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which ffprobe and ffmpeg are not; programs put into the folder are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_sound_clip_needs_no_ffprobe(clips: Path, without_tools: Path) -> None:
    found = inspect(task(clips / "sound.mp4"))
    assert (found.judgement.verdict, found.asked_ffprobe, found.facts.prober) == (Verdict.OK, False, "pyav")


@pytest.mark.parametrize("name", ["cut_half.mp4", "text.mp4", "audio_only.mp4"])
def test_no_clip_is_condemned_without_ffprobe(clips: Path, without_tools: Path, name: str) -> None:
    with pytest.raises(ToolMissing) as caught:
        inspect(task(clips / name))
    assert caught.value.subject == "ffprobe"
    assert "install" in caught.value.fix


def test_ffprobe_has_the_word_on_what_is_not_plainly_sound(clips: Path) -> None:
    found = inspect(task(clips / "cut_half.mp4"))
    assert (found.judgement.cause, found.asked_ffprobe) == (Cause.TRUNCATED, True)
    assert found.facts.prober == "ffprobe"
    assert found.disagreement is None


def test_short_is_told_from_corrupt(clips: Path) -> None:
    found = inspect(task(clips / "sound.mp4", expectation=Expectation(10.0)))
    assert (found.judgement.verdict, found.judgement.cause) == (Verdict.SHORT, None)
    assert found.asked_ffprobe


def test_ffprobe_alone_when_asked_for(clips: Path) -> None:
    found = inspect(task(clips / "sound.mp4", prober="ffprobe"))
    assert (found.judgement.verdict, found.facts.prober) == (Verdict.OK, "ffprobe")


def test_a_second_opinion_that_agrees(clips: Path) -> None:
    found = inspect(task(clips / "sound.mp4", second_opinion=True))
    assert (found.judgement.verdict, found.asked_ffprobe) == (Verdict.OK, True)
    assert found.disagreement is None


def test_a_second_opinion_that_differs_wins_and_is_reported(clips: Path, without_tools: Path) -> None:
    program(without_tools, "ffprobe", "echo '{}'")
    found = inspect(task(clips / "sound.mp4", second_opinion=True))
    assert found.judgement.verdict is Verdict.CORRUPT
    assert found.disagreement is not None
    assert found.disagreement.startswith("PyAV: ok; ffprobe: corrupt (")


def test_a_crash_of_ffprobe_condemns_the_clip(clips: Path, without_tools: Path) -> None:
    program(without_tools, "ffprobe", "kill -SEGV $$")
    found = inspect_after_crash(task(clips / "sound.mp4"))
    assert (found.judgement.verdict, found.judgement.cause) == (Verdict.CORRUPT, Cause.CRASH)


def test_a_kill_from_outside_is_no_verdict(clips: Path, without_tools: Path) -> None:
    program(without_tools, "ffprobe", "kill -KILL $$")
    with pytest.raises(MachineError, match="SIGKILL"):
        inspect_after_crash(task(clips / "sound.mp4"))


def test_after_a_crash_of_the_worker_ffprobe_is_asked(clips: Path) -> None:
    assert inspect_after_crash(task(clips / "sound.mp4")).judgement.verdict is Verdict.OK
    assert inspect_after_crash(task(clips / "zero.mp4")).judgement.cause is Cause.ZERO_BYTES


@pytest.mark.parametrize("level", list(Level))
def test_an_empty_file_at_once(clips: Path, without_tools: Path, level: Level) -> None:
    found = inspect(task(clips / "zero.mp4", level=level))
    assert (found.judgement.cause, found.asked_ffprobe) == (Cause.ZERO_BYTES, False)


@pytest.mark.parametrize("level", [Level.STAT, Level.HASH])
def test_below_probe_nothing_is_opened(clips: Path, level: Level) -> None:
    assert inspect(task(clips / "text.mp4", level=level)).judgement.verdict is Verdict.UNCHECKED


def test_levels_reach_the_readers(clips: Path) -> None:
    damaged = clips / "damaged_inside.mp4"
    assert inspect(task(damaged)).judgement.verdict is Verdict.OK
    assert inspect(task(damaged, level=Level.DECODE)).judgement.cause is Cause.DECODE_ERROR


@pytest.mark.parametrize("prober", ["auto", "ffprobe"])
def test_what_can_not_be_read_is_no_verdict(tmp_path: Path, prober: str) -> None:
    pipe, folder = tmp_path / "pipe.mp4", tmp_path / "folder.mp4"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder, tmp_path / "absent.mp4"):
        with pytest.raises(MachineError, match="could not check it") as caught:
            inspect(task(path, prober=prober))
        assert caught.value.subject == str(path)
        assert caught.value.fix


def test_a_file_without_permission_is_no_verdict(clips: Path) -> None:
    # Root reads everything, so the check is run as nobody, in a folder open to all.
    script = (
        "import os, sys; from kdl.check.inspect import *; from kdl.check.judge import *\n"
        "from kdl.errors import MachineError; from kdl.values import Level\n"
        "import kdl.check.pyav\n"
        "os.getuid() or os.setuid(65534)\n"
        "try: inspect(CheckTask(sys.argv[1], 'k', Expectation(None), Level.PROBE))\n"
        "except MachineError as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        closed = Path(name) / "closed.mp4"
        shutil.copy(clips / "sound.mp4", closed)
        closed.chmod(0)
        command = (sys.executable, "-c", script, closed)
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == f"{closed}: could not check it: Permission denied"


def test_tasks_and_results_cross_processes(clips: Path) -> None:
    found = inspect(task(clips / "cut_half.mp4"))
    assert pickle.loads(pickle.dumps(found)) == found
    assert found.task.key_text == "train/x"


def test_importing_the_room_does_not_load_libav() -> None:
    code = "import sys, kdl.check.inspect, kdl.check.judge; sys.exit('av' in sys.modules)"
    assert subprocess.run((sys.executable, "-c", code), check=False).returncode == 0


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 10_000])
def test_sha256_of_a_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(os.urandom(size))
    assert sha256_file(str(path), chunk=4096) == hashlib.sha256(path.read_bytes()).hexdigest()
