"""``kdl doctor``: what this machine lacks, and how to get it.

Things are tried, not looked up: names are written, a lock is taken, a video is encoded and read back.
Nothing stays behind, and a root that is not there yet is judged by its nearest existing parent.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from kdl.errors import MachineError
from kdl.jobs.doctor_check import Check
from kdl.jobs.doctor_disk import disk_checks
from kdl.jobs.doctor_tools import tool_checks
from kdl.values import Finding

__all__ = ["Check", "diagnose", "exit_code", "findings"]

MIN_OPEN_FILES = 1024


def diagnose(root: Path, *, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Every check, in the order they are best mended. Raises nothing; takes about a second."""
    return [*tool_checks(), *disk_checks(root), _open_files(), *_proxies(environ)]


def exit_code(checks: Iterable[Check]) -> int:
    """0, or 3 if something required is missing."""
    return MachineError.exit_code if any(not check.ok and check.required for check in checks) else 0


def findings(checks: Iterable[Check]) -> tuple[Finding, ...]:
    """What is not well: ``machine_lacks`` where it is required, else ``machine_advice``."""
    return tuple(
        Finding("machine_lacks" if check.required else "machine_advice", check.name, check.detail, check.fix)
        for check in checks
        if not check.ok
    )


def _open_files() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    detail = "not limited" if unlimited else f"{soft:,} at once"
    enough = unlimited or soft >= MIN_OPEN_FILES
    return Check("open files", enough, detail, "ulimit -n 4096, before kdl is started", required=False)


def _proxies(environ: Mapping[str, str]) -> Iterator[Check]:
    """The proxies a run would use; aiohttp speaks to HTTP proxies only."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        value = environ.get(name) or environ.get(name.upper(), "")
        if value:
            socks = name != "no_proxy" and value.lower().startswith("socks")
            detail = f"{name} is {_masked(value)}" + (": SOCKS is not spoken" if socks else "")
            yield Check(
                "proxy", not socks, detail, "set it to an HTTP proxy: http://HOST:PORT", required=False
            )


def _masked(url: str) -> str:
    """``http://me:secret@proxy:3128`` -> ``http://***@proxy:3128``."""
    head, at, host = url.rpartition("@")
    scheme = urlsplit(head).scheme if "://" in head else ""
    return f"{scheme}://***@{host}" if scheme and at else f"***@{host}" if at else url
