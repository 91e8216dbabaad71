"""Tables of single verbs."""

from __future__ import annotations

import io
from typing import Any

from kdl.jobs.doctor_check import Check
from kdl.ui.consoles import console_on
from kdl.ui.tables import OBJECTS_SHOWN, render_datasets, render_doctor, render_plan

GB = 1_000_000_000


def printed(renderable: Any) -> list[str]:
    out = io.StringIO()
    console_on(out).print(renderable)
    assert "\x1b" not in out.getvalue()
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def plan(objects: int, **changes: Any) -> dict[str, Any]:
    return {
        "dataset": "k600",
        "selection": "val; 1 of the classes ([b]abseiling\x1b[1m)",
        "shards": {"total": 600, "done": 1, "to_fetch": objects},
        "bytes": {"download": 35 * GB, "have": 0},
        "objects": [
            {
                "name": f"part [{number}].tar.gz",
                "split": "val",
                "bytes": None if number else 70_000_000,
                "have_bytes": 0 if number else 1_000_000,
                "state": "fetch",
                "note": None if number else "resumes\n",
            }
            for number in range(objects)
        ],
        "volumes": [
            {"path": "/data", "free": 83 * GB, "needed_peak": 100 * GB, "needed_end": 36 * GB, "ok": False},
            {"path": "/ssd", "free": 83 * GB, "needed_peak": 1, "needed_end": 1, "ok": True},
        ],
        "notes": ["members are filtered while streaming"],
        **changes,
    }


def test_a_plan_says_what_is_fetched_and_whether_it_fits() -> None:
    lines = printed(render_plan(plan(2)))
    for line in (
        r"k600: val; 1 of the classes ([b]abseiling\x1b[1m)",
        "to fetch: 2 of 600 shards (1 done), 35 GB",
        r"val/part [0].tar.gz fetch 70 MB 1 MB resumes\n",
        "val/part [1].tar.gz fetch ?",
        "/data 83 GB 100 GB 36 GB too small",
        "/ssd 83 GB 1 B 1 B fits",
        "note: members are filtered while streaming",
    ):
        assert line in lines
    assert not any("more" in line for line in lines)


def test_a_long_plan_is_cut() -> None:
    lines = printed(render_plan(plan(OBJECTS_SHOWN + 280)))
    assert sum(line.startswith("val/part") for line in lines) == OBJECTS_SHOWN
    assert "… and 280 more" in lines


def test_a_plan_with_nothing_to_do() -> None:
    lines = printed(render_plan(plan(0, bytes={"download": 0, "have": 2 * GB}, volumes=[], notes=[])))
    assert lines[1:] == ["to fetch: 0 of 600 shards (1 done), 0 B, 2 GB are here already"]


def test_datasets_with_their_splits() -> None:
    split = {"name": "val", "clips": None, "shards": 20, "bytes": None, "approximate": True}
    train = {"name": "train", "clips": 427_549, "shards": 600, "bytes": 648 * GB, "approximate": True}
    dataset = {
        "name": "mine[1]",
        "clips": None,
        "shards": 620,
        "bytes": None,
        "approximate": True,
        "splits": [train, split],
        "replacement": {"url": "u", "splits": ["train"], "clips": 1_392},
        "by_hand": ["Baidu, https://c/ with the code 1234"],
        "hosts": {"a": "https://a/", "b": "https://b/"},
    }
    lines = printed(render_datasets([dataset]))
    start = lines.index("mine[1] ? 620 ? https://a/")
    assert lines[start + 1 : start + 6] == [
        "https://b/",
        "train ~427,549 600 648 GB",
        "val ? 20 ?",
        "replacements 1,392 1 ?",
        "by hand Baidu, https://c/ with the code 1234",
    ]


def test_doctor_tells_requirement_from_advice_and_how_to_get_it() -> None:
    lines = printed(
        render_doctor(
            [
                Check("python", True, "3.11", "unsaid"),
                Check("ffmpeg", False, "not found", "apt install ffmpeg"),
                Check("uvloop", False, "optional", "pip install 'kdl[speed]'", required=False),
            ]
        )
    )
    assert lines == [
        "ok python 3.11",
        "MISSING ffmpeg not found",
        "try: apt install ffmpeg",
        "advice uvloop optional",
        "try: pip install 'kdl[speed]'",
        "1 required thing missing",
    ]
    assert printed(render_doctor([Check("x", True, "d")]))[-1] == "this machine is fit for kdl"
