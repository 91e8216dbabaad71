"""Where the objects of a manifest lie: its hosts, and the URLs written relative to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kdl.dataset.schema import malformed, near
from kdl.dataset.specs import Host, TorrentSpec
from kdl.urls import SCHEMES, encode_url

_HOST_NAME = re.compile(r"[a-z][a-z0-9-]*")
_TORRENT = "torrent://"
_INFOHASH = re.compile(r"[0-9a-f]{40}")
_TRACKERS = ("http://", "https://", "udp://")
_ABSOLUTE = tuple(f"{scheme}://" for scheme in SCHEMES)
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)


class Hosting:
    """The hosts of one manifest.

    ``file`` is for messages; ``bases`` maps names to base URLs. Raises ManifestError for a name or
    a base that is none.
    """

    def __init__(self, file: str, bases: Mapping[str, str]) -> None:
        self._file = file
        self.hosts = tuple(self._host(name, base) for name, base in bases.items())

    def url(self, key: str, text: str) -> str:
        """The absolute, percent-encoded URL of an object.

        ``text`` is ``SCHEME://…``, ``HOST:path``, or a path on the only host; blanks and the like
        may stand in it raw. Raises ManifestError, with ``key``, for what is none of these.
        """
        if text.startswith(_ABSOLUTE):
            return self._encode(key, text)
        if prefixed := _PREFIX.fullmatch(text):
            return self._encode(key, self._base(key, prefixed[1]) + self._path(key, prefixed[2]))
        if len(self.hosts) != 1:
            names = ", ".join(host.name for host in self.hosts) or "none"
            raise malformed(self._file, key, f"{text!r} needs its host, HOST:path; the hosts are: {names}")
        return self._encode(key, self.hosts[0].base + self._path(key, text))

    def torrent(self, table: Mapping[str, Any]) -> TorrentSpec | None:
        """What the manifest's ``[torrent]`` says, which may be nothing, of the hosts that are torrents.

        Raises ManifestError for a host that is none, and for a table without such hosts.
        """
        bases = [host.base for host in self.hosts if host.base.startswith(_TORRENT)]
        infohashes = tuple(base.removeprefix(_TORRENT).partition("/")[0].lower() for base in bases)
        for infohash in infohashes:
            if not _INFOHASH.fullmatch(infohash):
                reason = f"torrent://INFOHASH/ has 40 hexadecimal digits, not {infohash!r}"
                raise malformed(self._file, "hosts", reason)
        if not infohashes:
            if table:
                raise malformed(self._file, "torrent", "no host is a torrent, torrent://INFOHASH/")
            return None
        if "file" in table and len(infohashes) > 1:
            raise malformed(self._file, "torrent.file", "tells of one torrent, and several are hosts")
        trackers = tuple(table.get("trackers", ()))
        for tracker in trackers:
            if not tracker.startswith(_TRACKERS) or "," in tracker:
                reason = f"not an http, https or udp URL without a comma: {tracker!r}"
                raise malformed(self._file, "torrent.trackers", reason)
        file = self.url("torrent.file", table["file"]) if "file" in table else None
        return TorrentSpec(infohashes, file, trackers)

    def _host(self, name: str, base: str) -> Host:
        key = f"hosts.{name}"
        if not _HOST_NAME.fullmatch(name) or name in SCHEMES:
            raise malformed(self._file, key, "a host's name is lower-case letters, digits and -")
        if "?" in base or "#" in base:
            raise malformed(self._file, key, f"a base URL has no query and no fragment: {base}")
        return Host(name, self._encode(key, base.rstrip("/") + "/"))

    def _base(self, key: str, name: str) -> str:
        names = [host.name for host in self.hosts]
        if name not in names:
            hint = near(name, names) or f"the hosts are: {', '.join(names) or 'none'}"
            raise malformed(self._file, key, f"no host is named {name!r}", hint=hint)
        return self.hosts[names.index(name)].base

    def _path(self, key: str, path: str) -> str:
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise malformed(self._file, key, f"not a path below its host's base: {path!r}")
        return path

    def _encode(self, key: str, text: str) -> str:
        try:
            return encode_url(text, schemes=SCHEMES)
        except ValueError as error:
            raise malformed(self._file, key, f"{error}: {text!r}") from error
