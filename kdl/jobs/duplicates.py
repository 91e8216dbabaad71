"""Copies of a clip in the shards: of all that have arrived, the first sound one stands."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass, replace

from kdl.check.inspect import CheckResult
from kdl.check.judge import Expectation
from kdl.errors import MachineError
from kdl.jobs.inspection import Inspector
from kdl.jobs.restore import home_of
from kdl.jobs.run import Run
from kdl.jobs.settle import drop_empty_folders
from kdl.ledger.clips import ClipRow, record_check
from kdl.ledger.replacements import (
    DuplicateRow,
    attribute_clip,
    attribute_replaced,
    choose_duplicate,
    clip_order,
    drop_duplicates,
    duplicated_clips,
    duplicates_of,
    lose_duplicate,
)
from kdl.values import SOUND, Finding, Level, Verdict


@dataclass(frozen=True, slots=True)
class _Choice:
    """The copy that is to stand; None for the clip that stands already."""

    copy: DuplicateRow | None
    order: tuple[int, int]
    sound: bool
    found: CheckResult | None = None
    """What a look at the copy gave; None where its bytes are the standing clip's."""


async def resolve_duplicates(
    run: Run, inspector: Inspector, splits: tuple[str, ...], level: Level, tolerance: float
) -> None:
    """Of the copies of a clip that the shards hold, the first sound one wins; the first, if none is.

    First is by the order of the link list, not of arrival, so that every run ends the same. A replacement
    stands only where no copy is sound.
    """
    for row in duplicated_clips(run.ledger.reader(), splits):
        copies = duplicates_of(run.ledger.reader(), row.id)
        row = row if row.name else replace(row, name=copies[0].name)
        names = sorted({str(row.name), *(copy.name for copy in copies)})
        copies = await _present(run, copies)
        mine = clip_order(run.ledger.reader(), row.id)
        choice = await _choose(run, inspector, row, mine, copies, tolerance)
        if choice.copy is not None:
            await run.in_thread(_take, run, row, choice, level)
        orders = {mine, *(copy.order for copy in copies)}
        run.find(
            Finding(
                "duplicate_clip",
                row.name or row.key.youtube_id,
                f"the shards hold {len(orders)} copies{_called(names)}; {_outcome(choice, min(orders))}",
            )
        )
        await run.ledger.do(lambda c, row=row: drop_duplicates(c, row.id))  # type: ignore[misc]
        for copy in copies:
            with contextlib.suppress(FileNotFoundError):
                (run.paths.base / copy.path).unlink()
    await asyncio.to_thread(drop_empty_folders, run.paths.duplicates)


def _called(names: list[str]) -> str:
    return f", {' and '.join(names)}" if len(names) > 1 else ""


def _outcome(choice: _Choice, first: tuple[int, int]) -> str:
    if not choice.sound:
        return "none of them is sound"
    if choice.order == first:
        return "the first sound one is used"
    return "the first was not sound, a later one is used"


async def _present(run: Run, copies: list[DuplicateRow]) -> list[DuplicateRow]:
    """The copies that are still there; the shards of the others are to be read again."""
    there = [copy for copy in copies if (run.paths.base / copy.path).is_file()]
    for copy in copies:
        if copy not in there:
            await run.ledger.do(lambda c, copy=copy: lose_duplicate(c, copy))  # type: ignore[misc]
    return there


async def _choose(
    run: Run,
    inspector: Inspector,
    row: ClipRow,
    mine: tuple[int, int],
    copies: list[DuplicateRow],
    tolerance: float,
) -> _Choice:
    """The first sound one among the copies and the clip that stands; the first of all if none is."""
    replaced = row.origin == "replacement"
    standing = _Choice(None, mine, not replaced and _is_sound(row))
    own_sha256 = row.replaced_sha256 if replaced else row.sha256
    first: _Choice | None = None
    # Of one place in one shard the copy is the newer reading.
    for order, copy in sorted(
        [(mine, None), *((copy.order, copy) for copy in copies)], key=lambda each: (each[0], each[1] is None)
    ):
        if copy is None:
            choice = standing
        elif copy.sha256 == own_sha256 and row.path is not None and copy.class_dir == row.class_dir:
            choice = _Choice(copy, order, standing.sound)
        else:
            found = await _look(run, inspector, row, copy, tolerance)
            if found is None:
                continue
            choice = _Choice(copy, order, found.judgement.verdict in SOUND, found)
        if choice.sound:
            return choice
        first = first or choice
    return first or standing


def _is_sound(row: ClipRow) -> bool:
    return row.verdict in SOUND or (row.verdict is Verdict.UNLISTED and row.cause is None)


async def _look(
    run: Run, inspector: Inspector, row: ClipRow, copy: DuplicateRow, tolerance: float
) -> CheckResult | None:
    """The verdict on a copy; None, and told, where this machine hinders the look."""
    try:
        return await inspector.look(
            run.paths.base / copy.path, copy.path, Expectation(row.key.nominal, tolerance)
        )
    except MachineError as error:
        if error.kind != MachineError.kind:  # no prober, no room: nothing can be judged
            raise
        run.fail(error)
        return None


def _take(run: Run, row: ClipRow, choice: _Choice, level: Level) -> None:
    """Let the chosen copy stand.

    The choice is recorded, the file moved, the verdict recorded: whatever a kill leaves undone of it,
    :func:`kdl.jobs.leftovers.place_copies` and the next check do.
    """
    copy, found, base = choice.copy, choice.found, run.paths.base
    assert copy is not None
    if row.origin == "replacement" and not choice.sound:
        cause = found.judgement.cause if found is not None else row.replaced_cause
        run.ledger.write(lambda c: attribute_replaced(c, copy, cause)).result()
        return
    if found is None:
        run.ledger.write(lambda c: attribute_clip(c, copy)).result()
        return
    verdict = Verdict.OK if choice.sound or not row.listed else Verdict.CORRUPT
    home = home_of(replace(row, class_dir=copy.class_dir, name=copy.name), verdict)

    def choose(connection: sqlite3.Connection) -> None:
        choose_duplicate(connection, copy, home)
        drop_duplicates(connection, row.id)

    run.ledger.write(choose).result()
    target = base / home
    # The copy goes last: as long as it is here, the next run knows what was under way.
    if row.path is not None and row.path != home:
        with contextlib.suppress(FileNotFoundError):
            (base / row.path).unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    (base / copy.path).replace(target)
    run.ledger.write(
        lambda c: record_check(c, row.id, copy.sha256, found.judgement, found.facts, level, home)
    ).result()
