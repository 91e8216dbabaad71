"""``kdl export --format origin``: a folder from which others can mirror what is here.

It has what the dataset's own host has, at the same places: link lists, annotations, readmes, the archive of
replacements. The lists name this mirror's clips one by one, with sizes and digests; the clips are hard links.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote, unquote

from kdl.dataset.linklist import archive_stem
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Host, Manifest, SplitSpec
from kdl.diskerrors import disk_errors
from kdl.errors import KdlError, UsageError
from kdl.jobs.originfolder import OriginFolder, Part
from kdl.jobs.run import command_line, mirror_paths
from kdl.jobs.views import read_only
from kdl.ledger.ledger import Ledger
from kdl.ledger.objects import find_object
from kdl.ledger.replacements import ReplacementRow, replacement_rows
from kdl.settings import MIB, MirrorPaths
from kdl.urls import url_name
from kdl.values import SOUND, Listed, line_of

_SOUND = """path IS NOT NULL AND sha256 IS NOT NULL AND provisional = 0 AND origin <> 'replacement'
            AND (verdict IN ('ok', 'short')
                 OR verdict = 'unlisted' AND cause IS NULL AND check_level IN ('probe', 'decode'))"""
_CLIPS = f"SELECT path, size, sha256 FROM clips WHERE split = ? AND {_SOUND} ORDER BY path"
_COMMON = "common"


def export_origin(
    dataset: str,
    root: Path,
    out: Path,
    *,
    splits: tuple[str, ...] = (),
    ledger_path: Path | None = None,
) -> int:
    """Make the folder ``out`` what it is to be; how many clips of these splits it offers.

    Lists come after the clips that they name, and what is due no more goes last, so that it may be served
    meanwhile. The files of other splits stay. Raises UsageError for a folder that holds something else, and
    for a manifest that this does not go for; DiskFull, MachineError; KdlError, once all is done, if clips are
    not on disk as the ledger has them.
    """
    manifest = load_manifest(dataset)
    paths, place = mirror_paths(root, manifest.name), out.absolute()
    specs = _with_sharing(manifest, splits or manifest.split_names)
    for spec in specs:
        _require_list(manifest, spec)
    _refuse_inside(paths, place)
    with read_only(dataset, root, ledger_path) as ledger, disk_errors():
        pack = _Pack(manifest, paths, ledger, OriginFolder(place, manifest.name))
        pack.make(specs)
    if pack.absent:
        raise KdlError(
            f"{len(pack.absent)} clips are not on disk as the ledger has them, and not offered",
            subject=pack.absent[0],
            fix=command_line("repair", dataset, paths.base.parent),
        )
    return pack.offered


class _Pack:
    """What one export puts into its folder."""

    def __init__(self, manifest: Manifest, paths: MirrorPaths, ledger: Ledger, folder: OriginFolder) -> None:
        self._manifest = manifest
        self._paths = paths
        self._ledger = ledger
        self._folder = folder
        self.offered = 0
        self.absent: list[str] = []
        """Paths of clips whose files have gone or changed."""

    def make(self, specs: list[SplitSpec]) -> None:
        for spec in specs:
            with self._folder.part(f"{spec.name}.clips") as part:
                for _ in self._clips(spec, part):
                    self.offered += 1
        for spec in specs:
            with self._folder.part(f"{spec.name}.texts") as part:
                self._texts(spec, [each for each in specs if each.list_url == spec.list_url], part)
        with self._folder.part(_COMMON) as part:
            self._common(part)
        self._folder.finish()

    def _clips(self, spec: SplitSpec, part: Part | None = None) -> Iterator[Listed]:
        """The clips on offer, in the order of their paths, put into ``part`` if one is given."""
        assert spec.list_url is not None
        host = _host(self._manifest, spec.list_url)
        assert host is not None, "lists are required to lie at one"
        for row in self._ledger.rows(_CLIPS, (spec.name,)):
            source = self._paths.base / row["path"]
            try:
                there = source.stat().st_size == row["size"]
            except FileNotFoundError:
                there = False
            if not there:
                if part is not None:
                    self.absent.append(row["path"])
                continue
            if part is not None:
                part.link(source, _below(self._manifest, host, row["path"]), row["sha256"])
            yield Listed(host.base + quote(row["path"]), row["size"], row["sha256"])

    def _texts(self, spec: SplitSpec, sharing: list[SplitSpec], part: Part) -> None:
        """A split's list, for which some splits share one, and its annotations."""
        texts: dict[str, Iterable[bytes]] = {}
        place = self._place(spec.list_url) if spec.list_url else None
        if place is not None and spec is sharing[0]:
            texts[place] = (line_of(file).encode() for each in sharing for file in self._clips(each))
        hosted = [(spec.annotation.url, Path(spec.annotation.file_name))] if spec.annotation else []
        if spec.published is not None:
            hosted += [(url, Path(spec.published.by) / url_name(url)) for url in spec.published.urls]
        for url, name in hosted:
            texts |= self._hosted(url, name)
        for place in sorted(texts):
            part.write(place, texts[place])

    def _common(self, part: Part) -> None:
        texts: dict[str, Iterable[bytes]] = {}
        for url in self._manifest.readmes:
            texts |= self._hosted(url, Path(url_name(url)))
        archive = self._replacements()
        for place in sorted({*texts, *archive}):
            if place in texts:
                part.write(place, texts[place])
            else:
                self._archive(place, archive[place], part)

    def _hosted(self, url: str, name: Path) -> dict[str, Iterable[bytes]]:
        """A file of the mirror's annotations at its place, if it is here and has one."""
        source, place = self._paths.annotations / name, self._place(url)
        return {place: _pieces(source)} if place and source.is_file() else {}

    def _replacements(self) -> dict[str, list[ReplacementRow]]:
        """What the archive of replacements holds, as far as it is here and sound, by the archive's place."""
        spec, reader = self._manifest.replacement, self._ledger.reader()
        known = find_object(reader, spec.url) if spec is not None else None
        place = self._place(spec.url) if spec is not None else None
        if place is None or known is None or known.state != "done":
            return {}
        return {place: [row for row in replacement_rows(reader) if row.verdict in SOUND]}

    def _archive(self, place: str, rows: list[ReplacementRow], part: Part) -> None:
        """The archive, made anew only where it is to hold something else."""
        rows = sorted(rows, key=lambda row: row.name)
        stamp = hashlib.sha256("".join(f"{row.name} {row.sha256}\n" for row in rows).encode()).hexdigest()
        if self._folder.marks.get(place) == stamp and (self._folder.path / place).is_file():
            part.keep(place)
            return
        folder = archive_stem(place.rpartition("/")[2])
        files = ((f"{folder}/{row.name}", self._paths.base / row.path) for row in rows)
        part.write(place, _tarred(files, place))
        self._folder.marks[place] = stamp

    def _place(self, url: str) -> str | None:
        """Where an object lies in the folder; None for one at no host of the manifest's."""
        host = _host(self._manifest, url)
        if host is None:
            return None
        return _below(self._manifest, host, unquote(url[len(host.base) :].partition("?")[0]))


