"""Mirrors that are killed: a bucket worth resuming, runs in the background, and what a mirror comes to."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tarfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdl.jobs.demo_bucket import DemoBucket, build_demo
from kdl.jobs.demo_clips import stamp
from tests.e2e.running import KDL
from tests.replica.nginx import Asked

MIB = 1 << 20
_MARK = "KDL_TEST_MARK"


# -- what is mirrored


def heavy_bucket(out: Path, ballast: int) -> DemoBucket:
    """The demo's bucket, every whole mp4 in its archives made ``ballast`` bytes heavier."""
    bucket = build_demo(out)
    noise = random.Random(5)
    for path in sorted(bucket.directory.rglob("*.t*gz")):
        data = path.read_bytes()
        packed = data.startswith(b"\x1f\x8b")
        heavy = _with_ballast(gzip.decompress(data) if packed else data, ballast, noise)
        path.write_bytes(gzip.compress(heavy, 1, mtime=0) if packed else heavy)
    return bucket


def _with_ballast(archive: bytes, ballast: int, noise: random.Random) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            file = old.extractfile(member) if member.isreg() else None
            if file is None:
                new.addfile(member)
                continue
            data = file.read()
            if _whole(data):
                data = stamp(data, noise.randbytes(ballast // 2).hex())
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _whole(mp4: bytes) -> bool:
    """Whether its boxes end where the file does: what follows is skipped by every reader then."""
    at = 0
    while at + 8 <= len(mp4):
        (size,) = struct.unpack_from(">I", mp4, at)
        if size < 8:
            return False
        at += size
    return 0 < at == len(mp4)


# -- runs in the background


@dataclass
class Live:
    """A run that is going on; everything it starts carries its mark."""

    process: subprocess.Popen[str]
    mark: str
    log: Path
    began: float

    def phases(self) -> list[str]:
        """The steps that it has begun so far."""
        return [event["name"] for event in self.events() if event["event"] == "phase_started"]

    def events(self) -> list[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError):
            lines = self.log.read_text().splitlines(keepends=True)
            return [json.loads(line) for line in lines if line.endswith("\n")]
        return []

    def wait_for(self, found: Callable[[dict[str, Any]], bool], timeout: float = 60) -> bool:
        """Until an event comes that ``found`` likes; False if the run ends before."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            ended = self.process.poll() is not None
            if any(map(found, self.events())):
                return True
            if ended:
                return False
            time.sleep(0.01)
        raise AssertionError(f"nothing came of it within {timeout} s: {self.phases()}")

    def wait_for_phase(self, name: str) -> bool:
        return self.wait_for(lambda event: event["event"] == "phase_started" and name in event["name"])

    def descendants(self) -> list[int]:
        """Its processes that are alive, itself left out."""
        return [pid for pid in marked(self.mark) if pid != self.process.pid]

    def kill(self, *, group: bool = False) -> None:
        """SIGKILL, for the main process alone or its whole group; nothing of it may be left after 3 s."""
        if group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.communicate()
        self.gone(3)

    def gone(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while left := marked(self.mark):
            assert time.monotonic() < until, [_words(pid) for pid in left]
            time.sleep(0.02)

    def end(self, timeout: float = 90) -> tuple[int, str, str]:
        """Its exit code, stdout and stderr once it has ended."""
        out, err = self.process.communicate(timeout=timeout)
        assert "Traceback" not in err, err
        return self.process.returncode, out, err


_started: list[Live] = []


def start(log: Path, *arguments: object, **environment: str) -> Live:
    """``kdl arguments --json --log-json log``, as the leader of a process group of its own."""
    log.unlink(missing_ok=True)
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [*KDL, *map(str, arguments), "--json", "--log-json", str(log)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        env={**os.environ, **environment, _MARK: mark},
    )
    run = Live(process, mark, log, time.monotonic())
    _started.append(run)
    return run


def end_all() -> None:
    """Kill what a failed test has left going."""
    while _started:
        run = _started.pop()
        run.process.kill()
        run.process.communicate()


def marked(mark: str) -> list[int]:
    """Living processes with this mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if f"{_MARK}={mark}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


def _words(pid: int) -> str:
    with contextlib.suppress(OSError):
        return f"{pid}: " + Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return str(pid)


_DRIVER = """
import importlib, os, signal, sys

module, name, when, wanted, *sys.argv[1:] = sys.argv[1:]
*path, last = name.split(".")
holder = importlib.import_module(module)
for part in path:
    holder = getattr(holder, part)
original, wanted = getattr(holder, last), eval("lambda *a, **k: " + wanted)

def step(*a, **k):
    here = wanted(*a, **k)
    if here and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*a, **k)
    if here:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(holder, last, step)
from kdl.cli.main import main
main()
"""
"""Runs kdl, which dies before or after a call of ``module``'s ``name`` whose arguments are as wanted."""


def killed_at(step: tuple[str, ...], *arguments: object, **environment: str) -> None:
    """``kdl arguments``, killed at a step: module, name, before or after, which arguments of the call."""
    done = subprocess.run(
        [sys.executable, "-c", _DRIVER, *step, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    assert done.returncode == -signal.SIGKILL, (step, done.stdout, done.stderr)


# -- what a mirror comes to


@dataclass(frozen=True)
class Outcome:
    """A mirror, as far as two of the same bucket must be the same."""

    files: dict[str, str]
    """Digest by path: all that people see, and the quarantine."""
    clips: dict[tuple[str, ...], tuple[Any, ...]]
    """What the ledger says of each clip."""
    derived: dict[tuple[str, ...], tuple[Any, ...]]
    objects: dict[str, tuple[Any, ...]]


def outcome(base: Path) -> Outcome:
    files = {}
    for top in ("videos", "unlisted", "annotations", "derived", "lists", ".kdl/quarantine"):
        for path in sorted((base / top).rglob("*")):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                # Lists for some trainers name files by their whole path.
                if top == "lists":
                    digest = path.read_text().replace(str(base.parent), "ROOT")
                files[str(path.relative_to(base))] = digest
            else:
                assert any(path.iterdir()), f"an empty folder: {path}"
    with contextlib.closing(sqlite3.connect(base / ".kdl/ledger.db")) as ledger:
        clips = ledger.execute(
            """SELECT split, youtube_id, time_start, time_end, verdict, cause, origin, path, size, sha256,
               label, class_dir, name, seq, provisional, replaced_cause, replaced_sha256, check_level,
               width, frames,
               (SELECT name FROM objects WHERE objects.id = shard_id) FROM clips"""
        ).fetchall()
        derived = ledger.execute(
            """SELECT split, youtube_id, time_start, recipe, state, d.path, bytes, d.frames, fingerprint,
               clip_sha256 FROM derivatives AS d JOIN clips ON clips.id = clip_id"""
        ).fetchall()
        objects = ledger.execute("SELECT url, kind, state, size, sha256, clips FROM objects").fetchall()
        assert ledger.execute("SELECT count(*) FROM duplicates").fetchone() == (0,)
    return Outcome(
        files,
        {tuple(map(str, row[:4])): row[4:] for row in clips},
        {tuple(map(str, row[:4])): row[4:] for row in derived},
        {row[0]: row[1:] for row in objects},
    )


def differences(found: Outcome, wanted: Outcome) -> dict[str, Any]:
    """What is not the same, by name; empty where all is."""
    told: dict[str, Any] = {}
    for part in ("files", "clips", "derived", "objects"):
        have, want = getattr(found, part), getattr(wanted, part)
        for key in {*have, *want}:
            if have.get(key) != want.get(key):
                told[f"{part} {key}"] = {"found": have.get(key), "wanted": want.get(key)}
    return told


def litter(base: Path) -> list[str]:
    """Files that only a run under way, or a killed one, has."""
    state = base / ".kdl"
    kept = [*(state / "spool").rglob("*"), *(state / "tmp").rglob("*"), *(state / "duplicates").rglob("*")]
    temps = [
        path
        for path in base.rglob("*")
        if path.name.startswith(".tmp-") or path.suffix in (".tmp", ".part") or path.name.endswith(".tmp")
    ]
    return sorted({str(path.relative_to(base)) for path in (*kept, *temps)})


def fetched_again(asked: list[Asked], bucket: DemoBucket) -> dict[str, int]:
    """Bytes of each archive and annotation that were sent more than once."""
    sent: defaultdict[str, int] = defaultdict(int)
    for request in asked:
        if request.method == "GET" and request.key.endswith(("gz", ".csv")):
            sent[request.key] += request.sent
    return {key: max(0, count - (bucket.directory / key).stat().st_size) for key, count in sent.items()}


@dataclass
class Kills:
    """What a series of kills met."""

    phases: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    count: int = 0

    def note(self, run: Live) -> None:
        self.count += 1
        phases = run.phases()
        self.phases[phases[-1] if phases else "before the first step"] += 1


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder that is gone afterwards: mirrors add up."""
    folder = parent / uuid.uuid4().hex[:8]
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
