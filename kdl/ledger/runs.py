"""Reading and writing ``runs`` and ``findings``."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from typing import Any

from kdl.values import Finding


def begin_run(
    connection: sqlite3.Connection, run_id: str, command: str, host: str, pid: int, boot_id: str
) -> None:
    connection.execute(
        "INSERT INTO runs (id, command, host, pid, boot_id, started) VALUES (?, ?, ?, ?, ?, ?)",
        (run_id, command, host, pid, boot_id, time.time()),
    )


def end_run(
    connection: sqlite3.Connection,
    run_id: str,
    exit_code: int,
    summary: dict[str, Any],
    findings: Iterable[Finding],
) -> None:
    connection.execute(
        "UPDATE runs SET ended = ?, exit_code = ?, summary = ? WHERE id = ?",
        (time.time(), exit_code, json.dumps(summary), run_id),
    )
    connection.executemany(
        "INSERT INTO findings (run_id, kind, subject, detail, fix) VALUES (?, ?, ?, ?, ?)",
        ((run_id, f.kind, f.subject, f.detail, f.fix) for f in findings),
    )


def last_boot_unclean(connection: sqlite3.Connection, boot_id: str) -> bool:
    """Whether a run was cut off by the machine's own end: what it wrote last may not be on disk."""
    row = connection.execute(
        "SELECT count(*) FROM runs WHERE ended IS NULL AND boot_id <> ?", (boot_id,)
    ).fetchone()
    return bool(row[0])


def close_stale_runs(connection: sqlite3.Connection, boot_id: str) -> None:
    """Runs that a reboot ended are over, and what they wrote without a barrier is not trusted.

    Its clips are to be written again, whatever their files look like.
    """
    if last_boot_unclean(connection, boot_id):
        connection.execute(
            "UPDATE clips SET verdict = 'missing', sha256 = NULL WHERE provisional = 1 AND path IS NOT NULL"
        )
    connection.execute("UPDATE runs SET ended = started WHERE ended IS NULL AND boot_id <> ?", (boot_id,))
