"""Which clip of a video shows what is annotated."""

from __future__ import annotations

import pytest

from kdl.dataset.ava import Box, KeyFrame
from kdl.dataset.countix import Repetition
from kdl.jobs.extras_join import HERE, NOT_LISTED, OTHER_TIMES, Tally, joined
from kdl.ledger.videos import VideoClip
from kdl.values import Verdict

ID = "0wR5jVB-WPk"
BOXES = (Box(0, 0, 1, 1, 3), Box(0, 0, 1, 1, 4), Box(0, 0, 0.5, 1, 3))


def clip(number: int, start: int, split: str = "val", verdict: Verdict = Verdict.OK) -> VideoClip:
    path = f"videos/{number}.mp4" if verdict in (Verdict.OK, Verdict.UNCHECKED) else None
    return VideoClip(number, split, ID, start, start + 10, "x", path, verdict, 10.0)


def frame(second: float, split: str = "val") -> KeyFrame:
    return KeyFrame(split, ID, second, BOXES)


@pytest.mark.parametrize(
    ("second", "clips", "expected", "why"),
    [
        (5.0, [], None, NOT_LISTED),
        (5.0, [clip(1, 6), clip(2, 30)], None, OTHER_TIMES),
        (6.0, [clip(1, 6)], 1, HERE),
        (16.0, [clip(1, 6)], 1, HERE),
        (16.01, [clip(1, 6)], None, OTHER_TIMES),
        # of two the one that can be read, then that of the same split, then the one with more round it
        (15.5, [clip(1, 6), clip(2, 10)], 2, HERE),
        (15.5, [clip(1, 6), clip(2, 10, "test")], 1, HERE),
        (15.5, [clip(1, 6, "test"), clip(2, 10, verdict=Verdict.MISSING)], 1, HERE),
        (15.5, [clip(1, 6, verdict=Verdict.UNCHECKED)], 1, "unchecked"),
        (15.5, [clip(1, 6, verdict=Verdict.NEVER_HOSTED)], 1, "never_hosted"),
    ],
)
def test_a_key_frame_lies_within_its_clip(
    second: float, clips: list[VideoClip], expected: int | None, why: str
) -> None:
    found = joined(frame(second), clips)
    assert (found.clip and found.clip.id, found.why) == (expected, why)


def test_a_repetition_names_its_clip() -> None:
    stretch = Repetition("val", ID, 6, 16, "", 7.5, 9.0, 4)
    assert joined(stretch, [clip(1, 7)]).why == OTHER_TIMES
    found = joined(stretch, [clip(1, 7), clip(2, 6, "train"), clip(3, 6)])
    assert (found.clip and found.clip.id, found.why) == (3, HERE)
    assert (found.start, found.end) == (7.5, 9.0)


def test_what_is_counted() -> None:
    tally = Tally()
    for second, clips in ((6.0, [clip(1, 6)]), (7.0, [clip(1, 6)]), (1.0, [clip(1, 6)]), (2.0, [])):
        tally.add(joined(frame(second), clips))
    tally.add(joined(KeyFrame("val", ID, 8.0, ()), [clip(1, 6)]))
    assert tally.told() == {
        "key_frames": 5,
        "empty": 1,
        "boxes": 8,
        "actions": 12,
        "here": {"clips": 1, "key_frames": 3, "empty": 1, "boxes": 4, "actions": 6},
        "not_here": {"not_listed": 1, "other_times": 1},
    }
