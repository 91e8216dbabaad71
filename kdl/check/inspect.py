"""The whole of checking one clip: what a worker process does.

PyAV is loaded by the first clip that needs it, not by importing this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdl.check.ffprobe import read_with_ffprobe
from kdl.check.hashes import sha256_file
from kdl.check.judge import Expectation, judge
from kdl.check.limits import regular_size, unreadable
from kdl.values import SOUND, Facts, Judgement, Level, Verdict

Prober = Literal["auto", "ffprobe"]


@dataclass(frozen=True, slots=True)
class CheckTask:
    """One clip to be checked; picklable."""

    path: str
    key_text: str
    """How the caller knows the clip; handed back untouched."""
    expectation: Expectation
    level: Level
    prober: Prober = "auto"
    """``auto``: PyAV first, ffprobe about every clip that is not plainly sound."""
    second_opinion: bool = False
    """Ask ffprobe about a clip that PyAV finds sound, too."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of a task; picklable."""

    task: CheckTask
    facts: Facts
    """Of the reader whose word the judgement is."""
    judgement: Judgement
    asked_ffprobe: bool
    disagreement: str | None = None
    """PyAV found the clip sound and ffprobe did not find the same, in one line."""


def inspect(task: CheckTask) -> CheckResult:
    """Checks one clip. No clip is condemned but by ffprobe's word, save one of no bytes.

    Raises MachineError where this machine does not let us read the file: that is no verdict on the clip;
    and ToolMissing where ffprobe or ffmpeg is needed and not there. May die with libav: see
    :func:`inspect_after_crash`.
    """
    size = regular_size(task.path)
    if size == 0 or task.level in (Level.STAT, Level.HASH):
        return _result(task, Facts(size=size), asked_ffprobe=False)
    if task.prober == "ffprobe":
        return inspect_after_crash(task)
    from kdl.check.pyav import read_with_pyav

    found = _result(task, read_with_pyav(task.path, task.level), asked_ffprobe=False)
    plainly_sound = found.judgement.verdict is Verdict.OK
    if plainly_sound and not task.second_opinion:
        return found
    word = inspect_after_crash(task)
    if found.judgement.verdict not in SOUND or found.judgement.verdict is word.judgement.verdict:
        return word
    disagreement = f"PyAV: {_told(found.judgement)}; ffprobe: {_told(word.judgement)}"
    return CheckResult(task, word.facts, word.judgement, asked_ffprobe=True, disagreement=disagreement)


def inspect_after_crash(task: CheckTask) -> CheckResult:
    """Checks one clip with ffprobe alone, in processes of its own: for a clip that a worker died on.

    Raises as :func:`inspect` does.
    """
    word = _result(task, read_with_ffprobe(task.path, task.level), asked_ffprobe=True)
    if word.judgement.verdict is Verdict.CORRUPT:
        _require_readable(task.path)
    return word


def _require_readable(path: str) -> None:
    """Reads every byte: a disk that fails half way looks like a truncated clip to libav.

    Raises MachineError.
    """
    try:
        sha256_file(path)
    except OSError as error:
        raise unreadable(path, error) from error


def _result(task: CheckTask, facts: Facts, *, asked_ffprobe: bool) -> CheckResult:
    judgement = judge(facts, task.expectation, task.level)
    return CheckResult(task, facts, judgement, asked_ffprobe)


def _told(judgement: Judgement) -> str:
    return f"{judgement.verdict} ({judgement.detail})" if judgement.detail else str(judgement.verdict)
