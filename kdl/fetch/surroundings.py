"""What this machine's environment says of a host: its proxy, and who logs in there."""

from __future__ import annotations

import netrc
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.request import getproxies, proxy_bypass

from yarl import URL


@dataclass(frozen=True, slots=True)
class Way:
    """How a host is reached."""

    proxy: str | None = None
    """Its URL, with a login in it if it needs one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The login, if one is known."""


class Surroundings:
    """``http_proxy``, ``https_proxy``, ``no_proxy`` and ``~/.netrc`` (or ``$NETRC``), each host asked once.

    aiohttp asks the same (``trust_env``), but reads the file and starts a thread for every request.
    """

    def __init__(self) -> None:
        self._ways: dict[tuple[str, str], Way] = {}

    def way_to(self, url: URL) -> Way:
        at = (url.scheme, url.host or "")
        if at not in self._ways:
            self._ways[at] = Way(_proxy(*at), self._login(at[1]))
        return self._ways[at]

    def _login(self, host: str) -> dict[str, str]:
        found = self._netrc.authenticators(host) if self._netrc else None
        if found is None:
            return {}
        return {"Authorization": f"Basic {b64encode(f'{found[0]}:{found[2]}'.encode()).decode()}"}

    @cached_property
    def _netrc(self) -> netrc.netrc | None:
        """None where there is no such file, or none that can be read."""
        try:
            return netrc.netrc(os.environ.get("NETRC"))
        except (OSError, netrc.NetrcParseError):
            return None


def _proxy(scheme: str, host: str) -> str | None:
    proxy = None if proxy_bypass(host) else getproxies().get(scheme)
    if proxy and "://" not in proxy:
        return f"http://{proxy}"
    # aiohttp speaks to no other kind; `kdl doctor` says so.
    return proxy if proxy and proxy.startswith(("http://", "https://")) else None
