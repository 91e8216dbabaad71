"""docs/nightly.md tells every key, default, metric and part of the result, and no other."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from docs_kit import PAGES, fences, plain, rows

from kdl.jobs.nightly_options import SETTINGS, nightly_options
from kdl.report.metrics import METRICS
from kdl.ui.night import KEYS

PAGE = PAGES["nightly.md"]


def test_every_key_is_told_with_its_default() -> None:
    told = {plain(key): plain(default) for key, default, _ in rows(PAGE, "key | default")}
    assert told == {name: json.dumps(setting.default) for name, setting in SETTINGS.items()}


def test_the_file_that_is_shown_is_taken(tmp_path: Path) -> None:
    (text,) = fences("nightly.md", "toml")
    assert set(tomllib.loads(text)["nightly"]) <= set(SETTINGS)
    (tmp_path / "kdl.toml").write_text(text)
    found = nightly_options("k400", "k400", tmp_path, {}, ledger=None, watchdog_s=60)
    assert found.subset.parts == 7
    assert found.webhook is not None


def test_every_metric_is_told() -> None:
    told = [plain(row[0]) for row in rows(PAGE, "metric")]
    assert told == [f"kdl_{name}" for name in METRICS]


def test_every_part_of_the_result_is_told() -> None:
    told = {plain(row[0]) for row in rows(PAGE, "key | meaning")}
    assert told == {*KEYS, "clips"} - {"page"}
    assert re.search(r"`<date>\.html`", PAGE)
