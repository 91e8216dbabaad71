"""Who plays in the demo: every clip, what its file shows, and how it comes out of a mirror."""

from __future__ import annotations

from dataclasses import dataclass

from kdl.jobs.demo_clips import Scene, cut_short, stamp, without_index
from kdl.values import Cause, Verdict

SECONDS = 3
"""What every clip's name promises."""

ABSEILING, DRIVING, MASSAGING, TYING = CLASSES = (
    "abseiling",
    "driving car",
    "massaging person's head",
    "tying knot (not on a tie)",
)

KNOWN_ABSENT = "knownAbsent"
"""The id of a clip that the manifest itself says was never hosted."""


@dataclass(frozen=True, slots=True)
class Planted:
    """How a clip is to come out of a mirror of its whole split, checked at level ``probe``."""

    verdict: Verdict
    cause: Cause | None = None
    replaced: bool = False
    replaced_cause: Cause | None = None
    """What was wrong with the clip that was replaced; ``None`` also where no shard held it."""


@dataclass(frozen=True, slots=True)
class CastClip:
    """A row of the tables: a clip, what its file shows, what its replacement shows."""

    split: str
    label: str
    youtube_id: str
    start: int
    shows: str | None
    """A key of ``OUTCOMES``; ``None`` where no shard holds it."""
    mended: str | None = None
    """The same of its replacement; ``None`` where there is none."""
    listed: bool = True

    @property
    def name(self) -> str:
        return f"{self.youtube_id}_{self.start:06d}_{self.start + SECONDS:06d}.mp4"

    def planted(self) -> Planted:
        verdict, cause = OUTCOMES[self.shows]
        if not self.listed:
            return Planted(Verdict.UNLISTED)
        if self.mended is not None and OUTCOMES[self.mended][0] is Verdict.OK:
            return Planted(Verdict.OK, replaced=True, replaced_cause=cause)
        return Planted(verdict, cause)


SCENES = {
    "pattern": Scene("testsrc2", SECONDS),
    "fractal": Scene("mandelbrot", SECONDS, size="320x240"),
    "portrait": Scene("testsrc2", SECONDS, size="180x320", fps=25),
    "silent": Scene("mandelbrot", SECONDS, size="176x100", sound=False),
    "brief": Scene("testsrc2", 1),
    "index last": Scene("testsrc2", SECONDS, size="160x120", moov_first=False),
    "sound": Scene(None, SECONDS),
}
OUTCOMES: dict[str | None, tuple[Verdict, Cause | None]] = {
    None: (Verdict.NEVER_HOSTED, None),
    "pattern": (Verdict.OK, None),
    "fractal": (Verdict.OK, None),
    "portrait": (Verdict.OK, None),
    "silent": (Verdict.OK, None),
    "brief": (Verdict.SHORT, None),
    "nothing": (Verdict.CORRUPT, Cause.ZERO_BYTES),
    "no index": (Verdict.CORRUPT, Cause.MOOV_MISSING),
    "cut": (Verdict.CORRUPT, Cause.TRUNCATED),
    "sound": (Verdict.CORRUPT, Cause.NO_VIDEO),
    "text": (Verdict.CORRUPT, Cause.NOT_A_VIDEO),
}

TRAIN = (
    CastClip("train", ABSEILING, "-lead_dash0", 12, "pattern"),
    CastClip("train", ABSEILING, "under_score", 0, "fractal"),
    CastClip("train", ABSEILING, "_tail_here_", 7, "pattern"),
    CastClip("train", ABSEILING, "twice_taken", 0, "pattern"),
    CastClip("train", ABSEILING, "twice_taken", 30, "fractal"),
    CastClip("train", ABSEILING, "CaseMatters", 5, "pattern"),
    CastClip("train", ABSEILING, "shorter_one", 9, "brief"),
    CastClip("train", ABSEILING, "zeroBytes01", 41, "nothing", mended="pattern"),
    CastClip("train", ABSEILING, "neverHosted", 8, None),
    CastClip("train", ABSEILING, KNOWN_ABSENT, 8, None),
    CastClip("train", DRIVING, "caseMatters", 5, "fractal"),
    CastClip("train", DRIVING, "dashInTh-id", 3, "pattern"),
    CastClip("train", DRIVING, "portrait_01", 20, "portrait"),
    CastClip("train", DRIVING, "silent_clip", 100, "silent"),
    CastClip("train", DRIVING, "twoCopies_1", 2, "pattern"),
    CastClip("train", DRIVING, "noMoovAtAll", 15, "no index"),
    CastClip("train", MASSAGING, "plainClip_1", 1, "pattern"),
    CastClip("train", MASSAGING, "plainClip_2", 2, "silent"),
    CastClip("train", MASSAGING, "secondSound", 3, "fractal"),
    CastClip("train", MASSAGING, "soundOnly-1", 4, "sound", mended="fractal"),
    CastClip("train", MASSAGING, "notAVideo01", 5, "text", mended="nothing"),
    CastClip("train", MASSAGING, "inNoListing", 6, "pattern", listed=False),
    CastClip("train", TYING, "plainClip_3", 3, "pattern"),
    CastClip("train", TYING, "-_-_-_-_-_-", 4, "fractal"),
    CastClip("train", TYING, "portrait_02", 5, "portrait"),
    CastClip("train", TYING, "truncatedMp", 6, "cut", mended="silent"),
    CastClip("train", TYING, "onlyMended1", 7, None, mended="pattern"),
)
VAL = (
    *(CastClip("val", label, f"valClip_{at}_a", 10 * at, "pattern") for at, label in enumerate(CLASSES)),
    *(CastClip("val", label, f"valClip_{at}_b", 10 * at, "fractal") for at, label in enumerate(CLASSES)),
    CastClip("val", DRIVING, "valCutShort", 21, "cut"),
)
TEST = (
    CastClip("test", "", "testClip_01", 0, "pattern"),
    CastClip("test", "", "-testClip02", 11, "fractal"),
    CastClip("test", "", "testClip_03", 22, "brief"),
    CastClip("test", "", "testClip_04", 33, "silent"),
)


def film(films: dict[str, bytes], shows: str, text: str) -> bytes:
    """The bytes of a clip that shows ``shows``; ``text`` makes them its own."""
    match shows:
        case "nothing":
            return b""
        case "text":
            return f"<html><body>{text}: sorry, not today</body></html>\n".encode()
        case "no index":
            return without_index(stamp(films["index last"], text))
        case "cut":
            return cut_short(films["pattern"])
    return stamp(films[shows], text)
