"""Compressed streams to plain bytes, in flat memory, with every trailer checked."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Iterator
from typing import Protocol, cast

from isal import igzip_lib

from kdl.archive.sniff import MAGIC, Kind
from kdl.archive.stream import Damage, Pieces
from kdl.settings import KIB, MIB

STEP = 256 * KIB
"""Bytes that go into an engine, or come out of it, at a time: so much is lost before damaged data."""
XZ_MEMORY = 256 * MIB
"""Bound on xz's dictionary: a header may ask for 4 GiB."""

_MALFORMED = (cast("type[Exception]", igzip_lib.error), lzma.LZMAError, OSError, EOFError, ValueError)
"""What the engines raise for data that is wrong; bz2's is an OSError."""

_FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0


class Engine(Protocol):
    """What the decompressors of bz2, lzma and isal have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes | memoryview, max_length: int = ..., /) -> bytes: ...


class Inflater:
    """Inflates a whole input: any number of compressed streams one after the other.

    Padding of zeros between and after them is passed over; anything else after the last is read to its
    end and counted in :attr:`trailing`.
    """

    def __init__(self, kind: Kind, raw: Pieces) -> None:
        self._kind = kind
        self._raw = raw
        self.trailing = 0
        """Bytes after the last stream that are neither padding nor a further stream."""

    def chunks(self) -> Iterator[bytes]:
        """The plain bytes. Raises Damage where the data, a checksum or the end is not right.

        All that was inflated comes first, so that a wrong trailer takes nothing from what it is about.
        """
        magic = MAGIC[self._kind]
        while head := self._past_padding(len(magic)):
            if head != magic:
                self.trailing = len(head) + sum(len(chunk) for chunk in self._raw.rest())
            elif self._kind is Kind.GZIP:
                yield from self._gzip_member()
            else:
                self._raw.unread(head)
                yield from self._stream(_engine(self._kind))

    def _gzip_member(self) -> Iterator[bytes]:
        """Header, deflated data and trailer of RFC 1952, from behind the magic on."""
        self._pass_gzip_header()
        engine = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP_NO_HDR)
        length = 0
        for plain in self._stream(engine):
            length += len(plain)
            yield plain
        trailer = self._exactly(8)
        if int.from_bytes(trailer[:4], "little") != engine.crc:
            raise Damage("the gzip data has a wrong checksum")
        if int.from_bytes(trailer[4:], "little") != length & 0xFFFFFFFF:
            raise Damage("the gzip data has a wrong length")

    def _pass_gzip_header(self) -> None:
        flags = self._exactly(7)[0]
        if flags & _RESERVED:
            raise Damage("the gzip data has a damaged header")
        if flags & _FEXTRA:
            self._exactly(int.from_bytes(self._exactly(2), "little"))
        for text in (_FNAME, _FCOMMENT):
            while flags & text and self._exactly(1) != b"\0":
                pass
        if flags & _FHCRC:
            self._exactly(2)

    def _stream(self, engine: Engine) -> Iterator[bytes]:
        while not engine.eof:
            chunk = self._raw.piece(STEP) if engine.needs_input else memoryview(b"")
            if engine.needs_input and not chunk:
                raise self._early_end()
            try:
                plain = engine.decompress(chunk, STEP)
            except _MALFORMED as error:
                raise Damage(f"the {self._kind} data is damaged ({error})") from error
            if plain:
                yield plain
        self._raw.unread(engine.unused_data)

    def _past_padding(self, n: int) -> bytes:
        """The next ``n`` bytes from the first that is not zero on; fewer at the end."""
        while piece := self._raw.piece(STEP):
            if found := bytes(piece).lstrip(b"\0"):
                self._raw.unread(found)
                return self._raw.exactly(n)
        return b""

    def _exactly(self, n: int) -> bytes:
        data = self._raw.exactly(n)
        if len(data) < n:
            raise self._early_end()
        return data

    def _early_end(self) -> Damage:
        return Damage(f"the {self._kind} data ends early")


def _engine(kind: Kind) -> Engine:
    if kind is Kind.XZ:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
    return bz2.BZ2Decompressor()
