"""What there is to fetch: link lists, annotations and readmes, brought in and made known."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from kdl import events
from kdl.dataset.annotations import (
    AnnotationReport,
    is_normalised,
    normalised_name,
    read_annotations,
    write_normalised,
)
from kdl.dataset.labels import class_dir
from kdl.dataset.linklist import ShardList, enumerated_shards, listed_shards, parse_link_list
from kdl.dataset.specs import Manifest, SplitSpec
from kdl.diskerrors import disk_errors
from kdl.errors import KdlError, MachineError
from kdl.fetch.spool import drop_spools
from kdl.fetch.transfer import Fetcher
from kdl.jobs.looselist import LooseList, writing
from kdl.jobs.run import Run
from kdl.jobs.style import Style
from kdl.ledger.adopted import claim_archives
from kdl.ledger.annotated import (
    claim_untimed,
    finish_annotations,
    load_annotations,
    next_generation,
)
from kdl.ledger.clips import remember_manifest
from kdl.ledger.objects import find_object, forget_shards, register_object, register_shards, set_object
from kdl.values import Annotation, Finding, Listed, Shard

_SAMPLES = 5


@dataclass(slots=True)
class Listings:
    """What the link lists and annotations gave."""

    shards: dict[str, tuple[Shard, ...]] = field(default_factory=dict)
    """By split; a split whose list or annotation could not be had is absent."""

    def all(self) -> list[Shard]:
        return [shard for split in self.shards.values() for shard in split]


async def read_link_lists(
    fetcher: Fetcher, manifest: Manifest, splits: Iterable[str], folder: Path
) -> dict[str, ShardList | KdlError]:
    """The shards of each split, in order, or why its list could not be had.

    What is written goes into ``folder``: the clips that a list names one by one.
    """

    async def one(spec: SplitSpec) -> ShardList | KdlError:
        try:
            if spec.list_url is None:
                return enumerated_shards(spec, manifest.labels)
            read = _listed_folder if spec.list_url.endswith("/") else _link_list
            with writing(folder / f"{spec.name}.tsv") as loose:
                return await read(fetcher, spec, manifest, loose)
        except MachineError:
            raise
        except KdlError as error:
            return error

    wanted = [manifest.split(name) for name in splits]
    found = await asyncio.gather(*(one(spec) for spec in wanted))
    return {spec.name: result for spec, result in zip(wanted, found, strict=True)}


async def _link_list(fetcher: Fetcher, spec: SplitSpec, manifest: Manifest, loose: LooseList) -> ShardList:
    """A list may be of any length: it is read from the disk, line by line."""
    assert spec.list_url is not None
    path = loose.place.with_suffix(".txt")
    await fetcher.save(spec.list_url, path, name=f"{spec.name} link list", kind="list")

    def read() -> ShardList:
        with disk_errors(path), path.open(encoding="utf-8", errors="replace", newline="\n") as text:
            return parse_link_list(text, spec, manifest.labels, loose.keep)

    try:
        return await asyncio.to_thread(read)
    finally:
        path.unlink(missing_ok=True)


async def _listed_folder(
    fetcher: Fetcher, spec: SplitSpec, manifest: Manifest, loose: LooseList
) -> ShardList:
    assert spec.list_url is not None
    found = await fetcher.listing(spec.list_url)
    files = (Listed(file.url, file.size, file.sha256) for file in found)
    return await asyncio.to_thread(listed_shards, files, spec, manifest.labels, loose.keep)


async def bring_listings(
    run: Run, fetcher: Fetcher, manifest: Manifest, splits: tuple[str, ...], style: Style
) -> Listings:
    """Fetch link lists, annotations and readmes of the splits and put them into the ledger.

    What can not be had is a finding; the splits that lack nothing go on.
    """
    await run.ledger.do(lambda c: remember_manifest(c, manifest.path))
    run.phase("link lists and annotations")
    lists = await read_link_lists(fetcher, manifest, splits, run.paths.listings)
    listings = Listings()
    for split, result in lists.items():
        if isinstance(result, KdlError):
            run.fail(result)
            continue
        if await _bring_annotation(run, fetcher, manifest, manifest.split(split), style):
            await _register(run, split, result)
            listings.shards[split] = result.shards
    await _bring_readmes(run, fetcher, manifest)
    return listings


async def bring_annotations(
    run: Run, fetcher: Fetcher, manifest: Manifest, splits: tuple[str, ...], style: Style
) -> tuple[str, ...]:
    """The same without link lists: the splits whose clips are known now, by an annotation."""
    await run.ledger.do(lambda c: remember_manifest(c, manifest.path))
    run.phase("annotations")
    specs = [manifest.split(name) for name in splits]
    known = [
        spec.name
        for spec in specs
        if spec.annotation is not None and await _bring_annotation(run, fetcher, manifest, spec, style)
    ]
    await _bring_readmes(run, fetcher, manifest)
    return tuple(known)


async def _register(run: Run, split: str, found: ShardList) -> None:
    for problem in found.problems:
        run.find(problem)
    urls = {shard.url for shard in found.shards}
    await run.ledger.do(lambda c: claim_archives(c, split, found.shards))
    await run.ledger.do(lambda c: register_shards(c, found.shards))
    await run.ledger.do(lambda c: forget_shards(c, split, urls))


async def _bring_annotation(
    run: Run, fetcher: Fetcher, manifest: Manifest, spec: SplitSpec, style: Style
) -> bool:
    """Whether the split's clips are known now. A split that has no annotation needs none."""
    if spec.annotation is None:
        return True
    path = run.paths.annotations / spec.annotation.file_name
    try:
        digest = await save_object(run, fetcher, spec.annotation.url, path, "annotation", spec.name)
        await run.in_thread(take_annotation, run, manifest, spec, path, digest, style)
    except MachineError:
        raise
    except KdlError as error:
        run.fail(error)
        run.note(f"{spec.name}: its clips are not known without annotations, so its shards wait")
        return False
    return True


