"""Which clip a file named after its YouTube id alone is, in datasets whose names have times and in others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.dataset.layouts import Place
from kdl.dataset.manifest import load_manifest
from kdl.jobs.adopt_names import Named, Names, Refused
from kdl.ledger.annotated import finish_annotations, load_annotations
from kdl.ledger.ledger import Ledger, open_ledger
from kdl.values import Annotation, ClipKey

ONCE, TWICE, NEVER = "-once_-_-_-", "twice_-_-_-", "never_-_-_-"
FLAT = Place("val", None, "flat")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Annotations of val: one clip of ``ONCE``, two of ``TWICE``."""

    def annotate(connection: sqlite3.Connection) -> None:
        times = ((ONCE, 3), (TWICE, 0), (TWICE, 50))
        rows = [Annotation(ClipKey("val", name, at, at + 10), "yoga") for name, at in times]
        load_annotations(connection, 1, rows, str, decides=False)
        finish_annotations(connection, "val", 1, "digest", ())

    with open_ledger(tmp_path / "ledger.db", create=True) as ledger:
        ledger.write(annotate).result()
        yield ledger


def resolve(ledger: Ledger, dataset: str, name: str, *, trusted: bool = False) -> Named | Refused:
    names = Names(ledger, load_manifest(dataset), "mmaction2", None)
    assert names.is_clip(name)
    return names.resolve(name, FLAT, trusted=trusted)


@pytest.mark.parametrize(
    ("dataset", "name", "called"),
    [
        ("k400", f"{ONCE}.mp4", f"{ONCE}_000003_000013.mp4"),
        ("k400-paddle", f"{ONCE}.mp4", f"{ONCE}.mp4"),
        ("k400-paddle", f"{ONCE}.mp4.webm", f"{ONCE}.mp4.webm"),
        ("k400-paddle", f"{ONCE}_000003_000013.mkv", f"{ONCE}_000003_000013.mkv"),
    ],
)
def test_the_annotation_tells_the_times(ledger: Ledger, dataset: str, name: str, called: str) -> None:
    found = resolve(ledger, dataset, name)
    assert isinstance(found, Named)
    assert (found.key, found.name) == (ClipKey("val", ONCE, 3, 13), called)
    assert (found.label, found.class_dir, found.listed) == ("yoga", "yoga", True)


@pytest.mark.parametrize("dataset", ["k400", "k400-paddle"])
def test_of_two_clips_none_is_guessed(ledger: Ledger, dataset: str) -> None:
    found = resolve(ledger, dataset, f"{TWICE}.mp4")
    assert isinstance(found, Refused)
    assert found.kind == "adopt_unknown_name"
    assert "val has 2 clips of its id: 0-10 s, 50-60 s" in found.detail
    assert "rename it" in found.fix


def test_what_no_annotation_lists_is_refused_but_from_the_mirror_itself(ledger: Ledger) -> None:
    refused = resolve(ledger, "k400-paddle", f"{NEVER}.mkv")
    assert isinstance(refused, Refused)
    assert refused.kind == "adopt_unlisted"
    for name in (NEVER, TWICE):
        kept = resolve(ledger, "k400-paddle", f"{name}.mkv", trusted=True)
        assert isinstance(kept, Named)
        assert (kept.key, kept.listed) == (ClipKey("val", name, None, None), False)
