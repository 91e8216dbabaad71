"""moto's S3 on a port of its own, whose answers can be spoiled on their way."""

from __future__ import annotations

import hashlib
import logging
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

_ERROR = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{}</Code><Message>As told</Message></Error>"

_WRITER = (
    "AWS4-HMAC-SHA256 Credential=writer/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)


@dataclass(frozen=True)
class Spoil:
    """What becomes of an answer."""

    status: str = ""
    """This one is given instead, with an error of the name ``code``."""
    code: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    """The connection ends after so many bytes of the body."""


class BucketServer:
    """The server; use as a context manager. Every request is recorded."""

    def __init__(self) -> None:
        self.once: dict[str, list[Spoil]] = {}
        """What becomes of the next GETs of ``/bucket/key``, one after the other."""
        self.always: dict[str, Spoil] = {}
        """What becomes of every request for it after those."""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        """Method, ``/bucket/key`` and some headers."""
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def surroundings(self, folder: Path) -> dict[str, str]:
        """The environment of who reads from it, with credentials and nothing of this machine's own."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "reader",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": str(folder / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def put(
        self, bucket: str, files: dict[str, bytes], *, checksums: bool = False, public: bool = False
    ) -> None:
        """Make the bucket, if it is new, and put ``files`` into it: with their SHA-256, for everybody."""
        connection = HTTPConnection("127.0.0.1", self._server.server_port)
        with closing(connection):
            for path, data in {"": b"", **files}.items():
                headers = {"Authorization": _WRITER} | ({"x-amz-acl": "public-read"} if public else {})
                if checksums:
                    headers["x-amz-sdk-checksum-algorithm"] = "SHA256"
                    headers["x-amz-checksum-sha256"] = b64encode(hashlib.sha256(data).digest()).decode()
                connection.request("PUT", f"/{bucket}/{quote(path)}", data, headers)
                answer = connection.getresponse()
                told = answer.read()
                assert answer.status in (200, 409), told

    def __enter__(self) -> BucketServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode()
        headers = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        self.asked.append((environ["REQUEST_METHOD"], path, headers))
        waiting = self.once.get(path) if environ["REQUEST_METHOD"] == "GET" else None
        spoil = waiting.pop(0) if waiting else self.always.get(path)
        if spoil is None:
            return self._app(environ, start)
        if spoil.status:
            body = _ERROR.format(spoil.code).encode()
            start(spoil.status, [("Content-Type", "application/xml"), *spoil.headers])
            return [body] if environ["REQUEST_METHOD"] == "GET" else []
        return _cut(self._app(environ, start), spoil.cut or 0)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"


def _cut(body: Iterable[bytes], left: int) -> Iterator[bytes]:
    for piece in chain(body, [b""]):
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            raise ConnectionAbortedError
