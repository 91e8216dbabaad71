"""Answers that are no data: named, tried again or not as they deserve, and never kept."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from hostile import Act, HostileOrigin

from kdl.errors import FetchError, PermanentError, TransientError
from kdl.events import Event, Noted, RetryScheduled
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher

MakeFetcher = Callable[..., Fetcher]

HTML = b"\n\xef\xbb\xbf <!DOCTYPE html><html><title>Sign in</title></html>" + b" " * 3000
S3_XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>'
)


async def consume(fetcher: Fetcher, url: str, spool: Path | None = None) -> bytes:
    async with fetcher.transfer(url, name="a.tar.gz", kind="shard", spool_dir=spool) as transfer:
        return b"".join([chunk async for chunk in transfer])


def refused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_permanent_statuses_are_asked_for_once(
    status: int, origin: HostileOrigin, fetcher_of: MakeFetcher, tmp_path: Path
) -> None:
    url = origin.put("a.tar.gz", b"", always=Act(status=status, body=S3_XML))
    async with fetcher_of() as fetcher:
        with pytest.raises(PermanentError, match=rf"HTTP {status} .*\(NoSuchKey\)") as caught:
            await consume(fetcher, url, tmp_path)
    assert (caught.value.status, caught.value.subject) == (status, url)
    assert len(origin.requests) == 1
    assert list(tmp_path.iterdir()) == []


PAGES = {
    "html": (HTML, "text/html"),
    "html with a blank start": (b" \r\n<html>", "application/octet-stream"),
    "s3 error": (S3_XML, "application/xml"),
    "bare error": (b"<Error><Code>AccessDenied</Code></Error>", "binary/octet-stream"),
    "fragment told as html": (b"<p>Too many downloads</p>", "text/html; charset=utf-8"),
}


@pytest.mark.parametrize(("body", "kind"), [pytest.param(*page, id=name) for name, page in PAGES.items()])
async def test_a_page_with_status_200_is_never_kept(
    body: bytes, kind: str, origin: HostileOrigin, fetcher_of: MakeFetcher, tmp_path: Path
) -> None:
    url = origin.put("a.tar.gz", body, content_type=kind)
    kept = tmp_path / "train.csv"
    kept.write_bytes(b"the old one")
    async with fetcher_of() as fetcher:
        with pytest.raises(PermanentError, match="page"):
            await consume(fetcher, url, tmp_path / "spool")
        with pytest.raises(PermanentError, match="page"):
            await fetcher.read(url, name="val link list", kind="list")
        with pytest.raises(PermanentError, match="page"):
            await fetcher.save(url, kept, name="train.csv", kind="annotation")
    assert len(origin.requests) == 3
    assert [path.name for path in tmp_path.rglob("*")] == ["train.csv"]
    assert kept.read_bytes() == b"the old one"


async def test_a_page_that_breaks_off_before_it_can_be_told_leaves_nothing(
    origin: HostileOrigin, fetcher_of: MakeFetcher, tmp_path: Path
) -> None:
    url = origin.put("a.tar.gz", HTML, always=Act(close_after=20))
    async with fetcher_of() as fetcher:
        with pytest.raises(TransientError):
            await consume(fetcher, url, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_data_under_a_wrong_content_type_is_data(
    origin: HostileOrigin, fetcher_of: MakeFetcher
) -> None:
    url = origin.put("a.csv", b"label,youtube_id\n", content_type="text/html")
    async with fetcher_of() as fetcher:
        assert await fetcher.read(url, name="a.csv", kind="annotation") == b"label,youtube_id\n"


async def test_compression_on_the_way_is_named(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    encoded = (("Content-Encoding", "gzip"),)
    archive = gzip.compress(data[:5000])
    origin.put("a.tar.gz", archive, always=Act(body=gzip.compress(archive), headers=encoded))
    origin.put("a.csv", b"label", always=Act(body=gzip.compress(b"label"), headers=encoded))
    async with fetcher_of() as fetcher:
        for path in ("a.tar.gz", "a.csv"):
            with pytest.raises(PermanentError, match="Content-Encoding: gzip"):
                await consume(fetcher, origin.url(path), tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_an_archive_that_is_only_labelled_gzip_is_as_stored(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes
) -> None:
    archive = gzip.compress(data[:5000])
    url = origin.put("a.tar.gz", archive, always=Act(headers=(("Content-Encoding", "x-gzip"),)))
    async with fetcher_of() as fetcher:
        assert await consume(fetcher, url) == archive


async def test_redirects(
    origin: HostileOrigin, mirror: HostileOrigin, fetcher_of: MakeFetcher, data: bytes
) -> None:
    target = mirror.put("real.tar.gz", data)

    def to(where: str) -> Act:
        return Act(status=302, headers=(("Location", where),))

    elsewhere = origin.put("a", b"", always=to(target))
    loop = origin.put("loop", b"", always=to("/loop"))
    file = origin.put("file", b"", always=to("file:///etc/passwd"))
    async with fetcher_of() as fetcher:
        assert await consume(fetcher, elsewhere) == data
        with pytest.raises(PermanentError, match="loop"):
            await consume(fetcher, loop)
        with pytest.raises(PermanentError, match="no http or https"):
            await consume(fetcher, file)
    assert len(origin.gets("file")) == 1


async def test_other_successes_are_no_data(origin: HostileOrigin, fetcher_of: MakeFetcher) -> None:
    url = origin.put("a", b"", always=Act(status=204))
    async with fetcher_of() as fetcher:
        with pytest.raises(PermanentError, match="204"):
            await consume(fetcher, url)


async def test_retry_after_as_a_date_that_is_past_costs_no_time(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes
) -> None:
    busy = Act(status=503, headers=(("Retry-After", formatdate(0, usegmt=True)),))
    url = origin.put("a", data, busy)
    async with fetcher_of() as fetcher:
        assert await consume(fetcher, url) == data
    [event] = told[:1]
    assert isinstance(event, RetryScheduled)
    assert event.delay <= 0.002


async def test_stat(origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes) -> None:
    plain = origin.put("plain", data, s3=True, heads=[Act(status=503)])
    refused = [origin.put(f"no head {n}", data, heads=[Act(status=n)] * 3) for n in (403, 405, 501)]
    gone = origin.put("gone", b"", heads=[Act(status=404)])
    empty = origin.put("empty", b"", heads=[Act(status=405)])
    async with fetcher_of() as fetcher:
        stat = await fetcher.stat(plain)
        assert (stat.url, stat.size, stat.s3) == (plain, len(data), True)
        assert stat.etag == origin.things["plain"].etag
        for url in refused:
            stat = await fetcher.stat(url.replace(" ", "%20"))
            assert (stat.size, stat.s3) == (len(data), False)
        assert (await fetcher.stat(empty)).size == 0
        with pytest.raises(PermanentError, match="404"):
            await fetcher.stat(gone)
    assert all(request.headers["range"] == "bytes=0-0" for request in origin.gets())


async def test_reading_and_saving_small_objects(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.csv", data, Act(close_after=600_000), s3=True)
    path = tmp_path / "annotations" / "a.csv"
    async with fetcher_of() as fetcher:
        saved = await fetcher.save(url, path, name="a.csv", kind="annotation")
        assert (saved.size, saved.changed, saved.etag) == (len(data), True, origin.things["a.csv"].etag)
        assert path.read_bytes() == data

        again = await fetcher.save(url, path, name="a.csv", kind="annotation", known_etag=saved.etag)
        assert (again.changed, again.sha256, again.size) == (False, saved.sha256, saved.size)
        assert origin.gets()[-1].headers["if-none-match"] == saved.etag

        path.unlink()
        assert (await fetcher.save(url, path, name="a.csv", kind="annotation", known_etag=saved.etag)).changed
        assert await fetcher.read(url, name="a.csv", kind="annotation") == data
    assert [each.name for each in path.parent.iterdir()] == ["a.csv"]


async def test_small_objects_are_fetched_afresh_when_they_change_on_the_way(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.csv", data, Act(body=data[::-1], etag='"old"', close_after=600_000))
    async with fetcher_of() as fetcher:
        saved = await fetcher.save(url, tmp_path / "a.csv", name="a.csv", kind="annotation")
    assert (tmp_path / "a.csv").read_bytes() == data
    assert saved.etag == origin.things["a.csv"].etag


async def test_a_flipped_byte_is_noticed_by_the_digest_of_s3(
    origin: HostileOrigin, fetcher_of: MakeFetcher, tmp_path: Path
) -> None:
    url = origin.put("a.csv", b"right", Act(body=b"wrong"), s3=True)
    async with fetcher_of() as fetcher:
        await fetcher.save(url, tmp_path / "a.csv", name="a.csv", kind="annotation")
        assert (tmp_path / "a.csv").read_bytes() == b"right"
        origin.things["a.csv"].always = Act(body=b"wrong")
        with pytest.raises(FetchError, match="digest"):
            await fetcher.save(url, tmp_path / "a.csv", name="a.csv", kind="annotation")
        with pytest.raises(FetchError, match="digest"):
            await fetcher.read(url, name="a.csv", kind="annotation")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"right"]


async def test_an_origin_that_refuses_is_given_up_for_all_objects(
    fetcher_of: MakeFetcher, told: list[Event]
) -> None:
    base = f"http://127.0.0.1:{refused_port()}"
    async with fetcher_of() as fetcher:
        with pytest.raises(TransientError, match="no connection") as caught:
            await consume(fetcher, f"{base}/0")
        assert caught.value.refused
        told.clear()
        for number in range(1, 300):
            with pytest.raises(PermanentError, match="refuses every connection and is given up") as given_up:
                await consume(fetcher, f"{base}/{number}")
            assert given_up.value.refused
    assert told == []


async def test_many_objects_at_once_do_not_wait_one_after_the_other(fetcher_of: MakeFetcher) -> None:
    base = f"http://127.0.0.1:{refused_port()}"
    async with fetcher_of(retry=RetryPolicy(base=0.01)) as fetcher:
        results = await asyncio.gather(
            *(fetcher.stat(f"{base}/{n}") for n in range(200)), return_exceptions=True
        )
    assert all(isinstance(result, FetchError) and result.refused for result in results)


async def test_the_next_origin_takes_over(
    origin: HostileOrigin, mirror: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes
) -> None:
    host = "https://bucket.example/kinetics"
    origin.put("gone", data, always=Act(status=404), heads=[Act(status=404)])
    origin.put("page", HTML)
    mirror.put("gone", data)
    mirror.put("page", data)
    dead = f"http://127.0.0.1:{refused_port()}"
    async with fetcher_of({"cvdf": host}, (dead, origin.base, mirror.base)) as fetcher:
        for name in ("gone", "page"):
            assert await consume(fetcher, f"{host}/{name}") == data
        assert (await fetcher.stat(f"{host}/gone")).url == mirror.url("gone")
        with pytest.raises(FetchError, match=r"127\.0\.0\.1:\d+: .*127\.0\.0\.1:\d+: HTTP 404") as caught:
            await consume(fetcher, f"{host}/nowhere")
        assert caught.value.subject == f"{host}/nowhere"
    assert any(isinstance(event, Noted) and mirror.base in event.text for event in told)


@pytest.mark.parametrize(
    ("etag", "resumes"), [('"same"', True), ('"other"', False), ("", False), ('W/"same"', False)]
)
async def test_another_origin_goes_on_only_with_the_same_version(
    etag: str,
    resumes: bool,
    origin: HostileOrigin,
    mirror: HostileOrigin,
    fetcher_of: MakeFetcher,
    data: bytes,
    tmp_path: Path,
) -> None:
    origin.put("a", data, Act(close_after=700_000), always=Act(status=500), etag='"same"')
    mirror.put("a", data, etag=etag)
    host = "https://bucket.example/kinetics"
    async with fetcher_of({"cvdf": host}, (origin.base, mirror.base)) as fetcher:
        if not resumes:
            with pytest.raises(FetchError, match="another one now"):
                await consume(fetcher, f"{host}/a", tmp_path)
            assert list(tmp_path.iterdir()) == []
            return
        async with fetcher.transfer(f"{host}/a", name="a", kind="shard") as transfer:
            assert b"".join([chunk async for chunk in transfer]) == data
            assert transfer.origin_url == mirror.url("a")
    assert mirror.gets()[0].range_start is not None


async def test_the_proxy_of_the_environment_is_used(
    origin: HostileOrigin, mirror: HostileOrigin, fetcher_of: MakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", mirror.base)
    mirror.put("a", b"from the proxy")
    async with fetcher_of() as fetcher:
        assert await fetcher.read("http://bucket.invalid/a", name="a", kind="list") == b"from the proxy"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        url = origin.put("b", b"direct")
        assert await fetcher.read(url, name="b", kind="list") == b"direct"


async def test_a_name_that_is_known_later(
    origin: HostileOrigin, fetcher_of: MakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.put("a", b"here at last")
    loop = asyncio.get_running_loop()
    known, failures = loop.getaddrinfo, [socket.gaierror(socket.EAI_AGAIN, "try again")]

    async def resolve(host: str, port: int, **options: object) -> object:
        if failures:
            raise failures.pop()
        return await known("127.0.0.1", port, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    url = origin.url("a").replace("127.0.0.1", "bucket.example")
    async with fetcher_of() as fetcher:
        assert await fetcher.read(url, name="a", kind="list") == b"here at last"
    assert failures == []


async def test_a_bad_certificate_is_permanent(fetcher_of: MakeFetcher, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=else -days 2"
    )
    making = await asyncio.create_subprocess_exec(
        *command.split(), "-keyout", key, "-out", certificate, stderr=asyncio.subprocess.DEVNULL
    )
    assert await making.wait() == 0
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    taken: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0, ssl=context)
    async with server, fetcher_of() as fetcher:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(PermanentError, match="TLS certificate"):
            await consume(fetcher, f"https://127.0.0.1:{port}/a")
    assert taken == []


async def test_who_asks_elsewhere_is_told_which_objects_are_not_worth_it(
    origin: HostileOrigin, fetcher_of: MakeFetcher
) -> None:
    dead, good = f"http://127.0.0.1:{refused_port()}/a.tar.gz", origin.put("a.tar.gz", b"x" * 900)
    async with fetcher_of(retry=RetryPolicy(tries=1)) as fetcher:
        assert fetcher.refusal(dead) is None  # nobody has asked
        with pytest.raises(FetchError):
            await fetcher.stat(dead)
        refusal = fetcher.refusal(dead)
        assert refusal is not None
        assert "refuses every connection" in refusal.message
        assert fetcher.refusal(good) is None
