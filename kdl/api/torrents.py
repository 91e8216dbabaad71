"""What callers say of torrents, read."""

from __future__ import annotations

import re
from typing import Any

from kdl.api.words import PathLike, Words, at_least, read_optional, read_size, read_splits
from kdl.errors import UsageError
from kdl.fetch.torrentoptions import DHT_ENTRY, DISCOVERIES, LISTEN_PORTS, TorrentOptions

__all__ = ["DHT_ENTRY", "DISCOVERIES", "LISTEN_PORTS", "NONE", "read_torrent"]

NONE = "none"
"""Stands for no way at all to discover peers."""
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_NODE = re.compile(r"[A-Za-z0-9._-]+:(\d{1,5})")
_PORT_RANGE = (1024, 65535)


def read_torrent(
    *,
    torrent: PathLike | None = None,
    listen_ports: str | int = LISTEN_PORTS,
    discovery: Words = DISCOVERIES,
    dht_entry: str = DHT_ENTRY,
    limit_upload: int | str | None = None,
    seed_ratio: float | None = None,
    seed_time: float | None = None,
) -> TorrentOptions:
    """The options of torrents. Raises UsageError for a value that none of them has."""
    ways = [way for way in read_splits(discovery) if way != NONE]
    for way in ways:
        if way not in DISCOVERIES:
            fix = f"write {','.join(DISCOVERIES)}, some of them, or {NONE}"
            raise UsageError("there is no such way to peers", subject=f"discovery={way!r}", fix=fix)
    if not (node := _NODE.fullmatch(dht_entry)) or int(node[1]) > _PORT_RANGE[1]:
        raise UsageError("not HOST:PORT", subject=f"dht_entry={dht_entry!r}", fix=f"as in {DHT_ENTRY}")
    return TorrentOptions(
        metainfo=read_optional(torrent),
        listen=_ports(str(listen_ports)),
        dht="dht" in ways,
        pex="pex" in ways,
        lsd="lsd" in ways,
        dht_entry=dht_entry,
        limit_upload=None if limit_upload is None else read_size(limit_upload),
        seed_ratio=_positive("seed_ratio", seed_ratio),
        seed_min=_positive("seed_time", seed_time),
    )


def _ports(text: str) -> str:
    found = _PORTS.fullmatch(text)
    ports = [int(port) for port in found.groups() if port] if found else []
    if (
        not ports
        or sorted(ports) != ports
        or not all(_PORT_RANGE[0] <= port <= _PORT_RANGE[1] for port in ports)
    ):
        fix = f"write a port or a range, as in {LISTEN_PORTS}, from {_PORT_RANGE[0]} to {_PORT_RANGE[1]}"
        raise UsageError("no ports to listen on", subject=f"listen_ports={text!r}", fix=fix)
    return text


def _positive(name: str, value: float | None) -> Any:
    return at_least(name, value, 0.0)
