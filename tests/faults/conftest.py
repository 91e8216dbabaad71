"""The hostile origin and a fetcher that does not wait long."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hostile import HostileOrigin

from kdl.events import Event
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher

QUICK = RetryPolicy(tries=3, base=0.001, cap=0.002)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def origin() -> AsyncIterator[HostileOrigin]:
    async with HostileOrigin() as server:
        yield server


@pytest.fixture
async def mirror() -> AsyncIterator[HostileOrigin]:
    """A second origin."""
    async with HostileOrigin() as server:
        yield server


@pytest.fixture
def told() -> list[Event]:
    """Events, in order."""
    return []


@pytest.fixture
def fetcher_of(told: list[Event]) -> Callable[..., Fetcher]:
    def make(hosts: dict[str, str] | None = None, overrides: tuple[str, ...] = (), **options: Any) -> Fetcher:
        options.setdefault("retry", QUICK)
        options.setdefault("stall_s", 0.3)
        return Fetcher(Origins(hosts or {}, overrides), emit=told.append, **options)

    return make


@pytest.fixture
def data() -> bytes:
    """Incompressible bytes, the same in every run, of several chunks and no round length."""
    return random.Random(7).randbytes(1_700_017)
