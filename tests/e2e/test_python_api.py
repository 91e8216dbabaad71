"""``import kdl``: the same verbs, arguments and defaults as the command's; mirrors read from programs."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import fcntl
import inspect
import io
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pandas
import pytest

import kdl
from kdl import aio
from kdl.cli.main import VERBS
from kdl.cli.main import kdl as command
from kdl.jobs.cliprows import ClipQuery
from tests.e2e.hosted import Hosted

NAMES = {"fetch": "fetch_only", "lists": "write_lists", "report": "write_report"}
"""Functions that are not called as their verbs are."""
OTHERWISE = {"annotations", "manifest", "completion"}
"""Verbs with several functions, and the shell's own."""
FACE = {"as_json", "quiet", "log_json", "dry_run", "show", "watch", "interval"}
"""What only the command line has: how things are shown, and plans, which are functions of their own."""


def params(verb: str) -> dict[str, object]:
    """The values of a verb's arguments and options where nothing is given, by name."""
    found = command.get_command(click.Context(command), verb)
    assert found is not None
    return found.make_context(verb, [], resilient_parsing=True).params


def written(value: object) -> object:
    """A default as a command line has it: nothing given is nothing, several words are one text."""
    return ",".join(value) if value and isinstance(value, tuple) else value or None


@pytest.mark.parametrize("verb", sorted(set(VERBS) - OTHERWISE))
def test_a_function_takes_what_its_verb_takes_with_the_same_defaults(verb: str) -> None:
    taken = dict(inspect.signature(getattr(kdl, NAMES.get(verb, verb))).parameters)
    given = params(verb)
    assert given.keys() - taken.keys() <= FACE
    assert taken.keys() - given.keys() <= {"on_event"}
    for name, value in given.items():
        default = inspect.Parameter.empty if name not in taken else taken[name].default
        if default is not inspect.Parameter.empty and name not in ("root", "out"):
            assert written(value) == written(default), name


def test_both_forms_of_a_function_are_told_alike() -> None:
    for name in aio.__all__:
        awaited, plain = getattr(aio, name), getattr(kdl, name)
        assert inspect.iscoroutinefunction(awaited), name
        assert not inspect.iscoroutinefunction(plain), name
        assert inspect.signature(awaited) == inspect.signature(plain), name
        assert plain.__doc__ == awaited.__doc__, name
        assert plain.__doc__, name


def test_every_name_is_there_and_importing_loads_none() -> None:
    for name in kdl.__all__:
        assert getattr(kdl, name) is not None
    assert set(kdl.__all__) <= set(dir(kdl))
    with pytest.raises(AttributeError, match="no attribute 'mirorr'"):
        kdl.mirorr  # type: ignore[attr-defined]  # noqa: B018
    script = "import sys; before = {*sys.modules}; import kdl; print(*({*sys.modules} - before))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert {name for name in loaded.split() if name.startswith("kdl") or "async" in name} == {"kdl"}


@pytest.mark.long
def test_a_type_checker_knows_arguments_and_results(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import kdl\n"
        'reveal_type(kdl.mirror("k400", splits="val").exit_code)\n'
        'reveal_type([clip.path for clip in kdl.open("x").clips()])\n'
        "async def work() -> None:\n"
        '    reveal_type(await kdl.aio.plan("k400"))\n'
        'kdl.mirror("k400", split="val")\n'
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--follow-imports=silent", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    for told in (
        'type is "int"',
        "list[pathlib.Path | None]",
        "MirrorPlan",
        'Unexpected keyword argument "split"',
    ):
        assert told in checked.stdout, checked.stdout + checked.stderr


@pytest.fixture(scope="module")
def mirror(demo: Hosted) -> Iterator[kdl.Mirror]:
    assert demo.mirrored is not None
    with kdl.open(demo.mirrored / demo.name) as opened:
        yield opened


@pytest.fixture(scope="module")
def exported(demo: Hosted) -> list[dict[str, str]]:
    """The rows of ``kdl export``, written to a stream."""
    out = io.BytesIO()
    done = kdl.export(demo.dataset, out, root=demo.mirrored)
    rows = list(csv.DictReader(io.StringIO(out.getvalue().decode())))
    assert (done.rows, done.what, done.out) == (len(rows), "clips", None)
    return rows


