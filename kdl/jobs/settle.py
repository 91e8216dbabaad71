"""When all bytes are here: duplicates resolved, absences named, findings raised."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

from kdl.check.inspect import CheckResult
from kdl.check.judge import Expectation
from kdl.jobs.inspection import Inspector
from kdl.jobs.restore import home_of
from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow, Scope, clips_where, mark_never_hosted, record_check
from kdl.ledger.objects import splits_read_whole
from kdl.ledger.replacements import (
    DuplicateRow,
    clip_order,
    drop_duplicates,
    duplicated_clips,
    duplicates_of,
)
from kdl.settings import MirrorPaths
from kdl.values import SOUND, Finding, Level, Verdict


async def resolve_duplicates(
    run: Run, inspector: Inspector, splits: tuple[str, ...], level: Level, tolerance: float
) -> None:
    """Of the copies of a clip that the shards hold, the first sound one wins.

    First is by the order of the link list, not of arrival, so that every run ends the same.
    """
    for row in duplicated_clips(run.ledger.reader(), splits):
        copies = duplicates_of(run.ledger.reader(), row.id)
        row = row if row.name else replace(row, name=Path(copies[0].path).name.partition("_")[2])
        mine = clip_order(run.ledger.reader(), row.id)
        sound = row.verdict in SOUND or (row.verdict is Verdict.UNLISTED and row.cause is None)
        chosen: DuplicateRow | None = None
        for copy in copies:
            if sound and mine < copy.order:
                break
            if copy.sha256 == row.sha256 and row.path is not None:
                continue
            expectation = Expectation(row.key.nominal, tolerance)
            found = await inspector.look(run.paths.base / copy.path, copy.path, expectation)
            if found.judgement.verdict in SOUND:
                chosen = copy
                await run.in_thread(_take_copy, run, row, copy, found, level)
                break
        run.find(
            Finding(
                "duplicate_clip",
                row.name or row.key.youtube_id,
                f"the shards hold {len(copies) + 1} copies; "
                + (
                    "the first was not sound, a later one is used"
                    if chosen and mine < chosen.order
                    else "the first sound one is used"
                ),
            )
        )
        await run.ledger.do(lambda c, row=row: drop_duplicates(c, row.id))  # type: ignore[misc]
        for copy in copies:
            with contextlib.suppress(FileNotFoundError):
                (run.paths.base / copy.path).unlink()
    await asyncio.to_thread(drop_empty_folders, run.paths.duplicates)


def _take_copy(run: Run, row: ClipRow, copy: DuplicateRow, found: CheckResult, level: Level) -> None:
    """Record the choice, move the file, record the verdict: whatever a kill leaves undone of it,
    :func:`kdl.jobs.leftovers.place_copies` and the next check do.
    """
    base = run.paths.base
    home = home_of(row, Verdict.OK)

    def choose(connection: sqlite3.Connection) -> None:
        connection.execute(
            """UPDATE clips SET path = ?, shard_id = ?, seq = ?, size = ?, mtime_ns = ?, sha256 = ?,
               name = ?, origin = 'shard', cause = NULL, check_level = NULL,
               verdict = iif(verdict = 'unlisted', 'unlisted', 'unchecked') WHERE id = ?""",
            (
                home,
                copy.shard_id,
                copy.seq,
                copy.size,
                copy.mtime_ns,
                copy.sha256,
                row.name,
                row.id,
            ),
        )
        drop_duplicates(connection, row.id)

    run.ledger.write(choose).result()
    target = base / home
    target.parent.mkdir(parents=True, exist_ok=True)
    (base / copy.path).replace(target)
    if row.path is not None and row.path != home:
        with contextlib.suppress(FileNotFoundError):
            (base / row.path).unlink()
    run.ledger.write(
        lambda c: record_check(c, row.id, found.judgement, found.facts, level, home)
    ).result()


async def name_absences(run: Run, splits: tuple[str, ...]) -> None:
    """What no shard of a split that was read whole holds was never hosted."""
    for split in splits_read_whole(run.ledger.reader(), splits):
        await run.ledger.do(lambda c, split=split: mark_never_hosted(c, split))  # type: ignore[misc]


def clip_findings(run: Run, scope: Scope, *, strict: bool) -> None:
    """What remains wrong with the clips of the scope, one finding each; totals for what is no fault."""
    where, parameters = scope.where()
    for row in clips_where(run.ledger.reader(), f"verdict IN ('corrupt', 'missing') AND {where}", parameters):
        subject = row.path or f"{row.key.split}/{row.class_dir}/{row.name or row.key.youtube_id}"
        if row.verdict is Verdict.CORRUPT:
            fix = "no replacement is published for it; " + run.command("status", "--show", "corrupt")
            run.find(Finding("corrupt_clip", subject, _why(row), fix), 1)
        else:
            fix = run.command("mirror", "--split", row.key.split)
            run.find(Finding("missing_clip", subject, "the ledger has it, the disk has not", fix), 1)
    for verdict, kind, detail in (
        ("short", "short_clips", "shorter than their names say, and sound"),
        ("unlisted", "unlisted_clips", "in the shards, in no annotation; under unlisted/"),
        ("never_hosted", "never_hosted_clips", "annotated, in none of the shards"),
    ):
        found = run.ledger.one(
            f"SELECT count(*) FROM clips WHERE verdict = ? AND {where}", (verdict, *parameters)
        )
        if found is not None and found[0]:
            fix = run.command("status", "--show", verdict)
            subject = f"{found[0]} clip{'s' * (found[0] != 1)}"
            run.find(Finding(kind, subject, detail, fix), 1 if strict else 0)


def _why(row: ClipRow) -> str:
    cause = str(row.cause or "corrupt")
    return f"{cause}: {row.detail}" if row.detail else cause


def tidy(paths: MirrorPaths) -> None:
    """A class folder without clips is a class without clips to a trainer that reads folders."""
    for folder in (paths.videos, paths.unlisted, paths.quarantine, paths.duplicates, paths.spool):
        drop_empty_folders(folder)


def drop_empty_folders(top: Path) -> None:
    """Remove every empty folder below ``top``."""
    for folder, _, _ in os.walk(top, topdown=False):
        if Path(folder) != top:
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
