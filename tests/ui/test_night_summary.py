"""The table that a night ends with."""

from __future__ import annotations

import io
import time
from typing import Any

from kdl.ui.consoles import console_on
from kdl.ui.summary import render_summary
from kdl.values import RunSummary

LOOKED = 1_700_000_000.0


def lines(**changes: Any) -> list[str]:
    extra = {
        "night": "2026-03-14",
        "run": "20260314T021700-1",
        "started": LOOKED,
        "verify": {
            "level": "hash",
            "checked": 1200,
            "bytes": 3_000_000,
            "could_not_check": 0,
            "not_reached": 7,
        },
        "repair": {"repaired": 2, "by_way": {}, "not_repaired": 0, "bytes": {"fetched": 0}},
        "clips": {"ok": 9, "missing": 0, "replaced": 1},
        "oldest_check": LOOKED,
        "never_checked": 1,
        "difference": {"since": None, "bad_before": 0, "newly_bad": 12, "repaired": 12, "still_bad": 0},
        "newly_bad": [
            {"path": f"videos/{at}\x1b.mp4", "kind": "bit_rot", "detail": "", "mended": at < 9}
            for at in range(12)
        ],
        "repaired": [],
        "still_bad": [],
        **changes,
    }
    out = io.StringIO()
    console_on(out).print(render_summary(RunSummary("k400", 0, 61.0, (), extra)))
    assert "\x1b" not in out.getvalue()
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_a_night_is_told_in_a_few_lines() -> None:
    told = lines(page="/m/reports/2026-03-14.html")
    for line in (
        "looked at 1,200 clips (hash), 3 MB; not reached 7",
        f"oldest look {time.strftime('%Y-%m-%d %H:%M', time.localtime(LOOKED))}; 1 clip never",
        "this night newly bad 12, repaired 12",
        r"newly bad videos/0\x1b.mp4: bit_rot, repaired",
        r"videos/9\x1b.mp4: bit_rot",
        "… and 2 more",
        "page /m/reports/2026-03-14.html",
    ):
        assert line in told
    assert len(told) < 20


def test_a_night_without_news_says_so() -> None:
    none = {"since": "x", "bad_before": 0, "newly_bad": 0, "repaired": 0, "still_bad": 0}
    told = lines(difference=none, newly_bad=[], oldest_check=None)
    assert "this night nothing bad" in told
    assert not any(line.startswith(("oldest", "newly", "page")) for line in told)
