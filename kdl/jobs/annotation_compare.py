"""What publishers' lists say differently of the same dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdl.jobs.annotation_table import KEY, Table
from kdl.ledger.clips import NO_TIME

KINDS = ("split", "times", "listed", "label", "on_disk")
"""Of the differences: a clip is listed in several splits; an id with other times; a clip by some only;
with other labels; a clip on disk that nobody lists."""
_TIMES = ["youtube_id", "time_start", "time_end"]
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of a comparison."""

    publishers: tuple[str, ...]
    splits: dict[str, dict[str, Any]]
    """By split: who lists it (``publishers``), ``clips`` in any list, those ``same`` in all, and the
    differences, ``listed`` by who lists the clips (``"cvdf+deepmind"``)."""
    differences: pd.DataFrame
    """A row a difference: ``kind``, the clip's key, ``path`` on disk, and what each publisher says in a
    column of its name; see :data:`KINDS`. Times are empty where the difference is of the id."""
    on_disk: int | None
    """Clips on disk that nobody lists; ``None`` where there is no mirror to ask."""

    def counts(self) -> dict[str, int]:
        """The differences by kind."""
        found = self.differences["kind"].value_counts()
        return {kind: int(found.get(kind, 0)) for kind in KINDS}


def compare(tables: Sequence[Table], on_disk: pd.DataFrame | None) -> Comparison:
    """Hold the tables against each other, split by split, among those that list anything of the split.

    ``on_disk``: the key columns and ``path`` of the clips on disk. A clip that differs in its split or its
    times is told once, as that, and not as listed by one and not by the other.
    """
    facts = _Facts(tables)
    found = [facts.of_split(), facts.of_times(), facts.of_listing(), facts.of_labels()]
    strangers = None if on_disk is None else facts.unlisted(on_disk)
    if strangers is not None:
        found.append(strangers)
    names = [table.name for table in tables]
    columns = ["kind", *KEY, "path", *names]
    # as objects: a part without times would turn those of the others into fractions
    parts = [part.astype(object) for part in found if len(part)]
    whole = pd.concat(parts or [pd.DataFrame(columns=columns, dtype=object)], ignore_index=True)
    whole = whole.reindex(columns=columns)
    differences = whole.where(whole.notna(), "")
    return Comparison(
        tuple(names), facts.splits(), differences, None if strangers is None else len(strangers)
    )


