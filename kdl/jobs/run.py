"""One run of a verb on a mirror: its lock, its ledger, its events, its findings and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import shlex
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any, TypeVar

from kdl import events
from kdl.archive.syncing import Barrier
from kdl.diskerrors import disk_error
from kdl.errors import KdlError, LockHeld, MachineError, worst
from kdl.jobs.pulse import Pulse
from kdl.jobs.runstate import RunState
from kdl.jobs.statusfile import StatusFile
from kdl.jobs.temps import clear_temps
from kdl.ledger.clips import Scope, count_clips
from kdl.ledger.ledger import Ledger, on_network_filesystem, open_ledger
from kdl.ledger.runs import begin_run, close_stale_runs, end_run, last_boot_unclean
from kdl.settings import MirrorPaths
from kdl.urls import hide_logins, hide_secrets
from kdl.values import Finding, RunSummary

T = TypeVar("T")

_KEPT = 5000
"""Findings of one kind that a run keeps: where a folder was lost there is one for each of its clips."""


TYPED: ContextVar[str] = ContextVar("TYPED", default="")
"""The words after ``kdl`` of the command line that the runs of this context are for; empty in a program."""


class Stopped(Exception):
    """Ends long work in a thread whose run has been cancelled."""


def mirror_paths(root: Path, dataset: str) -> MirrorPaths:
    """The places of a mirror, absolute: what is written is found again from any folder."""
    return MirrorPaths((root / dataset).absolute())


def command_line(verb: str, asked: str, root: Path, *arguments: str) -> str:
    """A command line to be pasted; ``asked`` is how the person named the dataset."""
    where = () if root == Path("kinetics").absolute() else ("--root", str(root))
    return shlex.join(("kdl", verb, asked, *where, *arguments))


class Run:
    """A run that holds its mirror. Made by :func:`open_run`."""

    def __init__(
        self, verb: str, dataset: str, asked: str, paths: MirrorPaths, ledger: Ledger, bus: events.Bus
    ) -> None:
        self.verb = verb
        self.dataset = dataset
        self._asked = asked
        self.paths = paths
        self.ledger = ledger
        # In a container every run may have the same pid, and two of them the same second.
        self.id = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{secrets.token_hex(2)}"
        self.state = RunState()
        self.pulse = Pulse()
        self.started = time.time()
        self.findings: list[Finding] = []
        self._met: Counter[str] = Counter()
        """Findings by kind, those that were not kept included."""
        self.codes: set[int] = set()
        self.interrupted = False
        """A signal has asked the run to end."""
        self._stopping = threading.Event()
        self._clock = time.monotonic()
        self._bus = bus
        self._recount_at = 0.0
        self._barrier = Barrier()
        self._temps: set[Path] = set()
        self.shown_root = paths.base.parent
        """The root that commands for a person name."""

    @property
    def tmp(self) -> Path:
        """This run's own folder for files that are not whole yet."""
        return self.paths.tmp / self.id

    def temp_in(self, folder: Path) -> Path:
        """The same in a folder on another disk, or for others to write to; it goes when all has ended."""
        temp = folder / f".tmp-{self.id}"
        self._temps.add(temp)
        return temp

    @property
    def emit(self) -> events.Listener:
        return self._bus.emit

    def command(self, verb: str, *arguments: str) -> str:
        """A command line for this mirror, to be pasted."""
        return command_line(verb, self._asked, self.shown_root, *arguments)

    def phase(self, name: str) -> None:
        self._bus.emit(events.PhaseStarted(name))

    def note(self, text: str) -> None:
        self._bus.emit(events.Noted(text))

    def find(self, finding: Finding, code: int = 0) -> None:
        """Report something wrong; ``code`` is the exit code it asks for, 0 for none."""
        finding = Finding(finding.kind, *map(hide_logins, (finding.subject, finding.detail, finding.fix)))
        self._met[finding.kind] += 1
        if self._met[finding.kind] <= _KEPT:
            self.findings.append(finding)
        self.codes.add(code)
        self._bus.emit(events.FindingRaised(finding))

    def hear(self, event: events.Event) -> None:
        """Listens for the signal that ends the run."""
        if isinstance(event, events.Interrupted):
            self.interrupted = True
            detail = f"stopped by {event.signal}; everything so far is recorded"
            fix = "the same command goes on from here"
            self.find(Finding("interrupted", self.dataset, detail, fix), event.exit_code)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """``work(*arguments)`` in a thread. Cancelled, it first waits until the thread is through.

        So nothing of a run goes on behind its end; what takes long calls :meth:`checkpoint`.
        """
        working = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            self._stopping.set()
            await asyncio.wait([working])
            if not working.cancelled():
                working.exception()
            raise

    async def on_disk(self, path: Path) -> None:
        """Return once everything written to the file system of ``path`` survives a power cut.

        Cancelled, it ends at once: nothing may then be called safe. Raises DiskFull and MachineError.
        """
        await self._barrier.sync(path)

    def checkpoint(self) -> None:
        """For long work in threads, as it gets on: raises Stopped once the run is to end."""
        self.pulse.beat()
        if self._stopping.is_set():
            raise Stopped

    def fail(self, error: KdlError) -> None:
        """Report an error that ends something, not the process."""
        subject = error.subject or self.dataset
        self.find(Finding(error.kind, subject, error.message, error.fix), error.exit_code)

    def elapsed(self) -> float:
        return time.monotonic() - self._clock

    async def recount(self, scope: Scope, *, force: bool = False) -> dict[str, int]:
        """Publish the clips by verdict, as often as the ledger's size allows."""
        now = time.monotonic()
        if not force and now < self._recount_at:
            return {}
        counts = await asyncio.to_thread(lambda: count_clips(self.ledger.reader(), scope))
        self._recount_at = time.monotonic() + max(0.5, 30 * (time.monotonic() - now))
        self._bus.emit(events.CountsChanged(counts))
        with contextlib.suppress(OSError):
            self._bus.emit(events.DiskLeft(str(self.paths.base), shutil.disk_usage(self.paths.base).free))
        return counts

    def summary(self, extra: dict[str, Any]) -> RunSummary:
        findings = (*self.findings, *self._left_out())
        return RunSummary(self.dataset, worst(self.codes), self.elapsed(), findings, extra)

    def _left_out(self) -> Iterator[Finding]:
        for kind, count in self._met.items():
            if count > _KEPT:
                detail = f"only the first {_KEPT:,} of this kind are told one by one"
                fix = f"{self.command('status')} counts them all"
                yield Finding("findings_left_out", f"{count - _KEPT:,} more {kind}", detail, fix)

    def close(self) -> None:
        """Let go of what the run holds beside its ledger."""
        self._barrier.close()
        for temp in self._temps:
            shutil.rmtree(temp, ignore_errors=True)

    def end(self, summary: RunSummary) -> None:
        """Write the outcome to the ledger, as far as it can still be written."""
        self._bus.emit(events.RunEnded(summary.exit_code, summary.elapsed_s, summary.extra))
        # A disk that is full or does not answer is reported already; the next run finds this one unended.
        with contextlib.suppress(KdlError, TimeoutError):
            self.ledger.write(
                lambda c: end_run(c, self.id, summary.exit_code, summary.extra, summary.findings)
            ).result(timeout=30)


