"""Reads a tar archive from a stream, once, and knows whether it was whole.

The standard library's reader takes a damaged header for the end of the archive without a word; this
one calls an archive whole only after its end mark (two blocks of zeros) and remembers the first thing
that was wrong. After a damaged header it goes on at the next sound one, so that one flipped bit does
not hide the thousand clips behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kdl.archive import tarheader
from kdl.archive.members import Skip
from kdl.archive.stream import Damage, Pieces
from kdl.archive.tarheader import BLOCK, ZEROS, BadHeader, Header
from kdl.settings import MIB

EXTENDED_CAP = MIB
"""An extended header (pax records, a long name) larger than this is damage."""

_LONG_NAME, _LONG_LINK = b"L", b"K"
_PAX, _PAX_GLOBAL = (b"x", b"X"), b"g"
_EXTENDED = (_LONG_NAME, _LONG_LINK, *_PAX, _PAX_GLOBAL)
_REGULAR, _DIRECTORIES = (b"0", b"7"), (b"5", b"D")
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")
"""Whatever size these state, none of it follows."""
_REFUSALS = {
    b"1": Skip.HARD_LINK,
    b"2": Skip.SYMBOLIC_LINK,
    b"3": Skip.DEVICE,
    b"4": Skip.DEVICE,
    b"6": Skip.FIFO,
    b"S": Skip.SPARSE,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A member that is not a directory."""

    name: str
    size: int
    """Bytes of data in the archive."""
    refusal: Skip | None
    """Why it can not be a clip; ``None`` for a regular file."""
    offset: int
    """Of its data, in bytes from the beginning of the (inflated) archive."""


class TarStream:
    """A tar archive read from ``pieces``; several archives one after the other are read as one."""

    def __init__(self, pieces: Pieces, *, on_damage: Callable[[], object] = lambda: None) -> None:
        """``on_damage`` is called when the first damage that can be read past is met."""
        self._pieces = pieces
        self._on_damage = on_damage
        self._left = 0
        self._padding = 0
        self._name = ""
        self._globals: dict[str, bytes] = {}
        self._records: dict[str, bytes] = {}
        self._long_name: str | None = None
        self.damage = ""
        """The first thing that was wrong and could be read past, in plain words; empty if none."""
        self.trailing = 0
        """Bytes after the end mark that are neither padding nor a further archive."""

    def entries(self) -> Iterator[Entry]:
        """The members but for directories, then whatever follows the archive, to the input's end.

        The data of an entry is had by :meth:`data` before the next is asked for; what was not taken is
        passed over. Raises Damage where the input ends early (and as ``pieces`` raise it).
        """
        while (header := self._next_header()) is not None:
            self._name = header.name
            self._expect(header.size)
            try:
                if header.type in _EXTENDED:
                    self._extend(header)
                elif (entry := self._entry(header)) is not None:
                    yield entry
            except BadHeader as error:
                self._note(error)
            self._pass_over()

    def data(self) -> Iterator[memoryview]:
        """The current entry's data. Raises Damage where the input ends inside it."""
        while self._left:
            piece = self._pieces.piece(self._left)
            if not piece:
                raise Damage(f"the archive ends inside {self._name!r}")
            self._left -= len(piece)
            yield piece

    # Headers

    def _next_header(self) -> Header | None:
        """The next sound header; ``None`` at the end of the archive and of the input."""
        block: bytes | None = self._block()
        if block == ZEROS:
            block = self._block()
            if block == ZEROS:
                block = self._after_end_mark()
            else:
                self._note(BadHeader("a lone block of zeros"))
        while block is not None:
            try:
                return tarheader.parse(block)
            except BadHeader as error:
                self._note(error)
                block = self._next_sound_block()
        return None

    def _block(self) -> bytes:
        block = self._pieces.exactly(BLOCK)
        if not block:
            raise Damage("the archive ends without its end mark")
        if len(block) < BLOCK:
            raise Damage("the archive ends inside a header")
        return block

    def _next_sound_block(self) -> bytes:
        while not _is_header(block := self._block()):
            pass
        return block

    def _after_end_mark(self) -> bytes | None:
        """The first header of a further archive, if one follows; else all is read and counted."""
        while block := self._pieces.exactly(BLOCK):
            if _is_header(block):
                return block
            if block.strip(b"\0"):
                self.trailing = len(block) + sum(len(chunk) for chunk in self._pieces.rest())
        return None

    def _note(self, error: BadHeader) -> None:
        """Remember the first damage; what was gathered for the next member can't be trusted now."""
        if not self.damage:
            self.damage = f"the archive has {error} (after {self._name!r})"
            self._on_damage()
        self._forget()

    # Members

    def _entry(self, header: Header) -> Entry | None:
        """The member that ``header`` and the extended headers before it describe, if no directory."""
        records = {**self._globals, **self._records}
        size = tarheader.pax_size(records, header.size)
        path = records.get("GNU.sparse.name", records.get("path"))
        self._name = self._long_name or header.name if path is None else tarheader.decode(path)
        self._forget()
        if header.sparse_follows:
            while tarheader.sparse_continues(self._block()):
                pass
        self._expect(0 if header.type in _WITHOUT_DATA else size)
        if header.type in _DIRECTORIES or (header.type in _REGULAR and self._name.endswith("/")):
            return None
        refusal = None if header.type in _REGULAR else _REFUSALS.get(header.type, Skip.SPECIAL)
        if any(key.startswith("GNU.sparse.") for key in records):
            refusal = Skip.SPARSE
        return Entry(self._name, size, refusal, self._pieces.given)

    def _extend(self, header: Header) -> None:
        """Read an extended header; it speaks of the next member, a global one of all that follow."""
        if header.size > EXTENDED_CAP:
            raise BadHeader("an extended header of impossible size")
        content = b"".join(self.data())
        if header.type == _LONG_NAME:
            self._long_name = tarheader.long_name(content)
        elif header.type in _PAX:
            self._records = tarheader.pax_records(content)
        elif header.type == _PAX_GLOBAL:
            records = tarheader.pax_records(content)
            # No more than is used: there may be any number of global headers.
            self._globals |= {key: records[key] for key in ("path", "size") if key in records}

    def _forget(self) -> None:
        self._records = {}
        self._long_name = None

    def _expect(self, size: int) -> None:
        self._left = size
        self._padding = -size % BLOCK

    def _pass_over(self) -> None:
        for _ in self.data():
            pass
        if len(self._pieces.exactly(self._padding)) < self._padding:
            raise Damage(f"the archive ends right after {self._name!r}")


def _is_header(block: bytes) -> bool:
    """Told with more care than where a header is due: clips are full of blocks."""
    return tarheader.has_magic(block) and tarheader.checksum_holds(block)
