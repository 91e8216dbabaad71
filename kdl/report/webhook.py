"""Telling somebody else's server of trouble: one POST of JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_BUSY = frozenset(range(500, 600)).union(_AGAIN)


async def post(
    url: str, told: Mapping[str, Any], *, timeout_s: float = 10.0, tries: int = 3, pause_s: float = 2.0
) -> str:
    """POST ``told``; why it did not arrive, empty if it did. Never raises, never names the URL.

    Each try has ``timeout_s`` seconds. What may be better later (no connection, no answer, 408, 429, 5xx)
    is tried again after ``pause_s``, and after twice that. A redirect is not followed.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    reason = ""
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        for attempt in range(tries):
            if attempt:
                await asyncio.sleep(pause_s * 2 ** (attempt - 1))
            try:
                async with session.post(URL(url, encoded=True), json=told, allow_redirects=False) as answer:
                    if answer.ok and answer.status < HTTPStatus.MULTIPLE_CHOICES:
                        return ""
                    reason = f"it answers {answer.status}"
                    if answer.status not in _BUSY:
                        return reason
            except TimeoutError:
                reason = f"no answer within {timeout_s:g} s"
            except (aiohttp.ClientError, OSError, ValueError) as error:
                # Their messages may hold the URL; what kind of trouble it is says enough.
                reason = _words(error)
    return f"{reason}, {tries} times" if tries > 1 else reason


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not to be trusted"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name has no address"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.strerror or 'refused'})"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "it closed the connection without an answer"
    return f"the request failed ({type(error).__name__})"
