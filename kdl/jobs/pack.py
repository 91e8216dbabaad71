"""``kdl pack``: sound clips, or a derivative of them, in shards that training reads from front to back."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl import events
from kdl.archive.samples import END, Sample, write_samples
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.diskerrors import disk_errors
from kdl.errors import UsageError
from kdl.jobs.ending import recorded
from kdl.jobs.planning import derived_folder
from kdl.jobs.run import Run, open_run
from kdl.media.cookbook import resolve_recipe
from kdl.media.recipe import Recipe
from kdl.settings import GIB
from kdl.values import Finding, RunSummary

_TEMP = ".tmp-"


@dataclass(frozen=True, slots=True)
class PackOptions:
    """Everything ``kdl pack`` takes."""

    dataset: str
    root: Path
    shard_size: int = GIB
    """Bytes of a shard at the most; a clip that is larger gets one to itself."""
    recipe: str | None = None
    """Pack this recipe's derivatives; None for the originals."""
    splits: tuple[str, ...] = ()
    """Empty for all."""
    out: Path | None = None
    """Instead of the mirror's ``packs/``."""
    ledger: Path | None = None


async def pack(options: PackOptions, bus: events.Bus) -> RunSummary:
    """Write the shards that are not there yet. Raises KdlError for what keeps it from starting."""
    manifest = load_manifest(options.dataset)
    recipe = resolve_recipe(options.recipe) if options.recipe else None
    if recipe is not None and recipe.kind != "video" and recipe.storage == "folder":
        raise UsageError(
            "a sample has one file for its pictures, and this recipe makes folders of them",
            subject=recipe.name,
            fix='take a recipe with storage = "zip", such as rawframes-256-zip',
        )
    for split in options.splits:
        if split not in manifest.split_names:
            names = ", ".join(manifest.split_names)
            raise UsageError("no such split", subject=split, fix=f"{manifest.name} has {names}")
    packed: dict[str, dict[str, int]] = {}
    with open_run(
        "pack", manifest.name, options.dataset, options.root, bus, ledger_path=options.ledger, create=False
    ) as run:

        async def result() -> dict[str, Any]:
            return {"packed": packed}

        run.phase("packs")
        packer = _Packer(run, manifest, recipe, options)
        return await recorded(run, run.in_thread(packer.pack, packed), result)


