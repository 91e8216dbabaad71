"""When all bytes are here: duplicates resolved, absences named, findings raised."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow, Scope, clips_where, mark_never_hosted
from kdl.ledger.objects import splits_read_whole
from kdl.settings import MirrorPaths
from kdl.values import Finding, Verdict


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
            how = ("--fill-missing",) if row.origin == "youtube" else ("--split", row.key.split)
            fix = run.command("mirror", *how)
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
