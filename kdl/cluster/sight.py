"""Whether a worker sees what the coordinator sees, and has what the work needs."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kdl import __version__
from kdl.diskerrors import disk_errors
from kdl.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Mark:
    """A small file that the coordinator has put into a folder which all are to share."""

    path: Path
    token: str


@dataclass(frozen=True, slots=True)
class Question:
    """What each worker is asked before it gets work."""

    version: str
    """The coordinator's kdl."""
    marks: tuple[Mark, ...]
    programs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """A worker's answer."""

    host: str
    problems: tuple[str, ...]
    """Why it can not do the work, each with what to do; empty if it can."""
    written: tuple[Path, ...] = ()
    """Beside each mark, a file that the coordinator should see, with the mark's token in it."""


@contextmanager
def marked(folders: Iterable[Path], dataset: str) -> Iterator[tuple[Mark, ...]]:
    """A mark in each folder, which is made where it is not there, for as long as the block goes on.

    Marks that a killed run on ``dataset`` has left are removed: the caller holds its lock. Raises DiskFull
    and MachineError.
    """
    folders, name = list(dict.fromkeys(folders)), f".kdl-seen-{dataset}"
    marks = []
    try:
        for folder in folders:
            mark = Mark(folder / f"{name}-{secrets.token_hex(4)}", secrets.token_hex(16))
            with disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                _unmark(folder, name)
                mark.path.write_text(mark.token, encoding="ascii")
            marks.append(mark)
        yield tuple(marks)
    finally:
        for folder in folders:
            with suppress(OSError):
                _unmark(folder, name)


def _unmark(folder: Path, name: str) -> None:
    for left in folder.glob(f"{name}-*"):
        left.unlink(missing_ok=True)


def unseen(mark: Mark) -> str:
    """Why a worker does not see the coordinator's folder, or nothing. Runs on the worker."""
    folder = mark.path.parent
    try:
        found = mark.path.read_text(encoding="ascii")
    except FileNotFoundError:
        if folder.is_dir():
            return (
                f"sees another folder at {folder}: share the coordinator's file system, under the same path"
            )
        return f"does not see {folder}: share that file system, and mount it under the same path"
    except (OSError, ValueError) as error:
        return f"can not read {folder} ({error}): let it read there"
    if found != mark.token:
        return f"sees another folder at {folder}: share the coordinator's file system, under the same path"
    return ""


def answer(question: Question) -> Sight:
    """Look, write, and say what is lacking. Runs on the worker."""
    problems, written = [], []
    if question.version != __version__:
        problems.append(f"has kdl {__version__}, not {question.version}: install the same version")
    for mark in question.marks:
        blind = unseen(mark)
        if blind:
            problems.append(blind)
            continue
        beside = mark.path.with_name(f"{mark.path.name}-{secrets.token_hex(4)}")
        try:
            beside.write_text(mark.token, encoding="ascii")
        except OSError as error:
            problems.append(
                f"can not write to {mark.path.parent} ({error.strerror}): run it as the same user"
            )
        else:
            written.append(beside)
    problems += [f"lacks {name}: install ffmpeg" for name in question.programs if shutil.which(name) is None]
    problems += [
        f"lacks the Python package {name}: install kdl with the same extras"
        for name in question.modules
        if importlib.util.find_spec(name) is None
    ]
    return Sight(f"{socket.gethostname()}, uid {os.getuid()}", tuple(problems), tuple(written))


def judge(question: Question, answers: Mapping[str, Sight | Exception]) -> dict[str, str]:
    """What keeps each worker, by its address, from working; those that can are not in it.

    Runs on the coordinator, which looks for what they have written.
    """
    kept_out = {}
    for address, told in answers.items():
        if isinstance(told, ModuleNotFoundError):
            kept_out[address] = f"({told}): install kdl {question.version} where it runs"
        elif isinstance(told, Exception):
            kept_out[address] = f"(gave no answer: {told or type(told).__name__}): look into its log"
        elif told.problems:
            kept_out[address] = f"(host {told.host}) " + "; ".join(told.problems)
        elif not all(map(_arrived, told.written, question.marks)):
            folders = ", ".join(str(mark.path.parent) for mark in question.marks)
            kept_out[address] = f"(host {told.host}) writes to {folders}, and nothing arrives here"
    return kept_out


def require_all(kept_out: Mapping[str, str]) -> None:
    """Raise ClusterError, which names each worker that can not do the work."""
    if kept_out:
        raise ClusterError(
            "; ".join(f"worker {address} {why}" for address, why in kept_out.items()),
            fix="mend or stop these workers, then run the same again; docs/cluster.md says what they need",
        )


def _arrived(written: Path, mark: Mark) -> bool:
    list(mark.path.parent.iterdir())  # NFS asks its server then, and does not only remember
    try:
        found = written.read_text(encoding="ascii")
        written.unlink()
    except OSError:
        return False
    return found == mark.token
