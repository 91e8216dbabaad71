"""Builds the replica: every archive of the path lists is there, a handful hold clips, many hold one.

For people: ``python -m tests.replica.build OUT [EDITION ...]`` from the root of the checkout, then serve
``OUT`` and name the server with ``kdl mirror k400 --origin URL``.
"""

from __future__ import annotations

import argparse
import itertools
import tarfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdl.jobs.demo_archives import APPLE_DOUBLE, Member, write_archive
from kdl.jobs.demo_cast import Planted
from kdl.values import Verdict
from tests.replica.catalog import CLASSES, EDITIONS, SPLITS, Row, Split, read_split
from tests.replica.stock import Sample, Stock, made_stock, real_stock

ABSEILING, DRIVING, MASSAGING, CLIMBER, TYING = CLASSES
REAL = Path(__file__).parents[3] / "shared"
"""Real lists, annotations and clips, where a folder of them lies beside the checkout."""
_REPLACEMENT = "400/replacement_for_corrupted_k400.tgz"
_DEEP = "mnt/ssd/work/user/kinetics/train/tmp/"
_TINY_EVERY = 3
_READMES = {"k400": "400/readme.md", "k600": "600/readme.md", "k700-2020": "700_2020/K700_2020_readme.txt"}


@dataclass(frozen=True, slots=True)
class Held:
    """A clip in an archive."""

    row: Row
    sample: Sample


@dataclass
class EditionReplica:
    """One edition of the replica, and how its clips are to come out of a mirror of whole splits."""

    name: str
    planted: dict[tuple[str, str], Planted] = field(default_factory=dict)
    """By split and clip name: every clip that has a file in a shard or in the replacement archive."""
    deep: set[tuple[str, str]] = field(default_factory=set)
    """The ones that are ``corrupt`` (``decode_error``) at level ``decode``, whatever ``planted`` says."""
    labels: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """The class of every planted clip; ``None`` in splits without labels and for unlisted ones."""
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Clip names by the archive's key, ``400/train/part_0.tar.gz``; archives without clips as well."""
    listed: dict[str, int] = field(default_factory=dict)
    """Annotation rows a split."""

    def counts(self, *splits: str) -> dict[str, int]:
        """Clips of the splits (all by default) by verdict, and ``replaced``; without what is zero."""
        chosen = splits or SPLITS
        clips = [clip for (split, _), clip in self.planted.items() if split in chosen]
        found = Counter(str(clip.verdict) for clip in clips)
        rows = sum(self.listed.get(split, 0) for split in chosen)
        found["never_hosted"] = rows - sum(clip.verdict is not Verdict.UNLISTED for clip in clips)
        found["replaced"] = sum(clip.replaced for clip in clips)
        return {kind: count for kind, count in found.items() if count}


@dataclass(frozen=True, slots=True)
class Replica:
    """A bucket on disk; its keys are the paths of the files in ``directory``."""

    directory: Path
    editions: dict[str, EditionReplica]


def build_replica(
    out: Path, *, source: Path | None = None, editions: Sequence[str] = tuple(EDITIONS)
) -> Replica:
    """Makes the replica in ``out``, in seconds.

    ``source`` holds ``data`` (path lists, annotations) and ``clips``; without it lists are short,
    rows invented and clips rendered.
    """
    stock = real_stock(source / "clips") if source else made_stock()
    found = {name: _build_edition(out, name, stock, source) for name in editions}
    return Replica(out, found)


def _build_edition(out: Path, name: str, stock: Stock, source: Path | None) -> EditionReplica:
    edition = EditionReplica(name)
    for split_name in SPLITS:
        split = read_split(name, split_name, source / "data" if source else None)
        edition.listed[split_name] = len(split.names)
        _write(out / split.list_key, split.list_text.encode())
        _write(out / split.annotation_key, split.annotation)
        for archive, held in _fill(split, stock).items():
            _write_shard(out, split, archive, held)
            _note(edition, split, archive, held)
        if (name, split_name) == ("k400", "train"):
            _add_replacements(out, edition, split, stock)
    _write(out / _READMES[name], f"{name}: a replica for tests.\n".encode())
    return edition


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _fill(split: Split, stock: Stock) -> dict[str, list[Held]]:
    """What each archive of the split holds."""
    filled = _fill_classes(split, stock) if split.by_class else _fill_parts(split, stock)
    used = {held.row.name for clips in filled.values() for held in clips}
    spare = [row for row in split.hostable if row.name not in used]
    by_class: dict[str | None, list[Row]] = {}
    for row in spare:
        by_class.setdefault(row.label if split.by_class else None, []).append(row)
    shards = {}
    for number, archive in enumerate(split.archives):
        rows = by_class.get(split.class_of(archive), [])
        if archive in filled:
            shards[archive] = filled[archive]
        elif number % _TINY_EVERY == 0 and rows:
            shards[archive] = [Held(rows.pop(), stock.tiny)]
        else:
            shards[archive] = []
    return shards


