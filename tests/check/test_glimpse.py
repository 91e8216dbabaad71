"""One small picture of a clip, whatever the clip is."""

from __future__ import annotations

from pathlib import Path

import pytest
import simplejpeg

from kdl.check.glimpse import BOX, MOST, glimpse
from tests.check.conftest import H264, ffmpeg


def shape(jpeg: bytes | None) -> tuple[int, int]:
    """Width and height; the picture has to decode."""
    assert jpeg is not None
    assert len(jpeg) <= MOST
    height, width, _ = simplejpeg.decode_jpeg(jpeg).shape
    return width, height


@pytest.mark.parametrize(
    "name",
    [
        "sound.mp4",
        "-abcDEF_-12_000001_000003.mp4",
        'it\'s a (clip) "x".mp4',
        "co:lon?%41.mp4",
        "no_audio.mp4",
        "fragmented.mp4",
        "sound.mkv",
        "mpegts.mp4",
        "one_frame.mp4",
        "vfr.avi",
        "sound.flv",
        "trimmed_by_edit_list.mp4",
        "cut_half.mp4",
        "cut_and_closed.mp4",
        "damaged_inside.mp4",
    ],
)
def test_a_clip_that_shows_something_has_a_picture(clips: Path, name: str) -> None:
    assert shape(glimpse(str(clips / name))) == (160, 120)


@pytest.mark.parametrize(
    "name",
    [
        "zero.mp4",
        "text.mp4",
        "._appledouble.mp4",
        "moov_never_written.mp4",
        "audio_only.mp4",
        "huge.mp4",
        "none.mp4",
    ],
)
def test_a_clip_that_shows_nothing_has_none(clips: Path, name: str) -> None:
    assert glimpse(str(clips / name)) is None


def test_a_film_stands_as_it_is_shown(clips: Path) -> None:
    assert shape(glimpse(str(clips / "rotated.mp4"))) == (90, 120)


def test_the_picture_is_from_the_middle(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    halves = "color=red:s=64x64:r=10:d=1[a];color=blue:s=64x64:r=10:d=1[b];[a][b]concat=n=2:v=1"
    ffmpeg("-filter_complex", halves, *H264, "-g", "5", str(film))
    red, _, blue = simplejpeg.decode_jpeg(glimpse(str(film)) or b"").mean(axis=(0, 1))
    assert blue > 200 > 50 > red


def test_a_picture_that_does_not_compress_is_made_to_fit(tmp_path: Path) -> None:
    film = tmp_path / "noise.mkv"
    noise = "nullsrc=s=160x120:d=0.4:r=5,geq=random(1)*255:128:128"
    ffmpeg("-f", "lavfi", "-i", noise, "-qscale", "1", str(film))
    assert shape(glimpse(str(film))) == BOX
