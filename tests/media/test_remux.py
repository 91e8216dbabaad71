"""A clip becomes an mp4 without its pictures being encoded again, or says why it can not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from media_clips import Run, Wrap, ffmpeg, make_clip, packets, probe, video_of

import kdl.media.remux
from kdl.values import Facts

REMUX = "remux"
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1")


def encoded(path: Path, vcodec: str, acodec: str | None, *more: str, size: str = "96x64") -> Path:
    """A second of moving pictures at 12 frames, in the container that the name says."""
    video = ("-f", "lavfi", "-i", f"testsrc=size={size}:rate=12:duration=1", "-pix_fmt", "yuv420p")
    sound = (_SOUND, ("-c:a", acodec)) if acodec else ((), ())
    ffmpeg(*video[:4], *sound[0], *video[4:], "-c:v", vcodec, *sound[1], *more, f"file:{path}")
    return path


def digest(path: Path) -> str:
    """Of the video packets' bytes: the same exactly where nothing was encoded."""
    command = ["ffmpeg", "-v", "error", "-i", f"file:{path}", "-map", "0:V:0", "-c", "copy", "-f", "md5", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def codecs(path: Path) -> list[str]:
    return [stream["codec_name"] for stream in probe(path)]


@pytest.mark.parametrize(
    ("name", "vcodec", "acodec", "sound"),
    [
        ("-plain_mkv_.mkv", "libx264", "aac", "aac"),
        ("two_exts-_-.mp4.mkv", "libx264", "libvorbis", "aac"),
        ("a_webm_vp9_.webm", "libvpx-vp9", "libopus", "opus"),
        ("silent_webm.mp4.webm", "libvpx-vp9", None, None),
    ],
)
def test_another_container_round_the_same_packets(
    tmp_path: Path, run: Run, name: str, vcodec: str, acodec: str | None, sound: str | None
) -> None:
    more = ("-bf", "2") if vcodec == "libx264" else ("-deadline", "realtime", "-cpu-used", "8")
    clip = encoded(tmp_path / name, vcodec, acodec, *more, size="96x64" if sound else "95x63")
    (made,) = run(clip, REMUX)
    assert (made.ok, made.error, made.frames) == (True, "", 12)
    assert made.path == tmp_path / "derived" / REMUX / "val" / "a_b" / f"{name.partition('.')[0]}.mp4"
    assert codecs(made.path) == [codecs(clip)[0], *([sound] if sound else [])]
    assert digest(made.path) == digest(clip)
    begins = [float(at) for at in packets(made.path, "pts_time")]
    expected = [float(at) for at in packets(clip, "pts_time")]
    offset = begins[0] - expected[0]
    assert begins == pytest.approx([at + offset for at in expected], abs=0.002)
    body = made.path.read_bytes()
    assert body.index(b"moov") < body.index(b"mdat")


def test_what_is_an_mp4_is_taken_as_it_is_whatever_it_is_called(
    tmp_path: Path, run: Run, wrapped: Wrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "mp4_in_fact.mp4", frames=5)
    called = clip.rename(tmp_path / "mp4_in_fact.mkv")
    log = wrapped()
    (made,) = run(called, REMUX)
    assert (made.ok, made.frames, made.path.name) == (True, 5, "mp4_in_fact.mp4")
    assert made.path.samefile(called)
    (again,) = run(called, REMUX)
    assert again.path.samefile(called)
    assert not log.exists()

    def refuse(*_: object) -> None:
        raise OSError("another file system")

    monkeypatch.setattr(kdl.media.remux.os, "link", refuse)  # type: ignore[attr-defined]
    made.path.unlink()
    (copied,) = run(called, REMUX)
    assert copied.ok
    assert not copied.path.samefile(called)
    assert copied.path.read_bytes() == called.read_bytes()


def test_a_matroska_called_mp4_becomes_one(tmp_path: Path, run: Run) -> None:
    clip = encoded(tmp_path / "x.mkv", "libx264", None).rename(tmp_path / "x.mp4")
    (made,) = run(clip, REMUX)
    assert (made.ok, made.frames) == (True, 12)
    assert made.path.read_bytes()[4:8] == b"ftyp"
    assert digest(made.path) == digest(clip)


def test_what_mp4_has_no_place_for_is_said_with_the_way_out(tmp_path: Path, run: Run) -> None:
    clip = encoded(tmp_path / "old.webm", "libvpx", "libvorbis", "-deadline", "realtime", "-cpu-used", "8")
    copied, small = run(clip, REMUX, "256p")
    assert (copied.ok, copied.path.exists()) == (False, False)
    assert copied.error == (
        "its vp8 video can not go into an mp4 as it is: use a recipe that encodes, such as 256p"
    )
    assert (small.ok, video_of(small.path)["codec_name"]) == (True, "h264")


def test_what_can_not_be_read_is_said(tmp_path: Path, run: Run) -> None:
    clip = tmp_path / "no.mkv"
    clip.write_bytes(b"no video at all")
    (made,) = run(clip, REMUX, facts=Facts())
    assert (made.ok, "can not be read" in made.error) == (False, True)


def test_it_takes_no_part_in_what_is_decoded(tmp_path: Path, run: Run) -> None:
    clip = encoded(tmp_path / "both.mkv", "libx264", None)
    made, frames = run(clip, REMUX, "rawframes-native")
    assert (made.frames, frames.frames) == (12, 12)
    assert frames.path.name == "both.mkv"
