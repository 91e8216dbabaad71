"""The programs that a run can not do without."""

from __future__ import annotations

import shutil

from kdl.errors import ToolMissing


def require_tools(*, probing: bool, deriving: bool) -> None:
    """Raise ToolMissing, before anything is fetched, for a program that the run will need."""
    wanted = [("ffprobe", "clips are judged by its word")] if probing else []
    wanted += [("ffmpeg", "clips are decoded with it")] if probing or deriving else []
    for name, why in wanted:
        if shutil.which(name) is None:
            raise ToolMissing(
                f"it is not installed, and {why}",
                subject=name,
                fix="apt-get install ffmpeg, or conda install ffmpeg; kdl fetch works without it",
            )
