"""Whether a mirror is sound, in one sentence, and what to do next. Pure: counts in, words out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kdl.tallies import Ages
from kdl.values import Verdict

Command = Callable[..., str]
"""``command("status", "--show", "corrupt")``: a command line for this mirror, to be pasted."""


class Tone(StrEnum):
    """How a mirror, or one thing about it, is doing."""

    GOOD = "good"
    NOTE = "note"
    """Worth knowing; nothing is to be done."""
    WARN = "warn"
    """Not finished, or less than it should be."""
    BAD = "bad"
    """Something that was, or should be, here is not good."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing about a mirror that a person should know, and the command that mends or shows it."""

    tone: Tone
    what: str
    """What it is, with its number: ``3 clips are missing``."""
    why: str
    """What that means, in a sentence."""
    command: str
    mends: bool
    """Whether the command mends it; else it shows it."""


@dataclass(frozen=True, slots=True)
class Health:
    """The judgement on a mirror."""

    tone: Tone
    headline: str
    """One sentence: is it sound, and if not, why."""
    command: str
    """What to do next; empty where nothing is."""
    problems: tuple[Problem, ...]
    """The worst first."""


def judge_mirror(
    counts: Mapping[Verdict, int],
    objects: Mapping[str, int],
    underived: Mapping[str, int],
    ages: Ages,
    command: Command,
    *,
    satisfied: bool,
) -> Health:
    """What the counts amount to.

    ``counts`` are clips by verdict, ``objects`` those of the hosts by state (``failed``, ``broken``),
    ``underived`` clips by the recipe that failed on them. ``satisfied``: the last run that fetches brought
    all it was asked for, so that what is pending is wanted by nobody.
    """
    clips = {verdict: counts.get(verdict, 0) for verdict in Verdict}
    failed, broken = objects.get("failed", 0), objects.get("broken", 0)
    problems = (
        *_clip_problems(clips, command, satisfied),
        *_object_problems(failed, broken, command),
        *_derived_problems(underived, command),
        *_age_problems(ages, command),
        *_notes(clips, command),
    )
    worst_first = tuple(sorted(problems, key=lambda problem: -list(Tone).index(problem.tone)))
    tone, headline = _headline(clips, failed, broken, satisfied)
    due = next((each.command for each in worst_first if each.tone is tone and each.mends), "")
    return Health(tone, headline, due, worst_first)


def _headline(counts: dict[Verdict, int], failed: int, broken: int, satisfied: bool) -> tuple[Tone, str]:
    corrupt, missing = counts[Verdict.CORRUPT], counts[Verdict.MISSING]
    pending, unchecked = counts[Verdict.PENDING], counts[Verdict.UNCHECKED]
    sound = counts[Verdict.OK] + counts[Verdict.SHORT]
    hosted = sum(counts.values()) - counts[Verdict.NEVER_HOSTED] - counts[Verdict.UNLISTED]
    if not sum(counts.values()):
        return Tone.WARN, "Nothing is known of this mirror's clips yet."
    if missing:
        return Tone.BAD, f"Not sound: {_are(missing, 'clip')} gone or changed since they were judged."
    if failed:
        return Tone.BAD, f"Not complete: {_are(failed, 'object')} not here after every try."
    if pending and not satisfied:
        share = f"{sound / hosted:.1%}" if sound < hosted else "100 %"
        return Tone.WARN, f"Not complete: {_are(pending, 'clip')} still to come; {share} are here and sound."
    if unchecked:
        return Tone.WARN, f"Complete, but {_are(unchecked, 'clip')} not judged yet."
    if corrupt or broken:
        lacks = [_number(corrupt, "corrupt clip")] if corrupt else []
        lacks += [_number(broken, "shard") + " broken at the source"] if broken else []
        return Tone.WARN, f"Sound but for {' and '.join(lacks)} that nothing published replaces."
    if pending:
        return (
            Tone.GOOD,
            f"Sound as far as it was asked for: {sound:,} of {hosted:,} clips are here, all good.",
        )
    return Tone.GOOD, f"Sound: all {sound:,} clips that are hosted are here and were judged good."


def _clip_problems(counts: dict[Verdict, int], command: Command, satisfied: bool) -> Iterator[Problem]:
    if count := counts[Verdict.MISSING]:
        yield Problem(
            Tone.BAD,
            f"{_are(count, 'clip')} missing",
            "They were here and judged, and are gone or have other bytes now.",
            command("repair"),
            True,
        )
    if count := counts[Verdict.CORRUPT]:
        yield Problem(
            Tone.WARN,
            f"{_are(count, 'clip')} corrupt",
            "They do not play, and no sound replacement is published; repair takes them --from another copy.",
            command("status", "--show", "corrupt"),
            False,
        )
    if count := counts[Verdict.PENDING]:
        yield Problem(
            Tone.NOTE if satisfied else Tone.WARN,
            f"{_are(count, 'clip')} {'not asked for' if satisfied else 'still to come'}",
            "They are annotated, and not all of the shards that may hold them were read.",
            command("mirror"),
            not satisfied,
        )
    if count := counts[Verdict.UNCHECKED]:
        yield Problem(
            Tone.WARN,
            f"{_are(count, 'clip')} not judged",
            "Their bytes are whole; nobody has looked whether they play.",
            command("mirror"),
            True,
        )


def _object_problems(failed: int, broken: int, command: Command) -> Iterator[Problem]:
    if failed:
        yield Problem(
            Tone.BAD,
            f"{_are(failed, 'object')} given up",
            "Shards or annotations that no try brought whole; they are named below.",
            command("mirror"),
            True,
        )
    if broken:
        yield Problem(
            Tone.WARN,
            f"{_are(broken, 'shard')} broken at the source",
            "The host itself has it so; it is read again when the host has another.",
            command("mirror"),
            False,
        )


def _derived_problems(underived: Mapping[str, int], command: Command) -> Iterator[Problem]:
    for recipe, count in underived.items():
        yield Problem(
            Tone.WARN,
            f"{_number(count, 'clip')} without {recipe}",
            "ffmpeg could not make it of them.",
            command("derive", "--recipe", recipe, "--retry-failed"),
            True,
        )


def _age_problems(ages: Ages, command: Command) -> Iterator[Problem]:
    if ages.older:
        yield Problem(
            Tone.NOTE,
            f"{_are(ages.older, 'clip')} unlooked at for thirty days",
            "Disks lose bytes without a word; a look within a budget each night finds it.",
            command("verify"),
            True,
        )


def _notes(counts: dict[Verdict, int], command: Command) -> Iterator[Problem]:
    notes = (
        (Verdict.SHORT, "shorter than their names say", "They are sound, and listed for trainers."),
        (Verdict.NEVER_HOSTED, "not hosted by anybody", "They are annotated and in none of the shards."),
        (Verdict.UNLISTED, "in no annotation", "The shards hold them; they lie apart and in no list."),
    )
    for verdict, what, why in notes:
        if count := counts[verdict]:
            shows = command("status", "--show", verdict.value)
            yield Problem(Tone.NOTE, f"{_are(count, 'clip')} {what}", why, shows, False)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _are(count: int, noun: str) -> str:
    return f"{_number(count, noun)} {'is' if count == 1 else 'are'}"
