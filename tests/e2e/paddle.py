"""PaddleVideo's copy of K400 in small: its two hosts, the annotations' host, and all that is odd about it."""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, cut_short, render, stamp
from tests.e2e.running import Ran, kdl
from tests.replica.nginx import Nginx

DATASET = "k400-paddle"
HOSTS = ("archives", "lists", "cvdf")
FRAMES = 15
"""Of every clip: three seconds."""
PLAIN = {
    "-plain_mp4_": ".mp4",
    "plain_mkv_-": ".mkv",
    "plain_webm_": ".webm",
    "mp4_and_mkv": ".mp4.mkv",
    "mp4_and_web": ".mp4.webm",
}
"""Clips of val of which nothing is odd but their extensions: all that the copy has."""
SHORT = "short_-_-_-"
"""Annotated as ten seconds."""
TWICE = "twice_-_-_-"
"""Cut off as mp4, whole as mkv."""
AMBIGUOUS = "ambiguous_-"
"""Annotated twice."""
STRANGER = "stranger_-_"
"""Not annotated."""
ABSENT = "-absent_-_-"
"""Annotated, and not hosted."""
MISFILED = "misfiled_-_"
"""Its folder in the archive is another class's than the annotation says."""
TRAIN = ("train_one_-_000005_000008.mp4", "-train_two__000000_000003.mkv")
ABSEILING, HEAD, HEAD_ID = "abseiling", "massaging_person's_head", 196
_HEADER = "label,youtube_id,time_start,time_end,split\n"


@dataclass(frozen=True)
class Paddle:
    """The hosts behind one server."""

    server: Nginx
    bucket: Path
    """The folder that is served: one for each host."""

    def run(self, verb: str, root: Path, *arguments: object) -> Ran:
        return kdl(*self.command(verb, root, *arguments), "--json")

    def command(self, verb: str, root: Path, *arguments: object) -> list[object]:
        origins = [f"{host}={self.server.url}{host}" for host in HOSTS] if verb == "mirror" else []
        options = [word for origin in origins for word in ("--origin", origin)]
        return [verb, DATASET, "--root", root, *options, *arguments]


def films(folder: Path) -> dict[str, bytes]:
    """Three seconds of moving pictures with sound, in each container."""
    made = {".mp4": render([Scene("testsrc2", 3, size="96x64", fps=5)])[0]}
    source = folder / "film.mp4"
    source.write_bytes(made[".mp4"])
    for ext, codecs in {
        ".mkv": ("-c:v", "copy", "-c:a", "libvorbis"),
        ".webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    }.items():
        target = folder / f"film{ext}"
        command = ["ffmpeg", "-nostdin", "-v", "error", "-i", source, "-ar", "48000", *codecs, target]
        subprocess.run(command, check=True)
        made[ext] = target.read_bytes()
    return made


def build(bucket: Path, films: dict[str, bytes]) -> None:
    """Fill the folder that is served: val in three archives, train in one."""
    mp4, mkv = films[".mp4"], films[".mkv"]

    def member(top: str, folder: str, name: str, body: bytes) -> Member:
        return Member(f"{top}/{folder}/{name}", body)

    plain = [
        member("val_part1", ABSEILING, f"{name}{ext}", films[f".{ext.rpartition('.')[2]}"])
        for name, ext in PLAIN.items()
    ]
    _zip(bucket / "archives" / "val_part1.tar.gz", plain)
    write_archive(
        bucket / "archives" / "val_part2.tar.gz",
        [
            member("val_part2", HEAD, f"{TWICE}.mp4", cut_short(mp4)),
            member("val_part2", HEAD, f"{TWICE}.mkv", mkv),
            member("val_part2", HEAD, f"{SHORT}.mp4", stamp(mp4, SHORT)),
            member("val_part2", HEAD, f"{AMBIGUOUS}.mp4", stamp(mp4, AMBIGUOUS)),
        ],
    )
    _zip(
        bucket / "archives" / "val_part3.zip",
        [
            member("val_part3", HEAD, f"{STRANGER}.mp4", stamp(mp4, STRANGER)),
            member("val_part3", HEAD, f"{MISFILED}.mp4", stamp(mp4, MISFILED)),
        ],
    )
    write_archive(
        bucket / "archives" / "train_part1.tar.gz",
        [
            member("train_part1", ABSEILING, TRAIN[0], stamp(mp4, "train")),
            member("train_part1", HEAD, TRAIN[1], mkv),
        ],
    )
    _links(bucket, "val", ["val_part1.tar.gz", "val_part2.tar.gz", "val_part3.zip"])
    _links(bucket, "train", ["train_part1.tar.gz"])
    _annotate(bucket)
    _publish(bucket)


def _zip(path: Path, members: Sequence[Member]) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for member in members:
            archive.writestr(member.name, member.data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body.getvalue())


def _links(bucket: Path, split: str, names: Sequence[str]) -> None:
    base = "https://ai-rank.bj.bcebos.com/Kinetics400/"
    (bucket / "archives" / f"{split}_link.list").write_text("".join(f"{base}{name}\n" for name in names))


def _annotate(bucket: Path) -> None:
    """The annotations of another host."""
    folder = bucket / "cvdf" / "400" / "annotations"
    folder.mkdir(parents=True)
    head = HEAD.replace("_", " ")
    val = [f"abseiling,{name},7,10,val\n" for name in PLAIN]
    val += [f"{head},{name},0,3,val\n" for name in (TWICE, ABSENT)]
    val += [f"{head},{SHORT},20,30,val\n", f"abseiling,{MISFILED},0,3,val\n"]
    val += [f"{head},{AMBIGUOUS},{start},{start + 3},val\n" for start in (0, 40)]
    (folder / "val.csv").write_text(_HEADER + "".join(val))
    train = [f"abseiling,{TRAIN[0][:11]},5,8,train\n", f'"{head}",{TRAIN[1][:11]},0,3,train\n']
    (folder / "train.csv").write_text(_HEADER + "".join(train))


def _publish(bucket: Path) -> None:
    """The lists that its makers trained with; those of val are wrong in every way."""
    folder = bucket / "lists"
    folder.mkdir()
    ids = {ABSEILING: 0, HEAD: HEAD_ID}
    train = [(f"{ABSEILING}/{TRAIN[0]}", 0), (f"{HEAD}/{TRAIN[1]}", ids[HEAD])]
    val = [(f"{ABSEILING}/{name}{ext}", 0) for name, ext in PLAIN.items() if name != "plain_webm_"]
    val += [(f"{HEAD}/{name}", ids[HEAD]) for name in (f"{TWICE}.mp4", f"{TWICE}.mkv", f"{ABSENT}.mp4")]
    val += [
        (f"{HEAD}/{SHORT}.mp4", 1),
        (f"{HEAD}/{STRANGER}.mp4", ids[HEAD]),
        (f"{HEAD}/{MISFILED}.mp4", ids[HEAD]),
    ]
    for split, rows in (("train", train), ("val", val)):
        lines = [f"{path} {label}\n" for path, label in rows]
        if split == "val":
            lines.append("no line of a list\n")
        (folder / f"{split}.list").write_text("".join(lines))
        counts = [FRAMES + (split == "val" and "plain_mkv_" in path) for path, _ in rows]
        frames = [f"{path} {count} {label}" for (path, label), count in zip(rows, counts, strict=True)]
        (folder / f"{split}_frames.list").write_text("\n".join(frames))
