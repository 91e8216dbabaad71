"""``--hwaccel``: handed to ffmpeg where it is there, refused with ffmpeg's reason where it is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from media_clips import RECIPES

from kdl.errors import ToolMissing
from kdl.media.graph import Target, command
from kdl.media.hwaccel import Hwaccel, require_hwaccel


def _works(name: str) -> bool:
    """Whether ffmpeg itself opens such a device here."""
    source = ["-f", "lavfi", "-i", "color=s=64x64:d=0.04", "-f", "null", "-"]
    words = ["ffmpeg", "-nostdin", "-v", "quiet", "-init_hw_device", name, *source]
    return subprocess.run(words, check=False).returncode == 0


@pytest.mark.parametrize("name", ["cuda", "vaapi"])
def test_a_machine_without_the_device_is_told_in_ffmpegs_words(name: Hwaccel) -> None:
    if _works(name):
        require_hwaccel(name)
        return
    with pytest.raises(ToolMissing) as raised:
        require_hwaccel(name)
    assert raised.value.subject == f"--hwaccel {name}"
    assert "ffmpeg" in raised.value.message
    assert "ffmpeg -hwaccels" in (raised.value.fix or "")


def test_none_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    require_hwaccel("none")


def test_an_ffmpeg_built_without_it_is_told_so(wrapped, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped("if '-hwaccels' in argv: print('Hardware acceleration methods:\\nvdpau'); sys.exit()")
    with pytest.raises(ToolMissing, match="this ffmpeg has no cuda"):
        require_hwaccel("cuda")


def test_ffmpeg_is_asked_to_decode_with_it() -> None:
    target = [Target(RECIPES["320p"], Path("/out.mp4"))]
    plain = command(Path("/clip.mp4"), target, acodec=None)
    argv = command(Path("/clip.mp4"), target, acodec=None, hwaccel="cuda")
    at = argv.index("-hwaccel")
    assert argv[at : at + 2] == ["-hwaccel", "cuda"]
    assert at < argv.index("-i")
    assert argv[:at] + argv[at + 2 :] == plain
