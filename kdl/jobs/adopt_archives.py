"""Archives that are here already: unpacked as a download is, their clips judged before they take a place."""

from __future__ import annotations

import asyncio
import queue
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from kdl.archive.members import Member, Placement, Skip
from kdl.dataset.layouts import missing_piece, recognise, split_of_archive
from kdl.dataset.linklist import class_of
from kdl.dataset.specs import Manifest
from kdl.errors import ArchiveError
from kdl.jobs.adopt_files import BATCH, Candidate, Intaker
from kdl.jobs.adopt_names import Named, Names, Refused
from kdl.jobs.adopt_reading import Unpacked, broken_piece, read_archive
from kdl.jobs.adopt_sources import ArchiveSource
from kdl.jobs.replace import ReplacementSink
from kdl.jobs.run import Run
from kdl.ledger.adopted import close_archive, open_archive
from kdl.ledger.clips import Scope
from kdl.ledger.objects import ObjectRow, object_of, register_object, set_object, unwritten_by_shard
from kdl.urls import url_name
from kdl.values import ClipFile, Finding, Verdict

_WAIT_S = 0.2
"""How often a thread that waits looks whether the run is to end."""
_NONE_LOST = frozenset({Skip.APPLE_DOUBLE})


class Unpacking:
    """One archive on its way through a thread; a bounded queue of clips leads out of it."""

    def __init__(
        self,
        run: Run,
        manifest: Manifest,
        names: Names,
        source: ArchiveSource,
        split: str | None,
        shard_id: int | None,
    ) -> None:
        """``shard_id``: the shard of ``split`` that the archive is, where it is one."""
        self._run = run
        self._manifest = manifest
        self._names = names
        self._source = source
        self._folders = source.folders if split is None else (*source.folders, split)
        self._split = split
        self._shard = shard_id
        self._hint = class_of(source.name, manifest.split(split), manifest.labels) if split else None
        self._stage = run.tmp / "adopt"
        self._named: dict[int, Named] = {}
        self._ready: queue.Queue[Candidate | None] = queue.Queue(2 * BATCH)
        self.refused: Counter[str] = Counter()
        self.samples: dict[str, tuple[str, Refused]] = {}
        self.skipped: Counter[str] = Counter()

    # what takes the clips; called by the unpacker

    def is_clip(self, base_name: str) -> bool:
        return self._names.is_clip(base_name)

    def place(self, member: Member) -> Placement:
        """Beside what is here already, if its bytes are other ones; not at all what is no clip of ours."""
        parts = tuple(part for part in member.member.split("/")[:-1] if part not in ("", "."))
        place = recognise((*self._folders, *parts), self._manifest.split_names, self._manifest.labels)
        named = self._names.resolve(member.name, place, trusted=True, hint=self._hint)
        if isinstance(named, Refused):
            self.refused[named.kind] += 1
            self.samples.setdefault(named.kind, (member.member, named))
            return Placement(None)
        self._named[member.seq] = named
        stage = self._stage / f"{member.seq}_{member.name}"
        row = named.row
        if row is not None and row.path is not None and row.verdict is not Verdict.MISSING:
            here = self._run.paths.base / row.path
            if here.is_file():
                return Placement(here, row.sha256, stage)
        return Placement(stage)

    def clip(self, file: ClipFile) -> None:
        named = self._named.pop(file.seq, None)
        if named is None or file.path is None:
            return
        ours = self._shard if named.key.split == self._split else None
        candidate = Candidate(
            Path(file.path),
            named,
            "archive" if file.written else "own",
            f"{self._source.shown}: {file.member}",
            file.sha256,
            ours,
            file.seq if ours is not None else None,
        )
        self._hand_over(candidate)

    def skip(self, member: str, reason: Skip) -> None:
        self.skipped[reason] += 1

    def finish(self) -> None:
        """Nothing more will come."""
        self._hand_over(None)

    # the thread

    def work(self) -> Unpacked:
        """Read the archive to its end. Raises ArchiveError for what is none, MachineError, Stopped."""
        try:
            return read_archive(self._run, self._source, self, self._manifest.max_member, self._stage)
        finally:
            self.finish()

    def _hand_over(self, candidate: Candidate | None) -> None:
        while True:
            try:
                self._ready.put(candidate, timeout=_WAIT_S)
                return
            except queue.Full:
                self._run.checkpoint()

    # the loop's side

    async def batches(self) -> AsyncIterator[list[Candidate]]:
        """What comes out, as it comes."""
        more = True
        while more:
            batch, more = await self._run.in_thread(self._next)
            if batch:
                yield batch

    def _next(self) -> tuple[list[Candidate], bool]:
        batch: list[Candidate] = []
        while len(batch) < BATCH:
            try:
                candidate = self._ready.get(timeout=_WAIT_S)
            except queue.Empty:
                self._run.checkpoint()
                if batch:
                    break
                continue
            if candidate is None:
                return batch, False
            batch.append(candidate)
        return batch, True


