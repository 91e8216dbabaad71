"""Real servers and folders on this machine for :mod:`conformance`: http, a folder, S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

from bucket_host import BucketServer, Spoil
from conformance import Can, Provider

from kdl.fetch.evidence import Proof
from tests.faults.hostile import Act, HostileOrigin

_NOBODY = 65534
_HALF = 700_000


class OnDisk(Provider):
    """Files in a folder, which is served by nginx or read as it is."""

    def __init__(self, folder: Path, base: str) -> None:
        """``base``: the folder's URL, with a slash at its end."""
        self.folder = folder
        self._base = base

    async def put(self, path: str, data: bytes) -> str:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(".fresh")
        fresh.write_bytes(data)
        fresh.replace(place)
        return self.url(path)

    def url(self, path: str) -> str:
        return self._base + quote(path)


class Folder(OnDisk):
    """A folder by its path."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, f"{folder.as_uri()}/")

    def forbidding(self, path: str) -> AbstractContextManager[object]:
        return _without_rights(self.folder / path)


@contextmanager
def _without_rights(place: Path) -> Iterator[None]:
    place.chmod(0)
    is_root = os.geteuid() == 0  # whom no mode stops
    if is_root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


class Scripted(Provider):
    """The scripted origin, as S3 over http."""

    can = Can(list=False, proof=Proof.MD5)

    def __init__(self, origin: HostileOrigin) -> None:
        self._origin = origin

    async def put(self, path: str, data: bytes) -> str:
        return self._origin.put(quote(path), data, s3=True)

    def url(self, path: str) -> str:
        return self._origin.url(quote(path))

    async def busy_once(self, path: str) -> bool:
        self._origin.things[path].script.append(Act(status=503))
        return True

    async def cut_once(self, path: str) -> bool:
        self._origin.things[path].script.append(Act(close_after=_HALF))
        return True

    @contextmanager
    def forbidding(self, path: str) -> Iterator[None]:
        self._origin.things[path].always = Act(status=403)
        yield


class Bucket(Provider):
    """A prefix of a bucket of moto's S3."""

    can = Can(proof=Proof.SHA256)

    def __init__(self, server: BucketServer, name: str) -> None:
        self._server = server
        self._name = name

    async def put(self, path: str, data: bytes) -> str:
        self._server.put(self._name, {f"kinetics/{path}": data}, checksums=True)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"s3://{self._name}/kinetics/{quote(path)}"

    def _place(self, path: str) -> str:
        return f"/{self._name}/kinetics/{path}"

    async def busy_once(self, path: str) -> bool:
        self._server.once[self._place(path)] = [Spoil("503 Slow Down", "SlowDown")]
        return True

    async def cut_once(self, path: str) -> bool:
        self._server.once[self._place(path)] = [Spoil(cut=_HALF)]
        return True

    @contextmanager
    def forbidding(self, path: str) -> Iterator[None]:
        self._server.always[self._place(path)] = Spoil("403 Forbidden", "AccessDenied")
        yield
