"""The files that publishers' lists are read from: in a folder, or brought into the mirror."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdl.dataset.publishers import PublishedFile, format_told, publishers_of
from kdl.dataset.schema import EXTRAS, near
from kdl.dataset.specs import Manifest
from kdl.errors import FetchError, UsageError
from kdl.fetch.origins import Origins
from kdl.fetch.transfer import Fetcher
from kdl.jobs.listings import save_object
from kdl.jobs.run import Run
from kdl.ledger.objects import forget_failed


@dataclass(frozen=True, slots=True)
class ListFile:
    """A file of lists that is here."""

    path: Path
    format: str
    """``csv``, ``ls-r`` or ``tar``."""
    split: str = ""
    """The split that its rows are of; empty where its name or its rows tell."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of publishers' lists, laid out as a mirror's ``annotations``.

    A publisher's files lie where the manifest has them (``train.csv``, ``deepmind/kinetics400.tar.gz``);
    else whatever lists lie in the folder of its name are its own: an archive that was unpacked, or lists
    of somebody whom the manifest does not know.
    """

    manifest: Manifest
    folder: Path

    def names(self) -> list[str]:
        """The publishers of the manifest, then those who have only a folder here."""
        known = publishers_of(self.manifest)
        other = {split.published.by for split in self.manifest.splits if split.published} | {*EXTRAS, *known}
        folders = sorted(path.name for path in self.folder.glob("*/") if path.name not in other)
        return [*known, *(name for name in folders if self._lying(name))]

    def require(self, wanted: Iterable[str]) -> None:
        """Raise UsageError for a name that is no publisher's."""
        names = self.names()
        for name in wanted:
            if name not in names:
                fix = near(name, names) or f"there is {', '.join(names)}, and each folder of lists below it"
                raise UsageError("nobody of that name publishes this dataset", subject=repr(name), fix=fix)

    def files(self, name: str) -> tuple[ListFile, ...]:
        """What is here of a publisher's lists, by path."""
        declared = publishers_of(self.manifest).get(name, ())
        here = [
            ListFile(self.folder / file.place, file.format, file.split)
            for file in declared
            if (self.folder / file.place).is_file()
        ]
        return tuple(here) or self._lying(name)

    def missing(self, name: str) -> tuple[PublishedFile, ...]:
        """The files of a publisher that are not here; none where others of its lists are."""
        declared = publishers_of(self.manifest).get(name, ())
        lacking = tuple(file for file in declared if not (self.folder / file.place).is_file())
        return () if len(lacking) == len(declared) and self._lying(name) else lacking

    def _lying(self, name: str) -> tuple[ListFile, ...]:
        found = ((path, format_told(path.name)) for path in sorted((self.folder / name).rglob("*")))
        return tuple(ListFile(path, format) for path, format in found if format and path.is_file())


def own_files(manifest: Manifest, splits: Sequence[str]) -> tuple[PublishedFile, ...]:
    """The files of the mirror's own annotations of these splits."""
    return tuple(file for files in publishers_of(manifest).values() for file in files if file.split in splits)


def origins_of(manifest: Manifest, overrides: Sequence[str]) -> Origins:
    """Where to ask: ``--origin`` may name the manifest's hosts, and each publisher that is on none of them.

    A publisher's base is the folder of its first file. Raises UsageError.
    """
    bases = {host.name: host.base for host in manifest.hosts}
    for spec in manifest.publishers:
        if not any(spec.urls[0].startswith(host.base) for host in manifest.hosts):
            bases[spec.name] = spec.urls[0].rpartition("/")[0] + "/"
    return Origins(bases, overrides)


async def bring_lists(run: Run, fetcher: Fetcher, wanted: Iterable[PublishedFile]) -> None:
    """Fetch the files into the mirror. One that can not be had is told, and the others come.

    Where it is not the mirror's own, the mirror is none the worse for it: the ledger keeps no failure of
    it. Raises DiskFull, MachineError.
    """
    run.phase("lists of clips")
    for file in wanted:
        try:
            await save_object(
                run, fetcher, file.url, run.paths.annotations / file.place, "annotation", file.split
            )
        except FetchError as error:
            run.fail(error)
            if not file.split:
                await run.ledger.do(lambda c, url=file.url: forget_failed(c, url))  # type: ignore[misc]
