"""URLs as people and link lists write them, made fit for a request."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_PARTS = re.compile(r"(https?)://([^/?#\s]+)(/[^?]*)?(?:\?(.*))?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(?:[^@\s]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"(%[0-9A-Fa-f]{2})")
_QUERY_SAFE = "/?:@!$&'()*+,;=~"
_LOGIN = re.compile(r"(https?://)[^/?#\s'\"]*@", re.IGNORECASE)
_ASKED = re.compile(r"(https?://[^?#\s'\"]*[?#])[^\s'\"]+", re.IGNORECASE)


def encode_url(line: str) -> str:
    """One line of a link list as a URL that can be requested.

    The hosts write object names raw: blanks, brackets, quotes, ``+`` (which S3 reads as a blank
    unless encoded) and ``#`` belong to the name and are percent-encoded; ``%XX`` that is there
    already stays, so encoding twice changes nothing. A query is kept. Scheme and host become lower
    case. Raises ValueError, saying why, for what is no http or https URL.
    """
    text = line.strip()
    if _CONTROL.search(text):
        raise ValueError("holds control characters")
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError("not an http or https URL")
    scheme, authority, path, query = parts.groups()
    host = _AUTHORITY.fullmatch(authority)
    if host is None or int(host[1] or 0) > 65535:
        raise ValueError(f"not a host name: {authority}")
    user, at, name = authority.rpartition("@")
    url = f"{scheme.lower()}://{user}{at}{name.lower()}{_quote(path or '/', '/')}"
    return url if query is None else f"{url}?{_quote(query, _QUERY_SAFE)}"


def url_name(url: str) -> str:
    """The file name at the end of a URL's path, unquoted; empty where the path ends in ``/``."""
    path = url.partition("?")[0].partition("#")[0].split("://", 1)[-1]
    return unquote(path.rpartition("/")[2]) if "/" in path else ""


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