class Archives:
    """Takes archives in, one after the other."""

    def __init__(
        self, run: Run, manifest: Manifest, names: Names, intaker: Intaker, split: str | None
    ) -> None:
        self._run = run
        self._manifest = manifest
        self._names = names
        self._intaker = intaker
        self._split = split
        self.told: list[dict[str, object]] = []
        """One entry an archive, JSON-ready."""

    async def take(self, source: ArchiveSource, *, remove: bool) -> None:
        """Unpack an archive and record it. ``remove``: it goes, if nothing of it was passed over."""
        run, spec = self._run, self._manifest.replacement
        run.note(f"reading {source.shown}" + (f", {len(source.paths)} pieces" if source.pieces else ""))
        if source.pieces and (lacking := missing_piece(source.pieces)) is not None:
            name = source.paths[0].name.removesuffix(source.pieces[0]) + lacking
            detail = f"the piece {name} is not here, and what follows it can not be read"
            run.find(
                Finding("adopt_piece_missing", source.shown, detail, "put it there; then run this again"), 1
            )
            return
        if spec is not None and source.name == url_name(spec.url):
            await self._take_replacements(source, spec.url)
            return
        split = self.split_of(source)
        shard_id = await self._open(source, split) if split else None
        known = object_of(run.ledger.reader(), shard_id) if shard_id is not None else None
        if known is not None and self._is_in(source, known):
            self._tell(source, split, "already here", known.clips or 0)
            return
        left_behind = self._intaker.left_behind
        unpacking = Unpacking(run, self._manifest, self._names, source, split, shard_id)
        working = asyncio.ensure_future(run.in_thread(unpacking.work))
        try:
            await self._intaker.take_all(unpacking.batches())
            done = await working
        except ArchiveError as error:
            self._broken(source, split, error.message, None)
            return
        finally:
            working.cancel()
            await asyncio.wait([working])
        self._tell_refused(source, unpacking)
        if not done.reading.whole:
            self._broken(source, split, done.reading.reason, done.reading.damaged_at)
            return
        if shard_id is not None:
            await run.ledger.do(
                partial(
                    close_archive,
                    shard_id=shard_id,
                    size=done.size,
                    sha256=done.sha256,
                    clips=done.reading.clips,
                )
            )
        self._tell(source, split, "adopted", done.reading.clips)
        whole = not unpacking.refused and set(unpacking.skipped) <= _NONE_LOST
        if remove and whole and not source.own and self._intaker.left_behind == left_behind:
            for path in source.paths:
                path.unlink()

    def split_of(self, source: ArchiveSource) -> str | None:
        """The split that an archive's name, its folder or ``--split`` tells."""
        names, labels = self._manifest.split_names, self._manifest.labels
        return split_of_archive(source.name, source.folders, names, labels) or self._split

    async def _open(self, source: ArchiveSource, split: str) -> int | None:
        hint = class_of(source.name, self._manifest.split(split), self._manifest.labels)
        return await self._run.ledger.do(
            partial(open_archive, split=split, name=source.name, class_hint=hint)
        )

    def _is_in(self, source: ArchiveSource, known: ObjectRow) -> bool:
        """Whether an archive of this name and size was read before, and all of it is still here."""
        size = sum(path.stat().st_size for path in source.paths)
        if known.state not in ("done", "partial") or known.proof is None or known.size != size:
            return False
        scope = Scope((known.split,))
        return not unwritten_by_shard(self._run.ledger.reader(), scope)[known.id]

    async def _take_replacements(self, source: ArchiveSource, url: str) -> None:
        run = self._run
        size = sum(path.stat().st_size for path in source.paths)
        object_id = await run.ledger.do(lambda c: register_object(c, url, source.name, "replacement"))
        known = object_of(run.ledger.reader(), object_id)
        if known is not None and known.state == "done" and known.size == size:
            self._tell(source, "", "already here", known.clips or 0)
            return
        sink = ReplacementSink(run, self._manifest, object_id)
        try:
            done = await run.in_thread(
                read_archive, run, source, sink, self._manifest.max_member, run.tmp / "adopt"
            )
        except ArchiveError as error:
            self._broken(source, "", error.message, None)
            return
        if not done.reading.whole:
            self._broken(source, "", done.reading.reason, done.reading.damaged_at)
            return
        await run.on_disk(run.paths.base)
        await run.ledger.do(
            lambda c: set_object(
                c, object_id, "done", size=done.size, sha256=done.sha256, clips=done.reading.clips
            )
        )
        self._tell(source, "", "adopted", done.reading.clips)

    def _tell(self, source: ArchiveSource, split: str | None, state: str, clips: int) -> None:
        self.told.append({"path": source.shown, "split": split or "", "state": state, "clips": clips})

    def _broken(self, source: ArchiveSource, split: str | None, reason: str, damaged_at: int | None) -> None:
        self._tell(source, split, "broken", 0)
        fix = f"{self._run.command('mirror')} fetches the host's; the clips before the damage are taken in"
        if source.pieces:
            reason = f"{reason}; {broken_piece(source, damaged_at)}"
            fix = "get that piece again and run the same again; the clips before the damage are taken in"
        self._run.find(Finding("adopt_archive_broken", source.shown, reason, fix), 1)

    def _tell_refused(self, source: ArchiveSource, unpacking: Unpacking) -> None:
        for kind, count in unpacking.refused.items():
            member, refused = unpacking.samples[kind]
            detail = f"{count} of its clips, such as {member}: {refused.detail}"
            self._run.find(Finding(kind, source.shown, detail, refused.fix), 1)
