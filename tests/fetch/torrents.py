"""Swarms on the loopback address: aria2 as seeder, found through the distributed table or a small tracker."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bencode2 import bencode

from kdl.fetch.aria2 import Aria2
from kdl.fetch.torrentoptions import TorrentHints, TorrentOptions

PIECE = 1 << 16


@dataclass(frozen=True)
class Torrent:
    """A torrent that a test made."""

    folder: Path
    """What it holds."""
    file: Path
    """Its ``.torrent``."""
    infohash: str

    @property
    def url(self) -> str:
        return f"torrent://{self.infohash}/"


def make_torrent(folder: Path, file: Path, *, piece: int = PIECE, announce: str = "") -> Torrent:
    """The torrent of all files under ``folder``, in the order of their paths."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    data = b"".join(path.read_bytes() for path in paths)
    digests = (hashlib.sha1(data[at : at + piece]).digest() for at in range(0, len(data), piece))
    files = [
        {b"length": path.stat().st_size, b"path": [part.encode() for part in path.relative_to(folder).parts]}
        for path in paths
    ]
    info = {
        b"files": files,
        b"name": folder.name.encode(),
        b"piece length": piece,
        b"pieces": b"".join(digests),
    }
    named = {b"announce": announce.encode()} if announce else {}
    file.write_bytes(bencode({**named, b"info": info}))
    return Torrent(folder, file, hashlib.sha1(bencode(info)).hexdigest())


def fill(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The folder with these files in it."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def free_port() -> int:
    """One that is free over TCP and UDP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return int(tcp.getsockname()[1])


def free_ports() -> str:
    """A range that begins with one: another test may be quicker."""
    first = free_port()
    return f"{first}-{min(first + 50, 65535)}"


@contextmanager
def seeding(torrent: Torrent, log: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """aria2 as a seeder of the torrent, with ``more`` options."""
    own = [
        "--no-conf=true",
        f"--dir={torrent.folder.parent}",
        "--seed-ratio=0",
        "--check-integrity=true",
        "--console-log-level=info",
        "--show-console-readout=false",
        *more,
        str(torrent.file),
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(["aria2c", *own], stdout=file, stderr=file)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Swarm:
    """A swarm of one seeder, and the options by which it is found."""

    seeder: subprocess.Popen[bytes]
    options: TorrentOptions

    def kill(self) -> None:
        """The seeder goes without a word."""
        self.seeder.kill()
        self.seeder.wait()


@contextmanager
def tracked(torrent: Torrent, tmp: Path, *more: str) -> Iterator[Swarm]:
    """A seeder that a tracker on the loopback address knows: it is found at once."""
    with Tracker() as tracker:
        own = [f"--listen-port={free_ports()}", "--enable-dht=false", f"--bt-tracker={tracker.url}", *more]
        with seeding(torrent, tmp / "seeder.log", *own) as seeder:
            tracker.wait_for_a_peer()
            hints = ((torrent.infohash, TorrentHints(trackers=(tracker.url,))),)
            options = TorrentOptions(hints=hints, listen=free_ports(), dht=False, lsd=False)
            yield Swarm(seeder, options)


@contextmanager
def trackerless(torrent: Torrent, tmp: Path) -> Iterator[Swarm]:
    """A seeder that the distributed table knows.

    In a table of two each would learn of itself alone, so a third node, with a torrent of its own, is there.
    """
    bystander = make_torrent(fill(tmp / "bystander" / "b", {"x": b"x"}), tmp / "bystander.torrent")
    ports = [free_port(), free_port()]

    def node(own: int, other: int) -> list[str]:
        entry = f"--dht-entry-point=127.0.0.1:{other}"
        kept = f"--dht-file-path={tmp / f'{own}.dat'}"
        return [f"--listen-port={own}", f"--dht-listen-port={own}", "--enable-dht=true", entry, kept]

    with ExitStack() as stack:
        stack.enter_context(seeding(bystander, tmp / "bystander.log", *node(ports[0], ports[1])))
        seeder = stack.enter_context(seeding(torrent, tmp / "seeder.log", *node(ports[1], ports[0])))
        entry = f"127.0.0.1:{ports[0]}"
        yield Swarm(seeder, TorrentOptions(listen=free_ports(), dht_entry=entry, lsd=False))


class Tracker:
    """Tells everybody of everybody else, as a context manager."""

    def __init__(self, refusal: bytes = b"") -> None:
        """With a ``refusal`` it tells nothing else."""
        peers: dict[bytes, None] = {}
        self._known = threading.Event()

        known = self._known

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                port = int(parse_qs(urlsplit(self.path).query)["port"][0])
                mine = socket.inet_aton(self.client_address[0]) + port.to_bytes(2, "big")
                others = b"".join(peer for peer in peers if peer != mine)
                peers[mine] = None
                known.set()
                answer = {b"failure reason": refusal} if refusal else {b"interval": 1, b"peers": others}
                body = bencode(answer)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/announce"

    def wait_for_a_peer(self) -> None:
        assert self._known.wait(60)

    def __enter__(self) -> Tracker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


async def seeding_all(seeder: Aria2, torrent: Torrent) -> None:
    """Have a running aria2 seed one more torrent."""
    encoded = b64encode(torrent.file.read_bytes()).decode()
    await seeder.call("aria2.addTorrent", encoded, [], {"dir": str(torrent.folder.parent)})
