"""S3 beyond the suite: whose credentials, which server, and each refusal with its next step."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket_host import BucketServer, Spoil

from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged, ToolMissing, TransientError
from kdl.fetch.evidence import Evidence, Proof
from kdl.fetch.retry import cause_of
from kdl.fetch.s3 import S3Source
from kdl.fetch.sources import SourceOptions, Sources
from tests.faults.hostile import Act, HostileOrigin

DATA = bytes(range(256)) * 100
URL = "s3://lab/k400/a.tar"
KEY = "/lab/k400/a.tar"


@pytest.fixture(scope="module")
def running() -> Iterator[BucketServer]:
    with BucketServer() as server:
        server.put("lab", {"k400/a.tar": DATA, "k400/val/": b"", "k400/val/b.tar": DATA})
        yield server


@pytest.fixture
def server(running: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketServer:
    for name, value in running.surroundings(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_NO_SIGN_REQUEST", "AWS_REQUEST_PAYER"):
        monkeypatch.delenv(name, raising=False)
    running.once, running.always, running.asked = {}, {}, []
    return running


def source(stall_s: float = 20, connect_s: float = 20) -> S3Source:
    return S3Source(stall_s=stall_s, connect_s=connect_s)


async def read(url: str = URL) -> bytes:
    async with source() as reading, reading.open(url) as opened:
        return b"".join([chunk async for chunk in opened.chunks])


async def error_of(url: str = URL) -> FetchError:
    """What stat, open and listing all say."""
    found: list[FetchError] = []
    async with source() as asking:
        for ask in (asking.stat, asking.listing):
            with pytest.raises(FetchError) as raised:
                await ask(url)
            found.append(raised.value)
        with pytest.raises(FetchError) as raised:
            async with asking.open(url):
                pass
    assert found[0].message == raised.value.message
    assert raised.value.subject == url
    return raised.value


@pytest.mark.parametrize(
    ("spoil", "words", "step"),
    [
        (Spoil("404 Not Found", "NoSuchKey"), "no such object", ""),
        (Spoil("404 Not Found", "NoSuchBucket"), "no such bucket", "AWS_ENDPOINT_URL"),
        (Spoil("403 Forbidden", "AccessDenied"), "may not read it", "AWS_REQUEST_PAYER"),
        (Spoil("400 Bad Request", "ExpiredToken"), "have expired", "aws sso login"),
        (Spoil("403 Forbidden", "InvalidAccessKeyId"), "does not know these", "AWS_PROFILE"),
        (Spoil("403 Forbidden", "SignatureDoesNotMatch"), "secret key", "AWS_SECRET_ACCESS_KEY"),
        (Spoil("403 Forbidden", "RequestTimeTooSkewed"), "clock", "timedatectl"),
        (
            Spoil("400 Bad Request", "AuthorizationHeaderMalformed", (("x-amz-bucket-region", "eu-west-3"),)),
            "another region, eu-west-3",
            "AWS_DEFAULT_REGION=eu-west-3",
        ),
        (Spoil("403 Forbidden", "InvalidObjectState"), "archived", "restore-object"),
        (Spoil("409 Conflict", "SomethingNew"), "HTTP 409 Conflict (SomethingNew)", ""),
    ],
    ids=lambda value: value.code if isinstance(value, Spoil) else "",
)
async def test_refusals(spoil: Spoil, words: str, step: str, server: BucketServer) -> None:
    server.always[KEY] = spoil
    async with source() as asking:
        with pytest.raises(PermanentError) as by_stat:
            await asking.stat(URL)
        with pytest.raises(PermanentError) as by_open:
            async with asking.open(URL):
                pass
    assert by_stat.value.message == by_open.value.message  # although an answer to HEAD holds no words
    assert words in by_open.value.message
    assert step in by_open.value.fix
    assert bool(by_open.value.fix) is bool(step)
    assert by_open.value.status == int(spoil.status[:3])


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (Spoil("503 Slow Down", "SlowDown"), RetryCause.HTTP_503),
        (Spoil("500 Internal Server Error", "InternalError"), RetryCause.HTTP_500),
        (Spoil("429 Too Many Requests", "TooManyRequests"), RetryCause.HTTP_429),
    ],
    ids=lambda value: value.code if isinstance(value, Spoil) else "",
)
async def test_what_passes(spoil: Spoil, cause: RetryCause, server: BucketServer) -> None:
    """aiobotocore's own retries are off: those of the run count, tell and wait."""
    server.always[KEY] = spoil
    with pytest.raises(TransientError, match=spoil.code) as raised:
        await read()
    assert cause_of(raised.value) is cause
    assert len(server.asked) == 1
    async with source() as asking:
        with pytest.raises(TransientError):
            await asking.stat(URL)
    assert len(server.asked) == 2


async def test_real_refusals(server: BucketServer) -> None:
    assert "no such bucket" in (await error_of("s3://no-such-bucket/k400/a.tar")).message
    assert "no such bucket" in (await error_of("s3://UPPER_case!/k400/a.tar")).message
    assert (await error_of("s3://lab/k400/../other/a.tar")).message == "leads out of its folder by '..'"


async def test_a_body_that_breaks_off(server: BucketServer) -> None:
    server.once[KEY] = [Spoil(cut=1000)]
    with pytest.raises(TransientError, match="broke off") as raised:
        await read()
    assert raised.value.subject == URL


