"""Which URLs to ask for an object, in which order: a manifest's hosts and ``--origin``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kdl.errors import UsageError
from kdl.fetch.health import origin_of
from kdl.urls import place_url

DEFAULT = "default"
"""Stands for the manifest's own base among ``--origin`` values."""
_PLACE = re.compile(r"[a-z0-9]+://|[./~]", re.IGNORECASE)
"""How a URL begins, or the path of a folder."""
_EXAMPLE = "write it like --origin http://mirror.example.org/kinetics/"


class Origins:
    """Rebases every URL under one of a manifest's bases on the origins that take its place."""

    def __init__(self, hosts: Mapping[str, str], overrides: Sequence[str] = ()) -> None:
        """``hosts`` maps names to base URLs; ``overrides`` are ``--origin`` values in order.

        Each is ``URL``, ``default``, or ``BASE=URL`` (also ``BASE=default``) where BASE is a host's
        name or base URL. Raises UsageError for anything else, and for a plain URL where it is not
        clear which of several hosts it stands for.
        """
        self._bases = {name: _base(url, url) for name, url in hosts.items()}
        self._targets: dict[str, list[str]] = {base: [] for base in self._bases.values()}
        for override in overrides:
            for base, target in self._read(override):
                if target not in self._targets[base]:
                    self._targets[base].append(target)

    def candidates(self, url: str) -> list[str]:
        """The URLs to try for ``url``, in order: itself alone if it lies under no base."""
        under = [base for base in self._targets if _lies_under(url, base)]
        if not under:
            return [url]
        base = max(under, key=len)
        return [target + url[len(base) :] for target in self._targets[base] or [base]]

    def origin(self, url: str) -> str:
        """What serves a URL and fails as one.

        Of a file it is the folder that stands for a host: a disk that is gone is not held against another.
        """
        if not url.startswith("file:"):
            return origin_of(url)
        places = {*self._targets, *(target for targets in self._targets.values() for target in targets)}
        return max((place for place in places if _lies_under(url, place)), key=len, default=origin_of(url))

    def _read(self, override: str) -> list[tuple[str, str]]:
        """The pairs (base, what takes its place) that one ``--origin`` value means."""
        if override == DEFAULT:
            return [(base, base) for base in self._targets]
        for name, base in self._bases.items():
            for key in (name, base, f"{base}/"):
                if override.startswith(f"{key}="):
                    value = override[len(key) + 1 :]
                    return [(base, base if value == DEFAULT else _base(value, override))]
        if not _PLACE.match(override.partition("=")[0]):
            raise UsageError(self._unknown(override), subject=f"--origin {override}", fix=_EXAMPLE)
        if len(self._targets) != 1:
            raise UsageError(
                "this dataset has several hosts, so say which one the URL stands for",
                subject=f"--origin {override}",
                fix=f"--origin {self._some_name()}={override}",
            )
        return [(next(iter(self._targets)), _base(override, override))]

    def _unknown(self, override: str) -> str:
        names = ", ".join(self._bases) or "none"
        return (
            f"neither a URL, nor a folder's path, nor '{DEFAULT}', "
            f"nor HOST=URL with a host of this dataset ({names})"
        )

    def _some_name(self) -> str:
        return next(iter(self._bases), "HOST")


def _base(url: str, override: str) -> str:
    """A base URL in its one form: encoded, lower-case host, no slash at its end."""
    try:
        encoded = place_url(url)
    except ValueError as error:
        raise UsageError(str(error), subject=f"--origin {override}", fix=_EXAMPLE) from error
    if "?" in encoded:
        reason = "an origin is a base URL and has no query"
        raise UsageError(reason, subject=f"--origin {override}", fix=_EXAMPLE)
    base = encoded.rstrip("/")
    if base.endswith(":"):
        reason = "the root of all files is no origin"
        raise UsageError(reason, subject=f"--origin {override}", fix="name a folder: --origin /mnt/kinetics")
    return base


def _lies_under(url: str, base: str) -> bool:
    return url.startswith(base) and url[len(base) : len(base) + 1] in ("", "/", "?")
