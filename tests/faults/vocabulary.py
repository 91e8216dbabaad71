"""Every way in which a network misbehaves, by name: what passes and is borne, and what lasts.

A fault is told as acts of the hostile origin. It depends on the object it befalls, so it is a function of
the object's body.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults.hostile import Act

Script = Callable[[bytes], Sequence[Act]]
"""The acts of the first requests for an object with this body."""

HTML = b"<!DOCTYPE html>\n<html><body>Please sign in to the network of this hotel</body></html>\n"
S3_ERROR = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>later</Message></Error>'
)
NO_RANGE = (("Content-Range", ""),)


def part(body: bytes) -> int:
    """Where transfers break off."""
    return len(body) // 3


def cut(body: bytes) -> Act:
    return Act(close_after=part(body))


def flipped(body: bytes, at: int | None = None) -> bytes:
    """One bit of it has flipped, in the middle unless told otherwise."""
    at = len(body) // 2 if at is None else at
    return body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :]


def other_version(body: bytes) -> bytes:
    """As long, and not the same."""
    return body[: part(body)] + body[: part(body) - 1 : -1]


def busy(status: int, **how: str | float) -> Act:
    """Out of order for a moment: ``seconds`` or ``retry_in`` say for how long."""
    seconds = how.get("seconds")
    headers = (("Retry-After", str(seconds)),) if seconds is not None else ()
    retry_in = how.get("retry_in")
    return Act(status, b"", headers=headers, retry_in=None if retry_in is None else float(retry_in))


def redirect(target: str, status: int = 302) -> Act:
    return Act(status, headers=(("Location", target),))


def then(*scripts: Script) -> Script:
    """One after the other."""
    return lambda body: [act for script in scripts for act in script(body)]


def once(act: Act) -> Script:
    return lambda _: [act]


PASSING: dict[str, Script] = {
    "closed at once": once(Act(close_after=0)),
    "closed after a byte": once(Act(close_after=1)),
    "closed half-way": lambda body: [cut(body)],
    "closed before the last byte": lambda body: [Act(close_after=len(body) - 1)],
    "reset at once": once(Act(reset_after=0)),
    "reset half-way": lambda body: [Act(reset_after=part(body))],
    "stalled at once": once(Act(stall_after=0)),
    "stalled half-way": lambda body: [Act(stall_after=part(body))],
    "stalled behind the last byte": lambda body: [Act(claim=len(body) + 1000)],
    "closed, refused, reset and stalled": lambda body: [
        Act(close_after=part(body) // 2),
        Act(502),
        Act(reset_after=part(body)),
        Act(stall_after=part(body) // 4),
    ],
    "shorter than told": lambda body: [Act(claim=len(body) + 1000, close_after=len(body))],
    "longer than told": lambda body: [Act(claim=part(body))],
    "chunked": once(Act(chunked=True)),
    "chunked and cut": lambda body: [Act(chunked=True, close_after=part(body))],
    "chunked and cut behind the last byte": lambda body: [Act(chunked=True, close_after=len(body))],
    "chunked without an end": once(Act(endless="tail")),
    "of untold length": once(Act(unsized=True)),
    "of untold length and cut": lambda body: [Act(unsized=True, close_after=part(body))],
    "408": once(Act(408)),
    **{f"{status}": once(busy(status)) for status in (429, 500, 503)},
    **{f"{status}, three times": lambda _, s=status: [busy(s)] * 3 for status in (429, 500, 503)},  # type: ignore[misc]
    "no answer": once(Act(silent=True)),
    "hung up": lambda _: [Act(hang_up=True)] * 2,  # the client itself asks once more
    "garbage for a status line": once(Act(garbage=b"\x00\x16\x03 what is this\r\n\r\n")),
    "garbage for headers": once(Act(garbage=b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")),
    "cut headers": once(Act(garbage=b"HTTP/1.1 200 OK\r\nContent-Le")),
    "slow headers": once(Act(drip=0.02)),
    "headers without an end": once(Act(endless="head")),
    "the whole for a range": lambda body: [cut(body), Act(ignore_range=True)],
    "the whole for a range, untagged": lambda body: [cut(body), Act(ignore_range=True, etag="")],
    "a range from the start": lambda body: [
        cut(body),
        Act(content_range=f"bytes 0-{len(body) - 1}/{len(body)}"),
    ],
    "a range beyond the end": lambda body: [
        cut(body),
        Act(content_range=f"bytes {part(body)}-{len(body) + 9}/{len(body) + 10}"),
    ],
    "a range of another size": lambda body: [
        cut(body),
        Act(content_range=f"bytes {part(body)}-{len(body) - 1}/7"),
    ],
    "a range without its place": lambda body: [cut(body), Act(206, b"x" * 1000)],
    "a range that can not be read": lambda body: [cut(body), Act(content_range="bytes some")],
    "a smaller range than asked for": lambda body: [
        cut(body),
        Act(
            206,
            body[part(body) : part(body) + 9],
            headers=(("Content-Range", f"bytes {part(body)}-{part(body) + 8}/{len(body)}"),),
        ),
    ],
    "416": lambda body: [cut(body), Act(416, headers=(("Content-Range", f"bytes */{part(body) - 9}"),))],
    "416 without a word": lambda body: [cut(body), Act(416)],
    "another tag for the rest": lambda body: [cut(body), Act(etag='"other"')],
    "another tag under a 206": lambda body: [cut(body), Act(headers=(("ETag", '"other"'),))],
    "no tag for the rest": lambda body: [cut(body), Act(etag="")],
    "another version for the rest": lambda body: [cut(body), Act(body=other_version(body), etag='"other"')],
    "a page for the rest": lambda body: [cut(body), Act(body=HTML, etag='"page"', ignore_range=True)],
    "another version under the same tag": lambda body: [Act(body=other_version(body))],
    "another version first": lambda body: [
        Act(body=other_version(body), etag='"old"', close_after=part(body))
    ],
    "a tag for each request": lambda body: [Act(etag=f'"{n}"', close_after=part(body)) for n in range(3)],
    "a flipped byte": lambda body: [Act(body=flipped(body))],
    "a flipped byte, then cut": lambda body: [
        Act(body=flipped(body, part(body) // 2), close_after=part(body))
    ],
    "closed behind a good answer": once(Act(close=True)),
}
"""What is over after the first requests: the run ends as if nothing had been."""


def of_the_rest(fault: str) -> bool:
    """Whether it befalls the request for the rest, and so only what is large enough to be resumed."""
    body = bytes(9999)
    first, *others = PASSING[fault](body)
    return fault.startswith("a tag") or (first == cut(body) and others != [])


def before_the_body(fault: str) -> bool:
    """Whether it is over before the first byte of a body comes."""
    acts = PASSING[fault](bytes(9999))
    return all(a.status or a.silent or a.hang_up or a.garbage or a.drip or a.endless == "head" for a in acts)


def stalls(fault: str) -> bool:
    """Whether it is known by time alone."""
    return "stall" in fault or "without an end" in fault or fault == "no answer"


RETRY_AFTER: dict[str, Act] = {
    **{f"{status} in seconds": busy(status, seconds="1") for status in (429, 500, 503)},
    **{f"{status} until a date": busy(status, retry_in=2.0) for status in (429, 500, 503)},
    **{f"{status} until a date that is past": busy(status, retry_in=-3600) for status in (429, 503)},
    "503 until no date": busy(503, seconds="soon"),
}

BORNE: dict[str, Script] = {
    "chunked": once(Act(chunked=True)),
    "of untold length": once(Act(unsized=True)),
    "closed behind every answer": once(Act(close=True)),
    "closed after a part, always": lambda body: [Act(close_after=max(len(body) // 4, 2000))],
    "reset after a part, always": lambda body: [Act(reset_after=max(len(body) // 3, 2000))],
    "without ranges": once(Act(ignore_range=True, headers=(("Accept-Ranges", ""),))),
    "without a tag": once(Act(etag="")),
    "a weak tag": once(Act(etag='W/"weak"')),
    "a wrong Content-Type": once(Act(headers=(("Content-Type", "text/html"),))),
    "Content-Encoding: identity": once(Act(headers=(("Content-Encoding", "identity"),))),
    "slow headers": once(Act(drip=0.02)),
}
"""What lasts and does no harm: the first act of the script goes on for ever."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """What does not pass: each request is answered so, until somebody mends it."""

    always: Callable[[bytes], Act]
    words: str
    """In the finding; a regular expression."""
    first: Script = lambda _: []
    """Before that."""
    kept: tuple[int, ...] = ()
    """Which of a shard's three clips are had all the same, provisionally."""
    heads: bool = False
    """HEAD is answered so as well."""
    asked_once: bool = False
    """It is of no use to ask again."""


