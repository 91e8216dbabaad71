"""Tiny-Kinetics-400 from Google Drive, whose hosts stand on loopback behind a proxy: the shipped manifest.

The command runs as it always does; that drive.google.com and raw.githubusercontent.com are here, it has from
its environment.
"""

from __future__ import annotations

import asyncio
import csv
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdl.dataset.manifest import load_manifest
from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, render, stamp
from tests.e2e.running import Ran, kdl
from tests.fetch.drive_host import QUOTA, Google

MANIFEST = load_manifest("tiny-k400")
CLASSES = ("abseiling", "air drumming")
ROLES = ("train", "val", "spare")
"""What becomes of a class's three videos: one in each list, and one in neither."""
LISTS = "raw.githubusercontent.com"


def clip(label: str, role: str) -> tuple[str, int]:
    """Its YouTube id and start."""
    at = CLASSES.index(label) * 3 + ROLES.index(role)
    return f"-tiny_{at:05d}", 10 * at


def name_of(label: str, role: str) -> str:
    youtube_id, start = clip(label, role)
    return f"{youtube_id}_{start:06d}_{start + 10:06d}.mp4"


def table(split: str) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["label", "youtube_id", "time_start", "time_end", "split", "is_cc"])
    for label in CLASSES:
        youtube_id, start = clip(label, split)
        rows.writerow([label, youtube_id, start, start + 10, split, 0])
    return out.getvalue().encode()


@dataclass
class Shared:
    """Drive with the data set in it, and the environment in which a command finds it."""

    google: Google
    surroundings: dict[str, str]
    loop: asyncio.AbstractEventLoop

    def run(self, verb: str, root: Path, *arguments: object) -> Ran:
        return kdl(verb, "tiny-k400", "--root", root, *arguments, **self.surroundings)


@pytest.fixture(scope="module")
def films() -> dict[str, bytes]:
    film = render([Scene("testsrc2", 10, size="64x48")])[0]
    return {
        f"{label}/{name_of(label, role)}": stamp(film, f"{label}{role}")
        for label in CLASSES
        for role in ROLES
    }


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Shared]:
    """Google and the lists' host, in a thread with a loop of its own."""
    google = Google({}, root=str(MANIFEST.splits[0].list_url).split("/")[2])
    google.elsewhere = {
        f"{LISTS}{str(spec.annotation and spec.annotation.url).partition(LISTS)[2]}": table(spec.name)
        for spec in MANIFEST.splits
    }
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def there(work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(30)  # type: ignore[arg-type]

    try:
        there(google.__aenter__())
        yield Shared(google, google.surroundings(tmp_path), loop)
        there(google.__aexit__())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def videos(root: Path) -> set[str]:
    base = root / "tiny-k400"
    places = (base / "videos", base / "unlisted")
    return {str(path.relative_to(base)) for place in places for path in place.rglob("*") if path.is_file()}


EXPECTED = {
    *(
        f"videos/{split}/{label.replace(' ', '_')}/{name_of(label, split)}"
        for label in CLASSES
        for split in ROLES[:2]
    ),
    *(f"unlisted/train/{name_of(label, 'spare')}" for label in CLASSES),
}


def test_class_folders_are_split_by_the_lists(
    shared: Shared, films: dict[str, bytes], tmp_path: Path
) -> None:
    """Loose videos in class folders; more than fifty files; frames in the documented tree."""
    shared.google.files.update(films)
    shared.google.files.update({f"docs/note {at}.txt": b"no clip" for at in range(60)})
    root = tmp_path / "root"
    done = shared.run("mirror", root, "--recipe", "frames-300", "--json")
    assert done.code == 0, done.out + done.err
    assert videos(root) == EXPECTED
    assert done.result["clips"]["ok"] == 4
    assert done.result["clips"]["unlisted"] == 2, "the third video of each class is in neither list, and told"

    farm = tmp_path / "kinetics400_30fps_frames"
    made = shared.run("lists", root, "--for", "tinykinetics", "--recipe", "frames-300", "--links", farm)
    assert made.code == 0, made.err
    frames = farm / "air_drumming" / Path(name_of("air drumming", "val")).stem
    assert sorted(each.name for each in frames.iterdir())[::299] == ["frame_00001.jpg", "frame_00300.jpg"]
    assert {each.name for each in farm.iterdir() if not each.name.startswith(".")} == {
        *(label.replace(" ", "_") for label in CLASSES),
        "tiny_train.csv",
        "tiny_val.csv",
    }
    assert (farm / "tiny_val.csv").read_bytes() == table("val")

    asked = len(shared.google.asked)
    again = shared.run("mirror", root, "--json")
    assert again.code == 0
    assert again.result["shards"] == {"done": 0, "failed": 0, "skipped": 4}
    assert len(shared.google.asked) == asked


def test_an_archive_behind_the_warning_page(shared: Shared, films: dict[str, bytes], tmp_path: Path) -> None:
    archive = tmp_path / "tiny.tar.gz"
    write_archive(archive, [Member(name, data) for name, data in films.items()])
    shared.google.files["tiny-Kinetics-400.tar.gz"] = archive.read_bytes()
    shared.google.warned.add("tiny-Kinetics-400.tar.gz")
    done = shared.run("mirror", tmp_path / "root", "--json")
    assert done.code == 0, done.out
    assert videos(tmp_path / "root") == EXPECTED


def test_a_used_up_quota_leads_to_the_copy_that_a_person_fetches(
    shared: Shared, films: dict[str, bytes], tmp_path: Path
) -> None:
    archive = tmp_path / "tiny.tar.gz"
    write_archive(archive, [Member(name, data) for name, data in films.items()])
    shared.google.files["tiny-Kinetics-400.tar.gz"] = archive.read_bytes()
    shared.google.pages["tiny-Kinetics-400.tar.gz"] = QUOTA
    root = tmp_path / "root"
    done = shared.run("mirror", root, "--json")
    assert done.code == 4
    found = {finding["kind"]: finding for finding in done.result["findings"]}
    assert "quota" in found["object_failed"]["detail"]
    assert "pigr" in found["by_hand"]["detail"]
    assert "kdl adopt" in found["by_hand"]["fix"]
    taken = shared.run("adopt", root, archive, "--json")
    assert taken.kinds() == {"adopt_split_unknown"}, "the third videos"
    assert EXPECTED - videos(root) == {name for name in EXPECTED if name.startswith("unlisted")}
