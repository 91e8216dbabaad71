"""What a reader gathers from a clip, and the facts it comes to: one place for both readers.

That both PyAV's and ffprobe's findings become facts here is what holds them to the same verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kdl.check.limits import regular_size, unreadable
from kdl.check.signs import Sign
from kdl.check.structure import Structure, read_structure
from kdl.values import Facts

MAX_LINES = 8
"""Lines kept in :attr:`kdl.values.Facts.errors`."""
_EARLY_S = 1.0
"""Seconds that packets may end before the header's duration; rounding and silence at the end are less."""
_TOO_MUCH = ("exceeds specified max pixel count", "Cannot allocate memory")
"""libav's words when a bound of :class:`kdl.check.limits.Limits` stopped it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One line that libav logged at level error."""

    context: str
    """Who said it: a demuxer's, decoder's or parser's name; empty where nobody did."""
    text: str


@dataclass(frozen=True, slots=True)
class VideoStream:
    """What the header says of the video stream that is read: the first that is no attached picture."""

    index: int
    codec: str | None
    width: int
    """Pixels as stored."""
    height: int
    """Pixels as stored."""
    fps: float | None
    frames: int | None
    duration: float | None
    """Seconds."""
    pix_fmt: str | None
    rotation: int = 0
    """Degrees clockwise: 0, 90, 180 or 270."""


@dataclass(frozen=True, slots=True)
class Packets:
    """The packets really present."""

    video: int = 0
    """Of the video stream, whole and with a non-zero size."""
    empty: int = 0
    """Of the video stream, of no bytes: a header may declare such samples for "nothing new to show"."""
    start: float | None = None
    """Seconds; where the first picture is shown."""
    end: float | None = None
    """Seconds; until when the last picture is shown."""
    end_of_all: float | None = None
    """Seconds; until when the last packet of any stream lasts."""

    @property
    def duration(self) -> float | None:
        """Seconds that the video's packets span."""
        return None if self.start is None or self.end is None else self.end - self.start


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a reader gathered of one clip."""

    prober: str
    size: int
    structure: Structure
    container: str = ""
    """libav's name of the demuxer; empty if the file could not be opened."""
    duration: float | None = None
    """Seconds that the container's header gives."""
    stream: VideoStream | None = None
    acodec: str | None = None
    other_codecs: tuple[str, ...] = ()
    """Of the streams that are not video: what their decoders complain of is not the video's fault."""
    packets: Packets = field(default_factory=Packets)
    present: Packets | None = None
    """The packets counted again with edit lists ignored, where :func:`lacks_frames` asked for it."""
    pictures: int = 0
    """Decoded: at most one at level probe."""
    whole: bool = False
    """Every packet was handed to the decoder, not only those up to the first picture."""
    messages: tuple[Message, ...] = ()
    stopped: Sign | None = None
    """Why reading ended before its time."""


def begin(prober: str, path: str) -> Reading:
    """A reading of the regular file at ``path`` with what needs no decoder.

    Raises MachineError if the file can not be looked at.
    """
    size = regular_size(path)
    try:
        return Reading(prober, size, read_structure(path, size))
    except OSError as error:
        raise unreadable(path, error) from error


def clockwise(counterclockwise: float) -> int:
    """libav's rotation (degrees, any sign) as 0, 90, 180 or 270 clockwise; 0 for a damaged value."""
    if not -360 <= counterclockwise <= 360:
        return 0
    return round(-counterclockwise / 90) * 90 % 360


def facts_of(reading: Reading) -> Facts:
    """The facts that a reading comes to."""
    lines = (*_signs(reading), *_relevant(reading))
    errors = tuple(dict.fromkeys(lines))[:MAX_LINES]
    stream, packets, present = reading.stream, reading.packets, _present(reading)
    if stream is None:
        return Facts(size=reading.size, acodec=reading.acodec, errors=errors, prober=reading.prober)
    shown = (stream.width, stream.height) if stream.rotation % 180 == 0 else (stream.height, stream.width)
    return Facts(
        size=reading.size,
        duration=packets.duration if stream.duration is None else stream.duration,
        width=shown[0] or None,
        height=shown[1] or None,
        fps=stream.fps,
        frames=reading.pictures if reading.whole else packets.video,
        vcodec=stream.codec,
        acodec=reading.acodec,
        pix_fmt=stream.pix_fmt,
        rotation=stream.rotation,
        promised_frames=_promised(reading),
        packets=present.video,
        first_picture=reading.pictures > 0,
        errors=errors,
        prober=reading.prober,
    )


def _signs(reading: Reading) -> Iterable[Sign]:
    """What is telling in a reading, most telling first."""
    if reading.stopped is not None:
        yield reading.stopped
    if any(words in message.text for message in reading.messages for words in _TOO_MUCH):
        yield Sign.OUT_OF_BOUNDS
    if not reading.container:
        yield Sign.NOT_OPENED
        if reading.structure.container is None:
            yield Sign.NO_SIGNATURE
        if not reading.structure.has_index:
            yield Sign.NO_MOOV
    elif reading.stream is None:
        yield Sign.NO_STREAM
    if reading.structure.bytes_missing:
        yield Sign.BYTES_MISSING
    if _ends_early(reading):
        yield Sign.ENDS_EARLY


def lacks_frames(reading: Reading) -> bool:
    """Fewer frames were met than promised. An edit list may hide them: count again without it."""
    promised = _promised(reading)
    return promised is not None and _present(reading).video < promised


def _present(reading: Reading) -> Packets:
    return reading.packets if reading.present is None else reading.present


def _promised(reading: Reading) -> int | None:
    """The frames whose data must be there: mp4's count of samples, less those declared empty.

    AVI counts the frames to be shown, repetitions included, so it promises nothing.
    """
    stream = reading.stream
    if stream is None or stream.frames is None or "mov" not in reading.container.split(","):
        return None
    return stream.frames - _present(reading).empty


def _ends_early(reading: Reading) -> bool:
    """The packets stop well before the duration that the container's own header gives.

    Asked only where no frame count is given and the duration is the header's word: libav measures or
    guesses it for MPEG streams, and an mp4 file's edit list may show less than it holds.
    """
    end = reading.packets.end_of_all
    if reading.duration is None or end is None or reading.stream is None:
        return False
    names = set(reading.container.split(","))
    tells = names & {"matroska", "avi", "flv"} or ("mov" in names and reading.stream.frames is None)
    return bool(tells) and end < reading.duration - _EARLY_S


def _relevant(reading: Reading) -> Iterable[str]:
    """libav's lines that concern the container and the video, without their repetitions."""
    own = reading.stream.codec if reading.stream else None
    others = tuple(codec for codec in reading.other_codecs if codec != own)
    for message in reading.messages:
        # A decoder's name contains its codec's: mp3float, libopus.
        if not any(codec in message.context for codec in others):
            yield f"{message.context}: {message.text}" if message.context else message.text
