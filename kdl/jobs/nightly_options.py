"""What a night is to do: from the command line, ``kdl.toml`` and the defaults, in this order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl.errors import UsageError
from kdl.fetch.timetable import Timetable, parse_limit
from kdl.jobs.config import NAME, Entry, Key, read_entries
from kdl.jobs.run import mirror_paths
from kdl.jobs.verify_options import Subset, parse_span, parse_subset
from kdl.settings import WATCHDOG_S, MirrorPaths
from kdl.urls import encode_url
from kdl.values import Level

OFF = "off"
"""The word for no limit, and for what is not to be done."""
WEBHOOK_ENV = "KDL_WEBHOOK"
"""The webhook is no option: every user of a machine can read its command lines."""


@dataclass(frozen=True, slots=True)
class NightlyOptions:
    """Everything a night is told."""

    dataset: str
    root: Path
    level: Level
    max_age_s: float | None
    """Clips looked at within this time are left out."""
    max_duration_s: float | None
    """After so long no further clip is looked at; repairing takes what it takes."""
    subset: Subset
    limit_rate: int | Timetable | None
    """Bytes a second that are read for hashing, and that are fetched."""
    io_nice: bool
    workers: int
    """0 for one a core."""
    repair: bool
    folders: tuple[Path, ...]
    """Mirrors and folders to take clips from."""
    origins: tuple[str, ...]
    keep_reports: int
    """Nights."""
    page: bool
    metrics: Path | None
    webhook: str | None
    ledger: Path | None = None
    watchdog_s: float = WATCHDOG_S


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of ``[nightly]``, and the option of the same name."""

    key: Key
    default: Any
    """As a file would have it."""
    read: Callable[[Any, Path], Any]
    """The value meant by what a file has; relative paths are below the folder given. Raises UsageError."""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """A setting as it stands after all was asked."""

    value: Any
    """As a file would have it."""
    source: str
    """A file, ``default``, an option or a variable of the environment."""
    folder: Path
    """That relative paths are below."""


def settle(paths: MirrorPaths, given: Mapping[str, Any]) -> dict[str, Settled]:
    """Every setting: from ``given`` (options by name), else the environment, the files, the defaults.

    Raises UsageError for a file, key or value that is not right, whether or not an option overrules it.
    """
    entries = read_entries(paths, ("nightly",), {name: each.key for name, each in SETTINGS.items()})
    for name, entry in entries.items():
        _read(name, Settled(entry.value, str(entry.path), entry.path.parent))
    settled = {name: _settle(name, given.get(name), entries.get(name), paths) for name in SETTINGS}
    for name, each in settled.items():
        _read(name, each)
    return settled


def nightly_options(
    dataset: str, name: str, root: Path, given: Mapping[str, Any], *, ledger: Path | None, watchdog_s: float
) -> NightlyOptions:
    """What a night on the mirror ``root/name`` is to do. Raises UsageError as :func:`settle` does."""
    settled = settle(mirror_paths(root, name), given)
    values = {_FIELDS.get(key, key): _read(key, each) for key, each in settled.items()}
    return NightlyOptions(dataset, root, **values, ledger=ledger, watchdog_s=watchdog_s)


def _settle(name: str, given: Any, entry: Entry | None, paths: MirrorPaths) -> Settled:
    if given is not None:
        return Settled(given, f"--{name.replace('_', '-')}", Path.cwd())
    if name == "webhook" and (told := os.environ.get(WEBHOOK_ENV)):
        return Settled(told, WEBHOOK_ENV, Path.cwd())
    if entry is not None:
        return Settled(entry.value, str(entry.path), entry.path.parent)
    return Settled(SETTINGS[name].default, "default", paths.base)


def _read(name: str, settled: Settled) -> Any:
    setting = SETTINGS[name]
    try:
        return setting.read(settled.value, settled.folder)
    except UsageError as error:
        said = error.message if setting.secret else f"{settled.value!r}: {error.message}"
        said = f"[nightly] {name}: {said}" if settled.source.endswith(NAME) else said
        raise UsageError(said, subject=settled.source, fix=setting.key.meaning) from None


def _or_off(read: Callable[[str], Any]) -> Callable[[Any, Path], Any]:
    return lambda text, folder: None if text == OFF else read(text)


def _level(text: str, folder: Path) -> Level:
    try:
        return Level(text)
    except ValueError:
        raise UsageError(f"there is {', '.join(Level)}") from None


def _metrics(text: str, folder: Path) -> Path | None:
    if text == OFF:
        return None
    if not text.endswith(".prom"):
        raise UsageError("the textfile collector reads names that end in .prom alone")
    return folder / Path(text).expanduser()


def _paths(texts: list[str], folder: Path) -> tuple[Path, ...]:
    return tuple(folder / Path(text).expanduser() for text in texts)


def _count(least: int) -> Callable[[Any, Path], int]:
    def read(value: int, folder: Path) -> int:
        if value < least:
            raise UsageError(f"at the least {least}")
        return value

    return read


def _url(text: str) -> str:
    try:
        return encode_url(text)
    except ValueError:  # its words may hold the secret
        raise UsageError("not an http or https URL") from None


def _as_it_is(value: Any, folder: Path) -> Any:
    return value


_FIELDS = {"max_age": "max_age_s", "max_duration": "max_duration_s", "from": "folders", "origin": "origins"}
"""The options' fields, where they are called otherwise."""

SETTINGS: dict[str, Setting] = {
    "level": Setting(
        Key(str, "how deep clips are looked at: stat, hash, probe or decode"), Level.HASH.value, _level
    ),
    "subset": Setting(
        Key(str, "how much a night looks at: a part (1/30), a share (10%), bytes (50G), or off for all"),
        "1/30",
        lambda text, folder: Subset() if text == OFF else parse_subset(text),
    ),
    "max_age": Setting(
        Key(str, "leave out what was looked at within this time: 90m, 12h, 30d, 2w, or off"),
        OFF,
        _or_off(parse_span),
    ),
    "max_duration": Setting(
        Key(str, "look at no further clip after so long: 90m, 2h, or off"), "2h", _or_off(parse_span)
    ),
    "limit_rate": Setting(
        Key(str, "bytes a second that are read, and fetched: 50M, '08:00,20M 20:00,off', or off"),
        OFF,
        _or_off(parse_limit),
    ),
    "io_nice": Setting(Key(bool, "read only when nobody else wants the disk"), True, _as_it_is),
    "workers": Setting(Key(int, "clips looked at at a time; 0 for one a core"), 0, _count(0)),
    "repair": Setting(Key(bool, "mend what is bad"), True, _as_it_is),
    "from": Setting(Key(list, "mirrors and folders to take clips from, in this order"), [], _paths),
    "origin": Setting(
        Key(list, "URLs to fetch from in the manifest's host's place; default is the host itself"),
        [],
        lambda texts, folder: tuple(texts),
    ),
    "keep_reports": Setting(Key(int, "nights whose reports are kept, at the least 1"), 90, _count(1)),
    "page": Setting(Key(bool, "write the HTML report as well"), True, _as_it_is),
    "metrics": Setting(
        Key(str, "a file for Prometheus' textfile collector, its name ending in .prom, or off"), OFF, _metrics
    ),
    "webhook": Setting(
        Key(str, "an http or https URL that is told of trouble, or off"), OFF, _or_off(_url), secret=True
    ),
}
"""The keys of ``[nightly]``, by name."""
