"""When a failed request is tried again, and the loop that does it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState

from kdl.errors import FetchError, KdlError, RetryCause, SourceChanged, TransientError
from kdl.events import RetryScheduled
from kdl.settings import TRIES

T = TypeVar("T")

_CAUSES = frozenset(RetryCause)

Decide = Callable[[FetchError, int], float | None]
"""From an error and the number of tries that failed in a row: seconds to wait, or None to give up."""
OnRetry = Callable[[FetchError, float, int], None]
"""Told of the error, the seconds to wait and the number of tries that failed in a row."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a run is with one object."""

    tries: int = TRIES
    """Attempts in a row that brought no new byte."""
    base: float = 0.5
    """Seconds of the first pause; each next one is twice as long."""
    cap: float = 30.0
    """No pause is longer, unless the server asks for it."""
    asked_cap: float = 600.0
    """Nor is a pause that a server asks for longer than this."""


DEFAULT_POLICY = RetryPolicy()


def retry_after(
    error: Exception, attempt: int, policy: RetryPolicy, rand: Callable[[], float] = random.random
) -> float | None:
    """Seconds to wait before the next try after ``attempt`` that failed in a row; None to give up.

    Exponential, with the upper half of each pause drawn by ``rand`` (0 to 1) so that many transfers do
    not come back at once; a server's own Retry-After is honoured where it is longer.
    """
    if not isinstance(error, TransientError) or attempt >= policy.tries:
        return None
    pause = min(policy.cap, policy.base * 2.0 ** min(attempt - 1, 64)) * (0.5 + 0.5 * rand())
    return max(pause, min(error.retry_after or 0.0, policy.asked_cap))


def cause_of(error: KdlError) -> RetryCause:
    """Why a try failed, in one of the words that programs know."""
    if not isinstance(error, FetchError):
        return RetryCause.OTHER
    if error.cause is not None:
        return error.cause
    if isinstance(error, SourceChanged):
        return RetryCause.CHANGED
    status = error.status or 0
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return RetryCause.RANGE if status else RetryCause.OTHER
    known = f"http_{status}"
    if known in _CAUSES:
        return RetryCause(known)
    return RetryCause.HTTP_5XX if status >= HTTPStatus.INTERNAL_SERVER_ERROR else RetryCause.OTHER


def scheduled(
    subject: str, error: KdlError, delay: float, attempt: int, policy: RetryPolicy
) -> RetryScheduled:
    """The event that tells of a retry: what, why, in how many seconds, and which attempt failed."""
    return RetryScheduled(subject, error.message, delay, attempt, policy.tries, cause_of(error).value)


async def retrying(attempt: Callable[[], Awaitable[T]], decide: Decide, on_retry: OnRetry) -> T:
    """Run ``attempt`` until it succeeds or ``decide`` gives up; then its last error is raised.

    SourceChanged passes through at once: only who holds the bytes so far can start afresh.
    """
    delays: dict[int, float | None] = {}

    def failure(state: RetryCallState) -> FetchError:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, FetchError)
        return error

    def again(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        return isinstance(error, FetchError) and not isinstance(error, SourceChanged)

    def stop(state: RetryCallState) -> bool:
        return delay(state) is None

    def delay(state: RetryCallState) -> float | None:
        if state.attempt_number not in delays:
            delays[state.attempt_number] = decide(failure(state), state.attempt_number)
        return delays[state.attempt_number]

    def wait(state: RetryCallState) -> float:
        return delay(state) or 0.0

    def tell(state: RetryCallState) -> None:
        on_retry(failure(state), wait(state), state.attempt_number)

    loop = AsyncRetrying(retry=again, stop=stop, wait=wait, before_sleep=tell, reraise=True)
    return await loop(attempt)