@contextlib.contextmanager
def open_run(
    verb: str,
    dataset: str,
    asked: str,
    root: Path,
    bus: events.Bus,
    *,
    ledger_path: Path | None = None,
    create: bool,
) -> Iterator[Run]:
    """Hold the mirror ``root/dataset`` for one run of ``verb``; ``asked`` is how the person named it.

    Raises MachineError for a root that can not be used, LockHeld, LedgerError, DiskFull.
    """
    paths = mirror_paths(root, dataset)
    if not create and not paths.state.is_dir():
        raise _no_mirror(paths, asked)
    if create:
        require_root(paths)
    _make_folders(paths)
    with _hold_lock(paths.lock, verb):
        clear_temps(paths)
        with contextlib.ExitStack() as stack:
            place = ledger_path or (_ledger_path(paths) if create else find_ledger(paths, asked))
            anew = not _is_there(place)
            ledger = open_ledger(place, create=create)
            stack.callback(ledger.close)
            _remember_ledger(paths, ledger.path)
            run = Run(verb, dataset, asked, paths, ledger, bus)
            stack.callback(run.close)
            _make_folder(run.tmp)
            for folder in (paths.tmp, paths.tasks):
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
            told = TYPED.get() or command_line(verb, asked, root.absolute()).partition(" ")[2]
            command = hide_secrets(told)
            if last_boot_unclean(ledger.reader(), _boot_id()):
                shutil.rmtree(paths.spool, ignore_errors=True)
                _make_folder(paths.spool)
            ledger.write(lambda c: close_stale_runs(c, _boot_id())).result()
            ledger.write(
                lambda c: begin_run(c, run.id, command, socket.gethostname(), os.getpid(), _boot_id())
            ).result()
            bus.subscribe(run.state.apply)
            bus.subscribe(run.pulse.hear)
            bus.subscribe(run.hear)
            bus.emit(events.RunStarted(verb, dataset, str(paths.base.parent), run.id))
            if anew and verb != "adopt" and any(paths.videos.iterdir()):
                run.find(
                    Finding(
                        "ledger_lost",
                        str(ledger.path),
                        "clips lie here and there was no ledger: they are not trusted, so the shards are "
                        "fetched again and the clips written anew",
                        f"stop, and take them in: {run.command('adopt')}; "
                        "or --ledger PATH, if it lies elsewhere",
                    )
                )
            if on_network_filesystem(ledger.path):
                run.note(
                    f"{ledger.path} lies on a network file system: its journal is DELETE; --ledger PATH on a "
                    "local disk is faster"
                )
            stack.enter_context(StatusFile(paths.status, run.state))
            yield run


