"""The judge alone: facts in, verdict out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.check.judge import Expectation, judge
from kdl.check.signs import Sign
from kdl.values import Cause, Facts, Level, Verdict

SOUND = Facts(
    size=1000, duration=10.0, frames=250, promised_frames=250, packets=250, first_picture=True, vcodec="h264"
)
TEN = Expectation(10.0)


def test_a_sound_clip_is_ok() -> None:
    assert judge(SOUND, TEN, Level.DECODE).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("duration", "verdict"),
    [
        (12.08, Verdict.OK),
        (9.0, Verdict.OK),
        (8.99, Verdict.SHORT),
        (0.1, Verdict.SHORT),
        (None, Verdict.OK),
    ],
)
def test_short_is_more_than_the_tolerance_below_the_name(duration: float | None, verdict: Verdict) -> None:
    assert judge(replace(SOUND, duration=duration), TEN, Level.PROBE).verdict is verdict


def test_the_tolerance_is_the_callers() -> None:
    facts = replace(SOUND, duration=8.0)
    assert judge(facts, Expectation(10.0, tolerance=2.5), Level.PROBE).verdict is Verdict.OK
    assert judge(facts, Expectation(None), Level.PROBE).verdict is Verdict.OK
    assert "8.00 s" in judge(facts, TEN, Level.PROBE).detail


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"size": 0}, Cause.ZERO_BYTES),
        ({"packets": 249}, Cause.TRUNCATED),
        ({"packets": 0, "promised_frames": None}, Cause.TRUNCATED),
        ({"first_picture": False}, Cause.DECODE_ERROR),
        ({"errors": (Sign.BYTES_MISSING,)}, Cause.TRUNCATED),
        ({"errors": (Sign.ENDS_EARLY,)}, Cause.TRUNCATED),
        ({"errors": (Sign.OUT_OF_TIME,)}, Cause.TIMEOUT),
        ({"errors": (Sign.CRASHED,)}, Cause.CRASH),
        ({"errors": (Sign.OUT_OF_BOUNDS,), "first_picture": False}, Cause.TOO_LARGE),
        ({"errors": (Sign.NO_STREAM,)}, Cause.NO_VIDEO),
        ({"errors": (Sign.NOT_OPENED, Sign.NO_SIGNATURE)}, Cause.NOT_A_VIDEO),
        ({"errors": (Sign.NOT_OPENED, Sign.NO_MOOV, Sign.BYTES_MISSING)}, Cause.MOOV_MISSING),
        ({"errors": (Sign.NOT_OPENED, Sign.BYTES_MISSING)}, Cause.TRUNCATED),
        ({"errors": (Sign.NOT_OPENED, "mov: error reading header")}, Cause.DECODE_ERROR),
    ],
)
def test_corruption_and_its_cause(changes: dict[str, object], cause: Cause) -> None:
    found = judge(replace(SOUND, **changes), TEN, Level.PROBE)
    assert (found.verdict, found.cause) == (Verdict.CORRUPT, cause)
    assert found.detail


def test_a_complaint_of_the_decoder_counts_at_decode_only() -> None:
    facts = replace(SOUND, errors=("h264: error while decoding MB 4 0",))
    assert judge(facts, TEN, Level.PROBE).verdict is Verdict.OK
    found = judge(facts, TEN, Level.DECODE)
    assert (found.verdict, found.cause) == (Verdict.CORRUPT, Cause.DECODE_ERROR)
    assert found.detail == "h264: error while decoding MB 4 0"


def test_fewer_frames_shown_than_present_is_an_edit_list() -> None:
    assert judge(replace(SOUND, frames=180), TEN, Level.DECODE).verdict is Verdict.OK


@pytest.mark.parametrize("level", [Level.STAT, Level.HASH])
def test_below_probe_a_clip_is_unchecked_unless_it_is_empty(level: Level) -> None:
    assert judge(Facts(size=1), TEN, level).verdict is Verdict.UNCHECKED
    assert judge(Facts(size=0), TEN, level).cause is Cause.ZERO_BYTES


def test_facts_from_a_ledger_are_judged_as_fresh_ones() -> None:
    stored = tuple(str.__str__(line) for line in (Sign.NOT_OPENED, Sign.NO_SIGNATURE))
    assert judge(Facts(size=9, errors=stored), TEN, Level.PROBE).cause is Cause.NOT_A_VIDEO


FACTS = st.builds(
    Facts,
    size=st.integers(0, 10),
    duration=st.none() | st.floats(0, 20),
    promised_frames=st.none() | st.integers(-1, 5),
    packets=st.none() | st.integers(0, 5),
    first_picture=st.booleans(),
    errors=st.lists(st.sampled_from([*Sign, "h264: oh"]), max_size=8).map(tuple),
)


@given(FACTS, st.sampled_from([Level.PROBE, Level.DECODE]))
def test_corrupt_and_only_corrupt_has_a_cause(facts: Facts, level: Level) -> None:
    found = judge(facts, TEN, level)
    assert (found.verdict is Verdict.CORRUPT) == (found.cause is not None)
    assert found.verdict in (Verdict.OK, Verdict.SHORT, Verdict.CORRUPT)


@given(FACTS)
def test_what_is_corrupt_at_probe_is_corrupt_at_decode(facts: Facts) -> None:
    if judge(facts, TEN, Level.PROBE).verdict is Verdict.CORRUPT:
        assert judge(facts, TEN, Level.DECODE).verdict is Verdict.CORRUPT
