"""Which origins take connections at all, so that a dead one does not hold up hundreds of objects."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from kdl.errors import FetchError, PermanentError
from kdl.settings import REFUSED_S


@dataclass(slots=True)
class _State:
    answered: bool = False
    """It took a connection at least once in this run."""
    refusing_since: float | None = None
    """Clock of the first refusal since its last answer."""
    given_up: bool = False


def origin_of(url: str) -> str:
    """What serves a URL and fails as one: ``https://host:port``, ``s3://bucket``; of a file its folder."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return url.rpartition("/")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class Health:
    """What a run has learned of each origin."""

    def __init__(
        self,
        origin: Callable[[str], str] = origin_of,
        *,
        refused_s: float = REFUSED_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """An origin that refuses every connection for ``refused_s`` seconds is given up.

        ``origin`` tells which one a URL is of.
        """
        self.origin = origin
        self._refused_s = refused_s
        self._clock = clock
        self._states: dict[str, _State] = {}

    def check(self, url: str) -> None:
        """Raise PermanentError if the URL's origin was given up."""
        if self._state(url).given_up:
            is_mount = url.startswith("file:")
            what = "does not answer" if is_mount else "refuses every connection"
            check = "the mount (findmnt, dmesg)" if is_mount else "the network and the proxy settings"
            raise PermanentError(
                f"{self.origin(url)} {what} and is given up for this run",
                subject=url,
                fix=f"check {check}, or name another --origin; then run again",
                refused=True,
            )

    def answered(self, url: str) -> None:
        """The origin took a connection."""
        state = self._state(url)
        state.answered, state.refusing_since = True, None

    def failed(self, url: str, error: FetchError) -> None:
        """A request failed; all but a refused connection show that the origin is there."""
        if not error.refused:
            self.answered(url)
        elif self._state(url).refusing_since is None:
            self._state(url).refusing_since = self._clock()

    def allow(self, url: str, error: FetchError, delay: float | None) -> float | None:
        """``delay``, or None if waiting so long for the origin makes no sense any more.

        It is given up when an object's tries are used up on an origin that never answered, or when
        the next try would begin after the time that refusing is borne.
        """
        state = self._state(url)
        if not error.refused or state.refusing_since is None:
            return delay
        if delay is None:
            state.given_up = state.given_up or not state.answered
        elif self._clock() + delay > state.refusing_since + self._refused_s:
            state.given_up = True
            return None
        return delay

    def _state(self, url: str) -> _State:
        return self._states.setdefault(self.origin(url), _State())
