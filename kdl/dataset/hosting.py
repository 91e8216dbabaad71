"""Where the objects of a manifest lie: its hosts, and the URLs written relative to them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kdl.dataset.schema import malformed, near
from kdl.dataset.specs import Host
from kdl.urls import SCHEMES, encode_url

_HOST_NAME = re.compile(r"[a-z][a-z0-9-]*")
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
