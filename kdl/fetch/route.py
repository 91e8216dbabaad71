"""One object's way to its bytes: origin after origin, each with the policy's patience."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from kdl.errors import FetchError, PermanentError, SourceChanged, TransientError
from kdl.events import Event, Noted
from kdl.fetch.health import Health
from kdl.fetch.pressure import Pressure
from kdl.fetch.retry import RetryPolicy, retry_after, retrying, scheduled

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """What all objects of a run share: how patient to be, what is known of the origins, who is told."""

    policy: RetryPolicy
    health: Health
    pressure: Pressure
    emit: Callable[[Event], None]
    resort: dict[str, str] = field(default_factory=dict)
    """By an object's URL the one to begin with next: it was begun at an origin that does not end it, and has
    to be begun anew at this one, which has another version."""


class Route:
    """Runs attempts at an object's URLs: the current one until it is given up, then those after it."""

    def __init__(self, name: str, url: str, candidates: Sequence[str], patience: Patience) -> None:
        """``candidates`` are the URLs to try for ``url``, in order, at least one."""
        self._name = name
        self._url = url
        first = patience.resort.pop(url, "")
        self._candidates = sorted(candidates, key=lambda candidate: candidate != first)
        self._at = 0
        self._refused = False
        """The last answer was that the server has no room."""
        self._patience = patience

    @property
    def current(self) -> str:
        """The URL in use."""
        return self._candidates[self._at]

    async def run(self, attempt: Callable[[str], Awaitable[T]]) -> T:
        """The result of ``attempt(url)`` at the first URL that gives one.

        Raises SourceChanged at once, and PermanentError or TransientError when every URL is given up.
        """
        errors: list[FetchError] = []
        while True:
            try:
                return await self._persist(attempt)
            except SourceChanged:
                if errors:
                    self._patience.resort[self._url] = self.current
                raise
            except FetchError as error:
                errors.append(error)
                if self._at + 1 == len(self._candidates):
                    raise self._summary(errors) from error
                self._at += 1
                origin = self._patience.health.origin(self.current)
                self._patience.emit(Noted(f"{self._name}: goes on at {origin}, because {error.message}"))

    async def _persist(self, attempt: Callable[[str], Awaitable[T]]) -> T:
        url, policy = self.current, self._patience.policy
        try:
            return await self._once(attempt)  # the common case, without the machinery
        except SourceChanged:
            raise
        except FetchError as error:
            failed: FetchError | None = error

        async def again() -> T:
            nonlocal failed
            if failed is not None:
                first, failed = failed, None
                raise first
            return await self._once(attempt)

        def decide(error: FetchError, count: int) -> float | None:
            return self._patience.health.allow(url, error, retry_after(error, count, policy))

        def tell(error: FetchError, delay: float, count: int) -> None:
            self._patience.emit(scheduled(self._name, error, delay, count, policy))

        return await retrying(again, decide, tell)

    async def _once(self, attempt: Callable[[str], Awaitable[T]]) -> T:
        url, health, pressure = self.current, self._patience.health, self._patience.pressure
        if self._refused:
            self._refused = False
            await pressure.step_aside(self._name)
        health.check(url)
        try:
            result = await attempt(url)
        except FetchError as error:
            health.failed(url, error)
            self._refused = pressure.failed(error)
            raise
        health.answered(url)
        return result

    def _summary(self, errors: list[FetchError]) -> FetchError:
        """The one error to end with: of several origins, each with its own reason."""
        last = errors[-1]
        if len(errors) == 1:
            return last
        origin = self._patience.health.origin
        reasons = "; ".join(f"{origin(error.subject)}: {error.message}" for error in errors)
        hope = any(isinstance(error, TransientError) for error in errors)
        kind = TransientError if hope else PermanentError
        refused = all(error.refused for error in errors)
        return kind(reasons, subject=self._url, fix=last.fix, status=last.status, refused=refused)
