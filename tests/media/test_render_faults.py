"""What goes wrong on the way to a derivative: said, kept to itself, and no partial left."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from media_clips import RECIPES, Run, Wrap, frames_of, make_clip, video_of

from kdl.errors import DiskFull, ToolMissing
from kdl.values import Facts


def test_what_was_there_is_replaced_whole(tmp_path: Path, run: Run) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    run(clip, "320p", "rawframes-256")
    make_clip(clip, frames=3)
    video, every = run(clip, "320p", "rawframes-256")
    assert video_of(video.path)["nb_read_packets"] == "3"
    assert len(frames_of(every.path)) == 3


def test_a_corrupt_clip_leaves_words_and_nothing_else(tmp_path: Path, run: Run) -> None:
    good = make_clip(tmp_path / "good.mp4", frames=5)
    (kept,) = run(good, "320p")
    before = kept.path.read_bytes()
    good.write_bytes(good.read_bytes()[:700])
    video, every = run(good, "320p", "rawframes-256", facts=Facts())
    for result in (video, every):
        assert not result.ok
        assert "moov atom not found" in result.error
    assert video.path.read_bytes() == before
    assert not every.path.exists()


def test_a_playlist_opens_no_other_file(tmp_path: Path, run: Run) -> None:
    make_clip(tmp_path / "secret.ts", frames=5, extra=("-f", "mpegts"))
    clip = tmp_path / "clip.mp4"
    clip.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n")
    (video,) = run(clip, "320p", facts=Facts())
    assert not video.ok
    assert "whitelist" in video.error


def test_one_failing_recipe_costs_no_other(tmp_path: Path, run: Run, wrapped: Wrap) -> None:
    """A strip of a clip, which no bounded video of short side 320 can hold."""
    clip = make_clip(tmp_path / "clip.mp4", size="2x1000", frames=3)
    log = wrapped()
    video, native = run(clip, "320p", "rawframes-native")
    assert not video.ok
    assert "opening encoder" in video.error
    assert not video.path.exists()
    assert (native.ok, native.frames) == (True, 3)
    assert len(log.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("os.remove(made + '/img_00004.jpg')", "8 pictures were written instead of 9"),
        ("os.truncate(made + '/img_00004.jpg', 0)", "zero bytes"),
    ],
)
def test_harmed_frames_are_noticed(tmp_path: Path, run: Run, wrapped: Wrap, harm: str, words: str) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=9)
    wrapped(
        f"import glob, subprocess\nsubprocess.run([{shutil.which('ffmpeg')!r}, *argv], close_fds=False)\n"
        f"last = '{tmp_path}/tmp/*/made/img_00009.jpg'\nwhile not glob.glob(last): time.sleep(0.01)\n"
        f"last, = glob.glob(last)\nwhile not os.path.getsize(last): time.sleep(0.01)\n"
        f"made = os.path.dirname(last)\n{harm}\n"
        "sys.exit(0)"
    )
    video, every = run(clip, "320p", "rawframes-256")
    assert video.ok
    assert words in every.error
    assert not every.path.exists()


@pytest.mark.parametrize(
    ("muxer", "recipe"), [("yuv4mpegpipe", "rawframes-256"), ("mp4", "320p")], ids=["pictures", "video"]
)
def test_frames_that_did_not_come_are_missed(
    tmp_path: Path, run: Run, wrapped: Wrap, muxer: str, recipe: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=9)
    wrapped(f"at = argv.index({muxer!r}) - 1\nargv[at:at] = ['-frames:v', '8']")
    results = run(clip, "320p", "rawframes-256")
    assert {result.recipe_name: result.ok for result in results} == {
        "320p": recipe != "320p",
        "rawframes-256": recipe != "rawframes-256",
    }
    assert "8 frames" in next(result.error for result in results if not result.ok)


def test_a_damaged_picture_is_told(tmp_path: Path, run: Run) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size="320x240", frames=50)
    harmed = bytearray(clip.read_bytes())
    middle = harmed.index(b"mdat") + 4 + len(harmed) // 2
    harmed[middle : middle + 400] = bytes(range(200)) * 2
    clip.write_bytes(harmed)
    (video,) = run(clip, "320p")
    assert video.ok
    assert video.complaint


def test_a_file_and_a_folder_take_each_others_place(tmp_path: Path, run: Run) -> None:
    """A recipe of one's own can change its kind."""
    clip = make_clip(tmp_path / "clip.mp4", frames=2)
    frames = dataclasses.replace(RECIPES["rawframes-native"], name="mine")
    video = dataclasses.replace(RECIPES["320p"], name="mine")
    for recipe in (video, frames, video):
        (result,) = run(clip, recipe)
        assert (result.error, result.path.is_dir()) == ("", recipe.kind == "frames")


def test_time_limit(tmp_path: Path, run: Run, wrapped: Wrap) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    log = wrapped("time.sleep(60)")
    results = run(clip, "320p", "rawframes-256", timeout=0.5)
    assert [result.ok for result in results] == [False, False]
    assert all("time limit of 0.5 s" in result.error for result in results)
    assert len(log.read_text().splitlines()) == 1


def test_a_full_disk_is_the_machines_fault(tmp_path: Path, run: Run, wrapped: Wrap) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    wrapped("argv[-1] = 'file:/dev/full'")
    with pytest.raises(DiskFull) as full:
        run(clip, "320p")
    assert full.value.exit_code == 3


def test_a_missing_encoder_is_the_machines_fault(tmp_path: Path, run: Run, wrapped: Wrap) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    wrapped("argv = ['libx264-gone' if a == 'libx264' else a for a in argv]")
    with pytest.raises(ToolMissing, match="no encoder libx264-gone"):
        run(clip, "320p")


def test_a_missing_ffmpeg_is_the_machines_fault(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="ffmpeg"):
        run(clip, "320p", facts=Facts())