class _Sink(BytesIO):
    """What is written, until it is taken."""

    def taken(self) -> bytes:
        data = self.getvalue()
        self.seek(0)
        self.truncate()
        return data


def _tarred(files: Iterable[tuple[str, Path]], place: str) -> Iterator[bytes]:
    """A tar of these files, always the same; in gzip, though not deflated, where its name says so."""
    sink = _Sink()
    with ExitStack() as stack:
        out: BinaryIO = sink
        if place.endswith((".tgz", ".gz")):
            out = cast(BinaryIO, stack.enter_context(gzip.GzipFile("", "wb", 0, sink, 0)))
        tar = stack.enter_context(tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT))
        for name, path in files:
            info = tarfile.TarInfo(name)
            info.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(info, file)
            yield sink.taken()
    yield sink.taken()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(MIB):
            yield piece


def _with_sharing(manifest: Manifest, names: Collection[str]) -> list[SplitSpec]:
    """The splits of these names, and those that their lists are of as well."""
    lists = {manifest.split(name).list_url for name in names}
    return [spec for spec in manifest.splits if spec.name in names or spec.list_url in lists - {None}]


def _host(manifest: Manifest, url: str) -> Host | None:
    found = [host for host in manifest.hosts if url.startswith(host.base)]
    return max(found, key=lambda host: len(host.base), default=None)


def _below(manifest: Manifest, host: Host, path: str) -> str:
    """Where a host's objects lie in the folder: at its top where the host is the only one."""
    return path if len(manifest.hosts) == 1 else f"{host.name}/{path}"


def _require_list(manifest: Manifest, spec: SplitSpec) -> None:
    """Raise UsageError for a split that has no link list, or none whose place can be taken."""
    subject = f"{manifest.name}, {spec.name}"
    if spec.list_url is None or spec.list_url.endswith("/"):
        what = "names its archives itself" if spec.list_url is None else "takes what a folder holds"
        raise UsageError(
            f"the manifest {what}, and only a link list can name clips in their place",
            subject=subject,
            fix="serve the mirror's videos/, and make a manifest of it with `kdl manifest init`",
        )
    if _host(manifest, spec.list_url) is None:
        raise UsageError(
            "its link list lies at none of the manifest's hosts, so nothing can take its place",
            subject=subject,
            fix=f"name the list's host in {manifest.path} and write it as HOST:path",
        )


def _refuse_inside(paths: MirrorPaths, out: Path) -> None:
    base, place = paths.base.resolve(), out.resolve()
    if place.is_relative_to(base) or base.is_relative_to(place):
        raise UsageError(
            "the origin would lie among the mirror's own folders",
            subject=str(out),
            fix="give --out a folder beside the mirror, on the same file system for hard links",
        )