def take_annotation(
    run: Run, manifest: Manifest, spec: SplitSpec, path: Path, digest: str, style: Style
) -> None:
    """Let the ledger know the clips that the annotation at ``path``, of this digest, lists. In a thread.

    Raises KdlError for what is no annotation.
    """
    stamp = f"{digest} {_never_hosted_digest(spec)}"
    known = run.ledger.meta(f"annotations.{spec.name}") or "0 -"
    table = run.paths.annotations / normalised_name(spec.name)
    if known.partition(" ")[2] != stamp or not is_normalised(table):
        run.phase(f"loading the annotations of {spec.name}")
        _load(run, manifest, spec, path, stamp, style)


def _load(run: Run, manifest: Manifest, spec: SplitSpec, path: Path, stamp: str, style: Style) -> None:
    """The annotation file into the ledger, chunk by chunk, and as a normalised table."""
    labels = manifest.labels
    generation = next_generation(run.ledger.reader(), spec.name)
    report = AnnotationReport()

    decides = spec.class_from == "annotation"

    @cache
    def folder(label: str) -> str:
        return class_dir(label, style) if spec.labelled else ""

    def take(connection: sqlite3.Connection, rows: list[Annotation]) -> None:
        load_annotations(connection, generation, rows, folder, decides=decides)

    def taken() -> Iterator[Annotation]:
        """Each chunk goes to the ledger and on to the table, and the next is read meanwhile."""
        loading: Future[None] | None = None
        for chunk in read_annotations(path, spec, labels, report=report):
            run.checkpoint()
            if loading is not None:
                loading.result()
            loading = run.ledger.write(lambda c, chunk=chunk: take(c, rows=chunk))  # type: ignore[misc]
            yield from chunk
        if loading is not None:
            loading.result()

    source = manifest.source_of(spec.annotation.url) if spec.annotation else manifest.name
    write_normalised(run.paths.annotations / normalised_name(spec.name), taken(), source)
    if report.bad:
        samples = "; ".join(report.samples[:_SAMPLES])
        run.find(Finding("annotation_rows", str(path), f"{report.bad} rows can not be read: {samples}"))
    if report.unknown_labels:
        named = ", ".join(f"{name!r} ({count} rows)" for name, count in report.unknown_labels.items())
        run.find(Finding("annotation_labels", str(path), f"labels that the label map lacks: {named}"))

    def finish(connection: sqlite3.Connection) -> None:
        finish_annotations(connection, spec.name, generation, stamp, spec.never_hosted)
        if spec.untimed:
            claim_untimed(connection, spec.name)

    run.ledger.write(finish).result()


def _never_hosted_digest(spec: SplitSpec) -> str:
    """Changes when the manifest's list of known absences does, so that it is applied again."""
    text = "\n".join(sorted(map(str, spec.never_hosted)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


async def save_object(run: Run, fetcher: Fetcher, url: str, path: Path, kind: str, split: str = "") -> str:
    """Bring one whole small object to ``path``; its sha256. Raises FetchError, DiskFull, MachineError."""
    name = f"{split}/{path.name}" if split else path.name
    known = find_object(run.ledger.reader(), url, split)
    intact = (
        known is not None and known.state == "done" and await asyncio.to_thread(is_still, path, known.sha256)
    )
    object_id = await run.ledger.do(lambda c: register_object(c, url, path.name, kind, split))
    run.emit(events.TransferStarted(name, kind, split, None, 0))
    try:
        saved = await fetcher.save(
            url,
            path,
            name=name,
            kind=kind,
            split=split,
            spool_dir=run.paths.spool,
            known_etag=known.etag if known and intact else None,
        )
    except KdlError as error:
        message = error.message
        run.emit(events.TransferEnded(name, kind, split, "failed", 0, 0, 0, 0.0, message))
        await run.ledger.do(lambda c: set_object(c, object_id, "failed", error=message))
        raise
    received = saved.size if saved.changed else 0
    run.emit(events.TransferEnded(name, kind, split, "done", received, saved.fetched, 0, 0.0))
    await run.ledger.do(
        lambda c: set_object(c, object_id, "done", size=saved.size, etag=saved.etag, sha256=saved.sha256)
    )
    await run.in_thread(drop_spools, run.paths.spool, [(name, url)])
    return saved.sha256


def is_still(path: Path, sha256: str | None) -> bool:
    """Whether the file is still the one that was fetched: people edit, and disks fill up."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


async def _bring_readmes(run: Run, fetcher: Fetcher, manifest: Manifest) -> None:
    for url in manifest.readmes:
        path = run.paths.annotations / Path(url).name
        try:
            await save_object(run, fetcher, url, path, "readme")
        except MachineError:
            raise
        except KdlError as error:
            # Nothing hangs on a readme: it is told, and does not count.
            run.find(Finding("readme_missing", url, error.message, "nothing depends on it"))
