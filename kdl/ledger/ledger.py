"""Opening a ledger, its one writer thread, and its readers.

Writes are functions handed to the writer thread; they run one after another, each in a savepoint,
and are committed in batches. The future of a write resolves only after the commit that holds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import shlex
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from kdl.errors import DiskFull, LedgerError
from kdl.ledger.versions import VERSION, lay_out, upgrade

T = TypeVar("T")
Op = Callable[[sqlite3.Connection], T]

_BATCH = 500
_QUEUE = 20_000
_ROOM = 1 << 17
"""Bytes; SQLite asks for its shared memory in pieces of a quarter of that."""
_ELSEWHERE = "kdl doctor --root ROOT tries the disk; --ledger PATH puts the ledger on another one"
_NETWORK_FS = {"nfs", "nfs4", "lustre", "cifs", "smb3", "smbfs", "beegfs", "gpfs", "ceph", "afs", "9p"}


class Ledger:
    """One mirror's ledger. Use :func:`open_ledger`; close it, or use it as a context manager."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        self.batches = 0
        """Batches committed so far."""
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        self._queue: queue.Queue[tuple[Op[Any], Future[Any]] | None] = queue.Queue(_QUEUE)
        self._open = threading.Lock()
        """Held while something is queued, so that nothing is queued behind the end."""
        self._writer: threading.Thread | None = None
        if writable:
            self._writer = threading.Thread(target=self._write_loop, name="kdl-ledger", daemon=True)
            self._writer.start()

    # -- writing

    def write(self, op: Op[T]) -> Future[T]:
        """Run ``op`` in the writer thread; the future resolves once its batch is committed.

        The future raises what ``op`` raised (its changes are undone alone), DiskFull where the
        commit finds no room, LedgerError for any other failure of the database.
        """
        future: Future[T] = Future()
        with self._open:
            if self._writer is None:
                raise LedgerError("closed, or opened for reading only", subject=str(self.path))
            self._queue.put((op, future))
        return future

    async def do(self, op: Op[T]) -> T:
        """:meth:`write`, awaited. Cancelled before its turn has come, it is not run."""
        return await asyncio.wrap_future(self.write(op))

    def _write_loop(self) -> None:
        connection = _connect(self.path)
        try:
            while True:
                item = self._queue.get()
                if item is None:
                    return
                batch = [item]
                closing = False
                while len(batch) < _BATCH:
                    try:
                        following = self._queue.get_nowait()
                    except queue.Empty:
                        break
                    if following is None:
                        closing = True
                        break
                    batch.append(following)
                self._commit(connection, batch)
                self.batches += 1
                if closing:
                    return
        finally:
            with contextlib.suppress(sqlite3.Error):  # a reader elsewhere keeps it: the next run does it
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def _commit(self, connection: sqlite3.Connection, batch: list[tuple[Op[Any], Future[Any]]]) -> None:
        results: list[tuple[Future[Any], Any]] = []
        # From here on nobody can cancel them any more; what was cancelled while it waited is left out.
        batch = [item for item in batch if item[1].set_running_or_notify_cancel()]
        try:
            connection.execute("BEGIN IMMEDIATE")
            for op, future in batch:
                connection.execute("SAVEPOINT op")
                try:
                    results.append((future, op(connection)))
                except Exception as error:  # noqa: BLE001 - it belongs to the caller, through the future
                    connection.execute("ROLLBACK TO op")
                    future.set_exception(_translate(error, self.path))
                connection.execute("RELEASE op")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            for _, future in batch:
                if not future.done():
                    future.set_exception(_translate(error, self.path))
            return
        for future, value in results:
            future.set_result(value)

    # -- reading

    def reader(self) -> sqlite3.Connection:
        """This thread's own read-only connection; it sees what is committed."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(self.path, read_only=True)
            self._local.connection = connection
            with self._readers_lock:
                self._readers.append(connection)
        return connection

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> Iterator[sqlite3.Row]:
        """Rows of a query, streamed. Raises LedgerError."""
        try:
            yield from self.reader().execute(sql, parameters)
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error

    def one(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None. Raises LedgerError."""
        try:
            row: sqlite3.Row | None = self.reader().execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error
        return row

    def meta(self, key: str) -> str | None:
        row = self.one("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row[0])

    # -- ending

    def close(self) -> None:
        """Commit what is queued and close every connection."""
        with self._readers_lock:
            for connection in self._readers:
                connection.close()
            self._readers.clear()
        self._local = threading.local()
        with self._open:
            writer, self._writer = self._writer, None
            if writer is not None:
                self._queue.put(None)
        if writer is not None:
            writer.join()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ledger(path: Path, *, create: bool = False, read_only: bool = False) -> Ledger:
    """Open the ledger at ``path``, making it first if ``create``.

    Raises LedgerError where it is absent or empty, damaged, or written by a newer kdl; DiskFull.
    """
    if not create and not (path.exists() and path.stat().st_size):
        raise LedgerError("there is no ledger here", subject=str(path), fix="kdl mirror DATASET --root ROOT")
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                for name in (f"{path.name}-wal", f"{path.name}-shm"):
                    # SQLite would replay what a ledger that was taken away left into the new one
                    path.with_name(name).unlink(missing_ok=True)
        connection = _connect(path, read_only=read_only)
    except (OSError, sqlite3.Error) as error:
        raise _translate(error, path) from error
    try:
        _prepare(connection, path, read_only=read_only)
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    finally:
        connection.close()
    return Ledger(path, writable=not read_only)


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if version > VERSION:
        raise LedgerError(
            f"it was written by a newer kdl (ledger version {version}, this one knows {VERSION})",
            subject=str(path),
            fix="pip install --upgrade kdl",
        )
    if version == VERSION:
        return
    if version and read_only:
        return  # of an older kdl, which may be at work: it has all that readers ask of it
    if version:
        with contextlib.closing(_connect(path)) as writing:
            upgrade(writing)
        return
    if read_only or tables:
        raise LedgerError("not a ledger of kdl", subject=str(path), fix=_move_away(path))
    journal = "DELETE" if on_network_filesystem(path) else "WAL"
    connection.execute(f"PRAGMA journal_mode = {journal}")
    lay_out(connection)


class _Cursor(sqlite3.Cursor):
    """A reader's: damage shows at any row, and is raised as the KdlError that names the ledger."""

    def _translated(self, error: sqlite3.Error) -> Exception:
        assert isinstance(self.connection, _Reading)
        return _translate(error, self.connection.path)

    def execute(self, sql: str, parameters: Any = (), /) -> _Cursor:
        try:
            super().execute(sql, parameters)
        except sqlite3.Error as error:
            raise self._translated(error) from error
        return self

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise self._translated(error) from error


class _Reading(sqlite3.Connection):
    """A connection whose cursors are :class:`_Cursor`."""

    path: Path
    """The ledger's; a connection that fails can not be asked for it."""

    def cursor(self, factory: Any = None, /) -> Any:
        return super().cursor(factory or _Cursor)


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{_mode(path) if read_only else 'mode=rwc'}"
    connection = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        timeout=30,
        check_same_thread=False,
        factory=_Reading if read_only else sqlite3.Connection,
    )
    connection.row_factory = sqlite3.Row
    if isinstance(connection, _Reading):
        connection.path = path
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        # Annotations come in any order: with less, a load writes every page of the indexes many times.
        connection.execute("PRAGMA cache_size = -32768")
    return connection