def test_clips_are_those_of_the_export(mirror: kdl.Mirror, exported: list[dict[str, str]]) -> None:
    found = list(mirror.clips())
    assert len(found) == len(exported) == len(mirror)
    for clip, row in zip(found, exported, strict=True):
        assert clip.key == kdl.ClipKey(
            row["split"], row["youtube_id"], int(row["time_start"]), int(row["time_end"])
        )
        assert (clip.verdict, clip.cause or "", clip.sha256 or "") == (
            row["verdict"],
            row["cause"],
            row["sha256"],
        )
        assert (clip.shard or "", str(clip.replaced).lower()) == (row["shard"], row["replaced"])
        assert clip.path == (mirror.path / row["path"] if row["path"] else None)
        assert clip.path is None or clip.path.stat().st_size == clip.facts.size == int(row["size"])
        assert clip.facts.duration == (float(row["duration"]) if row["duration"] else None)
        assert clip.label_id == (mirror.labels.index(clip.label) if clip.label else None)
        if clip.path is not None and clip.label is not None and clip.verdict == "ok":
            assert clip.path.parent.name == clip.label.replace(" ", "_")
    assert any(clip.replaced for clip in found)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found[0].sha256 = ""  # type: ignore[misc]


def test_a_frame_is_the_export_with_types(mirror: kdl.Mirror, exported: list[dict[str, str]]) -> None:
    frame = mirror.frame()
    assert list(frame.columns) == list(exported[0])
    assert len(frame) == len(exported)
    assert frame["time_start"].dtype == pandas.Int64Dtype()
    assert frame["duration"].isna().sum() == sum(not row["duration"] for row in exported)
    assert int(frame["size"].sum()) == sum(int(row["size"] or 0) for row in exported)
    none = mirror.frame(split="val", verdict="missing")
    assert len(none) == 0
    assert list(none.dtypes) == list(frame.dtypes)


def test_what_is_asked_for_alone_comes(mirror: kdl.Mirror, demo: Hosted, tmp_path: Path) -> None:
    everything = list(mirror.clips())
    assert list(mirror.clips(split="val,test")) == [
        clip for clip in everything if clip.key.split in ("val", "test")
    ]
    assert list(mirror.clips(verdict=(kdl.Verdict.CORRUPT, "short"))) == [
        clip for clip in everything if clip.verdict in ("corrupt", "short")
    ]
    label = "massaging person's head"
    for word in (label, "massaging_person's_head"):
        assert list(mirror.clips(label=word)) == [clip for clip in everything if clip.label == label]
    assert len(mirror.frame(label=label)) == sum(clip.label == label for clip in everything)
    demo.copy(tmp_path)
    done = kdl.derive(demo.dataset, root=tmp_path, recipes="256p", splits="val", classes="abseiling")
    with kdl.open(tmp_path / demo.name) as copy:
        made = list(copy.clips(recipe="256p"))
        assert len(made) == done.extra["derived"]["256p"]["done"] > 0
        assert {(clip.key.split, clip.label) for clip in made} == {("val", "abseiling")}
        assert all(clip.derived and clip.derived.is_file() for clip in made)
        assert len(copy.frame(recipe="256p")) == len(made)


