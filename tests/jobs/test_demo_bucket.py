"""The demo's bucket: what is planted is really there, and S3's manners are kept by its server."""

import csv
import hashlib
import http.client
import subprocess
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest

from kdl.dataset.clipname import clip_stem, parse_clip_name
from kdl.dataset.manifest import load_manifest
from kdl.errors import ToolMissing
from kdl.jobs.demo_bucket import BASE, DROPPED, DemoBucket, build_demo
from kdl.jobs.demo_server import DemoServer
from kdl.values import Verdict


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> DemoBucket:
    return build_demo(tmp_path_factory.mktemp("demo"))


def _archives(bucket: DemoBucket, split: str) -> list[Path]:
    folder = bucket.directory / "demo" / split
    lines = (folder / f"demo_{split}_path.txt").read_text().splitlines()
    return [bucket.directory / line.removeprefix(BASE) for line in lines]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_planted_clip_is_in_a_shard_or_said_to_be_absent(bucket: DemoBucket, split: str) -> None:
    hosted = set()
    for path in _archives(bucket, split):
        with tarfile.open(path) as archive:
            hosted |= {
                name
                for member in archive
                if member.isfile()
                and parse_clip_name(name := Path(member.name).name, extensions=[".mp4"], times=True)
                and not member.name.startswith(("/", ".."))
            }
    absent = {
        name
        for (of, name), clip in bucket.planted.items()
        if of == split
        and (clip.verdict is Verdict.NEVER_HOSTED or (clip.replaced and clip.replaced_cause is None))
    }
    assert hosted.isdisjoint(absent)
    assert hosted | absent == {name for of, name in bucket.planted if of == split}


def test_ffprobe_sees_what_is_planted(bucket: DemoBucket, tmp_path: Path) -> None:
    with tarfile.open(_archives(bucket, "train")[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    seconds = {path.name: _seconds(path) for path in tmp_path.glob("*.mp4")}
    for name, found in seconds.items():
        match bucket.planted["train", name]:
            case planted if planted.replaced or planted.verdict is Verdict.CORRUPT:
                assert found is None, name
            case planted if planted.verdict is Verdict.SHORT:
                assert found == pytest.approx(1, abs=0.1), name
            case _:
                assert found == pytest.approx(3, abs=0.1), name
    assert len(seconds) == 8


def _seconds(path: Path) -> float | None:
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "stream=duration",
        "-of",
        "csv=p=0",
    ]
    done = subprocess.run([*command, f"file:{path}"], capture_output=True, text=True, check=False)
    return float(done.stdout) if done.stdout.strip() else None


def test_clips_have_bytes_of_their_own(bucket: DemoBucket) -> None:
    digests: dict[str, str] = {}
    for split in ("train", "val", "test"):
        for path in _archives(bucket, split):
            with tarfile.open(path) as archive:
                for member in archive:
                    name = Path(member.name).name
                    clip = bucket.planted.get((split, name))
                    if clip and clip.verdict is Verdict.OK and not clip.replaced:
                        data = archive.extractfile(member)
                        assert data is not None
                        digests[f"{split}/{path.name}/{member.name}"] = hashlib.sha256(
                            data.read()
                        ).hexdigest()
    assert len(set(digests.values())) == len(digests) > 20


def test_the_shards_have_the_surprises_of_the_real_ones(bucket: DemoBucket) -> None:
    names = {path.name: path for path in _archives(bucket, "train")}
    assert set("'() ") <= set("".join(names))
    with tarfile.open(names["driving car.tar.gz"], "r:") as plain:
        assert {member.name.count("/") for member in plain} == {7, 8}
    with tarfile.open(names["tying knot (not on a tie).tar.gz"], "r:gz") as macos:
        assert sum(Path(member.name).name.startswith("._") for member in macos) == 5


def test_the_manifest_names_what_is_in_the_bucket(bucket: DemoBucket) -> None:
    manifest = load_manifest(bucket.manifest_path)
    assert manifest.replacement is not None
    urls = [*manifest.readmes, manifest.replacement.url]
    for split in manifest.splits:
        assert split.list_url is not None
        assert split.annotation is not None
        urls += [split.list_url, split.annotation.url]
    for url in urls:
        assert (bucket.directory / url.removeprefix(BASE)).is_file(), url
    (absent,) = manifest.split("train").never_hosted
    assert bucket.planted["train", f"{clip_stem(absent)}.mp4"].verdict is Verdict.NEVER_HOSTED


def test_annotations_are_written_as_the_three_editions_are(bucket: DemoBucket) -> None:
    folder = bucket.directory / "demo" / "annotations"
    assert b'"driving car","caseMatters",5,8,"train"\n' in (folder / "train.csv").read_bytes()
    assert b",validate\r\n" in (folder / "val.csv").read_bytes()
    with (folder / "test.csv").open(newline="") as file:
        assert csv.DictReader(file).fieldnames == ["youtube_id", "time_start", "time_end", "split"]


def test_without_ffmpeg_it_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-ffmpeg"):
        build_demo(tmp_path, ffmpeg="no-such-ffmpeg")


def _get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    request = urllib.request.Request(
        url, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def test_the_server_answers_as_s3_does(bucket: DemoBucket) -> None:
    key = "demo/train/massaging person's head.tar.gz"
    data = (bucket.directory / key).read_bytes()
    etag = f'"{hashlib.md5(data).hexdigest()}"'
    with DemoServer(bucket.directory) as server:
        url = server.url + quote(key)
        status, body, headers = _get(url)
        assert (status, body, headers["ETag"], headers["Server"]) == (200, data, etag, "AmazonS3")
        assert _get(url, Range="bytes=100-", If_Range=etag)[:2] == (206, data[100:])
        assert _get(url, Range="bytes=100-199")[:2] == (206, data[100:200])
        assert _get(url, Range="bytes=100-", If_Range='"another"')[:2] == (200, data)
        assert _get(url, Range=f"bytes={len(data)}-")[0] == 416
        status, body, headers = _get(server.url + "demo/none.tar.gz")
        assert (status, headers["Content-Type"].partition(";")[0]) == (404, "application/xml")
        assert b"<Code>NoSuchKey</Code>" in body
        assert _get(server.url + "%2e%2e/demo.toml")[0] == 404
        assert [request.status for request in server.served] == [200, 206, 206, 200, 416, 404, 404]


def test_the_first_download_breaks_off_half_way_and_can_go_on(bucket: DemoBucket) -> None:
    data = (bucket.directory / DROPPED).read_bytes()
    with DemoServer(bucket.directory, drop=DROPPED) as server:
        url = server.url + quote(DROPPED)
        with (
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD")) as head,
            urllib.request.urlopen(url) as answer,
        ):
            assert int(head.headers["Content-Length"]) == len(data)
            with pytest.raises(http.client.IncompleteRead) as broken:
                answer.read()
        half = broken.value.partial
        assert half == data[: len(data) // 2]
        assert _get(url, Range=f"bytes={len(half)}-")[:2] == (206, data[len(half) :])
