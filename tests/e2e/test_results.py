"""What verbs report: the one JSON object, exit codes, what is known at each level, what next to do."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from kdl.errors import EXIT_CODES
from kdl.values import Verdict
from tests.e2e.hosted import Hosted
from tests.e2e.running import Ran, clips, kdl
from tests.replica import nginx

COUNTED = {
    "ok",
    "short",
    "corrupt",
    "missing",
    "pending",
    "unchecked",
    "never_hosted",
    "unlisted",
    "replaced",
}
VERBS = ("mirror", "fetch", "derive", "lists", "export", "status", "datasets", "doctor", "demo")


def is_result(done: Ran, dataset: str) -> None:
    result = done.result
    assert result["dataset"] == dataset
    assert result["elapsed_s"] >= 0
    for finding in result["findings"]:
        assert set(finding) == {"kind", "subject", "detail", "fix"}
        assert re.fullmatch("[a-z_]+", finding["kind"])
        assert finding["subject"]
        assert finding["detail"]


def test_a_mirrors_result(demo: Hosted, tmp_path: Path) -> None:
    done = demo.mirror(tmp_path, "--recipe", "256p", "--split", "train")
    is_result(done, "demo")
    result = done.result
    assert set(result["clips"]) == COUNTED
    assert result["clips"] == dict.fromkeys(COUNTED, 0) | {
        "ok": 21,
        "short": 1,
        "corrupt": 2,
        "never_hosted": 2,
        "unlisted": 1,
        "replaced": 4,
    }
    assert result["shards"] == {"done": 4, "failed": 0, "skipped": 0}
    assert result["derived"] == {"256p": {"done": 22, "failed": 0}}
    hosted = [*(demo.bucket / "demo/train").glob("*.tar.gz"), *(demo.bucket / "demo").glob("*.tgz")]
    small = [demo.bucket / "demo/annotations/train.csv", demo.bucket / "demo/readme.md"]
    small += (demo.bucket / "demo/train").glob("*_path.txt")
    sizes = {path: path.stat().st_size for path in [*hosted, *small]}
    assert sum(sizes[path] for path in hosted) < result["bytes"]["fetched"] <= sum(sizes.values())
    assert result["bytes"]["written"] > sum(
        path.stat().st_size for path in (tmp_path / "demo" / "videos").rglob("*.mp4")
    ) * 0.9  # fmt: skip


def test_every_verbs_result(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    for verb, *more in (
        ("mirror", "--split", "test"),
        ("mirror", "--split", "test", "--dry-run"),
        ("fetch", "--split", "test"),
        ("derive", "--recipe", "320p", "--split", "test"),
        ("lists", "--for", "slowfast"),
        ("export", "--out", str(tmp_path / "rows.csv")),
        ("status",),
        ("status", "--show", "corrupt"),
    ):
        done = demo.run(verb, tmp_path, *more, "--json")
        is_result(done, "demo")
        assert done.code == 0
        assert done.err == ""
    is_result(kdl("datasets", "--json"), "")
    is_result(kdl("datasets", "k600", "--json"), "k600")
    is_result(kdl("doctor", "--root", tmp_path, "--json"), "")
    assert base.is_dir()


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_prints_the_exit_codes(verb: str) -> None:
    done = kdl(*verb.split(), "--help")
    assert done.code == 0
    text = " ".join(done.out.split())
    table = text[text.index("Exit codes:") :]
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in table
    assert [int(code) for code in re.findall(r"(?<!\S)(\d{1,3})(?= [a-z])", table)] == list(EXIT_CODES)


def test_network_trouble_outranks_corrupt_clips(demo: Hosted, tmp_path: Path) -> None:
    shutil.copytree(demo.bucket, tmp_path / "bucket")
    (tmp_path / "bucket/demo/val/demo_val_003.tar.gz").unlink()
    with nginx.serve(tmp_path / "bucket") as server:
        poorer = Hosted(demo.dataset, "demo", server, tmp_path / "bucket")
        done = poorer.mirror(tmp_path, "--split", "val")
        assert done.code == 4
        assert {"object_failed", "corrupt_clip"} <= done.kinds()
        assert done.result["shards"] == {"done": 3, "failed": 1, "skipped": 0}
        assert (done.result["clips"]["pending"], done.result["clips"]["never_hosted"]) == (2, 0)
    again = demo.mirror(tmp_path, "--split", "val")
    assert again.code == 1
    assert again.result["shards"] == {"done": 1, "failed": 0, "skipped": 3}


def test_strict_counts_what_is_no_fault(demo: Hosted, tmp_path: Path) -> None:
    assert demo.mirror(tmp_path, "--split", "test").code == 0
    strict = demo.mirror(tmp_path, "--split", "test", "--strict")
    assert strict.code == 1
    assert strict.kinds() == {"short_clips"}


@pytest.fixture(scope="module")
def fetched(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A root after ``kdl fetch`` alone."""
    root = tmp_path_factory.mktemp("fetched")
    return root, demo.run("fetch", root, "--json")


