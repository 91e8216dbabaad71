"""A folder served by a real nginx on loopback, whose ETags are no digests, with a log to ask later."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_S = 10.0
_TRIES = 3
_CONF = """
{user}
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{}}
http {{
    default_type application/octet-stream;
    log_format asked escape=json '{{"method":"$request_method","key":"$uri","range":"$http_range",'
        '"if_range":"$http_if_range","status":$status,"sent":$body_bytes_sent}}';
    access_log {work}/access.log asked;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    keepalive_timeout 5;
    sendfile on;
    server {{
        listen 127.0.0.1:{port}{listen};
        root "{root}";
        limit_rate {rate};
        autoindex {listing};
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as nginx logged it, which it does when the answer ends."""

    method: str
    key: str
    """The object's name, decoded, without a slash in front."""
    range: str
    if_range: str
    status: int
    sent: int
    """Bytes of the body handed to the connection."""


@dataclass(slots=True)
class Nginx:
    """A server that :func:`serve` runs."""

    url: str
    """Its base, with a slash at the end."""
    log: Path
    ended: str | None = None
    """The whole log, once the server has ended and its folder is gone."""

    def asked(self) -> list[Asked]:
        """All requests that have ended so far; all of them once the ``with`` block has been left."""
        text = self.log.read_text() if self.ended is None else self.ended
        rows = [json.loads(line) for line in text.splitlines()]
        return [Asked(**{**row, "key": row["key"].lstrip("/")}) for row in rows]


@contextmanager
def serve(
    directory: Path, *, limit_rate: int = 0, exact: bool = True, listing: bool = False
) -> Iterator[Nginx]:
    """Serves ``directory`` while the block lasts; ``limit_rate`` in bytes a second and connection.

    ``exact``: a small send buffer keeps what is logged as sent near what the client has read. ``listing``:
    folders are listed.
    Raises FileNotFoundError where there is no nginx, RuntimeError where it does not start.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("nginx is not installed; `make test` installs it")
    with tempfile.TemporaryDirectory(prefix="kdl-nginx-") as folder:
        work = Path(folder)
        filled = {"root": directory.resolve(), "rate": limit_rate, "listen": " sndbuf=32k" if exact else ""}
        process, port = _start(program, work, filled | {"listing": "on" if listing else "off"})
        server = Nginx(f"http://127.0.0.1:{port}/", work / "access.log")
        try:
            yield server
        finally:
            process.terminate()
            process.wait(timeout=_START_S)
            server.ended = server.log.read_text()


def _start(program: str, work: Path, filled: dict[str, object]) -> tuple[subprocess.Popen[bytes], int]:
    """A server that answers; another port where a stranger has taken ours in between."""
    conf = work / "nginx.conf"
    # the master drops root's rights for its workers, who then could not read pytest's folders
    user = "user root;" if os.geteuid() == 0 else ""
    for _ in range(_TRIES):
        port = _free_port()
        conf.write_text(_CONF.format(user=user, work=work, port=port, **filled))
        command = [program, "-p", str(work), "-c", str(conf), "-e", str(work / "error.log")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if _answers(process, port):
            return process, port
        process.kill()
        process.wait()
    raise RuntimeError(f"nginx does not start: {(work / 'error.log').read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False
