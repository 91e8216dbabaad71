"""The engine in this process: ``kdl fetch`` without the start of an interpreter, for suites of many runs.

What is run is the command's own job; only its command line is left out, and the pauses between tries are
short. Everything that a run leaves behind is looked at afterwards, not only what a test asks about.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kdl.errors import KdlError
from kdl.events import Bus, Event, RetryScheduled
from kdl.fetch.retry import RetryPolicy
from kdl.jobs.mirror import mirror
from kdl.jobs.options import MirrorOptions
from kdl.values import Finding, Level
from tests.e2e.running import tree
from tests.e2e.unruly import Dataset

E = TypeVar("E", bound=Event)

PATIENT_S, IMPATIENT_S = 10.0, 0.5
"""What makes a stall: where none is meant to be, and where one is waited for."""
CONNECT_S = 1.0
HANG_S = 60.0
"""A run that takes longer hangs: none of these takes a tenth of it on a slow machine."""
FOLDERS = ("videos", "unlisted")


def tree_digest(files: Mapping[str, str]) -> str:
    """One sha256 for a whole tree, given as the digests of its files by path."""
    lines = (f"{digest}  {path!r}\n" for path, digest in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What a run came to, and what it left on disk."""

    code: int
    findings: tuple[Finding, ...]
    files: dict[str, str]
    """Everything below ``videos/`` and ``unlisted/``, with its digest."""
    verdicts: dict[str, str]
    """By clip name."""
    debris: tuple[str, ...]
    """Files that are neither clips, nor annotations, nor the mirror's own state."""
    told: tuple[Event, ...]

    @property
    def tree(self) -> str:
        return tree_digest(self.files)

    @property
    def kinds(self) -> set[str]:
        return {finding.kind for finding in self.findings}

    def details(self, kind: str) -> dict[str, str]:
        """The findings of one kind by subject."""
        return {each.subject: each.detail for each in self.findings if each.kind == kind}

    def events(self, kind: type[E]) -> list[E]:
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def retries(self) -> list[RetryScheduled]:
        return self.events(RetryScheduled)


Engine = Callable[..., Outcome]
"""``engine(data, **options)``: one run with :class:`MirrorOptions`' own options."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Runs ``kdl fetch`` in this process, with short pauses and no proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kdl.jobs.mirror.RetryPolicy", partial(RetryPolicy, base=0.002, cap=0.01))
    monkeypatch.setattr("kdl.fetch.transfer._CONNECT_S", CONNECT_S)
    return run


def run(data: Dataset, *, hang_s: float = HANG_S, **options: Any) -> Outcome:
    """One run over ``data``; an AssertionError where it takes longer than ``hang_s`` seconds."""
    told: list[Event] = []
    bus = Bus()
    bus.subscribe(told.append)
    fixed: dict[str, Any] = {"verb": "fetch", "level": Level.HASH, "stall_s": PATIENT_S}
    fixed["origins"] = (data.origin.base,)
    asked = MirrorOptions(str(data.manifest), data.root, **{**fixed, **options})
    code, findings = asyncio.run(_bounded(asked, bus, told, hang_s))
    return Outcome(code, findings, files_of(data.base), data.verdicts(), tuple(data.debris()), tuple(told))


async def _bounded(
    asked: MirrorOptions, bus: Bus, told: list[Event], hang_s: float
) -> tuple[int, tuple[Finding, ...]]:
    ended: tuple[int, tuple[Finding, ...]] | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(hang_s) as limit:
            try:
                summary = await mirror(asked, bus)
                ended = summary.exit_code, summary.findings
            except KdlError as error:
                ended = error.exit_code, ()
    if ended is None or limit.expired():
        raise AssertionError(f"it hangs; the last that it told: {told[-3:]}")
    return ended


def files_of(base: Path) -> dict[str, str]:
    """Every file that a user takes for a clip, with its digest."""
    return {f"{folder}/{name}": digest for folder in FOLDERS for name, digest in tree(base / folder).items()}
