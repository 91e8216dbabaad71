"""aria2c as a child of this process, spoken to over JSON-RPC.

It listens on the loopback address alone, on a port of its own and behind a random secret that no list of
processes shows. It ends with this process, however that ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from kdl.diskerrors import disk_errors
from kdl.errors import KdlError, MachineError, ToolMissing
from kdl.fetch.torrentoptions import GET_ARIA2
from kdl.settings import MIB
from kdl.tether import tethered

_STARTS = 3
"""Ports that are tried: between the finding of a free one and its use another program may take it."""
_START_S = 20.0
_CALL_S = 30.0
_END_S = 3.0
_LOOK_S = 0.05
_LOG_TAIL = 64 << 10
_TRACKER = re.compile(
    r"(?:Tracker request |URI=)\w+://(?:[^/@\s]*@)?([^/?\s]+)\S*info_hash=.*?"
    r"errorCode=\d+ ((?!URI=)[^\n]+)(?=\n\n|\n\d\d/\d\d |\n*\Z)",
    re.DOTALL,
)


class RpcError(KdlError):
    """aria2 refuses a call; the message is its own."""


class Aria2:
    """A running aria2c, as an async context manager. Raises ToolMissing and MachineError."""

    def __init__(self, folder: Path, options: Mapping[str, str]) -> None:
        """``folder`` takes its log; ``options`` are its own, by their long names."""
        self._folder = folder
        self._options = options
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._http: aiohttp.ClientSession | None = None
        self._secret = secrets.token_urlsafe(24)
        self._port = 0
        self._ids = 0

    async def __aenter__(self) -> Aria2:
        if shutil.which("aria2c") is None:
            words = "not found on the PATH, and torrents are fetched with it"
            raise ToolMissing(words, subject="aria2c", fix=GET_ARIA2)
        # What is here is asked directly, whatever proxies there are for the world.
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_CALL_S), json_serialize=json.dumps, trust_env=False
        )
        try:
            for left in reversed(range(_STARTS)):
                if await self._start():
                    return self
                self._stack.close()
                if not left:
                    break
            raise MachineError(f"it ends at once: {self._last_words()}", subject="aria2c", fix="kdl doctor")
        except BaseException:
            await self._close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._process is not None:
                self._process.terminate()
                with suppress(subprocess.TimeoutExpired):  # then it is killed
                    await asyncio.to_thread(self._process.wait, _END_S)  # it writes down which nodes it knows
        finally:
            await self._close()

    async def call(self, method: str, *params: object) -> Any:
        """What aria2 answers. Raises RpcError where it refuses, MachineError where it is gone."""
        assert self._http is not None
        self._ids += 1
        asked = {
            "jsonrpc": "2.0",
            "id": self._ids,
            "method": method,
            "params": [f"token:{self._secret}", *params],
        }
        try:
            async with self._http.post(f"http://127.0.0.1:{self._port}/jsonrpc", json=asked) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if self._process is not None and self._process.poll() is not None:
                words = f"it has ended ({self._process.returncode}): {self._last_words()}"
            else:
                words = f"it does not answer: {error or type(error).__name__}"
            fix = "run the same again: it goes on from here"
            raise MachineError(words, subject="aria2c", fix=fix) from error
        if "error" in answer:
            raise RpcError(str(answer["error"].get("message", "")), subject=method)
        return answer["result"]

    def tracker_errors(self) -> dict[str, str]:
        """By host, the last that each tracker had to say against us; a call for a thread."""
        return {host: " ".join(words.split())[:120] for host, words in _TRACKER.findall(self._log())}

    async def _start(self) -> bool:
        """Whether it runs, and answers."""
        self._port = _free_port()
        with disk_errors(self._folder):
            await asyncio.to_thread(self._prepare)
        log = self._stack.enter_context((self._folder / "aria2.log").open("wb"))
        conf = self._folder / "aria2.conf"
        argv = ["aria2c", f"--conf-path={conf}", f"--rpc-listen-port={self._port}"]
        argv.append(f"--stop-with-process={os.getpid()}")  # where the kernel does not see to it
        argv += [f"--{name}={value}" for name, value in {**_COMMON, **self._options}.items()]
        self._process = self._stack.enter_context(tethered(argv, stdout=log, stderr=log))
        try:
            async with asyncio.timeout(_START_S):
                while self._process.poll() is None:
                    with suppress(MachineError):
                        await self.call("aria2.getVersion")
                        return True
                    await asyncio.sleep(_LOOK_S)
        except (TimeoutError, RpcError):
            pass  # RpcError: another program's aria2 is there, with a secret of its own
        finally:
            conf.unlink(missing_ok=True)
        return False

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        conf = self._folder / "aria2.conf"
        conf.unlink(missing_ok=True)
        with os.fdopen(os.open(conf, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"rpc-secret={self._secret}\n")

    async def _close(self) -> None:
        self._stack.close()
        if self._http is not None:
            await self._http.close()

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._log().splitlines() if line.strip()]
        told = [line for line in lines if "errorCode" in line or "[ERROR]" in line] or lines
        return told[-1][-200:] if told else "it says nothing"

    def _log(self) -> str:
        try:
            with (self._folder / "aria2.log").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL))
                return file.read().decode(errors="replace")
        except OSError:
            return ""


_COMMON = {
    "enable-rpc": "true",
    "rpc-listen-all": "false",
    "rpc-max-request-size": str(256 * MIB),
    "rpc-save-upload-metadata": "false",
    "console-log-level": "notice",
    "enable-color": "false",
    "show-console-readout": "false",
    "summary-interval": "0",
    "check-certificate": "true",
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
