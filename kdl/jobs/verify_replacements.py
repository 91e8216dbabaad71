"""The replacement archive's clips, kept aside: a damaged one must not stand in for anything."""

from __future__ import annotations

import sqlite3

from kdl.check.hashes import sha256_file
from kdl.errors import MachineError
from kdl.jobs.run import Run
from kdl.jobs.verify_pace import Pace
from kdl.ledger.replacements import replacement_rows, spoil_replacement
from kdl.values import Cause, Finding, Level


def check_replacements(run: Run, level: Level, pace: Pace) -> None:
    """Hold each against its record, by size and at HASH and deeper by digest. Runs in a thread."""
    for row in replacement_rows(run.ledger.reader()):
        run.checkpoint()
        path = run.paths.base / row.path
        fault = "its bytes are not those recorded" if row.cause == Cause.CHANGED else ""
        try:
            if path.stat().st_size != row.size:
                fault = "its size is not the one recorded"
            elif (
                not fault
                and level is not Level.STAT
                and sha256_file(str(path), passed=pace.passed) != row.sha256
            ):
                fault = "its bytes are not those recorded"
        except (FileNotFoundError, NotADirectoryError):
            fault = "it has gone"
        except OSError as error:
            fix = "look at its permissions and at the disk; then run the same again"
            said = error.strerror or str(error)
            run.find(Finding("not_checked", row.path, said, fix), MachineError.exit_code)
            continue
        if not fault:
            continue

        def op(connection: sqlite3.Connection, row_id: int = row.id) -> None:
            spoil_replacement(connection, row_id)

        run.ledger.write(op).result()
        fix = f"{run.command('mirror')} fetches the replacements again"
        run.find(Finding("replacement_damaged", row.path, fault, fix), 1)
