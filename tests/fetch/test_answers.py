"""What headers, statuses and first bytes tell."""

from __future__ import annotations

import hashlib

import pytest
from multidict import CIMultiDict

from kdl.errors import PermanentError, TransientError
from kdl.fetch.answers import content_range, read_stat, status_error
from kdl.fetch.pages import page_in_place, s3_code
from kdl.fetch.source import RemoteStat, same_object

URL = "https://h/a"


@pytest.mark.parametrize(
    ("headers", "s3"),
    [
        ({"Server": "AmazonS3"}, True),
        ({"x-amz-request-id": "1"}, True),
        ({"X-Amz-Id-2": "1"}, True),
        ({"Server": "AmazonS3", "x-amz-server-side-encryption": "AES256"}, True),
        ({"Server": "AmazonS3", "x-amz-server-side-encryption": "aws:kms"}, False),
        ({"Server": "AmazonS3", "x-amz-server-side-encryption-customer-algorithm": "AES256"}, False),
        ({"Server": "nginx"}, False),
        ({}, False),
    ],
)
def test_whose_tags_are_digests(headers: dict[str, str], s3: bool) -> None:
    assert read_stat(URL, CIMultiDict(headers), 5).s3 is s3


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", None, True),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "FULL_OBJECT", True),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "COMPOSITE", False),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-2", None, False),
        ("47DEQpj8", None, False),
        ("no base64", None, False),
    ],
)
def test_whose_checksum_is_of_the_whole(value: str, kind: str | None, told: bool) -> None:
    """Of an object uploaded in parts S3 keeps the digest of their digests."""
    headers = CIMultiDict({"x-amz-checksum-sha256": value})
    if kind:
        headers["x-amz-checksum-type"] = kind
    assert read_stat(URL, headers, 0).sha256 == (hashlib.sha256().hexdigest() if told else None)


def test_reading_a_stat() -> None:
    headers = CIMultiDict({"etag": '"x"', "last-modified": "then", "content-type": "text/csv"})
    headers["Content-Encoding"] = "GZIP"
    assert read_stat(URL, headers, 5) == RemoteStat(
        URL, 5, '"x"', "then", content_type="text/csv", encoding="gzip"
    )
    assert read_stat(URL, CIMultiDict({"Content-Encoding": "aws-chunked"}), 5).encoding is None


@pytest.mark.parametrize(
    ("etag", "date", "validator"),
    [('"a"', "then", '"a"'), ('W/"a"', "then", None), (None, "then", "then"), (None, None, None)],
)
def test_validators(etag: str | None, date: str | None, validator: str | None) -> None:
    assert RemoteStat(URL, 5, etag, date).validator == validator


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("bytes 5-9/10", (5, 9, 10)),
        ("Bytes 5-9/*", (5, 9, None)),
        ("bytes */10", (None, None, 10)),
        ("bytes 5-/10", None),
        ("items 1-2/3", None),
        ("", None),
    ],
)
def test_content_range(value: str, told: tuple[int | None, ...] | None) -> None:
    assert content_range({"Content-Range": value}) == told


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 599])
def test_transient_statuses(status: int) -> None:
    error = status_error(URL, status, {"Retry-After": "7"}, "SlowDown")
    assert isinstance(error, TransientError)
    assert (error.status, error.retry_after) == (status, 7.0)
    assert str(status) in error.message
    assert error.message.endswith("(SlowDown)")


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410, 416, 499])
def test_permanent_statuses(status: int) -> None:
    assert isinstance(status_error(URL, status, {}), PermanentError)


@pytest.mark.parametrize(
    ("head", "kind", "words"),
    [
        (b"<!DOCTYPE HTML>", None, "an HTML page"),
        (b"\xef\xbb\xbf\r\n\t<HTML lang=en>", None, "an HTML page"),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", None, "an XML page (NoSuchKey)"),
        (b"<?xml version='1.0'?><!DOCTYPE html><html>", None, "an HTML page"),
        (b"<Error><Code>AccessDenied</Code>", None, "an XML error page (AccessDenied)"),
        (b"<div>", "text/html", "an HTML page"),
        (b"<div>", "text/plain", None),
        (b"label,youtube_id", "text/html", None),
        (b"\x1f\x8b\x08\x00", "text/html", None),
        (b"# Kinetics\n<html>", "text/markdown", None),
        (b"", "text/html", None),
    ],
)
def test_pages(head: bytes, kind: str | None, words: str | None) -> None:
    assert page_in_place(head, kind) == words


def test_only_words_are_taken_from_an_error_document() -> None:
    assert s3_code(b"<Code>\x1b[31m</Code>") is None


def test_which_answers_are_about_the_same_bytes() -> None:
    first = RemoteStat(URL, 5, '"a"', "then")
    assert same_object(first, RemoteStat(URL, 5, '"a"', "later"))
    assert same_object(first, RemoteStat(URL, None, None, None))
    assert not same_object(first, RemoteStat(URL, 6, '"a"', "then"))
    assert not same_object(first, RemoteStat(URL, 5, None, "later"))
    assert not same_object(RemoteStat(URL, 5, 'W/"a"'), RemoteStat(URL, 5, 'W/"b"'))
    elsewhere = "https://mirror/a"
    assert same_object(first, RemoteStat(elsewhere, 5, '"a"', "later"))
    assert not same_object(first, RemoteStat(elsewhere, None, '"a"', "then"))
    assert not same_object(RemoteStat(URL, 5, None, "then"), RemoteStat(elsewhere, 5, None, "then"))
