"""Facts to a verdict: pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from kdl.check.signs import Sign
from kdl.values import Cause, Facts, Judgement, Level, Verdict


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a clip should be."""

    nominal: float | None
    """Seconds that its name promises; ``None`` where names carry no times."""
    tolerance: float = 1.0
    """Seconds that it may be shorter."""


def judge(facts: Facts, expectation: Expectation, level: Level) -> Judgement:
    """The verdict on a clip with these facts, gathered at ``level``.

    ``corrupt`` at probe: it can not be opened, has no video stream, holds less than its headers promise,
    or its first picture does not decode. At decode also: the decoder complained of anything at all.
    ``short``: sound, but more than the tolerance shorter than its name says; longer is fine.
    Below probe nothing was read, so a clip with any bytes is ``unchecked``.
    """
    if facts.size == 0:
        return _corrupt(Cause.ZERO_BYTES, "the file is empty")
    if level in (Level.STAT, Level.HASH):
        return Judgement(Verdict.UNCHECKED)
    return (
        _stopped(facts)
        or _unopened(facts)
        or _lacking(facts)
        or _damaged(facts, level)
        or _timed(facts, expectation)
    )


def _corrupt(cause: Cause, *details: str) -> Judgement:
    return Judgement(Verdict.CORRUPT, cause, "; ".join(detail for detail in details if detail))


def _stopped(facts: Facts) -> Judgement | None:
    """Reading itself had to be ended."""
    if Sign.OUT_OF_BOUNDS in facts.errors and not facts.first_picture:
        return _corrupt(Cause.TOO_LARGE, Sign.OUT_OF_BOUNDS)
    for sign, cause in (
        (Sign.OUT_OF_TIME, Cause.TIMEOUT),
        (Sign.CRASHED, Cause.CRASH),
    ):
        if sign in facts.errors:
            return _corrupt(cause, sign)
    return None


def _unopened(facts: Facts) -> Judgement | None:
    """No demuxer takes it, or it holds no video."""
    if Sign.NOT_OPENED in facts.errors:
        for sign, cause in (
            (Sign.NO_SIGNATURE, Cause.NOT_A_VIDEO),
            (Sign.NO_MOOV, Cause.MOOV_MISSING),
            (Sign.BYTES_MISSING, Cause.TRUNCATED),
        ):
            if sign in facts.errors:
                return _corrupt(cause, sign)
        return _corrupt(Cause.DECODE_ERROR, Sign.NOT_OPENED, _said(facts))
    if Sign.NO_STREAM in facts.errors:
        return _corrupt(Cause.NO_VIDEO, Sign.NO_STREAM)
    return None


def _lacking(facts: Facts) -> Judgement | None:
    """Headers promise more than the file holds."""
    present = facts.packets or 0
    if facts.promised_frames is not None and present < facts.promised_frames:
        return _corrupt(Cause.TRUNCATED, f"{present} of {facts.promised_frames} promised frames are there")
    if present == 0:
        return _corrupt(Cause.TRUNCATED, "a header, and not one picture's data", _said(facts))
    for sign in (Sign.BYTES_MISSING, Sign.ENDS_EARLY):
        if sign in facts.errors:
            return _corrupt(Cause.TRUNCATED, sign)
    return None


def _damaged(facts: Facts, level: Level) -> Judgement | None:
    """All the data is there, but it does not decode."""
    if not facts.first_picture:
        return _corrupt(Cause.DECODE_ERROR, "the first picture does not decode", _said(facts))
    if level is Level.DECODE and facts.errors:
        return _corrupt(Cause.DECODE_ERROR, _said(facts))
    return None


def _timed(facts: Facts, expectation: Expectation) -> Judgement:
    """A sound clip, held against its name."""
    if expectation.nominal is None or facts.duration is None:
        return Judgement(Verdict.OK)
    if facts.duration < expectation.nominal - expectation.tolerance:
        return Judgement(
            Verdict.SHORT, detail=f"{facts.duration:.2f} s, its name says {expectation.nominal:g} s"
        )
    return Judgement(Verdict.OK)


def _said(facts: Facts) -> str:
    """The first line that is the reader's own, not a sign of ours."""
    return next((line for line in facts.errors if line not in set(Sign)), "")