WRONG = {
    "split": ({"split": "vall"}, "did you mean val"),
    "label": ({"label": "abseilling"}, "did you mean 'abseiling'"),
    "verdict": ({"verdict": "broken"}, "choose one of ok, short"),
    "recipe": ({"recipe": "320"}, "did you mean 320p"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_mirror_has_not_is_named_at_once(mirror: kdl.Mirror, what: str) -> None:
    asked, said = WRONG[what]
    for ask in (mirror.clips, mirror.frame):
        with pytest.raises(kdl.UsageError) as caught:
            ask(**asked)
        assert said in f"{caught.value} {caught.value.fix}"


def test_a_mirror_is_read_while_a_run_holds_it_and_keeps_no_run_from_writing(
    demo: Hosted, tmp_path: Path
) -> None:
    base = demo.copy(tmp_path)
    with kdl.open(base) as mirror, (base / ".kdl/lock").open("a") as lock:
        clips = mirror.clips()
        first = next(clips)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(kdl.LockHeld):
            kdl.verify(demo.dataset, root=tmp_path, level="stat")
        assert next(clips).key > first.key
        assert mirror.status().clips == kdl.status(demo.dataset, root=tmp_path).clips
        fcntl.flock(lock, fcntl.LOCK_UN)
        gone = next(clip for clip in mirror.clips(split="val", verdict="ok") if clip.path)
        assert gone.path is not None
        gone.path.unlink()
        assert kdl.verify(demo.dataset, root=tmp_path, level="stat").exit_code == 1
        assert [clip.key for clip in mirror.clips(verdict="missing")] == [gone.key]
        assert next(mirror.clips(verdict="missing")).path is None
        assert "missing_clip" in {finding.kind for finding in mirror.findings()}


def test_many_pages_are_one_walk(mirror: kdl.Mirror, demo: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(mirror.clips())
    monkeypatch.setattr("kdl.jobs.cliprows._PAGE", 7)
    assert list(mirror.clips()) == whole
    assert ClipQuery(("val",)).verdicts == tuple(kdl.Verdict)


FORKED = """
import os, sys
import kdl

mirror = kdl.open(sys.argv[1])
print(len(mirror), end=" ", flush=True)
child = os.fork()
if child == 0:
    print(len(list(mirror.clips())), end=" ", flush=True)
    mirror.close()
    os._exit(0)
os.waitpid(child, 0)
print(len(list(mirror.clips())))
"""


def test_other_processes_open_it_anew(mirror: kdl.Mirror) -> None:
    again = pickle.loads(pickle.dumps(mirror))
    with again:
        clips = again.clips()
        next(clips)
        assert (again.path, len(again), again.labels) == (mirror.path, len(mirror), mirror.labels)
    with pytest.raises(kdl.UsageError, match="closed"):
        next(clips)
    with pytest.raises(kdl.UsageError, match="closed"):
        len(again)
    forked = subprocess.run([sys.executable, "-c", FORKED, mirror.path], capture_output=True, text=True)
    assert forked.stdout == f"{len(mirror)} {len(mirror)} {len(mirror)}\n", forked.stderr


def test_a_folder_that_is_no_mirror_is_told_what_it_is(
    mirror: kdl.Mirror, demo: Hosted, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "clips").mkdir()
    said = {
        tmp_path / "nowhere": "there is no such folder",
        tmp_path / "file": "it is not a folder",
        tmp_path / "clips": "there is no mirror of clips here",
        mirror.path.parent: "it is no mirror, but the root of demo",
    }
    for path, words in said.items():
        with pytest.raises(kdl.MachineError) as caught:
            kdl.open(path)
        assert caught.value.message == words
        assert caught.value.subject == str(path)
        assert caught.value.fix


def test_a_manifest_that_has_gone_is_asked_for(demo: Hosted, tmp_path: Path) -> None:
    moved = shutil.copy(demo.dataset, tmp_path / "moved.toml")
    shutil.copy(Path(demo.dataset).parent / "demo-never-hosted.txt", tmp_path)
    base = demo.copy(tmp_path / "root")
    kdl.fetch_only(moved, root=tmp_path / "root", splits="test", origins=demo.server.url)
    Path(moved).unlink()
    with pytest.raises(kdl.UsageError, match="not there any more") as caught:
        kdl.open(base)
    assert f"kdl.open({str(base)!r}, dataset=" in caught.value.fix
    with kdl.open(base, dataset=demo.dataset) as mirror:
        assert len(mirror) > 0


def test_a_run_of_a_program_is_the_commands(demo: Hosted, tmp_path: Path) -> None:
    told: list[kdl.Event] = []
    plan = kdl.plan(demo.dataset, root=tmp_path, splits="test", origins=demo.server.url)
    assert (plan.exit_code, plan.findings) == (0, ())
    assert not (tmp_path / "demo").exists()
    ran = kdl.mirror(
        demo.dataset, root=tmp_path, splits=["test"], origins=[demo.server.url], on_event=told.append
    )
    assert plan.shards["to_fetch"] == ran.extra["shards"]["done"]
    assert isinstance(told[0], kdl.events.RunStarted)
    assert isinstance(told[-1], kdl.events.RunEnded)
    again = demo.mirror(tmp_path, "--split", "test")
    assert again.result["clips"] == ran.as_dict()["clips"]
    with kdl.open(tmp_path / "demo") as mirror:
        assert {finding.kind for finding in mirror.findings()} == again.kinds()
    (report,) = (
        (tmp_path / "demo").rglob("report.html")
        if kdl.write_report(demo.dataset, root=tmp_path, pictures=False).exit_code == 0
        else ()
    )
    assert f"mirror {demo.dataset} --root {tmp_path}" in report.read_text()


def test_a_plan_for_too_small_a_disk_says_so(demo: Hosted, tmp_path: Path) -> None:
    plan = kdl.plan(demo.dataset, root=tmp_path, origins=demo.server.url)
    small = dataclasses.replace(plan, volumes=(dataclasses.replace(plan.volumes[0], ok=False),))
    assert (small.exit_code, small.findings[0].kind) == (3, "disk_full")
    assert dataclasses.replace(small, forced=True).exit_code == 0


async def test_plain_functions_work_where_a_loop_runs(demo: Hosted) -> None:
    plan = kdl.plan(demo.dataset, root=demo.mirrored, splits="val", origins=demo.server.url)
    awaited = await aio.plan(demo.dataset, root=demo.mirrored, splits="val", origins=demo.server.url)
    assert (awaited.objects, awaited.bytes) == (plan.objects, plan.bytes)
    assert kdl.status(demo.dataset, root=demo.mirrored) == await aio.status(demo.dataset, root=demo.mirrored)


async def test_a_cancelled_run_is_recorded_and_goes_on(demo: Hosted, tmp_path: Path) -> None:
    def hear(event: kdl.Event) -> None:
        if isinstance(event, kdl.events.PhaseStarted) and event.name == "shards":
            loop.call_soon_threadsafe(running.cancel)

    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(
        aio.fetch_only(demo.dataset, root=tmp_path, splits="val", origins=demo.server.url, on_event=hear)
    )
    with pytest.raises(asyncio.CancelledError):
        await running
    with kdl.open(tmp_path / "demo") as mirror:
        assert [finding.kind for finding in mirror.findings()] == ["interrupted"]
    done = await aio.fetch_only(demo.dataset, root=tmp_path, splits="val", origins=demo.server.url)
    assert done.extra["clips"]["pending"] == 0


CTRL_C = """
import asyncio, os, signal, sys
import kdl

def hear(event):
    if isinstance(event, kdl.events.PhaseStarted):
        os.kill(os.getpid(), signal.SIGINT)

def run():
    try:
        kdl.fetch_only(sys.argv[1], root=sys.argv[2], splits="val", origins=sys.argv[3], on_event=hear)
    except KeyboardInterrupt:
        return [finding.kind for finding in kdl.open(sys.argv[2] + "/demo").findings()]

async def in_a_loop():
    return run()

loop = asyncio.new_event_loop()
print(run(), loop.run_until_complete(in_a_loop()))
loop.close()
"""


def test_ctrl_c_ends_a_run_with_a_loop_around_it_and_without(demo: Hosted, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C, demo.dataset, str(tmp_path), demo.server.url],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "['interrupted'] ['interrupted']\n", done.stderr


BAD: dict[str, tuple[str, dict[str, object], str]] = {
    "choice": ("mirror", {"level": "deep"}, "level='deep': there is no such choice"),
    "number": ("mirror", {"jobs": 0}, "jobs=0: it is from 1 to 64"),
    "least": ("verify", {"workers": 0}, "workers=0: it is at the least 1"),
    "rate": ("repair", {"limit_rate": "fast"}, "fast: not a size"),
    "span": ("verify", {"max_age": "soon"}, "soon: not a span of time"),
    "part": ("verify", {"subset": "9/7"}, "9/7: no part of a whole"),
    "what only a repair takes": ("verify", {"folders": "/x"}, "--from and --origin"),
    "way": ("adopt", {"way": "steal"}, "way='steal'"),
    "size": ("pack", {"shard_size": "big"}, "big: not a size"),
    "consumer": ("write_lists", {"consumers": "nobody"}, "consumers='nobody'"),
    "verdict": ("export", {"out": "rows", "verdicts": "fine"}, "verdicts='fine'"),
    "indexes": ("export", {"out": "rows", "format": "index", "verdicts": "ok"}, "leave --verdict out"),
    "setting": ("nightly", {"max_age": "soon"}, "--max-age: 'soon': not a span of time"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_a_function_does_not_take_is_named_before_anything_is_begun(
    demo: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name, asked, said = BAD[what]
    with pytest.raises(kdl.UsageError) as caught:
        getattr(kdl, name)(demo.dataset, root=tmp_path, **asked)
    assert said in f"{caught.value}; {caught.value.fix}"
    assert not any(tmp_path.iterdir())


def test_what_the_system_says_of_a_file_is_an_error_of_kdl(demo: Hosted, tmp_path: Path) -> None:
    with pytest.raises(kdl.MachineError) as caught:
        kdl.export(demo.dataset, tmp_path / "nowhere" / "rows", root=demo.mirrored, format="index")
    assert str(tmp_path / "nowhere" / "rows") in str(caught.value)
