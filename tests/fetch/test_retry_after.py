"""When another try is made, and the loop that makes it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.errors import DiskFull, FetchError, PermanentError, SourceChanged, TransientError
from kdl.fetch.answers import retry_after_header
from kdl.fetch.health import Health, origin_of
from kdl.fetch.retry import RetryPolicy, retry_after, retrying

POLICY = RetryPolicy(tries=6, base=0.5, cap=30.0)
NOW = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "rand", "delay"), [(1, 0.0, 0.25), (1, 1.0, 0.5), (2, 1.0, 1.0), (5, 0.0, 4.0), (5, 1.0, 8.0)]
)
def test_pauses_double_and_are_jittered(attempt: int, rand: float, delay: float) -> None:
    assert retry_after(TransientError("x"), attempt, POLICY, lambda: rand) == delay


def test_the_last_try_is_the_last() -> None:
    assert retry_after(TransientError("x"), 6, POLICY) is None


@pytest.mark.parametrize("error", [PermanentError("x"), DiskFull("x"), ValueError("x"), FetchError("x")])
def test_only_transient_errors_are_tried_again(error: Exception) -> None:
    assert retry_after(error, 1, POLICY) is None


def test_a_changed_source_may_be_started_afresh() -> None:
    assert retry_after(SourceChanged("x"), 1, POLICY) is not None


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_no_pause_is_longer_than_the_cap(attempt: int, rand: float) -> None:
    delay = retry_after(TransientError("x"), attempt, RetryPolicy(tries=20_000), lambda: rand)
    assert delay is not None
    assert 0.25 <= delay <= 30.0


@pytest.mark.parametrize(("asked", "delay"), [(90.0, 90.0), (0.1, 0.5), (86_400.0, 600.0)])
def test_the_server_may_ask_for_longer_within_reason(asked: float, delay: float) -> None:
    assert retry_after(TransientError("x", retry_after=asked), 1, POLICY, lambda: 1.0) == delay


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 08:01:30 GMT", 90.0),
        ("Saturday, 21-Nov-26 08:00:10 GMT", 10.0),
        ("Sat, 21 Nov 2026 07:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 08:00:05 -0000", 5.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_the_header(value: str | None, seconds: float | None) -> None:
    assert retry_after_header(value, NOW) == seconds


@given(st.text())
def test_no_header_breaks_it(value: str) -> None:
    seconds = retry_after_header(value, NOW)
    assert seconds is None or seconds >= 0


async def test_the_loop_tells_each_wait_and_ends_with_the_last_error() -> None:
    told: list[tuple[str, float, int]] = []
    count = 0

    async def attempt() -> str:
        nonlocal count
        count += 1
        raise TransientError(f"failure {count}")

    with pytest.raises(TransientError, match="failure 3"):
        await retrying(
            attempt,
            lambda _, n: 0.001 * n if n < 3 else None,
            lambda e, delay, n: told.append((e.message, delay, n)),
        )
    assert told == [("failure 1", 0.001, 1), ("failure 2", 0.002, 2)]


@pytest.mark.parametrize("error", [SourceChanged("x"), DiskFull("x"), asyncio.CancelledError()])
async def test_the_loop_lets_other_errors_through_at_once(error: BaseException) -> None:
    async def attempt() -> None:
        raise error

    def decide(_: FetchError, __: int) -> float | None:
        raise AssertionError("not to be asked")

    with pytest.raises(type(error)):
        await retrying(attempt, decide, lambda *_: None)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


URL = "https://s3.amazonaws.com/kinetics/a"
REFUSED = TransientError("refused", refused=True)


def test_an_origin_that_never_answered_is_given_up_with_the_first_object() -> None:
    health = Health(refused_s=45.0, clock=Clock())
    health.failed(URL, REFUSED)
    assert health.allow(URL, REFUSED, 0.5) == 0.5
    assert health.allow(URL, REFUSED, None) is None
    with pytest.raises(PermanentError, match=r"https://s3\.amazonaws\.com refuses every connection"):
        health.check("https://s3.amazonaws.com/kinetics/another")
    health.check("https://s3.amazonaws.com:8443/kinetics/a")


def test_an_origin_that_did_answer_is_given_time() -> None:
    clock = Clock()
    health = Health(refused_s=45.0, clock=clock)
    health.answered(URL)
    health.failed(URL, REFUSED)
    assert health.allow(URL, REFUSED, None) is None
    health.check(URL)
    clock.now += 40.0
    health.failed(URL, REFUSED)
    assert health.allow(URL, REFUSED, 4.0) == 4.0
    assert health.allow(URL, REFUSED, 6.0) is None
    with pytest.raises(PermanentError):
        health.check(URL)


def test_any_answer_clears_an_origin() -> None:
    clock = Clock()
    health = Health(refused_s=45.0, clock=clock)
    health.failed(URL, REFUSED)
    clock.now += 44.0
    health.failed(URL, TransientError("HTTP 503", status=503))
    clock.now += 10.0
    health.failed(URL, REFUSED)
    assert health.allow(URL, REFUSED, 30.0) == 30.0


def test_other_errors_are_not_held_against_an_origin() -> None:
    health = Health(refused_s=45.0, clock=Clock())
    stalled = TransientError("stalled")
    health.failed(URL, stalled)
    assert health.allow(URL, stalled, 600.0) == 600.0
    assert health.allow(URL, stalled, None) is None
    health.check(URL)


def test_origin_of() -> None:
    assert origin_of("http://me:secret@127.0.0.1:80/a?b#c") == "http://127.0.0.1:80"