def _always(act: Act) -> Callable[[bytes], Act]:
    return lambda _: act


LASTING: dict[str, Lasting] = {
    "closed at once": Lasting(_always(Act(close_after=0)), "the body broke off"),
    "reset at once": Lasting(_always(Act(reset_after=0)), "broke"),
    "stalled at once": Lasting(_always(Act(stall_after=0)), "stalled: no byte for"),
    "stalled half-way": Lasting(
        _always(Act(stall_after=0)), "stalled: no byte for", first=lambda b: [cut(b)]
    ),
    "shorter than told": Lasting(
        lambda b: Act(claim=len(b) + 9, close_after=len(b)), "broke off|another one now", kept=(0, 1, 2)
    ),
    # Told by the bytes that are in the way of the next answer, or by the digest of those before.
    "longer than told": Lasting(lambda b: Act(claim=part(b)), "malformed answer|digest"),
    **{f"{status}": Lasting(_always(busy(status)), f"HTTP {status}") for status in (429, 500, 503)},
    **{
        f"{status}": Lasting(_always(Act(status)), f"HTTP {status}", heads=True, asked_once=True)
        for status in (403, 404, 410)
    },
    "404 to GET alone": Lasting(_always(Act(404)), "HTTP 404", asked_once=True),
    "204": Lasting(_always(Act(204)), "HTTP 204", asked_once=True),
    "416 for all": Lasting(_always(Act(416)), "HTTP 416", asked_once=True),
    "no answer": Lasting(_always(Act(silent=True)), "stalled"),
    "hung up": Lasting(_always(Act(hang_up=True)), "the server closed the connection"),
    "garbage": Lasting(_always(Act(garbage=b"hello\r\n\r\n")), "malformed answer"),
    "headers without an end": Lasting(_always(Act(endless="head")), "headers"),
    "an HTML page": Lasting(
        _always(Act(200, HTML, headers=(("Content-Type", "text/html"),))), "an HTML page", asked_once=True
    ),
    "an error of S3 with status 200": Lasting(
        _always(Act(200, S3_ERROR, headers=(("Content-Type", "application/xml"),))),
        "SlowDown",
        asked_once=True,
    ),
    "another range": Lasting(
        _always(Act(content_range="bytes 5-9/10")), "asked for bytes", first=lambda b: [cut(b)]
    ),
    "416 half-way": Lasting(_always(Act(416)), "HTTP 416", first=lambda b: [cut(b)]),
    "a tag for each request": Lasting(
        _always(Act(503)),
        "another one now",
        first=lambda b: [Act(etag=f'"{n}"', close_after=part(b)) for n in range(60)],
    ),
    "a flipped byte": Lasting(lambda b: Act(body=flipped(b)), "digest", kept=(0, 1, 2)),
    "redirected in a loop": Lasting(_always(redirect("?again")), "redirects in a loop"),
    "redirected to a file": Lasting(
        _always(redirect("file:///etc/passwd")), "no http or https URL", asked_once=True
    ),
    "redirected by FTP": Lasting(
        _always(redirect("ftp://127.0.0.1/x")), "no http or https URL", asked_once=True
    ),
    "redirected to nothing": Lasting(_always(redirect("/not-here")), "HTTP 404"),
    "redirected nowhere": Lasting(_always(Act(302)), "HTTP 302", asked_once=True),
    "redirected out of sight": Lasting(_always(redirect("http://")), "URL", asked_once=True),
}
