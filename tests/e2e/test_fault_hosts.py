"""Hosts that are not what they seem: elsewhere, unknown, unknown at first, or not who they say they are."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.engine import Engine, Outcome, engine, tree_digest
from tests.e2e.unruly import Dataset, Origin, host, shard_name, three_clips
from tests.faults.vocabulary import cut, redirect

__all__ = ["engine"]

SIZE = 60_000
ELSEWHERE = "127.0.0.2"
UNKNOWN = "bucket.kdl.invalid"


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


@pytest.fixture
def data(origin: Origin, tmp_path: Path) -> Dataset:
    return host(origin, tmp_path, {shard_name(number): three_clips(number, SIZE) for number in range(3)})


def require_clean(data: Dataset, done: Outcome) -> None:
    assert (done.code, done.findings, done.debris) == (0, (), ())
    assert done.tree == tree_digest(data.clips)
    assert set(done.verdicts.values()) == {"unchecked"}


def require_nothing(done: Outcome, words: str) -> None:
    """The run had no link list, and says why."""
    assert (done.code, done.files, done.verdicts, done.debris) == (4, {}, {}, ())
    assert {finding.kind for finding in done.findings} <= {"object_failed", "readme_missing"}
    said = [finding.detail for finding in done.findings if "is given up" not in finding.detail]
    assert said
    assert [detail for detail in said if words not in detail] == []


@pytest.mark.allow_hosts(["127.0.0.1", ELSEWHERE])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_to_another_host_are_followed(
    origin: Origin, data: Dataset, engine: Engine, status: int
) -> None:
    with Origin(ELSEWHERE) as other:
        for path, thing in origin.things.items():
            target = other.put(path, thing.body, s3=True)
            thing.always = redirect(target, status)
            thing.heads = [thing.always] * 9
        require_clean(data, engine(data))
        assert {request.path for request in other.gets()} == set(origin.things)


@pytest.mark.allow_hosts(["127.0.0.1", ELSEWHERE])
def test_another_host_that_has_another_object(origin: Origin, data: Dataset, engine: Engine) -> None:
    """The rest of a shard comes by a redirect, and is that of another version."""
    thing = data.thing(shard_name(1))
    with Origin(ELSEWHERE) as other:
        target = other.put("other", bytes(len(thing.body)))
        thing.script = [cut(thing.body), redirect(target)]
        require_clean(data, engine(data))
        assert len(other.gets()) == 1


def test_a_host_that_nobody_knows(data: Dataset, engine: Engine) -> None:
    done = engine(data, origins=(f"http://{UNKNOWN}/",))
    require_nothing(done, f"no address is known for host {UNKNOWN}")
    require_clean(data, engine(data))


def test_a_host_that_is_known_after_a_while(
    data: Dataset, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lowest seam there is without a resolver of its own: what libc answers."""
    known, asked = socket.getaddrinfo, []

    def answer(name: str | bytes | None, *rest: Any, **options: Any) -> Any:
        if name != UNKNOWN:
            return known(name, *rest, **options)
        asked.append(name)
        if len(asked) <= 2:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return known("127.0.0.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    done = engine(data, origins=(data.origin.base.replace("127.0.0.1", UNKNOWN),))
    require_clean(data, done)
    assert len(asked) >= 3
    assert {each.reason for each in done.retries} == {f"no address is known for host {UNKNOWN}"}


def test_the_second_origin_serves_where_the_first_is_unknown(data: Dataset, engine: Engine) -> None:
    require_clean(data, engine(data, origins=(f"http://{UNKNOWN}/", data.origin.base)))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key, and a certificate for 127.0.0.1 that nobody but itself vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    asyncio.run(_certify(key, certificate))
    return key, certificate


async def _certify(key: Path, certificate: Path) -> None:
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=kdl"
    making = await asyncio.create_subprocess_exec(
        *words.split(),
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        key,
        "-out",
        certificate,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await making.wait() == 0


def tls_context(pair: tuple[Path, Path]) -> ssl.SSLContext:
    key, certificate = pair
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def test_a_certificate_that_nobody_vouches_for(
    data: Dataset, engine: Engine, pair: tuple[Path, Path]
) -> None:
    with Origin(tls=tls_context(pair)) as secure:
        secure.things = data.origin.things
        done = engine(data, origins=(secure.base,))
        require_nothing(done, "its TLS certificate is not to be trusted")
        assert (done.retries, secure.requests) == ([], [])
        require_clean(data, engine(data, origins=(secure.base, data.origin.base)))


def test_no_tls_where_tls_is_due(data: Dataset, engine: Engine) -> None:
    done = engine(data, origins=(data.origin.base.replace("http:", "https:"),), tries=2)
    require_nothing(done, "no connection: the other side hung up while it was made")


def test_certificates_hold_for_the_names_in_them(data: Dataset, pair: tuple[Path, Path]) -> None:
    """By the real command: what is trusted is read when it starts."""
    trusted = {"SSL_CERT_FILE": str(pair[1]), "https_proxy": "", "HTTPS_PROXY": ""}
    with Origin(ELSEWHERE, tls_context(pair)) as secure:
        secure.things = data.origin.things
        refused = data.run("fetch", origins=[secure.base], **trusted)
        assert (refused.code, refused.kinds()) == (4, {"object_failed", "readme_missing"})
        assert all("IP address mismatch" in finding["detail"] for finding in refused.result["findings"])
    with Origin(tls=tls_context(pair)) as secure:
        secure.things = data.origin.things
        done = data.run("fetch", origins=[secure.base], **trusted)
        assert (done.code, done.result["findings"]) == (0, [])
        assert data.videos() == data.clips
