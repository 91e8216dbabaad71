"""Before YouTube is asked for anything: can it be, and where."""

from __future__ import annotations

from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.fetch.youtube import Videos, require_youtube, videos_at
from kdl.jobs.options import YOUTUBE, MirrorOptions


def videos_of(manifest: Manifest, options: MirrorOptions) -> tuple[Videos | None, tuple[str, ...]]:
    """Where the videos are, if YouTube is to be asked, and the ``--origin`` values for everything else.

    Raises UsageError where this dataset's clips are of no video, or the options contradict one another;
    ToolMissing without yt-dlp.
    """
    if not options.asks_youtube:
        return None, options.origins
    asked = f"--source {YOUTUBE}" if options.source == YOUTUBE else "--fill-missing"
    if manifest.youtube is None:
        fix = "a manifest of your own says it by the key youtube: docs/manifest.md"
        raise UsageError(f"{manifest.name}'s clips are cut out of no videos", subject=asked, fix=fix)
    if options.source == YOUTUBE and options.choice.shards:
        raise UsageError(
            "YouTube has no shards", subject="--shard", fix="choose clips by --split, --class and --limit"
        )
    cookies = options.youtube.cookies
    if cookies is not None and not cookies.is_file():
        raise UsageError("there is no such file", subject=f"--cookies {cookies}")
    require_youtube()
    return videos_at(manifest.youtube, options.origins)
