"""``kdl annotations --with``: what is annotated beside the classes, and which of the clips here have it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import KdlError, MachineError
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.jobs.ending import recorded
from kdl.jobs.extras_bring import bring_extra, extra_tables
from kdl.jobs.extras_join import COLUMNS, Joined, Tally, annotated, join
from kdl.jobs.run import Run, open_run
from kdl.report.wholefile import whole_file
from kdl.settings import STALL_S, TRIES
from kdl.values import RunSummary


@dataclass(frozen=True, slots=True)
class ExtraOptions:
    """Everything ``kdl annotations --with`` takes."""

    dataset: str
    """A shipped manifest's name, or a manifest file."""
    root: Path
    names: tuple[str, ...]
    """``ava``, ``countix`` or both."""
    out: Path | None = None
    """Where the table of all that is annotated goes, one row a key-frame or stretch."""
    origins: tuple[str, ...] = ()
    tries: int = TRIES
    stall_s: float = STALL_S
    ledger: Path | None = None


async def extras(options: ExtraOptions, bus: events.Bus) -> RunSummary:
    """Bring the annotations asked for, join them to the clips of the mirror and tell what came of it.

    Raises KdlError for what keeps it from starting; everything later is in the summary.
    """
    manifest = load_manifest(options.dataset)
    specs = [manifest.extra(name) for name in dict.fromkeys(options.names)]
    origins = Origins({host.name: host.base for host in manifest.hosts}, options.origins)
    found: dict[str, Any] = {"annotated": {}}
    with open_run(
        "annotations",
        manifest.name,
        options.dataset,
        options.root,
        bus,
        ledger_path=options.ledger,
        create=False,
    ) as run:

        async def go() -> None:
            here = []
            async with Fetcher(
                origins, retry=RetryPolicy(tries=options.tries), stall_s=options.stall_s, emit=run.emit
            ) as fetcher:
                for spec in specs:
                    try:
                        await bring_extra(run, fetcher, spec)
                    except MachineError:
                        raise
                    except KdlError as error:
                        run.fail(error)
                    else:
                        here.append(spec.name)
            run.phase("looking for the clips")
            await run.in_thread(_tell, run, manifest, here, options.out, found)

        async def result() -> dict[str, Any]:
            return found

        return await recorded(run, go(), result)


def _tell(run: Run, manifest: Manifest, names: list[str], out: Path | None, found: dict[str, Any]) -> None:
    """Count what there is into ``found``, and write the table."""
    tallies = {(name, split): Tally() for name in names for split in extra_tables(run.paths, name).splits}

    def counted() -> Iterator[tuple[str, Joined[Any]]]:
        for (name, split), tally in tallies.items():
            for item in join(run, manifest, annotated(run, name, split)):
                tally.add(item)
                yield name, item

    if out is None:
        for _ in counted():
            pass
    else:
        found["table"] = {"path": str(out), "rows": _write(out, counted())}
    for (name, split), tally in tallies.items():
        found["annotated"].setdefault(name, {})[split] = tally.told()


def _write(out: Path, items: Iterator[tuple[str, Joined[Any]]]) -> int:
    """The table, whole or not at all; its rows."""
    rows = 0
    with whole_file(out) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        for name, item in items:
            table.writerow(item.row(name))
            rows += 1
        text.detach()
    return rows
