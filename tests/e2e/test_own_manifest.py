"""Manifests of people's own, mirrored as docs/manifest.md describes them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, render, stamp
from tests.e2e.running import Ran, clips, kdl
from tests.replica import nginx
from tests.replica.nginx import Nginx

DOCS = Path(__file__).parents[2] / "docs" / "manifest.md"
CLASSES = ("air drumming", "cutting (onions)", "zesting")


@pytest.fixture(scope="module")
def film() -> bytes:
    return render([Scene("testsrc2", 3, size="64x48")])[0]


@dataclass(frozen=True)
class Kitchen:
    """A server with a bucket to fill, and a folder for manifests."""

    bucket: Path
    server: Nginx
    folder: Path

    def manifest(self, name: str, text: str) -> str:
        path = self.folder / f"{name}.toml"
        path.write_text(text)
        return str(path)

    def mirror(self, dataset: str, *arguments: object) -> Ran:
        return kdl("mirror", dataset, "--root", self.folder / "root", "--json", *arguments)

    def videos(self, name: str) -> set[str]:
        top = self.folder / "root" / name
        return {str(path.relative_to(top)) for path in (top / "videos").rglob("*") if path.is_file()}


@pytest.fixture
def kitchen(tmp_path: Path) -> Iterator[Kitchen]:
    (tmp_path / "bucket").mkdir()
    with nginx.serve(tmp_path / "bucket") as server:
        yield Kitchen(tmp_path / "bucket", server, tmp_path)


def write_zip(path: Path, members: Iterable[Member]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for member in members:
            archive.writestr(member.name, member.data)
    path.write_bytes(data.getvalue())


def clip_id(number: int) -> str:
    return f"-clip{number:05d}_"


def test_folders_without_an_annotation(kitchen: Kitchen, film: bytes) -> None:
    """Classes told by folders, a tar and a zip, a top folder, no times, other extensions."""
    exts = (".mp4", ".mkv", ".mp4.mkv")
    held = [
        [
            Member(
                f"pack-2/videos/{label}/{clip_id(9 * part + at)}{exts[at % 3]}", stamp(film, f"{part}{at}")
            )
            for at, label in enumerate([*CLASSES, *CLASSES])
        ]
        for part in range(2)
    ]
    write_archive(kitchen.bucket / "one.tar.gz", held[0])
    write_zip(kitchen.bucket / "two (2).zip", [Member("pack-2/readme.txt", b"hello"), *held[1]])
    dataset = kitchen.manifest(
        "folders",
        f"""