class _Facts:
    """Every clip that any table lists, and which table says what of it."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self.names = [table.name for table in tables]
        self.order = list(tables[0].frame["split"].cat.categories)
        lists = [table.clips for table in tables]
        whole = pd.concat(
            [part[KEY].astype({"split": str}) for part in lists], ignore_index=True
        )  # categories of their own would become objects one by one
        at = whole.groupby(KEY, sort=True).ngroup().to_numpy()
        first = np.unique(at, return_index=True)[1]
        self.clips = whole.iloc[first].reset_index(drop=True)
        sizes = np.cumsum([0, *(len(part) for part in lists)])
        places = [at[begin:end] for begin, end in pairwise(sizes)]
        self.has = self._matrix(bool)
        self.label = self._matrix(np.int32) - 1
        vocabulary: dict[str, int] = {}
        for column, (part, place) in enumerate(zip(lists, places, strict=True)):
            self.has[place, column] = True
            codes = [vocabulary.setdefault(name, len(vocabulary)) for name in part["label"].cat.categories]
            self.label[place, column] = np.array([*codes, -1], dtype=np.int32)[part["label"].cat.codes]
        self.words = np.array([*vocabulary, ""], dtype=object)
        splits, self.splits_met = pd.factorize(self.clips["split"])
        covers = np.stack([self.has[splits == code].any(axis=0) for code in range(len(self.splits_met))])
        self.covers = dict(zip(self.splits_met, covers, strict=True))
        self.asked = covers[splits]
        """Whether a table lists anything of the clip's split: only then its silence says anything."""
        self.partial = (self.has != self.asked).any(axis=1)
        self.moved = self._moved()
        self.retimed = self.partial & ~self.moved & self._retimed()
        self.some = self.partial & ~self.moved & ~self.retimed
        known = np.where(self.label < 0, len(vocabulary), self.label).min(axis=1)
        self.named = known < self.label.max(axis=1)

    def _matrix(self, dtype: type) -> npt.NDArray[Any]:
        return np.zeros((len(self.clips), len(self.names)), dtype=dtype)

    def _moved(self) -> _Mask:
        """Clips in several splits of which not all tables list the same."""
        clips = pd.MultiIndex.from_frame(self.clips[_TIMES])
        mask: _Mask = clips.isin(clips[self.partial & clips.duplicated(keep=False)])
        return mask

    def _retimed(self) -> _Mask:
        """Clips of ids of which two tables each list a clip that the other does not."""
        ids = self.clips.groupby(["split", "youtube_id"], sort=False).ngroup().to_numpy()
        open_ids = self.partial & ~self.moved
        found = np.zeros(int(ids.max()) + 1, dtype=bool)
        for one, other in combinations(self.has.T, 2):
            here, there = np.zeros_like(found), np.zeros_like(found)
            here[ids[open_ids & one & ~other]] = True
            there[ids[open_ids & other & ~one]] = True
            found |= here & there
        mask: _Mask = found[ids]
        return mask

    def of_listing(self) -> pd.DataFrame:
        """Clips that some list and others do not: each one's label, or ``listed`` where it gives none."""
        return self._rows("listed", self.some, self._said(self.some))

    def of_labels(self) -> pd.DataFrame:
        """Clips with several labels."""
        return self._rows("label", self.named, self.words[self.label[self.named]])

    def of_split(self) -> pd.DataFrame:
        """The same id and times in several splits: one row a clip, each one's splits."""
        return self._gathered("split", self.moved, _TIMES, self.clips["split"])

    def of_times(self) -> pd.DataFrame:
        """Ids with other times: one row an id, each one's times of all its clips."""
        ids = pd.MultiIndex.from_frame(self.clips[["split", "youtube_id"]])
        mask = ids.isin(ids[self.retimed]) & ~self.moved
        spans = self.clips["time_start"].astype(str) + "-" + self.clips["time_end"].astype(str)
        return self._gathered("times", mask, ["split", "youtube_id"], spans)

    def unlisted(self, on_disk: pd.DataFrame) -> pd.DataFrame:
        """Clips on disk, of splits that anybody lists, that nobody lists."""
        asked = on_disk[on_disk["split"].isin(self.splits_met)]
        timed = asked["time_start"] != NO_TIME
        listed = pd.MultiIndex.from_frame(self.clips[KEY])
        ids = listed.droplevel(["time_start", "time_end"])
        found = np.where(
            timed,
            pd.MultiIndex.from_frame(asked[KEY]).isin(listed),
            pd.MultiIndex.from_frame(asked[["split", "youtube_id"]]).isin(ids),
        )
        return asked[~found].assign(kind="on_disk")

    def splits(self) -> dict[str, dict[str, Any]]:
        """The numbers of each split."""
        told = {}
        for split in filter(self.covers.__contains__, self.order):
            covers = self.covers[split]
            of = (self.clips["split"] == split).to_numpy()
            retimed = self.clips.loc[of & self.retimed, "youtube_id"]
            told[str(split)] = {
                "publishers": [name for name, lists in zip(self.names, covers, strict=True) if lists],
                "clips": int(of.sum()),
                "same": int((of & ~self.partial & ~self.named & ~self.moved).sum()),
                "listed": self._by_lister(of & self.some),
                "label": int((of & self.named).sum()),
                "times": int(retimed.nunique()),
                "split": int((of & self.moved).sum()),
            }
        return told

    def _by_lister(self, mask: _Mask) -> dict[str, int]:
        rows, counts = np.unique(self.has[mask], axis=0, return_counts=True)
        who = ("+".join(np.array(self.names, dtype=object)[row]) for row in rows)
        return dict(sorted(zip(who, map(int, counts), strict=True)))

    def _said(self, mask: _Mask) -> npt.NDArray[np.object_]:
        words = self.words[self.label[mask]]
        said: npt.NDArray[np.object_] = np.where(self.has[mask] & (words == ""), "listed", words)
        return said

    def _rows(self, kind: str, mask: _Mask, said: npt.NDArray[Any]) -> pd.DataFrame:
        rows = self.clips[mask].reset_index(drop=True)
        rows.insert(0, "kind", kind)
        return pd.concat([rows, pd.DataFrame(said, columns=self.names)], axis=1)

    def _gathered(self, kind: str, mask: _Mask, by: list[str], said: pd.Series[str]) -> pd.DataFrame:
        """A row for each group of clips: what each table has of ``said`` in it, apart by blanks."""
        if not mask.any():
            return pd.DataFrame()
        clips = self.clips.loc[mask, by]
        for column, name in enumerate(self.names):
            clips[name] = np.where(self.has[mask, column], said[mask] + " ", "")
        rows = clips.groupby(by, sort=True, as_index=False)[self.names].sum()
        rows[self.names] = rows[self.names].apply(lambda cells: cells.str.rstrip())
        rows.insert(0, "kind", kind)
        return rows
