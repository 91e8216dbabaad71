"""What ``kdl manifest init`` looks at: folders, link lists, tables, and the inside of archives."""

from __future__ import annotations

import csv
import io
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kdl import events
from kdl.archive.members import Member, Placement, Skip
from kdl.dataset.draft import Survey, video_extension
from kdl.dataset.labels import clean_label
from kdl.dataset.layouts import piece_of
from kdl.errors import ArchiveError, KdlError
from kdl.fetch.source import RemoteFile
from kdl.fetch.transfer import Fetcher
from kdl.jobs.shardpass import ShardTask, read_pass
from kdl.settings import MEMBER_CAP, human_size
from kdl.urls import place_url, url_name
from kdl.values import ClipFile, Shard

ID_COLUMN = "youtube_id"
"""What makes a table an annotation."""


class Looker:
    """Looks, with one fetcher. Raises KdlError."""

    def __init__(self, fetcher: Fetcher, emit: events.Listener) -> None:
        self._fetcher = fetcher
        self._emit = emit

    async def files(self, place: str) -> list[RemoteFile]:
        """What lies in a folder (a slash at its end), is named by a link list, or the archive itself."""
        if place.endswith("/"):
            return await self._fetcher.listing(place)
        name = url_name(place)
        if piece_of(name) is not None:
            return [RemoteFile(place, name)]
        text = (await self._fetcher.read(place, name=name, kind="list")).decode("utf-8", errors="replace")
        lines = [line.partition("\t")[0].strip() for line in text.splitlines()]
        try:
            urls = [place_url(line) for line in lines if line and not line.startswith("#")]
        except ValueError as error:
            fix = "one URL a line; a folder has a slash at its end"
            raise KdlError(f"is no list of links: {error}", subject=place, fix=fix) from error
        return [RemoteFile(url, _below(url, place)) for url in urls]

    async def labels_in(self, table: RemoteFile) -> set[str] | None:
        """The labels that an annotation spells, if it spells any; None if it is no annotation."""
        body = await self._fetcher.read(table.url, name=table.path, kind="annotation")
        rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig", errors="replace")))
        columns = [column.strip() for column in rows.fieldnames or ()]
        if ID_COLUMN not in columns:
            return None
        return {clean_label(row["label"]) for row in rows if row.get("label")}

    async def inside(self, archive: RemoteFile, split: str, survey: Survey) -> None:
        """Read an archive from its first byte to its last, for the names of its members."""
        name = url_name(archive.url)
        size = f" ({human_size(archive.size)})" if archive.size else ""
        self._emit(events.Noted(f"reading {name}{size} to see what is in it"))
        with tempfile.TemporaryDirectory(prefix="kdl-look-") as folder:
            shard = Shard(url=archive.url, name=name, split=split, index=0)
            task = ShardTask(shard, "shard", name, None, None, Path(folder), MEMBER_CAP)
            threads = ThreadPoolExecutor(1)
            try:
                async with self._fetcher.transfer(archive.url, name=name, kind="shard") as transfer:
                    done = await read_pass(task, transfer, threads, _Look(survey), self._emit)
            finally:
                threads.shutdown(wait=True, cancel_futures=True)
        if not done.reading.whole:
            raise ArchiveError(f"can not be read to its end: {done.reading.reason}", subject=archive.url)


class _Look:
    """Takes note of an archive's members, and wants none of them."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey

    def is_clip(self, base_name: str) -> bool:
        return video_extension(base_name) is not None

    def place(self, member: Member) -> Placement:
        self._survey.add(member.member)
        return Placement(None)

    def clip(self, file: ClipFile) -> None:
        pass

    def skip(self, member: str, reason: Skip) -> None:
        pass

    def finish(self) -> None:
        pass


def _below(url: str, place: str) -> str:
    """A path for the URL: below the list's own folder where it lies there, else from its host's root."""
    base = place.rpartition("/")[0] + "/"
    return url[len(base) :] if url.startswith(base) else url.partition("://")[2].partition("/")[2]