def require_root(paths: MirrorPaths) -> None:
    """Raise MachineError where the mirror's folder can be neither used nor made."""
    existing = next(folder for folder in (paths.base, *paths.base.parents) if folder.exists())
    reason = ""
    if not existing.is_dir():
        reason = "it is not a folder"
    elif not os.access(existing, os.W_OK | os.X_OK):
        reason = "you may not write to this folder"
    if reason:
        raise MachineError(
            reason,
            subject=str(existing),
            fix="give --root a folder that you may write to; kdl doctor --root ROOT tries one",
        )


def _make_folders(paths: MirrorPaths) -> None:
    for folder in (paths.base, paths.state, paths.spool, paths.quarantine, paths.videos):
        _make_folder(folder)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, folder) from error


@contextlib.contextmanager
def _hold_lock(path: Path, verb: str) -> Iterator[None]:
    """Hold the mirror's lock. The flock is what counts; host, pid and time are for the message."""
    try:
        handle: IO[str] = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise MachineError(
            f"the lock can not be opened ({error.strerror})",
            subject=str(path),
            fix="give --root a writable folder",
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise LockHeld(
                _holder(handle.read()), subject=str(path), fix="wait for it; kdl status shows it"
            ) from None
        except OSError as error:
            raise MachineError(
                f"this file system gives no lock ({error.strerror})",
                subject=str(path),
                fix="kdl doctor --root ROOT",
            ) from error
        handle.seek(0)
        handle.truncate()
        json.dump(
            {"host": socket.gethostname(), "pid": os.getpid(), "verb": verb, "since": time.time()}, handle
        )
        handle.flush()
        yield


def _holder(text: str) -> str:
    try:
        held = json.loads(text)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(held["since"]))
        return f"kdl {held['verb']} has the mirror (pid {held['pid']} on {held['host']}, since {since})"
    except (ValueError, KeyError, TypeError):
        return "another run has the mirror"


def _ledger_path(paths: MirrorPaths) -> Path:
    """The ledger's place: the mirror's own, or where an earlier ``--ledger`` put it."""
    pointer = paths.state / "ledger.path"
    if pointer.is_file() and not paths.ledger.exists():
        return Path(pointer.read_text(encoding="utf-8").strip())
    return paths.ledger


def find_ledger(paths: MirrorPaths, asked: str) -> Path:
    """Where the ledger of a mirror is, for readers. Raises MachineError where there is no mirror."""
    path = _ledger_path(paths)
    if not _is_there(path):
        raise _no_mirror(paths, asked)
    return path


def _is_there(ledger: Path) -> bool:
    """An empty file is no ledger: SQLite would take it for a new one."""
    return ledger.exists() and ledger.stat().st_size > 0


def _no_mirror(paths: MirrorPaths, asked: str) -> MachineError:
    fix = command_line("mirror", asked, paths.base.parent)
    if any(paths.videos.glob("*/*")):
        fix = f"{command_line('adopt', asked, paths.base.parent)} takes in what lies here; then {fix}"
    return MachineError(f"there is no mirror of {paths.base.name} here", subject=str(paths.base), fix=fix)


def _remember_ledger(paths: MirrorPaths, path: Path) -> None:
    if path.absolute() != paths.ledger.absolute():
        (paths.state / "ledger.path").write_text(f"{path.absolute()}\n", encoding="utf-8")


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
