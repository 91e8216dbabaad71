"""The clips that a host names one by one: kept in a list of ours, where bundles find them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kdl.diskerrors import disk_errors
from kdl.values import Listed, Stretch, line_of


class LooseList:
    """A list that is being written; see :func:`writing`."""

    def __init__(self, path: Path, part: Path) -> None:
        """``path`` is its :attr:`place` in the end, ``part`` till then."""
        self.place = path
        self._part = part
        self._end = 0

    def keep(self, files: Sequence[Listed]) -> Stretch:
        """Write the files of a bundle, and say where they stand."""
        lines = "".join(map(line_of, files)).encode()
        begin, self._end = self._end, self._end + len(lines)
        with disk_errors(self._part):
            self._part.parent.mkdir(parents=True, exist_ok=True)
            with self._part.open("ab" if begin else "wb") as out:
                out.write(lines)
        return Stretch(str(self.place), begin, self._end)

    def settle(self) -> None:
        """The list, whole, in the place of the one before."""
        if self._end:
            self._part.replace(self.place)


@contextmanager
def writing(path: Path) -> Iterator[LooseList]:
    """A list at ``path``, which appears when the block has ended well. Raises DiskFull, MachineError."""
    part = path.with_name(f".{path.name}.part")
    made = LooseList(path, part)
    try:
        yield made
        with disk_errors(path):
            made.settle()
    finally:
        part.unlink(missing_ok=True)
