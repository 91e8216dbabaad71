"""Reading manifests: the shipped ones by name, a user's own by path.

The schema is documented in ``docs/manifest.md``. A manifest is only ever parsed into values; paths
in it are relative to its own folder and name text files that are read here, URLs are resolved
against its hosts and not touched.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from kdl.dataset.clipname import parse_clip_name
from kdl.dataset.hosting import Hosting
from kdl.dataset.labels import STYLES, LabelMap, class_dir, clean_label
from kdl.dataset.safe import unsafe
from kdl.dataset.schema import EXTRAS, FROM_ANNOTATION, check, malformed, near
from kdl.dataset.specs import (
    AnnotationSpec,
    Counts,
    ExtraSpec,
    Host,
    Manifest,
    PublishedSpec,
    PublisherSpec,
    ReplacementSpec,
    SplitSpec,
)
from kdl.dataset.textfile import read_names, reason_of
from kdl.errors import ManifestError, UsageError
from kdl.resources import shipped
from kdl.settings import MEMBER_CAP, parse_size
from kdl.urls import url_name
from kdl.values import ClipKey

__all__ = [
    "AnnotationSpec",
    "Counts",
    "Host",
    "Manifest",
    "ReplacementSpec",
    "SplitSpec",
    "load_manifest",
    "shipped_manifests",
]

_NO_DATASETS = ("recipes",)
"""TOML files beside the manifests that describe something else."""
_SHORT_TOLERANCE = 1.0
PUBLISHER_NAME = re.compile(r"[a-z][a-z0-9-]*")
"""How whoever else lists the clips is called: also a folder's name, and a word of the command line."""
_DOCS = "docs/manifest.md has a whole one to start from"


def shipped_manifests() -> list[str]:
    """The names of the datasets that kdl knows by itself, sorted."""
    folder = shipped("labels").parent
    return sorted(path.stem for path in folder.glob("*.toml") if path.stem not in _NO_DATASETS)


