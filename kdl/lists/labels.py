"""Class ids: the dataset's own, or those of a label map that somebody else's model was trained with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from kdl.errors import UsageError

MAX_ID = 99_999
"""An id beyond this is a mistake: the label map has a line for every id up to the highest."""

_ID_FIRST = re.compile(r"(?P<id>\d+)\s*[,\s]\s*(?P<name>.+)")
_ID_LAST = re.compile(r"(?P<name>.+?)\s*[,\s]\s*(?P<id>\d+)")
_HEADER = re.compile(r"(?:id\s*,\s*(?:name|label)|(?:name|label)\s*,\s*id)", re.IGNORECASE)
_SHAPES = "one name a line, `id name`, `name id`, `id,name` with a header, or a JSON object of name: id"


def read_label_map(path: Path) -> dict[str, int]:
    """Class names and their ids, from any of the shapes that label maps come in.

    One name a line (the id is the line's number, from 0; an empty line is an id without a name),
    ``id name``, ``name id``, either with a comma and perhaps a header, or a JSON object of name to
    id. Quote characters round a name are dropped: MMAction-era JSON files hold them inside the keys.

    Raises UsageError if the file can not be read, is none of these, or gives a name two ids.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(
            f"can not be read as a label map: {reason}", subject=str(path), fix=f"write {_SHAPES}"
        ) from error
    pairs = _from_json(text, path) if text.lstrip().startswith("{") else _from_lines(text, path)
    ids: dict[str, int] = {}
    for name, number in pairs:
        name = name.strip().strip('"').strip()
        if not name or not 0 <= number <= MAX_ID:
            raise UsageError(f"{name!r} with id {number} is no class", subject=str(path))
        if ids.setdefault(name, number) != number:
            raise UsageError(f"{name!r} has the ids {ids[name]} and {number}", subject=str(path))
    if not ids:
        raise UsageError("holds no class", subject=str(path), fix=f"write {_SHAPES}")
    return ids


def _from_json(text: str, path: Path) -> list[tuple[str, int]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError as error:
        raise UsageError(f"is not valid JSON: {error}", subject=str(path)) from error
    for name, number in pairs:
        if type(number) is not int:
            raise UsageError(f"the id of {name!r} is not a whole number", subject=str(path))
    return list(pairs)


def _from_lines(text: str, path: Path) -> list[tuple[str, int]]:
    lines = [line.strip() for line in text.splitlines()]
    filled = [line for line in lines if line]
    header = bool(filled) and _HEADER.fullmatch(filled[0]) is not None
    filled = filled[header:]
    found = [[m for line in filled if (m := shape.fullmatch(line))] for shape in (_ID_FIRST, _ID_LAST)]
    if not header and not any(found):
        return [(line, number) for number, line in enumerate(lines) if line]
    whole = [matches for matches in found if len(matches) == len(filled)]
    if len(whole) != 1:
        raise UsageError(
            "its lines can be read in several ways, or not all in the same",
            subject=str(path),
            fix=f"write {_SHAPES}",
        )
    return [(m["name"], int(m["id"])) for m in whole[0]]


def style_key(name: str) -> str:
    """The same for a class's label and its folder in every style: blanks or ``_``, ``'()`` or none."""
    return " ".join(re.sub(r"['()\"]", "", name).replace("_", " ").split())


class ClassIds:
    """Gives classes their ids, and remembers those that have none."""

    def __init__(self, labels: tuple[str, ...], label_map: Mapping[str, int] | None) -> None:
        """Raises UsageError if ``label_map`` is ambiguous for this dataset."""
        self._label_map = label_map
        self._by_key = _keyed(_positions(labels) if label_map is None else label_map)
        self._ids = {
            label: self._by_key[key] for label in labels if (key := style_key(label)) in self._by_key
        }
        self._refuse_shared_ids()
        self._seen: dict[tuple[str, str], int | None] = {}

    def of(self, label: str, class_dir: str) -> int | None:
        """The id of a clip's class; ``None`` is remembered for :meth:`refuse_unknown`."""
        seen = (label, class_dir)
        if seen not in self._seen:
            found = self._by_key.get(style_key(label))
            self._seen[seen] = self._by_key.get(style_key(class_dir)) if found is None else found
        return self._seen[seen]

    def refuse_unknown(self) -> None:
        """Raises UsageError naming the classes that were asked for and have no id."""
        unknown = sorted({label for (label, _), number in self._seen.items() if number is None})
        if not unknown:
            return
        if self._label_map is None:
            raise UsageError(
                f"not in the dataset's class list: {_some(unknown)}",
                fix="give their ids with --label-map FILE",
            )
        known = {style_key(label) for label in self._ids}
        spare = [name for name in self._label_map if style_key(name) not in known]
        hint = f"; it has no use yet for: {_some(spare)}" if spare else ""
        raise UsageError(
            f"the label map has no id for: {_some(unknown)}{hint}",
            fix="add a line `id name` for each of them (a class may stand under two names)",
        )

    def names(self) -> list[str]:
        """Class names by id, the dataset's own where it has one; empty for an id that no class has."""
        by_id: dict[int, str] = {}
        for name, number in (self._label_map or {}).items():
            by_id.setdefault(number, name)
        by_id |= {number: label for label, number in self._ids.items()}
        return [by_id.get(number, "") for number in range(max(by_id, default=-1) + 1)]

    def _refuse_shared_ids(self) -> None:
        holder: dict[int, str] = {}
        for label, number in self._ids.items():
            if (other := holder.setdefault(number, label)) != label:
                raise UsageError(f"the label map gives {other!r} and {label!r} the same id {number}")


def _positions(labels: Iterable[str]) -> dict[str, int]:
    return {label: number for number, label in enumerate(labels)}


def _keyed(ids: Mapping[str, int]) -> dict[str, int]:
    keyed: dict[str, tuple[str, int]] = {}
    for name, number in ids.items():
        other, taken = keyed.setdefault(style_key(name), (name, number))
        if taken != number:
            raise UsageError(
                f"{other!r} (id {taken}) and {name!r} (id {number}) are one class in two spellings"
            )
    return {key: number for key, (_, number) in keyed.items()}


def _some(names: list[str], most: int = 30) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
