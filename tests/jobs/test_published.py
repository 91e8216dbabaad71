"""Lists of other makers that are no lists, or hold what no list should."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdl.dataset.manifest import load_manifest
from kdl.events import Bus
from kdl.jobs.published import compare_published
from kdl.jobs.run import open_run
from kdl.ledger.annotated import finish_annotations, load_annotations
from kdl.values import Annotation, ClipKey, Finding

ID = "-one_clip_-"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<html>\n<p>not found</p>\n</html>\n", {"published_list_lines": "3 lines name no clip of val"}),
        (f"yoga/{ID}.mp4 99999999999999999999\n", {"published_list_lines": "1 lines name no clip of val"}),
        (f"a b/{ID}.mp4 398\r\n\n", {}),
        (f"/far/away/yoga/{ID}.mkv\t398", {}),
        ("", {}),
        (
            f"yoga/{ID}.mp4 397\nyoga/unknown_id_.mp4 1\n",
            {"published_list_differs": "2 rows: 1 of another class, 1 only there"},
        ),
        ("yoga/unknown_id_.mp4 1\n", {"published_list_differs": "1 rows: 1 only here, 1 only there"}),
    ],
    ids=["HTML", "a number too large", "CR LF", "other paths", "empty", "class", "nothing in common"],
)
def test_what_a_list_may_hold(tmp_path: Path, text: str, found: dict[str, str]) -> None:
    manifest = load_manifest("k400-paddle")
    told: list[Finding] = []
    with open_run("lists", manifest.name, manifest.name, tmp_path, Bus(), create=True) as run:
        rows = [Annotation(ClipKey("val", ID, 3, 13), "yoga")]
        run.ledger.write(lambda c: load_annotations(c, 1, rows, str, decides=False)).result()
        run.ledger.write(lambda c: finish_annotations(c, "val", 1, "digest", ())).result()
        run.ledger.write(
            lambda c: c.execute("UPDATE clips SET path = 'x', name = ?, verdict = 'ok'", (f"{ID}.mp4",))
        ).result()
        folder = run.paths.annotations / "paddle"
        folder.mkdir(parents=True)
        (folder / "val.list").write_bytes(text.encode())
        compare_published(run, manifest, ())
        told += run.findings
        report = run.paths.reports / "published-paddle.csv"
        assert report.exists() == ("published_list_differs" in found)
        assert not list(run.paths.reports.glob(".*"))
    assert {each.kind: each.detail.partition(": line")[0] for each in told} == found
