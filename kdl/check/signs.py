"""What the readers recognise as telling, as the first lines of :attr:`kdl.values.Facts.errors`.

The lines are plain strings, so facts read back from the ledger are judged as those fresh from a reader.
"""

from __future__ import annotations

from enum import StrEnum


class Sign(StrEnum):
    """A thing found wrong that decides a verdict; its text is for people."""

    NOT_OPENED = "can not be opened as a video"
    NO_SIGNATURE = "does not begin like any video file"
    NO_MOOV = "no whole moov box: the index of the mp4 file is missing"
    NO_STREAM = "no video stream"
    BYTES_MISSING = "its own header says that the file goes on beyond its end"
    ENDS_EARLY = "its packets end before the duration that its header gives"
    OUT_OF_BOUNDS = "more pixels or memory than the bounds allow"
    OUT_OF_TIME = "not read within the time limit"
    CRASHED = "the decoder crashed"
