"""What the docs say of a mirror, its ledger and its events, held against schema, code and a real run."""

from __future__ import annotations

import dataclasses
import doctest
import json
import re
import sqlite3
import subprocess
import sys
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docs_kit import PAGES, ROOT, fences, plain, rows, section

from kdl import events
from kdl.errors import RetryCause
from kdl.values import Cause, Verdict

QUERIES = fences("ledger.md", "sql")
_MAY_BE_EMPTY = ("state <> 'done'", "not made yet")
_PLAIN: dict[object, str] = {str: "text", int: "number", float: "number"}


@dataclass(frozen=True)
class Demo:
    """A mirror that ``kdl demo`` made."""

    base: Path
    log: list[dict[str, Any]]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("docs")
    log = folder / "events.jsonl"
    command = [sys.executable, "-m", "kdl", "demo", "--quick", "--quiet", "--log-json", log]
    done = subprocess.run([*command, "--out", folder / "out"], capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    lines = log.read_text(encoding="ascii").splitlines()
    return Demo(folder / "out" / "mirror" / "demo", [json.loads(line) for line in lines])


@pytest.fixture(scope="module")
def schema() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript((ROOT / "kdl" / "ledger" / "schema.sql").read_text(encoding="utf-8"))
    return connection


def tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rootpage")
    return [row[0] for row in found]


def test_every_table_has_its_heading_and_no_other(schema: sqlite3.Connection) -> None:
    assert re.findall(r"^## `(\w+)`$", PAGES["ledger.md"], re.MULTILINE) == tables(schema)


def test_every_column_is_told_with_its_type(schema: sqlite3.Connection) -> None:
    for table in tables(schema):
        told = [(plain(row[0]), row[1]) for row in rows(section("ledger.md", f"## `{table}`"), "column")]
        columns = schema.execute(f"SELECT name, type FROM pragma_table_info('{table}')").fetchall()
        assert told == columns, table


def test_every_state_verdict_and_cause_is_told(schema: sqlite3.Connection) -> None:
    (sql,) = schema.execute("SELECT sql FROM sqlite_schema WHERE name = 'objects'").fetchone()
    states = re.findall(r"'(\w+)'", re.search(r"CHECK \(state IN \((.*?)\)\)", sql)[1])  # type: ignore[index]
    assert [plain(row[0]) for row in rows(PAGES["ledger.md"], "state |")] == states
    assert {plain(row[0]) for row in rows(PAGES["ledger.md"], "verdict |")} == set(Verdict)
    assert all(f"`{cause}`" in PAGES["ledger.md"] for cause in Cause)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.split("\n")[0][:50])
def test_a_query_answers(query: str, demo: Demo) -> None:
    with sqlite3.connect(f"file:{demo.base}/.kdl/ledger.db?mode=ro", uri=True) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    assert found or any(sign in query for sign in _MAY_BE_EMPTY)


def test_the_examples_in_python_are_true(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kdl-demo").symlink_to(demo.base.parents[1])
    monkeypatch.chdir(tmp_path)
    text = "".join(fences("python.md", "pycon"))
    examples = doctest.DocTestParser().get_doctest(text, {}, "python.md", "python.md", 0)
    told: list[str] = []
    ran = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, out=told.append)
    assert ran.attempted > 40
    assert not ran.failed, "".join(told)


def kinds_of_events() -> list[type[events.Event]]:
    found = [thing for thing in vars(events).values() if isinstance(thing, type)]
    return [cls for cls in found if issubclass(cls, events.Event) and cls is not events.Event]


def json_type(hint: object) -> str:
    """The docs' word for the JSON that a field of this type becomes."""
    if isinstance(hint, types.UnionType):
        known, *_ = (each for each in typing.get_args(hint) if each is not type(None))
        return f"{json_type(known)} or null"
    return _PLAIN.get(hint, "object")


def told_events() -> dict[str, list[tuple[str, str]]]:
    found = {}
    for name in re.findall(r"^### `(\w+)`$", PAGES["events.md"], re.MULTILINE):
        table = rows(section("events.md", f"### `{name}`"), "field")
        found[name] = [(plain(row[0]), row[1]) for row in table]
    return found


def test_events_and_their_fields_are_those_of_the_code() -> None:
    expected = {}
    for cls in kinds_of_events():
        hints = typing.get_type_hints(cls)
        fields = [(each.name, json_type(hints[each.name])) for each in dataclasses.fields(cls)]
        expected[events.event_name(cls)] = fields
    assert told_events() == expected
    assert list(told_events()) == list(expected)


def test_every_cause_of_a_retry_is_told() -> None:
    told = [re.findall(r"`(\w+)`", row[0]) for row in rows(PAGES["events.md"], "cause")]
    assert [name for names in told for name in names] == list(RetryCause)


def test_every_state_of_a_shard_is_told_and_met(demo: Demo) -> None:
    fields = rows(section("events.md", "### `shard_changed`"), "field")
    told = next(row[2] for row in fields if plain(row[0]) == "state")
    changes = [line for line in demo.log if line["event"] == "shard_changed"]
    met = {line["state"] for line in changes}
    assert met <= set(re.findall(r"`(\w+)`", told))
    assert met >= {"queued", "started", "retried", "unpacked", "proved", "done"}


def test_a_log_holds_what_is_told(demo: Demo) -> None:
    told = told_events()
    met = {line["event"] for line in demo.log}
    assert met >= {"run_started", "transfer_ended", "finding_raised", "run_ended"}
    for line in demo.log:
        assert list(line)[:2] == ["event", "time"]
        assert list(line)[2:] == [name for name, _ in told[line["event"]]]


def test_findings_of_a_run_are_explained(demo: Demo) -> None:
    told = {plain(row[0]) for row in rows(PAGES["troubleshooting.md"], "kind")}
    found = {line["finding"]["kind"] for line in demo.log if line["event"] == "finding_raised"}
    assert len(found) > 5
    assert found <= told


def test_what_lies_in_a_mirror_is_told(demo: Demo) -> None:
    folders = {plain(row[0]).rstrip("/") for row in rows(PAGES["layout.md"], "folder")}
    state = {plain(row[0]).rstrip("/") for row in rows(PAGES["layout.md"], "name")}
    on_demand = {"archives", "packs", "reports", "views"}
    assert {path.name for path in demo.base.iterdir()} - {"SHA256SUMS"} == folders - on_demand
    found = {path.name for path in (demo.base / ".kdl").iterdir()}
    assert found - {"ledger.db-wal", "ledger.db-shm"} <= state


def test_the_state_of_a_run_is_told(demo: Demo) -> None:
    snapshot = json.loads((demo.base / ".kdl" / "status.json").read_bytes())
    ids = {"dataset", "verb", "run_id", "root", "pid", "host", "started", "updated"}
    text = section("events.md", "## The state of a run")
    assert set(snapshot) - ids <= set(re.findall(r"`(\w+)`", text))
