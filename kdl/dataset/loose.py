"""Clips that lie loose at a host, one file each: how lists name them, and which of them make a bundle.

A bundle is a shard made of clips of one folder, in the order in which the list names them, so that what is
planned, fetched, recorded and told goes by some hundreds of clips, as with archives.
"""

from __future__ import annotations

import re

from kdl.urls import SCHEMES, encode_url, url_name
from kdl.values import Listed

BUNDLE_BYTES = 1_000_000_000
BUNDLE_CLIPS = 1000
_UNKNOWN = ("", "-")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_line(line: str, *, anywhere: bool = False) -> Listed:
    """A line, ``URL``, ``URL<tab>SIZE`` or ``URL<tab>SIZE<tab>SHA256``; ``-`` for what is not known.

    ``anywhere``: what kdl wrote itself may be of any scheme, a host's list names the web alone. Raises
    ValueError, saying why, for what is no such line.
    """
    url, *told = line.split("\t")
    size, sha256 = [*told, "", ""][:2]
    if len(told) > 2:
        raise ValueError("holds more than a URL, a size and a sha256")
    if size not in _UNKNOWN and not (size.isascii() and size.isdigit()):
        raise ValueError(f"no size in bytes: {size[:20]!r}")
    if sha256 not in _UNKNOWN and not _SHA256.fullmatch(sha256.lower()):
        raise ValueError(f"no sha256: {sha256[:70]!r}")
    return Listed(
        encode_url(url, schemes=SCHEMES) if anywhere else encode_url(url),
        None if size in _UNKNOWN else int(size),
        None if sha256 in _UNKNOWN else sha256.lower(),
    )


def is_loose(file: Listed, extensions: tuple[str, ...]) -> bool:
    """Whether it is a clip by its name, and no archive."""
    return url_name(file.url).endswith(extensions)