def _fill_classes(split: Split, stock: Stock) -> dict[str, list[Held]]:
    """Val holds every sample; train a few."""
    chosen: dict[str, Sequence[Sample]] = {
        ABSEILING: stock.full[:2],
        DRIVING: stock.full[:3],
        CLIMBER: stock.full[1:4],
    }
    if split.name == "val":
        chosen |= {ABSEILING: stock.good, MASSAGING: stock.bad, TYING: stock.full[:2]}
    hostable = split.hostable
    return {
        split.archive_of(label): _hold((row for row in hostable if row.label == label), samples)
        for label, samples in chosen.items()
    }


def _fill_parts(split: Split, stock: Stock) -> dict[str, list[Held]]:
    """Mixed archives. K400's train part 1 is all broken, and its part 2 makes good one of that."""
    rows = iter(split.hostable)
    first, second, third, *_ = split.archives
    if (split.edition, split.name) != ("k400", "train"):
        return {first: _hold(rows, stock.full[:4]), second: _hold(rows, stock.bad[:3])}
    broken = _hold(rows, stock.bad)
    unlisted = Row(None, "inNoListing", 3, 13)
    return {
        first: _hold(rows, stock.good),
        second: broken,
        third: [Held(broken[0].row, stock.full[0]), Held(unlisted, stock.full[1])],
        "part_120.tar.gz": _hold(rows, stock.full[:3]),
    }


def _hold(rows: Iterable[Row], samples: Sequence[Sample]) -> list[Held]:
    """Each sample under the name of the next row."""
    taken = list(itertools.islice(rows, len(samples)))
    return [Held(row, sample) for row, sample in zip(taken, samples, strict=True)]


def _write_shard(out: Path, split: Split, archive: str, held: Sequence[Held]) -> None:
    key = f"{split.folder}/{archive}"
    members = _members(split, archive, held)
    # the one part that was packed without gzip, and from seven folders up
    write_archive(out / key, members, compressed=key != "400/train/part_120.tar.gz")


def _members(split: Split, archive: str, held: Sequence[Held]) -> list[Member]:
    label = split.class_of(archive)
    top = Member("./", kind=tarfile.DIRTYPE)
    if (split.edition, split.name, label) == ("k600", "val", CLIMBER):
        plain = _films(held, f"{label}/", archive)
        doubles = [Member(member.name.replace("/", "/._"), APPLE_DOUBLE) for member in plain]
        paired = [member for pair in zip(doubles, plain, strict=True) for member in pair]
        return [Member(f"._{label}", APPLE_DOUBLE), Member(f"{label}/", kind=tarfile.DIRTYPE), *paired]
    if split.edition == "k700-2020" and label is not None:
        return [Member(f"{label}/", kind=tarfile.DIRTYPE), *_films(held, f"{label}/", archive)]
    if archive == "part_120.tar.gz":
        return _films(held, _DEEP, archive)
    films = _films(held, "./", archive)
    return films if split.by_class else [top, *films]


def _films(held: Iterable[Held], folder: str, text: str) -> list[Member]:
    return [Member(f"{folder}{clip.row.name}", clip.sample.film(f"{text} {clip.row.name}")) for clip in held]


def _note(edition: EditionReplica, split: Split, archive: str, held: Sequence[Held]) -> None:
    edition.held[f"{split.folder}/{archive}"] = tuple(clip.row.name for clip in held)
    for clip in held:
        key = (split.name, clip.row.name)
        planted = clip.sample.planted(clip.row.end - clip.row.start)
        edition.labels[key] = clip.row.label
        edition.planted[key] = planted if clip.row.name in split.names else Planted(Verdict.UNLISTED)
        if clip.sample.deep:
            edition.deep.add(key)


def _add_replacements(out: Path, edition: EditionReplica, train: Split, stock: Stock) -> None:
    """Sound clips for half of the broken ones and for one that no shard holds; a broken one for another."""
    broken = [key for key, clip in edition.planted.items() if clip.verdict is Verdict.CORRUPT]
    absent = next(row for row in train.hostable if (train.name, row.name) not in edition.planted)
    lost = (train.name, absent.name)
    edition.labels[lost] = absent.label
    members = []
    for key, sample in zip([lost, *broken[: len(broken) // 2]], itertools.cycle(stock.full)):
        members.append(_mend(key[1], sample))
        cause = edition.planted[key].cause if key in edition.planted else None
        edition.planted[key] = Planted(Verdict.OK, replaced=True, replaced_cause=cause)
    members.append(_mend(broken[-1][1], stock.bad[0]))
    write_archive(out / _REPLACEMENT, members)


def _mend(name: str, sample: Sample) -> Member:
    return Member(f"replacement_for_corrupted_k400/{name}", sample.film(f"mends {name}"))


def main() -> None:
    """Builds a replica for people, of the real lists and clips where they are at hand."""
    parser = argparse.ArgumentParser(description="Build a local replica of the bucket that hosts Kinetics.")
    parser.add_argument("out", type=Path, help="folder to build it in")
    parser.add_argument("editions", nargs="*", metavar="EDITION", help=", ".join(EDITIONS))
    options = parser.parse_args()
    if unknown := set(options.editions) - set(EDITIONS):
        parser.error(f"no such edition: {', '.join(sorted(unknown))}")
    source = REAL if REAL.is_dir() else None
    replica = build_replica(options.out, source=source, editions=options.editions or tuple(EDITIONS))
    for edition in replica.editions.values():
        for split in SPLITS:
            print(edition.name, split, edition.counts(split))


if __name__ == "__main__":
    main()
