"""The clips that were cut from one YouTube video, for annotations that name a video and a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdl.ledger.ledger import Ledger
from kdl.values import SOUND, Verdict


@dataclass(frozen=True, slots=True)
class VideoClip:
    """One clip of a video. Times are seconds into the video, the duration is seconds."""

    id: int
    split: str
    youtube_id: str
    start: int
    end: int
    label: str | None
    path: str | None
    """Relative to the mirror's folder; ``None``: there is no file."""
    verdict: Verdict
    duration: float | None
    """As measured; ``None`` where nobody has."""

    @property
    def readable(self) -> bool:
        """Trainers may read it: a sound file is here, and an annotation lists it."""
        return self.path is not None and self.verdict in SOUND


def clips_of_video(ledger: Ledger, splits: Sequence[str], youtube_id: str) -> list[VideoClip]:
    """The clips of a video in these splits whose names carry times. Raises LedgerError."""
    rows = ledger.rows(
        f"""SELECT id, split, youtube_id, time_start, time_end, label, path, verdict, duration FROM clips
            WHERE split IN ({", ".join("?" * len(splits))}) AND youtube_id = ? AND time_start >= 0""",
        (*splits, youtube_id),
    )
    return [
        VideoClip(
            id=row["id"],
            split=row["split"],
            youtube_id=row["youtube_id"],
            start=row["time_start"],
            end=row["time_end"],
            label=row["label"],
            path=row["path"],
            verdict=Verdict(row["verdict"]),
            duration=row["duration"],
        )
        for row in rows
    ]
