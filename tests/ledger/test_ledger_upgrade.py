"""A ledger of an older kdl is brought to this one's version, and nothing in it is lost."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from kdl.errors import LedgerError
from kdl.ledger.ledger import open_ledger
from kdl.ledger.versions import VERSION

OLD = Path(__file__).parents[1] / "data" / "ledger_v1.sql"
TABLES = ("meta", "objects", "clips", "replacements", "derivatives")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """What version 1 left of a mirror of the demo."""
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.executescript(OLD.read_text(encoding="utf-8"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return path


def contents(connection: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
    return [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor]


def shape(path: Path) -> dict[str, object]:
    """Tables with their columns, and the indexes and triggers, as SQLite understands them."""
    connection = sqlite3.connect(path)
    found: dict[str, object] = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema"):
        if kind == "table":
            found[name] = connection.execute(f"SELECT * FROM pragma_table_info('{name}')").fetchall()
        elif sql:
            found[name] = " ".join(sql.split())
    connection.close()
    return found


def test_nothing_is_lost(old: Path) -> None:
    connection = sqlite3.connect(old)
    before = {table: contents(connection, table) for table in TABLES}
    connection.close()
    with open_ledger(old) as ledger:
        after = {table: contents(ledger.reader(), table) for table in TABLES}
        version = ledger.one("PRAGMA user_version")
    assert version is not None
    assert version[0] == VERSION
    assert len(before["clips"]) > 30
    for table, rows in before.items():
        shared = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert shared == rows, table


def test_it_is_the_same_as_a_new_one(old: Path, tmp_path: Path) -> None:
    open_ledger(old).close()
    open_ledger(tmp_path / "new.db", create=True).close()
    assert shape(old) == shape(tmp_path / "new.db")


def test_clips_may_have_a_new_origin_and_no_other(old: Path) -> None:
    with open_ledger(old) as ledger:
        ledger.write(lambda c: c.execute("UPDATE clips SET origin = 'youtube' WHERE id = 1")).result()
        assert ledger.one("PRAGMA integrity_check")["integrity_check"] == "ok"  # type: ignore[index]
        with pytest.raises(LedgerError, match="CHECK constraint failed"):
            ledger.write(lambda c: c.execute("UPDATE clips SET origin = 'elsewhere' WHERE id = 1")).result()


def test_several_at_once(old: Path) -> None:
    errors: list[BaseException] = []

    def reach() -> None:
        try:
            open_ledger(old).close()
        except BaseException as error:  # noqa: BLE001 - the thread would only print it
            errors.append(error)

    threads = [threading.Thread(target=reach) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_who_only_reads_leaves_it_to_the_kdl_that_may_be_at_work(old: Path) -> None:
    with open_ledger(old, read_only=True) as ledger:
        assert ledger.one("SELECT count(*) FROM clips") is not None
        assert [row[0] for row in ledger.rows("PRAGMA user_version")] == [1]
        with pytest.raises(LedgerError, match="older kdl") as refused:
            ledger.one("SELECT * FROM checks")
    assert refused.value.fix.startswith("kdl verify")
