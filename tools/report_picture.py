"""Draws docs/report.png: the top of ``kdl report`` for a made-up mirror of Kinetics-400.

``python -m tools.report_picture [PNG]``; needs Chromium. ``--html FILE`` keeps the whole page.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from kdl import __version__
from kdl.dataset.labels import class_dir
from kdl.dataset.manifest import load_manifest
from kdl.jobs.report import health_of
from kdl.jobs.run import command_line
from kdl.ledger.ledger import open_ledger
from kdl.ledger.overview import overview
from kdl.ledger.runs import begin_run, end_run
from kdl.report.html import Page, render
from kdl.values import Finding

ROOT = Path("/data/kinetics")
PICTURE = Path(__file__).parents[1] / "docs" / "report.png"
SIZE = {"width": 1180, "height": 1330}
DAY = 86_400.0
_ANNOTATED = {"train": 246_534, "val": 19_906, "test": 39_805}
_NEVER_HOSTED = {"train": 4_100, "val": 25, "test": 1_120}
_SHAPES = (
    ((340, 256), 55),
    ((454, 256), 20),
    ((320, 240), 12),
    ((256, 340), 5),
    ((1280, 720), 5),
    ((192, 144), 3),
)
_RATES = ((29.97, 52), (30.0, 22), (25.0, 19), (23.98, 5), (15.0, 2))


def main() -> None:
    """Make the ledger, the page and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("png", type=Path, nargs="?", default=PICTURE)
    parser.add_argument("--html", type=Path, metavar="FILE")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kdl-picture-") as folder:
        html = asked.html or Path(folder) / "report.html"
        html.write_text(render(_page(Path(folder) / "ledger.db")), encoding="utf-8")
        _draw(html, asked.png)
    print(f"{asked.png}: {asked.png.stat().st_size // 1000} kB")


def _page(path: Path) -> Page:
    def command(verb: str, *arguments: str) -> str:
        return command_line(verb, "k400", ROOT, *arguments)

    now = time.time()
    with open_ledger(path, create=True) as ledger:
        ledger.write(lambda c: _fill(c, now)).result()
        view = overview(ledger.reader(), now)
    health = health_of(view, command)
    title = load_manifest("k400").title
    return Page("k400", title, str(ROOT / "k400"), __version__, view, health, command, "", (), ())


def _fill(connection: sqlite3.Connection, now: float) -> None:
    chance = random.Random(400)
    for split in _ANNOTATED:
        connection.executemany(
            """INSERT INTO clips (split, youtube_id, time_start, time_end, label, listed, class_dir, path,
                   origin, size, verdict, cause, checked_at, check_level, duration, width, height, fps,
                   replaced_cause)
               VALUES (?, ?, 0, 10, ?, 1, ?, ?, ?, ?, ?, ?, ?, 'hash', ?, ?, ?, ?, ?)""",
            _clips(split, chance, now),
        )
        connection.execute(
            "INSERT INTO objects (url, name, kind, split, state, size) VALUES (?, ?, 'shard', ?, 'done', ?)",
            (split, f"{split}.tar.gz", split, _ANNOTATED[split] * 1_500_000),
        )
    _add_runs(connection, chance, now)


def _clips(split: str, chance: random.Random, now: float) -> Iterator[tuple[Any, ...]]:
    labels = load_manifest("k400").labels.names
    shapes, weights = zip(*_SHAPES, strict=True)
    rates, often = zip(*_RATES, strict=True)
    never = set(chance.sample(range(_ANNOTATED[split]), _NEVER_HOSTED[split]))
    for number in range(_ANNOTATED[split]):
        label = chance.choice(labels)
        key = (split, f"{number:011}", label, class_dir(label))
        if number in never:
            yield (*key, None, None, None, "never_hosted", *[None] * 7)
            continue
        verdict, cause, replaced = _fate(split, number)
        shown = verdict != "corrupt"
        width, height = chance.choices(shapes, weights)[0] if shown else (None, None)
        yield (
            *key,
            f"videos/{split}/{key[3]}/{number:011}.mp4",
            "replacement" if replaced else "shard",
            int(chance.lognormvariate(14.2, 0.45)),
            verdict,
            cause,
            now - chance.random() * 7 * DAY,
            (chance.uniform(3, 9) if verdict == "short" else chance.choice((10.0, 10.0, 10.01, 9.97, 10.1)))
            if shown
            else None,
            width,
            height,
            chance.choices(rates, often)[0] if shown else None,
            replaced,
        )


def _fate(split: str, number: int) -> tuple[str, str | None, str | None]:
    """Verdict, cause, and what a replaced clip was."""
    if split == "train" and number % 20_000 == 7:
        return "missing", "changed", None
    if split == "train" and number % 3_000 == 11:
        return "corrupt", ("moov_missing", "truncated", "decode_error")[number % 3], None
    if split == "train" and number % 177 == 5:
        return "ok", None, ("zero_bytes", "moov_missing", "no_video", "truncated")[number % 4]
    return ("short", None, None) if number % 83 == 3 else ("ok", None, None)


def _add_runs(connection: sqlite3.Connection, chance: random.Random, now: float) -> None:
    found = [
        Finding(
            "clip_changed",
            f"videos/train/abseiling/{at:011}.mp4",
            "other bytes than recorded",
            "kdl repair k400 --root /data/kinetics",
        )
        for at in range(12)
    ]
    for night in range(14, -1, -1):
        began = now - night * DAY - 5 * 3_600
        moved, took = int(chance.uniform(58e9, 66e9)), chance.uniform(5_000, 7_200)
        name = f"night-{night}"
        begin_run(connection, name, "nightly k400 --root /data/kinetics", "store7", 1, "boot")
        end_run(connection, name, 0 if night else 1, {"bytes": moved}, () if night else found)
        connection.execute("UPDATE runs SET started = ?, ended = ? WHERE id = ?", (began, began + took, name))


def _draw(html: Path, png: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")  # type: ignore[arg-type]
        page.goto(html.absolute().as_uri())
        page.screenshot(path=png)
        browser.close()


if __name__ == "__main__":
    main()