async def test_a_version_is_asked_for_by_its_tag(server: BucketServer) -> None:
    async with source() as asking:
        stat = await asking.stat(URL)
        async with asking.open(URL, 100, stat.validator) as opened:
            assert b"".join([chunk async for chunk in opened.chunks]) == DATA[100:]
        with pytest.raises(SourceChanged):
            async with asking.open(URL, 100, '"0123"'):
                pass
        with pytest.raises(SourceChanged, match="no byte 30000"):
            async with asking.open(URL, 30_000):
                pass
    assert [headers.get("HTTP_IF_MATCH") for method, _, headers in server.asked if method == "GET"][:2] == [
        stat.etag,
        '"0123"',
    ]


async def test_digests(server: BucketServer) -> None:
    """An MD5 in the tag, which is none where a key of KMS encrypts; a SHA-256 where the uploader gave one."""
    server.put("sums", {"a.tar": DATA}, checksums=True)
    async with source() as asking:
        plain, summed = await asking.stat(URL), await asking.stat("s3://sums/a.tar")
    assert (plain.s3, plain.sha256) == (True, None)
    assert summed.sha256 == hashlib.sha256(DATA).hexdigest()
    for stat, proof in ((plain, Proof.MD5), (summed, Proof.SHA256)):
        evidence = Evidence(stat)
        evidence.update(DATA)
        assert evidence.prove() is proof
        evidence.update(b"more")
        assert evidence.prove() is Proof.MISMATCH


async def test_requests_are_signed_with_what_the_aws_tools_use(
    server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await read() == DATA
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    profile = "[{}]\naws_access_key_id = {}\naws_secret_access_key = x\n"
    text = profile.format("default", "HOME") + profile.format("lab", "LAB")
    (tmp_path / "no-credentials").write_text(text)
    assert await read() == DATA
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert await read() == DATA
    keys = [headers["HTTP_AUTHORIZATION"].partition("Credential=")[2] for _, _, headers in server.asked]
    assert [key.partition("/")[0] for key in keys] == ["reader", "HOME", "LAB"]


async def test_without_credentials_requests_are_anonymous(
    server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("open", {"a.tar": DATA}, public=True)
    server.asked.clear()
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    assert await read("s3://open/a.tar") == DATA
    monkeypatch.delenv("AWS_NO_SIGN_REQUEST")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert await read("s3://open/a.tar") == DATA
    assert all("HTTP_AUTHORIZATION" not in headers for _, _, headers in server.asked)
    with pytest.raises(PermanentError, match="not public, and no credentials") as raised:
        await read()
    assert "AWS_PROFILE" in raised.value.fix


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("AWS_PROFILE", "nobody", "no credentials: .*nobody"), ("AWS_SECRET_ACCESS_KEY", "", "no credentials")],
)
async def test_credentials_that_are_no_use(
    name: str, value: str, words: str, server: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    if name == "AWS_SECRET_ACCESS_KEY":
        monkeypatch.delenv(name)
    with pytest.raises(PermanentError, match=words) as raised:
        await read()
    assert "AWS_PROFILE" in raised.value.fix
    assert server.asked == []


async def test_who_asks_for_it_pays(server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await read() == DATA
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    assert await read() == DATA
    async with source() as asking:
        await asking.listing("s3://lab/k400/")
    assert [headers.get("HTTP_X_AMZ_REQUEST_PAYER") for _, _, headers in server.asked] == [
        None,
        "requester",
        "requester",
    ]


async def test_a_long_listing_comes_in_pages(server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")
    names = [f"{number:04d} é+#.mp4" for number in range(10)]
    server.put("long", {f"k/{name}": b"" for name in names})
    server.asked.clear()
    async with source() as asking:
        found = await asking.listing("s3://long/k/")
        assert [file.path for file in await asking.listing("s3://lab/k400/")] == ["a.tar", "val/b.tar"]
        assert [file.path for file in await asking.listing("s3://lab/k400/val/")] == ["b.tar"]
        assert sum(path == "/long" for _, path, _ in server.asked) == 3
    assert [file.path for file in found] == names


async def test_nobody_answers(server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(TransientError, match="no connection") as raised:
        await read()
    assert (raised.value.refused, raised.value.cause) == (True, RetryCause.REFUSED)


async def test_somebody_else_answers(server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server's page, and silence."""
    async with HostileOrigin() as origin:
        monkeypatch.setenv("AWS_ENDPOINT_URL", origin.base)
        origin.put("lab", b"<html>Welcome</html>")
        origin.put("lab/a.tar", b"x", heads=[Act(silent=True)])
        async with source() as asking:
            with pytest.raises(TransientError, match="none of S3's") as raised:
                await asking.listing("s3://lab/k400/")
            assert "AWS_ENDPOINT_URL" in raised.value.fix
            assert raised.value.cause is RetryCause.MALFORMED
        async with source(stall_s=0.2, connect_s=0.3) as asking:
            with pytest.raises(TransientError, match="stalled"):
                await asking.stat("s3://lab/a.tar")


async def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kdl.fetch.s3")
    monkeypatch.setitem(sys.modules, "aiobotocore.session", None)
    async with Sources(SourceOptions()) as sources:
        with pytest.raises(ToolMissing, match="aiobotocore") as raised:
            await sources.stat(URL)
    assert raised.value.fix == "pip install 'kdl[s3]'"