def load_manifest(name_or_path: str | Path) -> Manifest:
    """The manifest of a shipped dataset, or of a file: a path has a slash or ends in ``.toml``.

    Raises UsageError for a dataset that does not exist, ManifestError, naming file, key and reason,
    for a file that can not be read or is malformed.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith(".toml"):
        return _read(Path(text).expanduser())
    names = shipped_manifests()
    if text not in names:
        hint = near(text, names)
        raise UsageError(
            "no such dataset" + (f"; {hint}" if hint else ""),
            subject=repr(text),
            fix="`kdl datasets` lists them; a manifest of your own is named by its path, ./mine.toml",
        )
    return _read(shipped(f"{text}.toml"))


def _read(path: Path) -> Manifest:
    file = str(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ManifestError(f"not TOML: {error}", subject=file, fix=_DOCS) from error
    except (OSError, UnicodeDecodeError) as error:
        fix = "a manifest is named by its path; `kdl datasets` lists the ones that come with kdl"
        raise ManifestError(f"can not be read: {reason_of(error)}", subject=file, fix=fix) from error
    check(file, table)
    return _Reader(path, table).manifest()


class _Reader:
    """Turns one checked table into a manifest, and checks what its keys mean together."""

    def __init__(self, path: Path, table: dict[str, Any]) -> None:
        self.path = path
        self.file = str(path)
        self.table = table
        self.hosting = Hosting(self.file, table.get("hosts", {}))

    def manifest(self) -> Manifest:
        table = self.table
        splits = tuple(self._split(item) for item in table["split"])
        self._splits_apart(splits)
        return Manifest(
            name=self._word("name", table["name"]),
            title=table["title"],
            sources=tuple(table.get("sources", ())),
            hosts=self.hosting.hosts,
            splits=splits,
            replacement=self._replacement(splits),
            readmes=self._readmes(),
            youtube=self._youtube(),
            by_hand=tuple(table.get("by_hand", ())),
            publishers=self._publishers(splits),
            extras=self._extras(),
            torrent=self.hosting.torrent(table.get("torrent", {})),
            labels=self._labels(splits),
            list_prefix=self._word("list_prefix", table.get("list_prefix", table["name"])),
            short_tolerance=float(table.get("short_tolerance", _SHORT_TOLERANCE)),
            max_member=_size(table.get("max_member", MEMBER_CAP)),
            path=self.path,
        )

    def _split(self, item: dict[str, Any]) -> SplitSpec:
        at = f"split[{item['name']}]"
        extensions = tuple(self._for_split(item, "extensions", [".mp4"]))
        times = self._for_split(item, "times", True)
        any_id = self._for_split(item, "ids", "youtube") == "any"
        for ext in extensions:
            if not ext.startswith(".") or unsafe(f"clip{ext}") or ext != "".join(ext.split()):
                raise self._bad(f"{at}.extensions", f"not an extension with its dot: {ext!r}")
        list_url, archives = self._shards(item, at)
        spec = SplitSpec(
            name=item["name"],
            class_from=item["class_from"],
            list_url=list_url,
            archives=archives,
            annotation=self._annotation(item["annotation"], at) if "annotation" in item else None,
            published=self._published(item["published"], at) if "published" in item else None,
            never_hosted=self._never_hosted(item, at, times=bool(times), any_id=any_id),
            counts=_counts(item.get("counts", {})),
            extensions=extensions,
            times=bool(times),
            untimed=times == FROM_ANNOTATION,
            any_id=any_id,
            strip=self._for_split(item, "strip", 0),
            archive=self._for_split(item, "archive", "tar"),
            split_from=self._for_split(item, "split_from", "archive"),
        )
        told = {"class_from": spec.class_from, "split_from": spec.split_from, "times": times}
        for key, value in told.items():
            if value == FROM_ANNOTATION and spec.annotation is None:
                raise self._bad(f"{at}.{key}", "is 'annotation', but the split has no annotation")
        return spec

    def _for_split(self, item: dict[str, Any], key: str, default: Any) -> Any:
        """A key that a split may set for itself, or the manifest for all."""
        return item.get(key, self.table.get(key, default))

    def _shards(self, item: dict[str, Any], at: str) -> tuple[str | None, tuple[str, ...]]:
        if ("list" in item) == ("archives" in item):
            raise self._bad(at, "must have either list or archives")
        if "list" in item:
            return self.hosting.url(f"{at}.list", item["list"]), ()
        urls = tuple(self.hosting.url(f"{at}.archives", text) for text in item["archives"])
        for url, times in Counter(urls).items():
            if times > 1:
                raise self._bad(f"{at}.archives", f"named {times} times: {url}")
        return None, urls

    def _annotation(self, item: dict[str, Any], at: str) -> AnnotationSpec:
        url = self.hosting.url(f"{at}.annotation.url", item["url"])
        name = item.get("file_name", url_name(url))
        return AnnotationSpec(url, item["format"], self._file_name(f"{at}.annotation.file_name", name))

    def _published(self, item: dict[str, Any], at: str) -> PublishedSpec:
        key = f"{at}.published"
        urls = {name: self.hosting.url(f"{key}.{name}", item[name]) for name in item if name != "by"}
        for name, url in urls.items():
            self._file_name(f"{key}.{name}", url_name(url))
        return PublishedSpec(self._word(f"{key}.by", item["by"]), urls["videos"], urls.get("frames"))

    def _youtube(self) -> str | None:
        text = self.table.get("youtube")
        if text is None:
            return None
        self.hosting.url("youtube", text)
        return str(text)

    def _readmes(self) -> tuple[str, ...]:
        urls = tuple(self.hosting.url("readmes", text) for text in self.table.get("readmes", ()))
        for url in urls:
            self._file_name("readmes", url_name(url))
        return urls

    def _replacement(self, splits: tuple[SplitSpec, ...]) -> ReplacementSpec | None:
        item = self.table.get("replacement")
        if item is None:
            return None
        names = [split.name for split in splits]
        for name in item["splits"]:
            if name not in names:
                raise self._bad("replacement.splits", f"no such split: {name!r}", near(name, names))
        url = self.hosting.url("replacement.url", item["url"])
        return ReplacementSpec(url, tuple(item["splits"]), item.get("clips"))

    def _publishers(self, splits: tuple[SplitSpec, ...]) -> tuple[PublisherSpec, ...]:
        folders = {split.published.by for split in splits if split.published}
        taken = {*EXTRAS, *folders, self.table["name"], *(host.name for host in self.hosting.hosts)}
        found: dict[str, PublisherSpec] = {}
        for item in self.table.get("annotations", ()):
            name = item["name"]
            at = f"annotations[{name}]"
            if not PUBLISHER_NAME.fullmatch(name):
                raise self._bad(f"{at}.name", "a publisher's name is lower-case letters, digits and -")
            if name in taken:
                raise self._bad(f"{at}.name", "stands for something else in this manifest already")
            given = [item["url"]] if isinstance(item["url"], str) else item["url"]
            urls = tuple(self.hosting.url(f"{at}.url", text) for text in given)
            names = Counter(self._file_name(f"{at}.url", url_name(url)) for url in urls)
            if len(names) < len(urls):
                raise self._bad(f"{at}.url", f"two files are called {names.most_common(1)[0][0]}")
            taken.add(name)
            found[name] = PublisherSpec(name, item["format"], urls)
        return tuple(found.values())

    def _extras(self) -> tuple[ExtraSpec, ...]:
        found: dict[str, ExtraSpec] = {}
        for item in self.table.get("extra", ()):
            name = item["name"]
            at = f"extra[{name}]"
            if name in found:
                raise self._bad(at, "there are two of this name")
            url = self.hosting.url(f"{at}.url", item["url"])
            file_name = self._file_name(f"{at}.file_name", item.get("file_name", url_name(url)))
            found[name] = ExtraSpec(name, url, file_name)
        return tuple(found.values())

    def _never_hosted(
        self, item: dict[str, Any], at: str, *, times: bool, any_id: bool
    ) -> frozenset[ClipKey]:
        key = f"{at}.never_hosted"
        if "never_hosted" not in item:
            return frozenset()
        names = self._names(key, item["never_hosted"])
        clips = {name: parse_clip_name(name, extensions=("",), times=times, any_id=any_id) for name in names}
        keys = {clip.key(item["name"]) for clip in clips.values() if clip is not None}
        if len(keys) < len(names):
            wrong = next((name for name, clip in clips.items() if clip is None), None)
            reason = "names a clip twice" if wrong is None else f"holds what is no clip's name: {wrong!r}"
            raise self._bad(key, f"{item['never_hosted']} {reason}")
        return frozenset(keys)

    def _labels(self, splits: tuple[SplitSpec, ...]) -> LabelMap:
        given = self.table.get("labels", [])
        names = self._names("labels", given) if isinstance(given, str) else given
        if not names:
            for split in splits:
                if split.labelled:
                    raise self._bad("labels", f"is missing, and split {split.name} has classes")
        labels = LabelMap(tuple(clean_label(name) for name in names))
        for style in STYLES:
            self._folders_apart(labels, style)
        return labels

    def _folders_apart(self, labels: LabelMap, style: Any) -> None:
        """Every class has a folder of its own, in every style."""
        owner: dict[str, str] = {}
        for name in labels:
            try:
                folder = class_dir(name, style)
            except UsageError as error:
                raise self._bad("labels", str(error)) from error
            if folder in owner:
                raise self._bad("labels", f"{owner[folder]!r} and {name!r} share the folder {folder}")
            owner[folder] = name

    def _splits_apart(self, splits: tuple[SplitSpec, ...]) -> None:
        """No split, shard or file stands for two things."""
        seen: set[str] = set()
        owners: dict[str, SplitSpec] = {}
        files: dict[str, str] = {}
        for split in splits:
            at = f"split[{split.name}]"
            if split.name in seen:
                raise self._bad(at, "there are two splits of this name")
            seen.add(split.name)
            for url in (split.list_url, *split.archives):
                owner = owners.setdefault(url, split) if url else split
                if owner is not split and "archive" in (owner.split_from, split.split_from):
                    raise self._bad(
                        at, f"shares {url} with split {owner.name}: both need split_from = 'annotation'"
                    )
            note = split.annotation
            if note and files.setdefault(note.file_name, note.url) != note.url:
                raise self._bad(f"{at}.annotation.file_name", f"another split's is {note.file_name} too")
            published = split.published
            for by, url in ((published.by, url) for url in published.urls) if published else ():
                name = url_name(url)
                if files.setdefault(f"{by}/{name}", url) != url:
                    raise self._bad(f"{at}.published", f"two of the lists of {by} are called {name}")

    def _names(self, key: str, text: str) -> list[str]:
        """The names in a file beside the manifest."""
        try:
            names = read_names(self.path.parent / text)
        except (OSError, UnicodeDecodeError) as error:
            raise self._bad(key, f"can not read {text}: {reason_of(error)}") from error
        if not names:
            raise self._bad(key, f"{text} holds no names")
        return names

    def _file_name(self, key: str, name: str) -> str:
        """``name``, which becomes a file's: it must be safe to."""
        reason = unsafe(name)
        if reason is not None:
            raise self._bad(key, f"can not name a file {name!r}: {reason}")
        return name

    def _word(self, key: str, name: str) -> str:
        """``name``, which begins paths and files that trainers read: safe, and without blanks."""
        if len(name.split()) != 1:
            raise self._bad(key, f"must hold no blanks: {name!r}")
        return self._file_name(key, name)

    def _bad(self, key: str, reason: str, hint: str = "") -> ManifestError:
        return malformed(self.file, key, reason, hint=hint)


def _counts(item: dict[str, Any]) -> Counts:
    if "bytes" in item:
        item = item | {"bytes": _size(item["bytes"])}
    return Counts(**item)


def _size(value: int | str) -> int:
    return parse_size(value) if isinstance(value, str) else value
