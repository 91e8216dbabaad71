"""The barrier, so that whoever waits for it can be called away."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from kdl.archive.barrier import WIDTH, barrier_error
from kdl.errors import MachineError

_BEGIN = "import sys; sys.path[:] = {path!r}; from kdl.archive.barrier import serve; serve({fd})"
_END_S = 0.2
"""Seconds that a process which nothing keeps in the kernel needs to end at the most."""


class Barrier:
    """Puts what was written on disk, one request after another; belongs to one event loop.

    Nothing interrupts syncfs(2), not even the end of the process that called it, and a slow disk with a
    full cache keeps it for minutes. So another process calls it: one whose caller was cancelled is let
    go of, and ends when the disk lets it. No process is started before the first request.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._helper: _Helper | None = None
        self._next: dict[Path, _Shared] = {}

    async def sync(self, path: Path) -> None:
        """Return once everything written to the file system of ``path`` is on disk.

        Who comes while a request is under way shares the next one with all who do. Raises DiskFull or
        MachineError as :func:`kdl.archive.barrier.sync_filesystem` does. Cancelled, it ends at once, and
        nothing is known of what was written.
        """
        shared = self._next.get(path)
        if shared is None:
            shared = self._next[path] = _Shared(asyncio.create_task(self._sync(path)))
        shared.waiting += 1
        try:
            await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                self._forget(path, shared)
                shared.task.cancel()

    async def _sync(self, path: Path) -> None:
        async with self._turn:
            self._forget(path, self._next[path])
            helper = self._helper = self._helper or _start()
            try:
                number = await helper.ask(path)
            except BaseException as error:
                self.close()
                if not isinstance(error, (OSError, EOFError)):
                    raise
                raise MachineError(
                    "the process that puts what was written on disk has ended",
                    subject=str(path),
                    fix="look for a shortage of memory, then run the same again",
                ) from error
        if number:
            raise barrier_error(path, number)

    def _forget(self, path: Path, shared: _Shared) -> None:
        """Who comes from here on has written since, and is to wait for another request."""
        if self._next.get(path) is shared:
            del self._next[path]

    def close(self) -> None:
        """Let go of the process. Another :meth:`sync` starts a new one."""
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.end()


@dataclass(slots=True)
class _Shared:
    """One request, and how many wait for it."""

    task: asyncio.Task[None]
    waiting: int = 0


class _Helper:
    """The process, as its owner sees it."""

    def __init__(self, ours: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self._socket = ours
        self._process = process

    async def ask(self, path: Path) -> int:
        """The errno of a barrier, 0 if it held. Raises OSError and EOFError where the process is gone."""
        loop, name = asyncio.get_running_loop(), os.fsencode(path.absolute())
        await loop.sock_sendall(self._socket, len(name).to_bytes(WIDTH) + name)
        answer = b""
        while len(answer) < WIDTH:
            more = await loop.sock_recv(self._socket, WIDTH - len(answer))
            if not more:
                raise EOFError
            answer += more
        return int.from_bytes(answer)

    def end(self) -> None:
        self._process.kill()
        self._socket.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:  # it is in the kernel: it ends with its call, and without us
            self._process.returncode = -signal.SIGKILL


def _start() -> _Helper:
    """Raises MachineError where no process can be started."""
    try:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN.format(path=sys.path, fd=theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # the terminal's Ctrl-C is not for it
            )
    except OSError as error:
        raise MachineError(
            f"no process can be started that puts what was written on disk: {error.strerror}",
            subject=sys.executable,
            fix="look at the limits on processes and open files: ulimit -a",
        ) from error
    ours.setblocking(False)
    return _Helper(ours, process)
