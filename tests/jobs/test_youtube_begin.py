"""What is looked at before YouTube is asked for anything: the options, and how much there is to ask for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from kdl.dataset.manifest import load_manifest
from kdl.errors import UsageError
from kdl.fetch.youtube import Videos
from kdl.fetch.youtube_options import YoutubeOptions
from kdl.jobs.options import Choice, MirrorOptions
from kdl.jobs.planning import CLIP_BYTES, resolve_choice
from kdl.jobs.youtube_begin import videos_of
from kdl.jobs.youtube_plan import fill_note, youtube_plan

WATCH = "https://www.youtube.com/watch?v="
K400 = load_manifest("k400")


def asked(**options: Any) -> MirrorOptions:
    return MirrorOptions("k400", Path("root"), **{"source": "youtube", **options})


@pytest.mark.parametrize("name", ["k400", "k600", "k700-2020"])
def test_the_shipped_datasets_are_cut_out_of_youtubes_videos(name: str) -> None:
    assert videos_of(load_manifest(name), asked()) == (Videos(WATCH), ())


def test_who_does_not_ask_needs_nothing() -> None:
    nowhere = dataclasses.replace(K400, youtube=None)
    assert videos_of(nowhere, asked(source="shards", origins=("x",))) == (None, ("x",))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"choice": Choice(shards=("part_1*",))}, "YouTube has no shards"),
        ({"youtube": YoutubeOptions(cookies=Path("/nowhere"))}, "no such file"),
        ({"origins": ("youtube=films",)}, "not an http or https URL"),
    ],
)
def test_what_can_not_be(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        videos_of(K400, asked(**options))


@pytest.mark.parametrize(
    ("options", "word"),
    [({}, "--source youtube"), ({"source": "shards", "fill_missing": True}, "--fill-missing")],
)
def test_clips_of_no_video(options: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError) as raised:
        videos_of(dataclasses.replace(K400, youtube=None), asked(**options))
    assert raised.value.subject == word


@pytest.mark.parametrize(
    ("choice", "clips"),
    [
        (Choice(("val",)), 19_906),
        (Choice(("val",), limit=10), 10),
        (Choice(("val",), ("abseiling", "zumba")), 100),
    ],
)
def test_a_plan_before_there_is_a_ledger(choice: Choice, clips: int) -> None:
    options = asked(choice=choice, youtube=YoutubeOptions(sleep_s=14, jobs=2))
    plan = youtube_plan(K400, options, resolve_choice(K400, choice, "mmaction2"), None)
    assert plan.download == clips * CLIP_BYTES
    assert plan.shards == ()
    assert f": {clips:,}, in about {clips * 9 / 3600:,.1f} hours" in plan.notes[0]


def test_what_is_known_to_be_hosted_nowhere_is_what_there_is_to_fill() -> None:
    choice = Choice(("val", "test"))
    options = asked(source="shards", fill_missing=True, choice=choice)
    assert ": 1,145, " in fill_note(K400, options, resolve_choice(K400, choice, "mmaction2"), None)
