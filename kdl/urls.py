"""URLs as people and link lists write them, made fit for a request."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes

WEB = ("http", "https")
SCHEMES = (*WEB, "file", "s3", "gdrive", "torrent")
"""What kdl fetches over. What a host's list names is of the web; the others are a person's to name."""

_PARTS = re.compile(r"([a-z][a-z0-9]*)://([^/?#\s]*)(/[^?]*)?(?:\?(.*))?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(?:[^@\s]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"(%[0-9A-Fa-f]{2})")
_BUNDLE = re.compile(r"/\?bundle=[0-9]+$")
_QUERY_SAFE = "/?:@!$&'()*+,;=~"
_LOGIN = re.compile(r"(https?://)[^/?#\s'\"]*@", re.IGNORECASE)
_ASKED = re.compile(r"(https?://[^?#\s'\"]*[?#])[^\s'\"]+", re.IGNORECASE)


def encode_url(line: str, *, schemes: Sequence[str] = WEB) -> str:
    """One line of a link list as a URL that can be requested.

    The hosts write object names raw: blanks, brackets, quotes, ``+`` (which S3 reads as a blank
    unless encoded) and ``#`` belong to the name and are percent-encoded; ``%XX`` that is there
    already stays, so encoding twice changes nothing. A query is kept. The scheme and a web host become
    lower case. Raises ValueError, saying why, for what is no URL of one of ``schemes``.
    """
    text = line.strip()
    if _CONTROL.search(text):
        raise ValueError("holds control characters")
    parts = _PARTS.fullmatch(text)
    scheme = parts[1].lower() if parts else ""
    if parts is None or scheme not in schemes or not (parts[2] or scheme == "file"):
        raise ValueError(f"not an {', '.join(schemes[:-1])} or {schemes[-1]} URL")
    _, authority, path, query = parts.groups()
    url = f"{scheme}://{_authority(scheme, authority)}{_quote(path or '/', '/')}"
    return url if query is None else f"{url}?{_quote(query, _QUERY_SAFE)}"


def _authority(scheme: str, text: str) -> str:
    """The part of a URL that names its host, or whatever stands there; files have none."""
    host = _AUTHORITY.fullmatch(text)
    if text and scheme == "file":
        raise ValueError(f"a file URL has three slashes and names no host: file:///{text}/…")
    if scheme != "file" and (host is None or int(host[1] or 0) > 65535):
        raise ValueError(f"not a host name: {text}")
    user, at, name = text.rpartition("@")
    return f"{user}{at}{name.lower() if scheme in WEB else name}"


def place_url(text: str) -> str:
    """What a person wrote for a place to fetch from, as a URL: one of any of :data:`SCHEMES`, or a folder.

    A path (``/mnt/kinetics``, ``./mirror``, ``~/k``) becomes a ``file`` URL. Raises ValueError, saying why.
    """
    if text.startswith(("/", ".", "~")):
        try:
            path = Path(text).expanduser().absolute()
        except RuntimeError as error:
            raise ValueError(f"no such user's folder: {text}") from error
        # As the kernel has it: behind a link, `..` is another folder than the text says.
        return (path.resolve() if ".." in path.parts else path).as_uri()
    return encode_url(text, schemes=SCHEMES)


def file_path(url: str) -> Path:
    """The path of a ``file`` URL. Raises ValueError where it climbs (``..``) or can be none."""
    raw = unquote_to_bytes(url.partition("?")[0].removeprefix("file://"))
    if b".." in raw.split(b"/"):
        raise ValueError("leads out of its folder by '..'")
    if not raw.startswith(b"/") or b"\0" in raw:
        raise ValueError("not the path of a file")
    return Path(os.fsdecode(raw))


def folder_of(url: str) -> str:
    """The URL of a file's folder, with a slash at its end."""
    return url.partition("?")[0].rpartition("/")[0] + "/"


def folder_name(folder: str) -> str:
    """The name of a folder by its URL, unquoted: ``driving car``."""
    return unquote(folder.partition("?")[0].rstrip("/").rpartition("/")[2])


def url_name(url: str) -> str:
    """The file name at the end of a URL's path, unquoted; empty where the path ends in ``/``."""
    path = url.partition("?")[0].partition("#")[0].split("://", 1)[-1]
    return unquote(path.rpartition("/")[2]) if "/" in path else ""


def bundle_url(folder: str, part: int) -> str:
    """The URL of a bundle: so many files of the folder at a URL that ends in ``/``."""
    return f"{folder}?bundle={part}"


def is_bundle(url: str) -> bool:
    """Whether it is such a URL, at which no host has anything."""
    return _BUNDLE.search(url) is not None


def _quote(text: str, safe: str) -> str:
    """Percent-encode all but ``safe`` and the escapes that are there already."""
    pieces = _ESCAPE.split(text)
    return "".join(piece if at % 2 else quote(piece, safe=safe) for at, piece in enumerate(pieces))


def hide_logins(text: str) -> str:
    """A text in whose URLs names and passwords are hidden: ``https://***@host/path?query``."""
    return _LOGIN.sub(r"\1***@", text)


def hide_secrets(text: str) -> str:
    """The same with queries hidden as well: ``https://***@host/path?***``."""
    return _ASKED.sub(r"\1***", hide_logins(text))


def only_host(url: str) -> str:
    """A URL whose path may be a secret as well: ``https://host/***``."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0].rpartition('@')[2]}/***"
