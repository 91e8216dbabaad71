"""Where the tests of this room find their samples, and splits to read them with."""

from __future__ import annotations

from pathlib import Path

from kdl.dataset.manifest import AnnotationSpec, Counts, SplitSpec, load_manifest

DATA = Path(__file__).parents[1] / "data"
REAL = Path(__file__).parents[3] / "shared" / "data"
"""Whole files as the hosts have them, on machines that hold copies."""


def split_of(
    name: str = "val",
    *,
    format: str = "csv",
    class_from: str = "annotation",
    times: bool = True,
    archives: tuple[str, ...] = (),
    counts: Counts | None = None,
) -> SplitSpec:
    return SplitSpec(
        name=name,
        class_from=class_from,
        list_url=None if archives else "https://h.example/list.txt",
        archives=archives,
        annotation=AnnotationSpec("https://h.example/a.csv", format, "a.csv"),
        published=None,
        never_hosted=frozenset(),
        counts=counts or Counts(),
        extensions=(".mp4",),
        times=times,
        untimed=False,
        any_id=False,
        strip=0,
        archive="tar",
        split_from="archive",
    )


def shipped_split(dataset: str, split: str) -> SplitSpec:
    return load_manifest(dataset).split(split)
