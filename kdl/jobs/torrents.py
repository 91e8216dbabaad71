"""What the torrents among a dataset's hosts are fetched with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.fetch.sources import SourceOptions
from kdl.fetch.timetable import Timetable
from kdl.fetch.torrentoptions import TorrentHints, TorrentOptions
from kdl.settings import MirrorPaths

TORRENT = "torrent://"


def source_options(
    manifest: Manifest,
    paths: MirrorPaths,
    asked: TorrentOptions | None = None,
    limit_rate: int | Timetable | None = None,
    *,
    dry: bool = False,
) -> SourceOptions:
    """How the sources of a run behave; a ``dry`` one leaves nothing in the mirror."""
    spec = manifest.torrent
    hints = TorrentHints(spec.file_url, spec.trackers) if spec else TorrentHints()
    folder: Path | None = paths.torrent
    if dry and not paths.torrent.is_dir():
        folder = None
    torrent = replace(
        asked or TorrentOptions(),
        folder=folder,
        hints=tuple((infohash, hints) for infohash in spec.infohashes) if spec else (),
        limit_rate=limit_rate,
    )
    return SourceOptions(torrent=torrent)


def require_torrent(manifest: Manifest, origins: Iterable[str], asked: TorrentOptions) -> None:
    """Raise UsageError for options of torrents where there is none, and for a file that is not there."""
    if asked == TorrentOptions():
        return
    if manifest.torrent is None and not any(TORRENT in origin for origin in origins):
        raise UsageError(
            f"{manifest.name} comes from no torrent",
            subject="the options of torrents",
            fix="`kdl datasets` shows where each comes from; --origin torrent://INFOHASH/ names one",
        )
    if asked.metainfo is not None and not asked.metainfo.is_file():
        raise UsageError("there is no such file", subject=f"--torrent {asked.metainfo}")


def from_torrent(manifest: Manifest, origins: Iterable[str]) -> bool:
    """Whether clips come from a torrent: one machine has to fetch them then, as one peer."""
    return manifest.torrent is not None or any(TORRENT in origin for origin in origins)
