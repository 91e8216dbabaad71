"""What people have of a dataset before they mirror it: a small K400, and the layouts they keep it in."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdl.dataset.labels import Style, class_dir
from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, render, stamp
from tests.e2e.running import Ran

NAME = "mixed"
LABELS = ("abseiling", "tying knot (not on a tie)")
SHARDS = {"train": 3, "val": 1}
_EACH = 4
"""Clips in a shard."""


@dataclass(frozen=True)
class Mixed:
    """A dataset like K400: nothing but the annotation tells a clip's class, nothing its shard."""

    directory: Path
    manifest: Path
    clips: dict[tuple[str, str], bytes]
    """By split and name."""

    @property
    def annotations(self) -> Path:
        return self.directory / NAME / "annotations"

    def archive(self, split: str, number: int) -> Path:
        return self.directory / NAME / split / f"part_{number}.tar.gz"


def label_of(name: str) -> str:
    return LABELS[int(name[9:11]) % 2]


def build_mixed(out: Path) -> Mixed:
    """Makes the bucket and its manifest in ``out``."""
    film = render([Scene("testsrc2", 3, size="96x64", fps=5)])[0]
    folder = out / "bucket" / NAME
    clips = {}
    for split, count in SHARDS.items():
        names = [f"{split:_<8}-{number:02d}_000000_000003.mp4" for number in range(count * _EACH)]
        bodies = {name: stamp(film, f"{split} {name}") for name in names}
        clips |= {(split, name): body for name, body in bodies.items()}
        for shard in range(count):
            inside = names[shard * _EACH : (shard + 1) * _EACH]
            top = Member("./", kind=tarfile.DIRTYPE)
            members = [top, *(Member(f"./{name}", bodies[name]) for name in inside)]
            write_archive(folder / split / f"part_{shard}.tar.gz", members)
        lines = [f"https://mixed.invalid/{NAME}/{split}/part_{shard}.tar.gz\n" for shard in range(count)]
        (folder / split / "path.txt").write_text("".join(lines))
        rows = [f"{label_of(name)},{name[:11]},0,3,{split}\n" for name in names]
        (folder / "annotations").mkdir(exist_ok=True)
        head = "label,youtube_id,time_start,time_end,split\n"
        (folder / "annotations" / f"{split}.csv").write_text(head + "".join(rows))
    manifest = out / f"{NAME}.toml"
    manifest.write_text(
        f"name = '{NAME}'\ntitle = 'Mixed'\nlabels = {list(LABELS)}\n"
        f"hosts = {{ mixed = 'https://mixed.invalid/' }}\n"
        + "".join(
            f"[[split]]\nname = '{split}'\nclass_from = 'annotation'\nlist = '{NAME}/{split}/path.txt'\n"
            f"annotation = {{ url = '{NAME}/annotations/{split}.csv', format = 'csv' }}\n"
            f"counts = {{ shards = {count}, bytes = '{count}G' }}\n"
            for split, count in SHARDS.items()
        )
    )
    return Mixed(out / "bucket", manifest, clips)


def put(folder: Path, clips: dict[str, bytes]) -> Path:
    """The files in ``folder``, by their paths in it."""
    for name, body in clips.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


def laid_out(clips: Iterable[Path], out: Path, layout: str) -> None:
    """Clips of a finished mirror, ``<split>/<class>/<clip>``, as people keep them."""
    styles: dict[str, Style] = {"cvdf": "raw", "mmaction2": "mmaction2", "torchvision": "torchvision"}
    for path in clips:
        split, label = path.parts[-3], path.parts[-2]
        top = out / (f"videos_{split}" if layout == "mmaction2" else split)
        target = top if layout == "flat" else top / class_dir(_label(label), styles[layout])
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target / path.name)


def _label(folder: str) -> str:
    """The class of a folder in the mirror's own style."""
    return folder.replace("_", " ")


def in_pieces(archive: Path, folder: Path, names: Iterable[str]) -> None:
    """The archive cut into as many pieces as there are names."""
    folder.mkdir(parents=True, exist_ok=True)
    body, names = archive.read_bytes(), list(names)
    size = -(-len(body) // len(names))
    for at, name in enumerate(names):
        (folder / f"{archive.name}.{name}").write_bytes(body[at * size : (at + 1) * size])


def told(done: Ran, kind: str) -> list[str]:
    """The subjects of the findings of a kind, each of which has a way out."""
    found = [finding for finding in done.result["findings"] if finding["kind"] == kind]
    assert all(finding["fix"] for finding in found)
    return sorted(Path(finding["subject"]).name for finding in found)
