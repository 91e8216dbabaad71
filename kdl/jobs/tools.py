"""What a run can not do without: programs, and files that may be open."""

from __future__ import annotations

import resource
import shutil

from kdl.errors import MachineError, ToolMissing

_FILES = 1024
"""Files that may be open at a time, where the system lets us choose."""
_FEWEST = 128
"""What eight jobs and two workers need, and as much again."""


def require_files() -> None:
    """Let this process open enough files. Raises MachineError where the system allows too few of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bound = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if bound < _FEWEST:
        raise MachineError(
            f"only {bound} files may be open at a time, and a run needs {_FEWEST}",
            subject="ulimit -n",
            fix=f"ulimit -Hn {_FILES}, or raise nofile in /etc/security/limits.conf; then run the same again",
        )
    if soft != resource.RLIM_INFINITY and soft < bound:
        resource.setrlimit(resource.RLIMIT_NOFILE, (bound, hard))


def require_tools(*, probing: bool, deriving: bool) -> None:
    """Raise ToolMissing, before anything is fetched, for a program that the run will need."""
    wanted = [("ffprobe", "clips are judged by its word")] if probing else []
    wanted += [("ffmpeg", "clips are decoded with it")] if probing or deriving else []
    for name, why in wanted:
        if shutil.which(name) is None:
            raise ToolMissing(
                f"it is not installed, and {why}",
                subject=name,
                fix="apt-get install ffmpeg, or conda install ffmpeg; kdl fetch works without it",
            )
