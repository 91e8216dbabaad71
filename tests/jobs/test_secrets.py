"""What URLs hide does not get into findings, the ledger or its record of command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdl import events
from kdl.jobs.run import TYPED, open_run
from kdl.urls import hide_logins, hide_secrets, only_host
from kdl.values import Finding


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("mirror --origin https://me:pw@h/a/b?sig=1 k", "mirror --origin https://***@h/a/b?*** k"),
        ("see http://h/a and HTTPS://u@h", "see http://h/a and HTTPS://***@h"),
        ("'https://h/?a=1' \"http://p@h#x\"", "'https://h/?***' \"http://***@h#***\""),
        ("no URL: a@b?c", "no URL: a@b?c"),
    ],
)
def test_secrets_in_urls_are_hidden(text: str, hidden: str) -> None:
    assert hide_secrets(text) == hidden


def test_a_login_alone_may_be_hidden_and_all_but_the_host() -> None:
    assert hide_logins("(https://me:p@w@h/a?b), x@y") == "(https://***@h/a?b), x@y"
    assert only_host("https://me:pw@h:8443/T0/x?y#z") == "https://h:8443/***"
    assert only_host("http://h?x@y") == "http://h/***"


def test_a_run_keeps_no_password(tmp_path: Path) -> None:
    before = TYPED.set("mirror tiny --origin https://me:s3cret@h/a?s3cret")
    bus = events.Bus()
    told: list[events.Event] = []
    bus.subscribe(told.append)
    with open_run("mirror", "tiny", "tiny", tmp_path, bus, create=True) as run:
        TYPED.reset(before)
        run.find(Finding("object_failed", "https://me:s3cret@h/a", "http://s3cret@p refuses", "try it"), 4)
        run.end(run.summary({}))
        assert run.findings == [Finding("object_failed", "https://***@h/a", "http://***@p refuses", "try it")]
        (row,) = run.ledger.rows("SELECT command FROM runs")
        assert row[0] == "mirror tiny --origin https://***@h/a?***"
    assert "s3cret" not in str(told)
    for path in (tmp_path / "tiny").rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes()
