"""Two copies of a dataset compared, in a scratch database: memory does not grow with them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from kdl.errors import LedgerError
from kdl.ledger.clips import Scope


class Listed(NamedTuple):
    """A clip as another copy's list has it."""

    split: str
    """Empty where the list does not tell."""
    stem: str
    """Of the file's name: ``<youtube id>_<start>_<end>``."""
    sha256: str
    path: str


class Difference(NamedTuple):
    """One clip in both copies; ``here`` and ``there`` are digests, None where it is not there."""

    path: str
    """Where it lies here, else where the other list has it."""
    here: str | None
    there: str | None


def compare(ledger: Path, scratch: Path, others: Iterable[Listed], scope: Scope) -> Iterator[Difference]:
    """Every clip of the scope that either copy holds, those alike included.

    A clip is known by its split, where the list tells it, and its name: where the folders are called
    otherwise does not matter. Where classes are chosen, clips that the ledger does not know to be of them
    are passed over. Raises LedgerError where there is no room for the scratch.
    """
    try:
        with contextlib.closing(_opened(scratch)) as connection:
            _gather(connection, ledger, others, scope)
            yield from map(Difference._make, connection.execute(*_question(scope)))
    except sqlite3.Error as error:
        raise LedgerError(
            f"the copies could not be compared ({error})", subject=str(scratch), fix="make room on this disk"
        ) from error


def _opened(scratch: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(scratch, isolation_level=None)
    connection.executescript(
        """PRAGMA journal_mode = OFF;
           PRAGMA synchronous = OFF;
           CREATE TABLE here (split TEXT, stem TEXT, sha256 TEXT, path TEXT);
           CREATE TABLE there (split TEXT, stem TEXT, sha256 TEXT, path TEXT);"""
    )
    return connection


def _gather(connection: sqlite3.Connection, ledger: Path, others: Iterable[Listed], scope: Scope) -> None:
    where, parameters = scope.where()
    with contextlib.closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as mine:
        rows = mine.execute(
            f"""SELECT split, youtube_id || iif(time_start < 0, '',
                                                printf('_%06d_%06d', time_start, time_end)),
                       iif(path IS NULL OR verdict = 'missing', NULL, sha256), path
                FROM clips WHERE {where}""",
            parameters,
        )
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO here VALUES (?, ?, ?, ?)", rows)
        connection.executemany("INSERT INTO there VALUES (?, ?, ?, ?)", others)
        connection.execute("COMMIT")
    connection.executescript(
        """CREATE INDEX here_by_stem ON here (stem, split);
           CREATE INDEX there_by_stem ON there (stem, split);"""
    )


def _question(scope: Scope) -> tuple[str, tuple[str, ...]]:
    known = """SELECT coalesce(here.path, there.path), here.sha256, there.sha256 FROM here
               LEFT JOIN there ON there.stem = here.stem AND there.split IN (here.split, '')
               WHERE here.sha256 IS NOT NULL OR there.sha256 IS NOT NULL"""
    if scope.class_dirs is not None:
        return known, ()
    marks = ", ".join("?" * len(scope.splits))
    unknown = f"""SELECT path, NULL, sha256 FROM there WHERE split IN ('', {marks})
                  AND NOT EXISTS (SELECT 1 FROM here WHERE here.stem = there.stem
                                  AND there.split IN (here.split, ''))"""
    return f"{known} UNION ALL {unknown}", scope.splits
