"""Made-up mirrors in numbers, for pages that no run has to be made for."""

from __future__ import annotations

import dataclasses
from typing import Any

from kdl.report.health import judge_mirror
from kdl.report.html import Page, Picture
from kdl.tallies import Ages, Cell, Derived, FoundGroup, Measures, Named, Objects, Overview, PastRun, Reason
from kdl.values import Finding, Verdict

NOW = 1_790_000_000.0
RUN = PastRun("r1", "mirror k400", "host", NOW - 7_200, NOW - 3_600, 1, 360_000_000)
EMPTY = Overview(
    taken=NOW,
    cells=(),
    reasons=(),
    ages=Ages(0, 0, 0, 0, 0, None),
    measures=Measures({}, {}, {}, {}),
    objects=(),
    troubles=(),
    troubles_in_all=0,
    derived=(),
    runs=(),
    satisfied=False,
    found=(),
    replaced=(),
    replaced_by_cause={},
)


def cell(
    verdict: str, clips: int, split: str = "train", label: str | None = "abseiling", **changes: Any
) -> Cell:
    """Clips of one class; each has a file of a megabyte and ten seconds."""
    listed = 0 if verdict == "unlisted" else clips
    made = Cell(
        split,
        (label or "").replace(" ", "_"),
        label,
        Verdict(verdict),
        clips,
        listed,
        0,
        clips * 10**6,
        clips * 10.0,
    )
    return dataclasses.replace(made, **changes)


def named(name: str, **changes: Any) -> Named:
    made = Named("train", "abseiling", name, Verdict.OK, "", "", f"videos/train/{name}", "ab" * 32, False)
    return dataclasses.replace(made, **changes)


def command(verb: str, *arguments: str) -> str:
    return " ".join(("kdl", verb, "k400", *arguments))


def page(view: Overview = EMPTY, **changes: Any) -> Page:
    counts = {verdict: view.clips(verdict) for verdict in Verdict}
    health = judge_mirror(counts, {}, {}, view.ages, command, satisfied=False)
    return dataclasses.replace(
        Page("k400", "Kinetics-400", "/data/k400", "1.0", view, health, command, "", (), ()), **changes
    )


def busy_view() -> Overview:
    """Something in every section."""
    return dataclasses.replace(
        EMPTY,
        cells=(cell("ok", 90), cell("corrupt", 2), cell("never_hosted", 3), cell("ok", 5, "val", "zumba")),
        reasons=(Reason(Verdict.OK, None, 95), Reason(Verdict.CORRUPT, "moov_missing", 2)),
        ages=Ages(10, 40, 80, 15, 2, NOW - 86_400 * 45),
        measures=Measures({10.0: 90, 4.0: 5}, {1_500_000.0: 95}, {29.97: 95}, {(340, 256): 95}),
        objects=(Objects("shard", "train", "done", 3, 3 * 10**9),),
        derived=(Derived("320p", "done", 95, 10**8),),
        runs=(RUN, dataclasses.replace(RUN, id="r0", started=NOW - 90_000, ended=NOW - 80_000)),
        found=(
            FoundGroup("corrupt_clip", RUN, 1, (Finding("corrupt_clip", "a.mp4", "cut", "kdl repair k400"),)),
        ),
        replaced=(named("x_000001_000011.mp4", replaced=True, cause="zero_bytes"),),
        replaced_by_cause={"zero_bytes": 1},
    )


def picture(name: str, jpeg: bytes | None = b"\xff\xd8 jpeg", **changes: Any) -> Picture:
    return Picture(named(name, **changes), jpeg)
