"""What the tests of the cluster send: functions that a worker can import."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

from kdl.cluster.beacon import Beacon
from kdl.errors import MediaError
from kdl.events import Noted, TransferProgress


def double(x: int) -> int:
    return 2 * x


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def kill_the_clusters_worker() -> None:
    """The process that this one belongs to, as a clip would that uses up a node's memory."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def fail() -> None:
    raise MediaError("no good", subject="a.mp4", fix="try another")


def sleep_for(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def mark_and_sleep(mark: Path, seconds: float) -> int:
    """Leaves at ``mark`` who it is: the process and the cluster's worker that it belongs to."""
    mark.with_suffix(".part").write_text(f"{os.getpid()} {os.getppid()}")
    mark.with_suffix(".part").rename(mark)
    time.sleep(seconds)
    return os.getpid()


def tell_and_wait(mark: Path, beacon: Beacon) -> str:
    """A long task: tells of itself until it is stopped, at the most for a minute."""
    beacon.tell(Noted(f"on {socket.gethostname()}"))
    mark_and_sleep(mark, 0)
    until = time.monotonic() + 60
    received = 0
    while not beacon.stopped() and time.monotonic() < until:
        received += 1
        beacon.tell(TransferProgress("x", received))
        time.sleep(0.05)
    mark.with_suffix(".ended").touch()
    return "stopped"


def tell_and_return(count: int, beacon: Beacon) -> int:
    for number in range(count):
        beacon.tell(Noted(str(number)))
    return count


def fail_at_length(task: int, beacon: Beacon) -> int:
    raise MediaError("no good", subject=f"{task}.mp4")


def wait_long(mark: Path, beacon: Beacon) -> int:
    """A long task that never looks for the stop mark."""
    return mark_and_sleep(mark, 60)
