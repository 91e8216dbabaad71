"""``--dry-run``: the whole of it on a copy of the ledger, with every file taken for sound."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from kdl.dataset.layouts import split_of_archive
from kdl.dataset.linklist import class_of
from kdl.dataset.specs import Manifest
from kdl.errors import KdlError
from kdl.jobs.adopt_files import BATCH, Candidate
from kdl.jobs.adopt_sources import ArchiveSource, FileSource, Source
from kdl.jobs.run import Run, find_ledger
from kdl.ledger.adopted import TakenClip, close_archive, open_archive, record_taken
from kdl.settings import MirrorPaths
from kdl.values import Facts, Finding, Judgement, Level, Verdict


def set_up(mirror: MirrorPaths, scratch: MirrorPaths, ledger: Path | None, asked: str) -> None:
    """Give the scratch mirror what the real one knows: its ledger and its annotations."""
    scratch.state.mkdir(parents=True)
    if mirror.annotations.is_dir():
        shutil.copytree(mirror.annotations, scratch.annotations)
    with contextlib.suppress(KdlError):  # there is none
        path = ledger or find_ledger(mirror, asked)
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with (
            contextlib.closing(sqlite3.connect(uri, uri=True)) as source,
            contextlib.closing(sqlite3.connect(scratch.ledger)) as target,
        ):
            source.backup(target)


class Rehearsal:
    """Records what would be taken in, without reading a clip."""

    def __init__(self, run: Run, manifest: Manifest, split: str | None) -> None:
        self._run = run
        self._manifest = manifest
        self._split = split
        self.counts = {"clips": 0, "bytes": 0, "already_here": 0, "archives": 0, "archive_bytes": 0}

    def play(self, walk: Iterator[Source], candidate_of: Callable[[FileSource], Candidate | None]) -> None:
        """Go through all sources. Runs in a thread."""
        while batch := list(islice(walk, BATCH)):
            taken: dict[object, TakenClip] = {}
            for source in batch:
                self._run.checkpoint()
                if isinstance(source, ArchiveSource):
                    self._archive(source)
                elif (candidate := candidate_of(source)) is not None:
                    self._clip(candidate, taken)
            self._run.ledger.write(partial(record_taken, clips=list(taken.values()))).result()
            self.counts["clips"] += len(taken)
            self.counts["bytes"] += sum(clip.size for clip in taken.values())

    def _clip(self, candidate: Candidate, taken: dict[object, TakenClip]) -> None:
        named, size = candidate.named, candidate.path.stat().st_size
        row = named.row
        if named.key in taken or (
            row is not None and row.path is not None and row.verdict is not Verdict.MISSING
        ):
            self.counts["already_here"] += 1
            return
        if size == 0:
            fix = self._run.command("mirror", "--split", named.key.split)
            self._run.find(Finding("adopt_corrupt", candidate.shown, "zero_bytes", f"{fix} fetches it"), 1)
            return
        taken[named.key] = TakenClip(
            key=named.key,
            label=named.label,
            listed=named.listed,
            name=named.name,
            class_dir=named.class_dir,
            path=candidate.shown,
            size=size,
            mtime_ns=0,
            sha256=None,
            judgement=Judgement(Verdict.OK),
            facts=Facts(),
            level=Level.PROBE,
        )

    def _archive(self, source: ArchiveSource) -> None:
        """An archive is known by its name alone: to list what is in it takes as long as to unpack it."""
        size = sum(path.stat().st_size for path in source.paths)
        self.counts["archives"] += 1
        self.counts["archive_bytes"] += size
        names, labels = self._manifest.split_names, self._manifest.labels
        split = split_of_archive(source.name, source.folders, names, labels) or self._split
        if split is None:
            return
        hint = class_of(source.name, self._manifest.split(split), labels)
        shard_id = self._run.ledger.write(
            partial(open_archive, split=split, name=source.name, class_hint=hint)
        ).result()
        if shard_id is not None:
            self._run.ledger.write(
                partial(close_archive, shard_id=shard_id, size=size, sha256=None, clips=0)
            ).result()
