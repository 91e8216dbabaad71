"""What a publisher's table holds, and what a mirror has on disk, for ``kdl annotations``."""

from __future__ import annotations

import pandas as pd

from kdl.jobs.annotation_table import KEY, Table
from kdl.ledger.ledger import Ledger


def describe_table(table: Table) -> dict[str, dict[str, int]]:
    """The numbers of each split that the table lists anything of, JSON-ready."""
    return {
        str(split): _described(rows, table.bad.get(str(split), 0))
        for split, rows in table.frame.groupby("split", observed=True)
    }


def _described(rows: pd.DataFrame, bad: int) -> dict[str, int]:
    clips = rows.drop_duplicates(KEY)
    per_id = clips["youtube_id"].value_counts()
    return {
        "rows": len(rows),
        "bad": bad,
        "repeated": len(rows) - len(clips),
        "clips": len(clips),
        "ids": len(per_id),
        "ids_with_several": int((per_id > 1).sum()),
        "labels": int(clips["label"].nunique()),
        "unlabelled": int(clips["label"].isna().sum()),
        "is_cc": int(clips["is_cc"].sum()),
    }


def clips_on_disk(ledger: Ledger) -> pd.DataFrame:
    """Key columns (-1 for a time that names do not carry) and ``path`` of every clip that has a file."""
    rows = ledger.rows(
        """SELECT split, youtube_id, time_start, time_end, path FROM clips
           WHERE path IS NOT NULL AND verdict <> 'missing'""",
        (),
    )
    return pd.DataFrame(map(tuple, rows), columns=[*KEY, "path"])
