"""Google Drive, with gdown and the real clients, against its two hosts on loopback."""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from conformance import Can, Conformance, Provider
from drive_host import QUOTA, SIGN_IN, SORRY, Google, drive_id

from kdl.errors import PermanentError
from kdl.events import Event
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher

BODY = random.Random(3).randbytes(1_300_001)
FILES = {
    "tiny.tar.gz": BODY,
    "lists/tiny_train.csv": b"label\n",
    **{f"abseiling/clip {number:03d} (é'&).mp4": b"%d" % number for number in range(120)},
}


@pytest.fixture
async def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Google]:
    async with Google(dict(FILES)) as server:
        for name, value in server.surroundings(tmp_path).items():
            monkeypatch.setenv(name, value)
        # aiohttp reads the certificates once, when it is imported.
        trusting = ssl.create_default_context(cadata=server.authority.decode())
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
        yield server


def fetcher(told: list[Event]) -> Fetcher:
    policy = RetryPolicy(tries=3, base=0.001, cap=0.002)
    return Fetcher(Origins({}), emit=told.append, retry=policy, stall_s=20)


def url_of(google: Google, path: str) -> str:
    return f"gdrive://{google.root}/{path}?id={drive_id(path)}"


class Drive(Provider):
    """A folder that is shared on Drive."""

    can = Can(condition=False, list_sizes=False)

    def __init__(self, google: Google) -> None:
        self._google = google

    async def put(self, path: str, data: bytes) -> str:
        self._google.version += path in self._google.files
        self._google.files[path] = data
        return self.url(path)

    def url(self, path: str) -> str:
        if path.endswith("/"):
            return f"gdrive://{drive_id('d-' + path.rstrip('/'))}/"
        return f"gdrive://{self._google.root}/{quote(path)}?id={drive_id(path)}"

    async def busy_once(self, path: str) -> bool:
        self._google.busy.add(path)
        return True

    async def cut_once(self, path: str) -> bool:
        self._google.cut[path] = 700_000
        return True

    @contextmanager
    def forbidding(self, path: str) -> Iterator[None]:
        self._google.pages[path] = SIGN_IN
        yield


class TestDrive(Conformance):
    @pytest.fixture(autouse=True)
    def _no_proxy(self) -> None:
        """Google is found by the proxy here."""

    @pytest.fixture
    def provider(self, google: Google) -> Drive:
        google.files.clear()
        return Drive(google)


async def test_a_folder_of_more_than_fifty_files_is_listed_with_its_folders(google: Google) -> None:
    async with fetcher([]) as drive:
        found = await drive.listing(f"gdrive://{google.root}/")
        assert [file.path for file in found] == sorted(FILES)
        assert await drive.read(found[0].url, name="x", kind="clip") == b"0"
    assert google.folders == 3


async def test_an_archive_behind_the_warning_is_whole_and_goes_on_after_a_break(
    google: Google, tmp_path: Path
) -> None:
    google.warned.add("tiny.tar.gz")
    google.cut["tiny.tar.gz"] = 400_000
    told: list[Event] = []
    async with fetcher(told) as drive:
        url = url_of(google, "tiny.tar.gz")
        assert (await drive.stat(url)).size == len(BODY)
        saved = await drive.save(url, tmp_path / "tiny.tar.gz", name="tiny", kind="shard")
    assert (tmp_path / "tiny.tar.gz").read_bytes() == BODY
    assert saved.size == len(BODY)
    assert any((asked or "").endswith("-") for path, asked in google.asked), "it went on with a range"


@pytest.mark.parametrize(
    ("page", "words", "way_out"),
    [
        (QUOTA, "quota", "kdl adopt"),
        (SORRY, "robot", "try again in a day"),
        (SIGN_IN, "not shared", "anyone who has the link"),
        ("<html><body>new design</body></html>", "does not know", "browser"),
    ],
)
async def test_a_page_in_place_of_the_file_is_told_by_what_it_says(
    google: Google, page: str, words: str, way_out: str
) -> None:
    google.pages["tiny.tar.gz"] = page
    async with fetcher([]) as drive:
        with pytest.raises(PermanentError, match=words) as caught:
            await drive.stat(url_of(google, "tiny.tar.gz"))
    assert way_out in caught.value.fix


async def test_folders_and_files_that_nobody_may_see_are_named(google: Google) -> None:
    google.pages[google.root] = SIGN_IN
    async with fetcher([]) as drive:
        with pytest.raises(PermanentError) as caught:
            await drive.listing(f"gdrive://{google.root}/")
        assert caught.value.subject == f"gdrive://{google.root}/"
        with pytest.raises(PermanentError, match="404") as missing:
            await drive.stat(f"gdrive://{drive_id('nothing')}/x.tar")
        assert missing.value.subject.startswith("gdrive://")
