"""Annotations beside the classes, joined to the clips of a mirror."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from kdl.dataset.ava import KeyFrame, key_frames
from kdl.dataset.clipname import clip_stem
from kdl.dataset.countix import Repetition, repetitions
from kdl.dataset.specs import Manifest
from kdl.jobs.extras_bring import extra_tables
from kdl.jobs.run import Run
from kdl.ledger.videos import VideoClip, clips_of_video
from kdl.values import ClipKey

W = TypeVar("W", bound=KeyFrame | Repetition)

HERE = "here"
NOT_LISTED = "not_listed"
"""The dataset has no clip of the video."""
OTHER_TIMES = "other_times"
"""The dataset has clips of the video, and none of that time."""

COLUMNS = (
    "annotation",
    "split",
    "youtube_id",
    "start",
    "end",
    "boxes",
    "actions",
    "repetitions",
    "clip",
    "clip_split",
    "path",
    "why",
)
"""Of the table that ``--out`` writes."""


@dataclass(frozen=True, slots=True)
class Joined(Generic[W]):
    """What is annotated, and the clip of the mirror that shows it."""

    what: W
    clip: VideoClip | None
    """The best that the dataset has, here or not."""
    why: str
    """``here``, the verdict of a clip that can not be read, ``not_listed`` or ``other_times``."""

    @property
    def start(self) -> float:
        """Seconds into the video."""
        return self.what.second if isinstance(self.what, KeyFrame) else self.what.repetition_start

    @property
    def end(self) -> float:
        """Seconds into the video; a key-frame's is its start."""
        return self.what.second if isinstance(self.what, KeyFrame) else self.what.repetition_end

    @property
    def measures(self) -> dict[str, int]:
        """What it counts for."""
        if isinstance(self.what, KeyFrame):
            boxes = self.what.boxes
            return {
                "key_frames": 1,
                "empty": int(not boxes),
                "boxes": self.what.people,
                "actions": len(boxes),
            }
        return {"stretches": 1, "repetitions": self.what.count}

    def row(self, name: str) -> dict[str, Any]:
        """As one of the table's rows; ``name`` is the annotation's."""
        clip = self.clip
        key = clip and ClipKey(clip.split, clip.youtube_id, clip.start, clip.end)
        told = {
            "annotation": name,
            "split": self.what.split,
            "youtube_id": self.what.youtube_id,
            "start": self.start,
            "end": self.end,
            "clip": key and clip_stem(key),
            "clip_split": clip and clip.split,
            "path": clip.path if clip and clip.readable else None,
            "why": self.why,
            **self.measures,
        }
        return {column: told.get(column) for column in COLUMNS}


def annotated(run: Run, name: str, split: str) -> Iterator[KeyFrame | Repetition]:
    """What a split of the annotations called ``name`` holds. Raises KdlError for an altered table."""
    table = extra_tables(run.paths, name).table(split)
    return key_frames(table) if name == "ava" else repetitions(table)


def join(run: Run, manifest: Manifest, found: Iterator[W]) -> Iterator[Joined[W]]:
    """Everything found, with its clip.

    By id and time: a key-frame lies within its clip, a repetition names its clip's start and end. Clips
    of all splits count, as a clip can have moved since it was annotated. Raises LedgerError.
    """
    clips: list[VideoClip] = []
    last = ""
    for what in found:
        run.checkpoint()
        if what.youtube_id != last:
            last = what.youtube_id
            clips = clips_of_video(run.ledger, manifest.split_names, last)
        yield joined(what, clips)


def joined(what: W, clips: Sequence[VideoClip]) -> Joined[W]:
    """``what`` with the best of the clips that the dataset has of its video."""
    if not clips:
        return Joined(what, None, NOT_LISTED)
    if isinstance(what, KeyFrame):
        second = what.second
        fitting = [clip for clip in clips if clip.start <= second <= clip.end]
    else:
        second = what.repetition_start
        fitting = [clip for clip in clips if (clip.start, clip.end) == (what.start, what.end)]
    if not fitting:
        return Joined(what, None, OTHER_TIMES)

    def worth(clip: VideoClip) -> tuple[bool, bool, float]:
        """Of clips that overlap the one that can be read, then the one with more to see round it."""
        return clip.readable, clip.split == what.split, -abs(clip.start + clip.end - 2 * second)

    clip = max(fitting, key=worth)
    return Joined(what, clip, HERE if clip.readable else str(clip.verdict))


@dataclass
class Tally:
    """What a split of annotations holds, and how much of that is here."""

    held: Counter[str] = field(default_factory=Counter)
    here: Counter[str] = field(default_factory=Counter)
    clips: set[int] = field(default_factory=set)
    not_here: Counter[str] = field(default_factory=Counter)

    def add(self, item: Joined[Any]) -> None:
        self.held.update(item.measures)
        if item.why == HERE and item.clip is not None:
            self.here.update(item.measures)
            self.clips.add(item.clip.id)
        else:
            self.not_here[item.why] += 1

    def told(self) -> dict[str, Any]:
        """The same, JSON-ready."""
        here = {name: self.here[name] for name in self.held}
        not_here = dict(sorted(self.not_here.items()))
        return {**self.held, "here": {"clips": len(self.clips), **here}, "not_here": not_here}
