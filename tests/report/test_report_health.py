"""The one sentence, the next command, and the order of what is wrong."""

from __future__ import annotations

import pytest
from report_kit import command

from kdl.report.health import Tone, judge_mirror
from kdl.tallies import Ages
from kdl.values import Verdict

OK = {Verdict.OK: 97}
NEW = Ages(97, 97, 97, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("counts", "objects", "tone", "says", "due"),
    [
        ({}, {}, "warn", "Nothing is known of this mirror's clips yet.", ""),
        (OK, {}, "good", "Sound: all 97 clips that are hosted are here and were judged good.", ""),
        (
            OK | {Verdict.NEVER_HOSTED: 9, Verdict.UNLISTED: 1, Verdict.SHORT: 3},
            {},
            "good",
            "all 100 clips",
            "",
        ),
        (OK | {Verdict.CORRUPT: 1}, {}, "warn", "Sound but for 1 corrupt clip that nothing published", ""),
        (
            OK | {Verdict.CORRUPT: 2},
            {"broken": 1},
            "warn",
            "2 corrupt clips and 1 shard broken at the source",
            "",
        ),
        (
            OK | {Verdict.UNCHECKED: 1},
            {},
            "warn",
            "Complete, but 1 clip is not judged yet.",
            "kdl mirror k400",
        ),
        (
            OK | {Verdict.PENDING: 3},
            {},
            "warn",
            "3 clips are still to come; 97.0% are here",
            "kdl mirror k400",
        ),
        (OK | {Verdict.PENDING: 3}, {"failed": 2}, "bad", "2 objects are not here", "kdl mirror k400"),
        (
            OK | {Verdict.MISSING: 1, Verdict.CORRUPT: 5, Verdict.PENDING: 9},
            {"failed": 2},
            "bad",
            "Not sound: 1 clip is gone or changed",
            "kdl repair k400",
        ),
    ],
)
def test_a_mirror_in_a_sentence(
    counts: dict[Verdict, int], objects: dict[str, int], tone: str, says: str, due: str
) -> None:
    health = judge_mirror(counts, objects, {}, NEW, command, satisfied=False)
    assert (health.tone, health.command) == (tone, due)
    assert says in health.headline


def test_a_part_that_is_here_whole_is_sound() -> None:
    counts = OK | {Verdict.PENDING: 903}
    health = judge_mirror(counts, {}, {}, NEW, command, satisfied=True)
    assert (health.tone, health.command) == ("good", "")
    assert health.headline == "Sound as far as it was asked for: 97 of 1,000 clips are here, all good."
    assert [problem.what for problem in health.problems] == ["903 clips are not asked for"]
    corrupt = judge_mirror(counts | {Verdict.CORRUPT: 1}, {}, {}, NEW, command, satisfied=True)
    assert corrupt.headline.startswith("Sound but for 1 corrupt clip")


def test_the_worst_comes_first_and_each_thing_has_its_command() -> None:
    counts = dict.fromkeys(Verdict, 1)
    ages = Ages(1, 1, 1, 2, 0, 0.0)
    health = judge_mirror(counts, {"failed": 1, "broken": 1}, {"320p": 4}, ages, command, satisfied=False)
    tones = [list(Tone).index(problem.tone) for problem in health.problems]
    assert tones == sorted(tones, reverse=True)
    commands = {problem.what: problem.command for problem in health.problems}
    assert commands["4 clips without 320p"] == "kdl derive k400 --recipe 320p --retry-failed"
    assert commands["1 clip is missing"] == "kdl repair k400"
    assert commands["2 clips are unlooked at for thirty days"] == "kdl verify k400"
    assert len(commands) == 11
