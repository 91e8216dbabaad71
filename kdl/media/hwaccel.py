"""Decoding on a graphics card: ffmpeg's, where it and the machine have it."""

from __future__ import annotations

import subprocess
from typing import Literal

from kdl.errors import ToolMissing

Hwaccel = Literal["none", "cuda", "vaapi"]
HWACCELS: tuple[Hwaccel, ...] = ("none", "cuda", "vaapi")

_TRY_S = 60.0
"""Seconds for a driver to come up or to say that it can not."""
_LEFT_OUT = ("Failed to set value", "Error parsing global options", "Error creating")
"""What ffmpeg says after the reason."""


def require_hwaccel(name: Hwaccel) -> None:
    """Raises ToolMissing, with ffmpeg's own words, if this ffmpeg or this machine can not decode with it.

    A clip whose codec or shape the card does not take is decoded without it: ffmpeg sees to that.
    """
    if name == "none":
        return
    fix = "leave --hwaccel out, or install the driver and an ffmpeg that has it: ffmpeg -hwaccels"
    if name not in _ask(["-hwaccels"]).stdout.split():
        raise ToolMissing(f"this ffmpeg has no {name}", subject=f"--hwaccel {name}", fix=fix)
    picture = ["-f", "lavfi", "-i", "color=s=64x64:d=0.04", "-f", "null", "-"]
    tried = _ask(["-v", "error", "-init_hw_device", name, *picture])
    if tried.returncode:
        words = [line for line in tried.stderr.splitlines() if line and not line.startswith(_LEFT_OUT)]
        raise ToolMissing(
            f"ffmpeg finds no device for it: {'; '.join(words) or 'without a word'}",
            subject=f"--hwaccel {name}",
            fix=fix,
        )


def _ask(words: list[str]) -> subprocess.CompletedProcess[str]:
    command = ["ffmpeg", "-nostdin", "-hide_banner", *words]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TRY_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ToolMissing(f"{' '.join(words)} did not end within {_TRY_S:g} s", subject="ffmpeg") from error