class _Packer:
    """Packs split by split."""

    def __init__(self, run: Run, manifest: Manifest, recipe: Recipe | None, options: PackOptions) -> None:
        self._run = run
        self._manifest = manifest
        self._ids = {label: number for number, label in enumerate(manifest.labels)}
        self._recipe = recipe
        self._room = options.shard_size - END
        self._splits = options.splits or manifest.split_names
        name = recipe.name if recipe else "videos"
        self._out = (options.out or run.paths.base / "packs").absolute() / name
        self._media = derived_folder(run.paths, None, recipe.name) if recipe else run.paths.base

    def pack(self, packed: dict[str, dict[str, int]]) -> None:
        with disk_errors(self._out):
            self._out.mkdir(parents=True, exist_ok=True)
            for leftover in self._out.glob(f"{_TEMP}*"):
                leftover.unlink()
            for split in self._splits:
                counts = self._pack_split(split)
                if counts["clips"]:
                    packed[split] = counts
        if not packed:
            word = self._recipe.name if self._recipe else "clips"
            verb = ("derive", "--recipe", self._recipe.name) if self._recipe else ("mirror",)
            self._run.find(Finding("nothing_to_pack", word, "none is on record", self._run.command(*verb)), 1)

    def _pack_split(self, split: str) -> dict[str, int]:
        """Shards that are whole already are left alone; those that no longer belong are removed."""
        index = _Index(self._out / f"{split}.shards.jsonl")
        counts = {"shards": 0, "written": 0, "clips": 0, "bytes": 0}
        kept = set()
        for number, samples in enumerate(self._shards(split)):
            self._run.checkpoint()
            path = self._out / f"{split}-{number:06d}.tar"
            kept.add(path.name)
            size = index.size(path, samples)
            if size is None:
                temp = self._out / f"{_TEMP}{path.name}"
                size = write_samples(temp, self._steps(samples))
                temp.replace(path)
                index.add(path, samples, size)
                counts["written"] += 1
                self._run.note(f"{path.name}: {len(samples)} clips")
            counts["shards"] += 1
            counts["clips"] += len(samples)
            counts["bytes"] += size
        for path in self._out.glob(f"{split}-*.tar"):
            if path.name not in kept:
                path.unlink()
        index.keep(kept)
        return counts

    def _steps(self, samples: list[Sample]) -> Iterator[Sample]:
        for sample in samples:
            self._run.checkpoint()
            yield sample

    def _shards(self, split: str) -> Iterator[list[Sample]]:
        """Samples until the next one would make the shard too large."""
        shard: list[Sample] = []
        room = self._room
        for sample in self._samples(split):
            if shard and sample.room > room:
                yield shard
                shard, room = [], self._room
            shard.append(sample)
            room -= sample.room
        if shard:
            yield shard

    def _samples(self, split: str) -> Iterator[Sample]:
        """In the order of the clips' digests: mixed, and the same in every run."""
        labelled = self._manifest.split(split).labelled
        for row in self._run.ledger.rows(*self._query(split)):
            media = self._media / row["media"]
            try:
                size = media.stat().st_size
            except OSError as error:
                detail = error.strerror or str(error)
                fix = self._run.command("mirror" if self._recipe is None else "derive")
                self._run.find(Finding("not_packed", row["media"], detail, fix), 1)
                continue
            label = self._manifest.labels.find(row["class_dir"]) or row["label"]
            if labelled and label not in self._ids:
                detail = f"{label!r} is none of the dataset's classes"
                self._run.find(Finding("not_packed", row["media"], detail, self._run.command("mirror")), 1)
                continue
            yield self._sample(row, media, size, label if labelled else None)

    def _sample(self, row: sqlite3.Row, media: Path, size: int, label: str | None) -> Sample:
        """All samples of a split have the same members; those without labels have no ``cls``."""
        texts = []
        about = {key: row[key] for key in ("name", "split", "youtube_id", "duration", "sha256")}
        about |= {"start": row["time_start"], "end": row["time_end"]}
        if self._recipe is not None:
            about |= {"recipe": self._recipe.name, "fingerprint": self._recipe.fingerprint}
        if label is not None:
            about |= {"label": label, "class": self._ids[label]}
            texts.append(("cls", str(self._ids[label]).encode()))
        texts.append(("json", json.dumps(about, sort_keys=True, ensure_ascii=False).encode()))
        return Sample(row["name"].partition(".")[0], media, media.suffix[1:], size, tuple(texts))

    def _query(self, split: str) -> tuple[str, tuple[str, ...]]:
        columns, join = "c.*, c.path AS media", ""
        parameters: tuple[str, ...] = ()
        if self._recipe is not None:
            columns = "c.*, d.path AS media"
            join = """JOIN derivatives AS d ON d.clip_id = c.id AND d.state = 'done' AND d.recipe = ?
                      AND d.fingerprint = ? AND d.clip_sha256 = c.sha256"""
            parameters = (self._recipe.name, self._recipe.fingerprint)
        sql = f"""SELECT {columns} FROM clips AS c {join} WHERE c.split = ? AND c.verdict IN ('ok', 'short')
                  AND c.listed > 0 AND c.path IS NOT NULL ORDER BY c.sha256, c.id"""
        return sql, (*parameters, split)


class _Index:
    """What stands in a split's shards, a line of JSON each; what it does not name is not whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._known[entry["shard"]] = entry

    def size(self, path: Path, samples: list[Sample]) -> int | None:
        """The bytes of a shard that is there and holds these samples."""
        known = self._known.get(path.name)
        if known is None or known["digest"] != _digest(samples) or not path.is_file():
            return None
        size: int = known["bytes"]
        return size if path.stat().st_size == size else None

    def add(self, path: Path, samples: list[Sample], size: int) -> None:
        self._known[path.name] = {
            "shard": path.name, "clips": len(samples), "bytes": size, "digest": _digest(samples),
        }  # fmt: skip
        self.keep(set(self._known))

    def keep(self, names: set[str]) -> None:
        """Forget all other shards."""
        self._known = {name: entry for name, entry in self._known.items() if name in names}
        if not self._known:
            self._path.unlink(missing_ok=True)
            return
        temp = self._path.with_name(f"{_TEMP}{self._path.name}")
        temp.write_text("".join(f"{json.dumps(entry)}\n" for entry in self._known.values()), encoding="utf-8")
        temp.replace(self._path)


def _digest(samples: list[Sample]) -> str:
    """16 hex digits of what the samples are made of; of the files their sizes, the rest is in the texts."""
    told = hashlib.sha256()
    for sample in samples:
        told.update(repr((sample.key, sample.extension, sample.size, sample.texts)).encode())
    return told.hexdigest()[:16]
