"""Telling an object's bytes from what servers send in their place."""

from __future__ import annotations

import re
import zlib

from kdl.errors import PermanentError
from kdl.fetch.source import RemoteStat

HEAD = 1024
"""Bytes from an object's beginning that are enough to judge by."""

_BLANK = b"\xef\xbb\xbf \t\r\n"
_SIGNS = ((b"<!doctype html", "an HTML page"), (b"<html", "an HTML page"), (b"<error>", "an XML error page"))
_S3_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9.]{1,60})\s*</Code>")
_GZIP = b"\x1f\x8b"
_GZIP_NAMES = (".gz", ".tgz")
_GZIP_CODINGS = ("gzip", "x-gzip")


def s3_code(body: bytes) -> str | None:
    """The ``<Code>`` of S3's error document: ``NoSuchKey``, ``SlowDown`` …"""
    match = _S3_CODE.search(body)
    return match[1].decode() if match else None


def page_in_place(head: bytes, content_type: str | None) -> str | None:
    """What the body is, in words, if it is a page and no archive, list or table; else None.

    ``head`` holds the first bytes of the body. A Content-Type alone condemns nothing: some hosts
    serve every file as text/html.
    """
    text = head.lstrip(_BLANK)
    start = text[:16].lower()
    named = next((words for sign, words in _SIGNS if start.startswith(sign)), None)
    kind = (content_type or "").lower()
    if named is None and start.startswith(b"<?xml"):
        named = "an HTML page" if b"<html" in text.lower() else "an XML page"
    if named is None and start.startswith(b"<") and ("html" in kind or "xml" in kind):
        named = "an HTML page" if "html" in kind else "an XML page"
    code = s3_code(text) if named else None
    return f"{named} ({code})" if code else named


def refuse_misfit(head: bytes, stat: RemoteStat) -> None:
    """Raise PermanentError if the body that begins with ``head`` is not the object itself."""
    page = page_in_place(head, stat.content_type)
    if page is not None:
        raise PermanentError(f"{page} came in place of the data", subject=stat.url)
    if stat.encoding is not None and not _stored_compressed(head, stat):
        raise PermanentError(
            f"the server compresses it on the way, unasked (Content-Encoding: {stat.encoding})",
            subject=stat.url,
        )


def _stored_compressed(head: bytes, stat: RemoteStat) -> bool:
    """Whether the Content-Encoding only names what the stored file is anyway.

    Web servers and S3 uploads often label a .tar.gz so; its bytes are right. Compressed once more on
    the way, it would inflate to a gzip file.
    """
    path = stat.url.partition("?")[0].lower()
    if stat.encoding not in _GZIP_CODINGS or not path.endswith(_GZIP_NAMES):
        return False
    try:
        inner = zlib.decompressobj(wbits=31).decompress(head, len(_GZIP))
    except zlib.error:
        return True
    return inner != _GZIP
