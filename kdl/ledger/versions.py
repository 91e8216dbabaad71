"""The versions of the schema: laid out anew, or brought up from an older one.

``schema.sql`` is the newest; ``to_N.sql`` leads from version N-1 to N.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from importlib import resources

VERSION = 3


def lay_out(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty database. Raises sqlite3.Error."""
    connection.executescript(f"BEGIN; {_script('schema')} PRAGMA user_version = {VERSION}; COMMIT;")


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring an older ledger to this version, or leave it as it was. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked behind the lock: somebody else may have done it meanwhile.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in range(version + 1, VERSION + 1):
            for statement in _statements(_script(f"to_{step}")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {step}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _script(name: str) -> str:
    return resources.files("kdl.ledger").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _statements(script: str) -> Iterator[str]:
    """One after the other: ``executescript`` would commit first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
