"""Which YouTube videos two lists share: what was trained on one is not to be judged by the other."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kdl.jobs.annotation_table import Table

_CLIP = ["youtube_id", "time_start", "time_end"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What came of it. A *pair* is a clip of the first list and one of the second with the same id."""

    ids: list[str]
    """Shared YouTube ids, sorted."""
    clips: int
    """Clips that both have with the same times."""
    meeting: int
    """Pairs with some time in common, those with the same times included."""
    first: int
    """Clips of the first list whose id is shared."""
    second: int
    pairs: pd.DataFrame
    """Every pair, by id: the columns ``youtube_id``, and ``split``, ``time_start``, ``time_end`` and
    ``label`` with ``_1`` or ``_2`` behind."""


def overlap(first: Table, second: Table) -> Overlap:
    """Hold two lists against each other by id. A clip without times meets every clip of its id."""
    one, other = first.clips, second.clips
    ids = pd.Index(one["youtube_id"]).intersection(other["youtube_id"]).sort_values()
    one = one[one["youtube_id"].isin(ids)]
    other = other[other["youtube_id"].isin(ids)]
    pairs = one.merge(other, on="youtube_id", suffixes=("_1", "_2")).sort_values(
        ["youtube_id", "time_start_1", "time_start_2"], ignore_index=True
    )
    timeless = (pairs["time_end_1"] < 0) | (pairs["time_end_2"] < 0)
    meets = (pairs["time_start_1"] < pairs["time_end_2"]) & (pairs["time_start_2"] < pairs["time_end_1"])
    return Overlap(
        ids=list(ids),
        clips=len(one[_CLIP].drop_duplicates().merge(other[_CLIP].drop_duplicates(), on=_CLIP)),
        meeting=int((meets | timeless).sum()),
        first=len(one),
        second=len(other),
        pairs=pairs.drop(columns=["source_1", "source_2", "is_cc_1", "is_cc_2"]),
    )