name = "folders"
title = "Folders"
labels = {list(CLASSES)}
extensions = [".mp4", ".mkv", ".mp4.mkv"]
times = false
strip = 2
archive = "unknown"
hosts = {{ here = "{kitchen.server.url}" }}
[[split]]
name = "train"
class_from = "folder"
archives = ["one.tar.gz", "two (2).zip"]
""",
    )
    done = kitchen.mirror(dataset)
    assert done.code == 0
    assert done.result["clips"]["ok"] == 12
    assert kitchen.videos("folders") == {
        f"videos/train/{member.name.split('/')[2].replace(' ', '_')}/{member.name.rpartition('/')[2]}"
        for part in held
        for member in part
    }
    rows = kdl("export", dataset, "--root", kitchen.folder / "root").out.splitlines()[1:]
    assert len(rows) == 12
    assert {row.split(",")[1] for row in rows} == set(CLASSES)
    listed = (kitchen.folder / "root/folders/lists/slowfast/train.csv").read_text().splitlines()
    assert sorted(line.rpartition(" ")[2] for line in listed) == sorted("001122" * 2)
    one = kitchen.mirror(dataset, "--class", "zesting")
    assert (one.code, one.result["shards"]["skipped"]) == (0, 2)


def cooking() -> str:
    """The manifest that the documentation ends with."""
    (text,) = re.findall(r"```toml\n(name = \"cooking\".*?)```", DOCS.read_text(), re.DOTALL)
    return str(text)


def test_the_documented_manifest(kitchen: Kitchen, film: bytes) -> None:
    """Two archives hold both splits; annotations on another host tell whose each clip is."""
    train, val, stray = ([clip_id(base + at) for at in range(3)] for base in (10, 20, 30))
    members = [
        *(Member(f"cooking-v2/{label}/{train[at]}_000005_000008.mp4", stamp(film, f"t{at}"))
          for at, label in enumerate(CLASSES)),
        *(Member(f"cooking-v2/{label}/{val[at]}.mp4.mkv", stamp(film, f"v{at}"))
          for at, label in enumerate(CLASSES)),
        Member(f"cooking-v2/zesting/{stray[0]}_000000_000003.mp4", film),
    ]  # fmt: skip
    write_archive(kitchen.bucket / "video/cooking a-m.tar.gz", members[:4])
    write_zip(kitchen.bucket / "video/cooking n-z.zip", members[4:])
    (kitchen.bucket / "lab/lists").mkdir(parents=True)
    rows = [f"{label},{train[at]},5,8,train\n" for at, label in enumerate(CLASSES)]
    (kitchen.bucket / "lab/lists/train.csv").write_text(
        "label,youtube_id,time_start,time_end,split\n" + "".join(rows)
    )
    rows = [f"{label},{val[at]}\n" for at, label in enumerate(CLASSES)]
    (kitchen.bucket / "lab/lists/val.csv").write_text("label,youtube_id\n" + "".join(rows))
    (kitchen.folder / "cooking-labels.txt").write_text("\n".join(CLASSES) + "\n")
    dataset = kitchen.manifest("cooking", cooking())
    origins = ("--origin", f"store={kitchen.server.url}video", "--origin", f"lab={kitchen.server.url}lab")
    plan = kitchen.mirror(dataset, *origins, "--dry-run").result["plan"]
    assert (plan["shards"]["to_fetch"], plan["shards"]["total"]) == (4, 4)
    done = kitchen.mirror(dataset, *origins)
    assert done.code == 0
    assert {name: count for name, count in done.result["clips"].items() if count} == {"ok": 6, "unlisted": 1}
    folders = [label.replace(" ", "_") for label in CLASSES]
    assert kitchen.videos("cooking") == {
        *(f"videos/train/{folder}/{train[at]}_000005_000008.mp4" for at, folder in enumerate(folders)),
        *(f"videos/val/{folder}/{val[at]}.mp4.mkv" for at, folder in enumerate(folders)),
    }
    again = kitchen.mirror(dataset, *origins)
    assert again.result["shards"] == {"done": 0, "failed": 0, "skipped": 4}


def test_damage_inside_the_bitstream_is_found_by_decoding(kitchen: Kitchen, film: bytes) -> None:
    damaged = bytearray(film)
    at = film.index(b"mdat") + (len(film) - film.index(b"mdat")) // 2
    damaged[at : at + 600] = bytes(600)
    whole = [Member(f"a/{clip_id(at)}_000000_000003.mp4", stamp(film, str(at))) for at in range(2)]
    bad = f"{clip_id(7)}_000000_000003.mp4"
    write_archive(kitchen.bucket / "a.tar.gz", [*whole, Member(f"a/{bad}", bytes(damaged))])
    dataset = kitchen.manifest(
        "deep",
        f"""
name = "deep"
title = "Deep"
labels = ["a"]
hosts = {{ here = "{kitchen.server.url}" }}
[[split]]
name = "train"
class_from = "folder"
archives = ["a.tar.gz"]
""",
    )
    shallow = kitchen.mirror(dataset)
    assert (shallow.code, shallow.result["clips"]["ok"]) == (0, 3)
    deep = kitchen.mirror(dataset, "--level", "decode")
    assert (deep.code, deep.result["clips"]["ok"], deep.result["clips"]["corrupt"]) == (1, 2, 1)
    row = clips(dataset, kitchen.folder / "root")[("train", bad)]
    assert (row["verdict"], row["cause"]) == ("corrupt", "decode_error")
    assert bad not in " ".join(kitchen.videos("deep"))
    again = kitchen.mirror(dataset)
    assert again.result["clips"] == deep.result["clips"]
