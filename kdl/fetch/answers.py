"""Reading HTTP answers: what a server's headers tell, and every failure in plain words."""

from __future__ import annotations

import errno
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from kdl.errors import FetchError, PermanentError, RetryCause, TransientError
from kdl.fetch.source import RemoteStat

_RANGE = re.compile(r"bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)", re.IGNORECASE)
_CODINGS = frozenset({"gzip", "x-gzip", "compress", "x-compress", "deflate", "br", "zstd"})
_HUNG_UP = "the other side hung up while it was made"
"""Of an error without a word of the system: asyncio's own for a TLS handshake that is cut off."""
_TRANSIENT_4XX = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)


def read_stat(url: str, headers: Mapping[str, str], size: int | None) -> RemoteStat:
    """What the headers of an answer about ``url`` tell of the object, whose ``size`` is known already."""
    coding = headers.get("Content-Encoding", "").strip().lower()
    return RemoteStat(
        url=url,
        size=size,
        etag=headers.get("ETag") or None,
        last_modified=headers.get("Last-Modified") or None,
        s3=_is_s3(headers) and tags_are_md5(headers),
        sha256=_sha256(headers),
        content_type=headers.get("Content-Type") or None,
        encoding=coding if _CODINGS & {part.strip() for part in coding.split(",")} else None,
    )


def _is_s3(headers: Mapping[str, str]) -> bool:
    known = headers.get("Server", "").lower() == "amazons3"
    return known or "x-amz-request-id" in headers or "x-amz-id-2" in headers


def tags_are_md5(headers: Mapping[str, str]) -> bool:
    """S3's ETags are made of MD5 digests, but for objects encrypted with keys of KMS or of the owner."""
    plain = headers.get("x-amz-server-side-encryption", "AES256") == "AES256"
    return plain and "x-amz-server-side-encryption-customer-algorithm" not in headers


def _sha256(headers: Mapping[str, str]) -> str | None:
    """S3's checksum of the whole object; one made of its parts' checksums ends in ``-`` and their number."""
    value = headers.get("x-amz-checksum-sha256", "")
    try:
        digest = b64decode(value, validate=True)
    except ValueError:
        return None
    whole = headers.get("x-amz-checksum-type", "FULL_OBJECT") == "FULL_OBJECT"
    return digest.hex() if whole and len(digest) == 32 else None


def content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None, int | None] | None:
    """(first, last, size) of a Content-Range, ``*`` as None; None where there is none to read."""
    match = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return None
    first, last, size = match.groups()
    return (
        None if first is None else int(first),
        None if last is None else int(last),
        None if size == "*" else int(size),
    )


def retry_after_header(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After asks for, given as seconds or as an HTTP date; None if unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def status_error(url: str, status: int, headers: Mapping[str, str], code: str | None = None) -> FetchError:
    """The error that an answer with this status is; ``code`` is S3's word for it, if it gave one."""
    words = " ".join(filter(None, (f"HTTP {status}", _phrase(status), f"({code})" if code else "")))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT_4XX:
        asked = retry_after_header(headers.get("Retry-After"))
        return TransientError(words, subject=url, status=status, retry_after=asked)
    return PermanentError(words, subject=url, status=status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def client_error(url: str, error: Exception, stall_s: float) -> FetchError:
    """What aiohttp raised for a request, as kdl's error."""
    match error:
        case aiohttp.TooManyRedirects():
            return PermanentError("it redirects in a loop", subject=url)
        case aiohttp.RedirectClientError():
            return PermanentError(f"it redirects to what is no http or https URL: {error}", subject=url)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return PermanentError("not an http or https URL", subject=url)
        case aiohttp.ClientHttpProxyError():
            found = status_error(url, error.status, error.headers or {})
            found.message = f"the proxy answered {found.message}"
            found.cause = RetryCause.PROXY
            return found
        case aiohttp.ClientResponseError():
            # aiohttp calls an answer that it can not parse a status 400.
            words = f"malformed answer: {_one_line(error.message)}"
            return TransientError(words, subject=url, cause=RetryCause.MALFORMED)
        case aiohttp.ClientPayloadError() if ConnectionResetError.__name__ in str(error):
            # aiohttp keeps what ended the connection in its words alone.
            return TransientError("the body broke off", subject=url, cause=RetryCause.RESET)
        case aiohttp.ClientPayloadError():
            return TransientError("the body broke off", subject=url, cause=RetryCause.TRUNCATED)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return _connect_error(url, error)
        case TimeoutError():
            words = f"stalled: no byte for {stall_s:g} s"
            return TransientError(words, subject=url, cause=RetryCause.STALL)
        case aiohttp.ServerDisconnectedError():
            words = "the server closed the connection"
            return TransientError(words, subject=url, cause=RetryCause.CLOSED)
        case _:
            words = f"the connection broke: {_one_line(error)}"
            return TransientError(words, subject=url, cause=RetryCause.RESET)


def _connect_error(
    url: str, error: aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
) -> FetchError:
    """No connection came about: the one kind of failure that speaks against the origin as a whole."""
    refused, cause = True, RetryCause.REFUSED
    match error:
        case aiohttp.ClientConnectorCertificateError():
            why = _one_line(error.certificate_error)
            words = f"its TLS certificate is not to be trusted: {why}"
            return PermanentError(words, subject=url, cause=RetryCause.TLS)
        case aiohttp.ClientSSLError():
            refused, cause = False, RetryCause.TLS
            words = f"no TLS connection: {_one_line(error.os_error)}"
        case aiohttp.ConnectionTimeoutError():
            words = "no connection within the time limit"
        case aiohttp.ClientConnectorDNSError():
            cause = RetryCause.DNS
            words = f"no address is known for host {error.host}"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=errno.EMFILE | errno.ENFILE)):
            refused, cause = False, RetryCause.MACHINE
            words = "this machine has no file descriptor left"
        case aiohttp.ClientProxyConnectionError():
            cause = RetryCause.PROXY
            words = f"no connection to the proxy: {error.strerror or _HUNG_UP}"
        case _:
            words = f"no connection: {error.strerror or _HUNG_UP}"
    return TransientError(words, subject=url, refused=refused, cause=cause)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