def test_mirror_goes_on_where_fetch_ended(demo: Hosted, fetched: tuple[Path, Ran], tmp_path: Path) -> None:
    root, done = fetched
    is_result(done, "demo")
    rows = clips(demo.dataset, root)
    here = [row for row in rows.values() if row["path"] and int(row["size"])]
    assert len(here) > 30
    assert all(row["sha256"] and not row["duration"] for row in here)
    assert {row["verdict"] for row in here} == {"unchecked", "unlisted"}
    assert len(list((root / "demo/.kdl/replacements").iterdir())) == 5
    assert not (root / "demo" / "lists").exists()
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    mark = demo.mark()
    assert demo.mirror(tmp_path / "copy").code == 1
    assert demo.fetched(mark) == []
    assert demo.seen(tmp_path / "copy") == demo.seen(demo.mirrored or root)


@pytest.mark.parametrize("level", [pytest.param("stat", marks=pytest.mark.long), "hash"])
def test_shallow_levels_leave_clips_unchecked(demo: Hosted, tmp_path: Path, level: str) -> None:
    done = demo.mirror(tmp_path, "--split", "val", "--level", level)
    assert (done.code, done.result["clips"]["unchecked"]) == (0, 9)
    deeper = demo.mirror(tmp_path, "--split", "val")
    assert (deeper.code, deeper.result["clips"]["ok"], deeper.result["clips"]["corrupt"]) == (1, 8, 1)
    again = demo.mirror(tmp_path, "--split", "val", "--level", level)
    assert again.result["clips"] == deeper.result["clips"]  # what was judged stays so


def test_sha256sum_accepts_the_export(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    exported = demo.run("export", tmp_path, "--format", "sha256sums")
    checked = subprocess.run(
        ["sha256sum", "--strict", "--check"], input=exported.out, text=True, cwd=base, capture_output=True
    )
    assert checked.returncode == 0, checked.stderr
    every = {str(path.relative_to(base)) for top in ("videos", "unlisted")
             for path in (base / top).rglob("*.mp4")}  # fmt: skip
    told = {line.removesuffix(": OK") for line in checked.stdout.splitlines()}
    assert every <= told
    assert told - every == {
        row["path"] for row in clips(demo.dataset, tmp_path).values() if row["verdict"] == "corrupt"
    }


def test_what_was_replaced_and_what_could_not_be(demo: Hosted) -> None:
    assert demo.mirrored
    replaced = demo.run("status", demo.mirrored, "--show", "replaced", "--json").result["clips"]
    assert {row["clip"]: row["replaced_cause"] for row in replaced} == {
        "zeroBytes01_000041_000044.mp4": "zero_bytes",
        "soundOnly-1_000004_000007.mp4": "no_video",
        "truncatedMp_000006_000009.mp4": "truncated",
        "onlyMended1_000007_000010.mp4": "never_hosted",
    }
    assert {row["replaced_by"] for row in replaced} == {"replacement_for_corrupted_demo.tgz"}
    corrupt = demo.run("status", demo.mirrored, "--show", "corrupt")
    assert len(corrupt.out.splitlines()) == 4
    for name in ("noMoovAtAll", "notAVideo01", "valCutShort"):
        assert name in corrupt.out
    for verdict in Verdict:
        shown = demo.run("status", demo.mirrored, "--show", verdict, "--json").result["clips"]
        assert {row["verdict"] for row in shown} <= {verdict}


def commands(done: Ran) -> set[tuple[str, ...]]:
    """The command lines of kdl that the findings of a run name."""
    fixes = {part for finding in done.result["findings"] for part in finding["fix"].split("; ")}
    return {tuple(shlex.split(fix)) for fix in fixes if fix.startswith("kdl ")}


def test_every_command_that_a_finding_names_can_be_run(demo: Hosted, tmp_path: Path) -> None:
    root = tmp_path / "a root"
    named = commands(demo.mirror(root)) | commands(demo.run("lists", root / "other", "--json"))
    (root / "demo/videos/val/abseiling/valClip_0_a_000000_000003.mp4").unlink()
    with nginx.serve(tmp_path) as nothing:  # the shard can not be had again
        gone = Hosted(demo.dataset, "demo", nothing, tmp_path).mirror(root, "--split", "val")
        named |= commands(gone)
    assert {words[1] for words in named} == {"status", "mirror"}
    assert len(named) >= 5
    for words in named:
        more = ["--origin", demo.server.url, "--dry-run"] if words[1] == "mirror" else ["--json"]
        assert kdl(*words[1:], *more).code == 0


def test_events_go_to_a_file_as_lines(demo: Hosted, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    demo.mirror(tmp_path, "--split", "test", "--log-json", log)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"run_started", "planned", "transfer_ended", "run_ended"} <= {event["event"] for event in events}
