"""Both readers over sound and broken clips, own and (where they lie beside the project) real ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from kdl.check.ffprobe import read_with_ffprobe
from kdl.check.judge import Expectation, judge
from kdl.check.pyav import read_with_pyav
from kdl.values import Cause, Facts, Level, Verdict

Reader = Callable[[str, Level], Facts]
READERS = pytest.mark.parametrize("read", [read_with_pyav, read_with_ffprobe], ids=["pyav", "ffprobe"])
LEVELS = pytest.mark.parametrize("level", [Level.PROBE, Level.DECODE])

SOUND = (
    "sound.mp4",
    "moov_last.mp4",
    "-abcDEF_-12_000001_000003.mp4",
    'it\'s a (clip) "x".mp4',
    "co:lon?%41.mp4",
    "no_audio.mp4",
    "rotated.mp4",
    "fragmented.mp4",
    "sound.mkv",
    "mpegts.mp4",
    "one_frame.mp4",
    "vfr.mp4",
    "vfr.avi",
    "odd_size.mp4",
    "sound.flv",
    "cover_first.mp4",
    "trimmed_by_edit_list.mp4",
)
BROKEN = {
    "zero.mp4": Cause.ZERO_BYTES,
    "text.mp4": Cause.NOT_A_VIDEO,
    "._appledouble.mp4": Cause.NOT_A_VIDEO,
    "moov_never_written.mp4": Cause.MOOV_MISSING,
    "cut_in_moov.mp4": Cause.TRUNCATED,  # libav opens it with what is left of the index
    "cut_before_data.mp4": Cause.TRUNCATED,
    "cut_early.mp4": Cause.TRUNCATED,
    "cut_half.mp4": Cause.TRUNCATED,
    "cut_last_byte.mp4": Cause.TRUNCATED,
    "cut_and_closed.mp4": Cause.TRUNCATED,
    "cut.mkv": Cause.TRUNCATED,
    "cut.avi": Cause.TRUNCATED,
    "all_noise.mp4": Cause.DECODE_ERROR,
    "audio_only.mp4": Cause.NO_VIDEO,
    "huge.mp4": Cause.TOO_LARGE,
}

# What is wrong with each real clip decides the cause at probe; None: damage inside the bitstream, which
# only decoding meets.
REAL_BROKEN: dict[str, Cause | None] = {
    "zero_byte_moviepy_result.webm": Cause.ZERO_BYTES,
    "text_as_mp4_ffmpegprogress_corrupt.mp4": Cause.NOT_A_VIDEO,
    "appledouble_._project_video.mp4": Cause.NOT_A_VIDEO,
    "moovless_streamio_broken.mp4": Cause.MOOV_MISSING,
    "audio_only_bento4_audio-aac-001.mp4": Cause.NO_VIDEO,
    "audio_only_mediabunny_multiple-aac-tracks.mp4": Cause.NO_VIDEO,
    "stub_moov_mutagen_64bit.mp4": Cause.NO_VIDEO,
    # Cut inside the data box, whose index comes first.
    "danbooru_test-corrupt.mp4": Cause.TRUNCATED,
    "truncated_mutagen_64bit.mp4": Cause.TRUNCATED,
    # An index of hundreds of frames, and none or a few of them present.
    "missing_samples_mediabunny_annex-b.mp4": Cause.TRUNCATED,
    "header_only_mp4parse_invalid_userdata.mp4": Cause.TRUNCATED,
    "header_only_mp4parse_bipbop_nonfragment_header.mp4": Cause.TRUNCATED,
    "header_only_mp4parse_zero_empty_stsc.mp4": Cause.TRUNCATED,
    "init_segment_only_mp4parse_bipbop_cenc.mp4": Cause.TRUNCATED,
    "fuzz_mp4parse_test_case_1185230.mp4": Cause.TRUNCATED,
    # Their segments go on for a megabyte beyond the end of the file: they lack data, though the first
    # picture of the two block_ends_* still decodes.
    "libwebm_block_ends_beyond_cluster.mkv": Cause.TRUNCATED,
    "libwebm_blockgroup_block_ends_beyond.mkv": Cause.TRUNCATED,
    "libwebm_fixed_lacing_bad_lace_size.mkv": Cause.TRUNCATED,
    "libwebm_invalid_vp9_bug_1417.webm": Cause.TRUNCATED,
    "libwebm_primarychromaticity_fieldtoolarge.webm": Cause.TRUNCATED,
    "libwebm_invalid_vp9_bug_1416.webm": Cause.TOO_LARGE,
    # They begin like a video, and libav can open nothing or decode nothing of them.
    "libwebm_tracks_only.webm": Cause.DECODE_ERROR,
    "streamio_empty.flv": Cause.DECODE_ERROR,
    "mp4parse_chunk_out_of_range.mp4": Cause.DECODE_ERROR,
    "encrypted_mp4parse_short-cenc.mp4": Cause.DECODE_ERROR,
    # The last of fifty frames is lost.
    "decord_corrupted.mp4": None,
    # 12 of 182 frames are lost, the first shows; a fragmented file promises no number.
    "mp4parse_no_timescale.mp4": None,
    # One macroblock is damaged and every frame shows: soft, but the bits are not what was encoded.
    "streamio_weird_aspect.small.mpg": None,
}
SHARED = Path(__file__).parents[2].parent / "shared" / "clips"
REAL_GOOD = [
    # Decoding the large ones takes most of the room's time.
    pytest.param(path.name, level, marks=[pytest.mark.long] if large and level is Level.DECODE else [])
    for path in sorted((SHARED / "good").glob("*"))
    for large in (path.stat().st_size > 1_000_000,)
    for level in (Level.PROBE, Level.DECODE)
]


@cache
def read_once(read: Reader, path: Path, level: Level) -> Facts:
    return read(str(path), level)


def told(read: Reader, path: Path, level: Level) -> tuple[Verdict, Cause | None]:
    judgement = judge(read_once(read, path, level), Expectation(None), level)
    return judgement.verdict, judgement.cause


@READERS
@LEVELS
@pytest.mark.parametrize("name", SOUND)
def test_sound_clips_are_sound(clips: Path, name: str, level: Level, read: Reader) -> None:
    assert told(read, clips / name, level) == (Verdict.OK, None)


@READERS
@LEVELS
@pytest.mark.parametrize("name", BROKEN)
def test_broken_clips_are_corrupt_at_probe(clips: Path, name: str, level: Level, read: Reader) -> None:
    assert told(read, clips / name, level) == (Verdict.CORRUPT, BROKEN[name])


@READERS
def test_damage_inside_the_bitstream_is_found_by_decoding(clips: Path, read: Reader) -> None:
    damaged = clips / "damaged_inside.mp4"
    assert told(read, damaged, Level.PROBE) == (Verdict.OK, None)
    assert told(read, damaged, Level.DECODE) == (Verdict.CORRUPT, Cause.DECODE_ERROR)


def test_the_same_complaint_as_of_the_clip_before_is_not_swallowed(clips: Path) -> None:
    once, again = (read_with_pyav(str(clips / "text.mp4"), Level.PROBE) for _ in range(2))
    assert once.errors == again.errors
    assert any("moov atom not found" in line for line in again.errors)


def test_pyav_leaves_the_terminal_alone(clips: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("damaged_inside.mp4", "cut_half.mp4", "text.mp4", "huge.mp4"):
        read_with_pyav(str(clips / name), Level.DECODE)
    assert capfd.readouterr() == ("", "")


def facts(clips: Path, name: str, read: Reader) -> Facts:
    return read_once(read, clips / name, Level.PROBE)


@READERS
def test_the_facts_of_a_clip(clips: Path, read: Reader) -> None:
    found = facts(clips, "sound.mp4", read)
    assert found.duration == pytest.approx(2.0, abs=0.01)
    assert found.fps == pytest.approx(25.0)
    assert (found.width, found.height, found.rotation) == (160, 120, 0)
    assert (found.vcodec, found.acodec) == ("h264", "aac")
    assert (found.frames, found.promised_frames, found.packets, found.first_picture) == (50, 50, 50, True)
    assert found.size == (clips / "sound.mp4").stat().st_size
    assert found.errors == ()


@READERS
def test_rotation_is_clockwise_and_turns_the_size(clips: Path, read: Reader) -> None:
    straight, rotated = facts(clips, "no_audio.mp4", read), facts(clips, "rotated.mp4", read)
    assert (straight.width, straight.height) == (rotated.height, rotated.width) == (160, 120)
    assert rotated.rotation == 90


@READERS
def test_a_cover_picture_is_not_the_video(clips: Path, read: Reader) -> None:
    found = facts(clips, "cover_first.mp4", read)
    assert (found.vcodec, found.width, found.packets) == ("h264", 160, 50)


@READERS
@pytest.mark.parametrize("name", ["sound.mkv", "fragmented.mp4", "mpegts.mp4"])
def test_a_duration_is_measured_where_no_header_gives_it(clips: Path, name: str, read: Reader) -> None:
    found = facts(clips, name, read)
    assert found.duration == pytest.approx(2.0, abs=0.1)
    assert (found.promised_frames, found.packets) == (None, 50)


@READERS
def test_frames_hidden_by_an_edit_list_are_present(clips: Path, read: Reader) -> None:
    found = facts(clips, "trimmed_by_edit_list.mp4", read)
    assert (found.promised_frames, found.packets) == (50, 50)
    assert found.frames is not None
    assert found.frames < 50


@READERS
def test_a_cut_clip_tells_how_much_is_there(clips: Path, read: Reader) -> None:
    found = facts(clips, "cut_and_closed.mp4", read)
    assert found.promised_frames == 50
    assert found.packets is not None
    assert 10 < found.packets < 40


@READERS
@pytest.mark.parametrize("name", [*SOUND, *BROKEN, "damaged_inside.mp4"])
def test_facts_are_plain_and_few(clips: Path, name: str, read: Reader) -> None:
    found = facts(clips, name, read)
    assert found.prober in ("pyav", "ffprobe")
    assert len(found.errors) <= 8
    assert not any(str(clips) in line or " @ 0x" in line or "\n" in line for line in found.errors)


@pytest.mark.parametrize("name", [*SOUND, "damaged_inside.mp4"])
@LEVELS
def test_both_readers_find_the_same_facts(clips: Path, name: str, level: Level) -> None:
    one, other = (read_once(read, clips / name, level) for read in (read_with_pyav, read_with_ffprobe))
    same = ("size", "width", "height", "frames", "packets", "promised_frames", "rotation", "first_picture")
    same += ("vcodec", "acodec", "pix_fmt")
    assert [getattr(one, field) for field in same] == [getattr(other, field) for field in same]
    assert one.duration == pytest.approx(other.duration, abs=0.05)
    assert one.fps == pytest.approx(other.fps, rel=0.01)


@READERS
@pytest.mark.parametrize(("name", "level"), REAL_GOOD)
def test_real_sound_clips_are_sound(name: str, level: Level, read: Reader) -> None:
    assert told(read, SHARED / "good" / name, level) == (Verdict.OK, None)


@READERS
@pytest.mark.parametrize("name", sorted(path.name for path in (SHARED / "bad").glob("*")))
def test_real_broken_clips_are_corrupt(name: str, read: Reader) -> None:
    path, cause = SHARED / "bad" / name, REAL_BROKEN[name]
    at_probe = (Verdict.OK, None) if cause is None else (Verdict.CORRUPT, cause)
    assert told(read, path, Level.PROBE) == at_probe
    assert told(read, path, Level.DECODE) == (Verdict.CORRUPT, cause or Cause.DECODE_ERROR)
