"""What is in this mirror already: clips under other names, and the replacement archive's."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from kdl.check.hashes import sha256_file
from kdl.dataset.specs import Manifest
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.jobs.inspection import Inspector
from kdl.jobs.repair_options import Way
from kdl.jobs.repair_put import Found, Outcome, Placer, digest_wanted, link_or_copy, temp_of
from kdl.jobs.replace import bring_replacements, judge_replacements, put_replacements
from kdl.jobs.restore import restore_replacements
from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow, Scope, clips_where
from kdl.ledger.repairs import clips_by_id, clips_found
from kdl.ledger.replacements import ReplacementRow, lose_replacements, replacement_for
from kdl.values import Level, Verdict

_PAGE = 200


async def put_back_moved(run: Run, scope: Scope, placer: Placer) -> None:
    """Clips that a check met under other names, those that were swapped with each other among them."""
    found = await run.in_thread(lambda: clips_found(run.ledger.reader(), scope))
    # All get a second name before the first is put in its place: that may be where another one lies.
    linked = await run.in_thread(_link_all, run, found)
    for at in range(0, len(linked), _PAGE):
        page = dict(linked[at : at + _PAGE])
        items = await run.in_thread(_hashed, run, page)
        await placer.put(items)


def _link_all(run: Run, found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    linked = []
    for clip_id, path in found:
        run.checkpoint()
        with contextlib.suppress(OSError):  # gone by now: there are other ways
            link_or_copy(run.paths.base / path, run.tmp / f"repair-{clip_id}")
            linked.append((clip_id, path))
    return linked


def _hashed(run: Run, page: dict[int, str]) -> list[Found]:
    found = []
    for row in clips_by_id(run.ledger.reader(), list(page)):
        run.checkpoint()
        sha256 = sha256_file(str(temp_of(run, row)))
        found.append(Found(row, temp_of(run, row), sha256, Way.HERE, page[row.id]))
    return found


def back_in_place(run: Run, rows: list[ClipRow]) -> list[Found]:
    """Clips whose own bytes lie where they belong: somebody put them there. Runs in a thread."""
    found = []
    for row in rows:
        run.checkpoint()
        wanted = digest_wanted(row)
        if wanted is None or row.path is None:
            continue
        path = run.paths.base / row.path
        with contextlib.suppress(OSError):
            if path.stat().st_size == row.size and sha256_file(str(path)) == wanted:
                link_or_copy(path, temp_of(run, row))
                found.append(Found(row, temp_of(run, row), wanted, Way.HERE, row.path))
    return found


def needs_replacement(row: ClipRow) -> bool:
    """Whether the replacement archive is to be asked before the shard: its own clip is not good enough."""
    return row.verdict is Verdict.CORRUPT or row.replaced_cause is not None


class Replacements:
    """The replacement archive's clips, brought here once they are wanted."""

    def __init__(self, run: Run, manifest: Manifest, inspector: Inspector, scope: Scope) -> None:
        self._run = run
        self._manifest = manifest
        self._inspector = inspector
        self._scope = scope

    async def prepare(self, fetcher: Fetcher, policy: RetryPolicy, threads: ThreadPoolExecutor) -> None:
        """Fetch the archive if a bad clip may need it and it is not here, whole and as recorded."""
        run, spec = self._run, self._manifest.replacement
        if spec is None or not await run.in_thread(wants_replacement, run, self._manifest, self._scope):
            return
        await run.in_thread(restore_replacements, run)
        await run.in_thread(self._drop_rotten)
        await bring_replacements(run, fetcher, self._manifest, policy, threads, spool=True)
        await judge_replacements(run, self._inspector, Level.PROBE, self._manifest.short_tolerance)

    def _drop_rotten(self) -> None:
        """A replaced clip may be the same file as the archive's: what has rotted in one has in the other."""
        run, rotten = self._run, []
        for clip in _wanting(run, self._manifest, self._scope):
            run.checkpoint()
            row = replacement_for(run.ledger.reader(), clip.key)
            if row is not None and sha256_file(str(run.paths.base / row.path)) != row.sha256:
                rotten.append(row.id)

        def op(connection: sqlite3.Connection) -> None:
            lose_replacements(connection, rotten)

        if rotten:
            run.ledger.write(op).result()

    async def put(self, rows: list[ClipRow], outcome: Outcome) -> set[int]:
        """Put the replacements of these clips in; the ids of those that have one."""
        reader = self._run.ledger.reader()
        ready = [row for row in rows if self._ready(reader, row) is not None]
        await put_replacements(self._run, ready)
        outcome.mended[Way.REPLACEMENT] += len(ready)
        return {row.id for row in ready}

    def _ready(self, reader: sqlite3.Connection, row: ClipRow) -> ReplacementRow | None:
        spec = self._manifest.replacement
        if spec is None or row.key.split not in spec.splits:
            return None
        return replacement_for(reader, row.key)


def wants_replacement(run: Run, manifest: Manifest, scope: Scope) -> bool:
    """Whether a bad clip of the scope may be mended by the replacement archive alone."""
    return next(_wanting(run, manifest, scope), None) is not None


def _wanting(run: Run, manifest: Manifest, scope: Scope) -> Iterator[ClipRow]:
    spec = manifest.replacement
    splits = tuple(split for split in scope.splits if spec is not None and split in spec.splits)
    if not splits:
        return iter(())
    where, parameters = Scope(splits, scope.class_dirs).where()
    condition = f"(verdict = 'corrupt' OR verdict = 'missing' AND replaced_cause IS NOT NULL) AND {where}"
    return clips_where(run.ledger.reader(), condition, parameters)
