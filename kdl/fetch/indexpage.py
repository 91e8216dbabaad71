"""Reading the pages by which web servers list a folder: those of nginx, Apache, lighttpd, Caddy and Python.

A name counts if its link leads to the very next level of the same folder on the same server; all other
links (the parent, the columns' orders, the maker's site) are passed over.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit

_TITLES = ("index of", "directory listing", "directory:")
_SIZE = re.compile(r"\d\d:\d\d(?::\d\d)?\s+(\d+)(?:\s|$)")
"""The time, then bytes; a rounded ``1.2M`` tells no size."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a listing."""

    name: str
    """Unquoted, without a slash."""
    is_folder: bool
    size: int | None = None
    """Bytes, where they are told exactly."""


def read_index(url: str, body: bytes) -> list[Entry] | None:
    """The entries of the folder ``url`` (with a slash at its end); None where the page is no listing."""
    text = body.decode("utf-8", "surrogateescape")
    if text.lstrip()[:1] == "[":
        return _read_json(text)
    page = _Page(url)
    page.feed(text)
    page.close()
    found = list(page.found.values())
    return found if found or page.title.strip().lower().startswith(_TITLES) else None


def _read_json(text: str) -> list[Entry] | None:
    """As Caddy (``is_dir``) and nginx's ``autoindex_format json`` (``type``) write it."""
    try:
        rows: list[Any] = json.loads(text)
        return [_row(row) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _row(row: dict[str, Any]) -> Entry:
    is_folder = bool(row.get("is_dir")) or row.get("type") == "directory"
    size = row.get("size")
    return Entry(row["name"].rstrip("/"), is_folder, None if is_folder or size is None else int(size))


class _Page(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.found: dict[str, Entry] = {}
        self.title = ""
        self._url = url
        self._at = urlsplit(url)
        self._in_title = False
        self._current: Entry | None = None
        self._behind = ""
        """The text since the link of ``_current``."""

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title"
        self._behind += " "
        if tag == "a":
            self._settle()
            self._current = self._entry(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        if tag == "a":
            self._behind = ""

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        self._behind += data

    def close(self) -> None:
        super().close()
        self._settle()

    def _settle(self) -> None:
        entry, self._current = self._current, None
        if entry is None:
            return
        told = None if entry.is_folder else _SIZE.search(self._behind)
        size = int(told[1]) if told else None
        if size is not None or entry.name not in self.found:
            self.found[entry.name] = Entry(entry.name, entry.is_folder, size)

    def _entry(self, href: str) -> Entry | None:
        if not href or "?" in href or "#" in href:
            return None
        try:
            there = urlsplit(urljoin(self._url, href))
        except ValueError:
            return None
        folder, parts = _parts(self._at), _parts(there)
        is_folder = parts[-1] == b""
        if is_folder:
            parts.pop()
        same_server = (there.scheme, there.netloc) == (self._at.scheme, self._at.netloc)
        if not same_server or parts[:-1] != folder[:-1] or not parts[-1] or b"/" in parts[-1]:
            return None
        return Entry(os.fsdecode(parts[-1]), is_folder)


def _parts(url: SplitResult) -> list[bytes]:
    return [unquote_to_bytes(part) for part in url.path.split("/")]