def _mode(path: Path) -> str:
    """How a reader opens the file. One that may write tidies SQLite's own files away when it closes,
    so that nothing is left beside the ledger; to one that may not, a ledger at rest is immutable."""
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw"
    return "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"


def _translate(error: Exception, path: Path) -> Exception:
    if isinstance(error, sqlite3.Error):
        text = str(error)
        if "disk is full" in text or ("disk I/O error" in text and _no_room(path)):
            fix = "make room and run the same command again: it goes on where it stopped"
            return DiskFull(f"the ledger could not be written ({text})", subject=str(path), fix=fix)
        if isinstance(error, sqlite3.DatabaseError) and ("malformed" in text or "not a database" in text):
            return LedgerError(f"the ledger is damaged ({text})", subject=str(path), fix=_move_away(path))
        if "no such table" in text or "no such column" in text:
            fix = "kdl verify DATASET --level stat --root ROOT brings it up to date, as any run does"
            return LedgerError(f"it is of an older kdl ({text})", subject=str(path), fix=fix)
        fix = f"look for a quota, or for disk errors in the system's log; {_ELSEWHERE}"
        return LedgerError(f"the ledger can not be used ({text})", subject=str(path), fix=fix)
    if isinstance(error, OSError):
        reason = f"the ledger can not be opened ({error.strerror})"
        return LedgerError(reason, subject=str(path), fix=_ELSEWHERE)
    return error


def _no_room(path: Path) -> bool:
    """Whether the disk is as good as full: SQLite calls that an I/O error where it maps the file."""
    try:
        return shutil.disk_usage(path.parent).free < _ROOM
    except OSError:
        return False


def _move_away(path: Path) -> str:
    command = shlex.join(("mv", str(path), f"{path}.bad"))
    return f"{command}  # then kdl adopt DATASET takes in what is here, and kdl mirror fetches the rest"


def on_network_filesystem(path: Path) -> bool:
    """Whether ``path`` lies where SQLite's WAL does not work (NFS, Lustre and the like)."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    target = str(path.absolute())
    best, kind = "", ""
    for line in mounts:
        _, point, fstype, *_ = [*line.split(" "), "", "", ""]
        point = point.replace("\\040", " ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fstype
    return kind in _NETWORK_FS or kind.startswith("fuse.")
