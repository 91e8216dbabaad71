"""One row a clip, in the forms that other programs read.

Rows are streamed: memory does not grow with their number.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_args

from kdl.errors import ToolMissing, UsageError
from kdl.report.wholefile import whole_file
from kdl.values import Verdict

if TYPE_CHECKING:
    import pandas

Format = Literal["csv", "jsonl", "parquet", "sha256sums"]

FORMATS: tuple[str, ...] = get_args(Format)

SCHEMA: dict[str, type] = {
    "split": str,
    "label": str,
    "youtube_id": str,
    "time_start": int,
    "time_end": int,
    "path": str,
    "size": int,
    "sha256": str,
    "duration": float,
    "width": int,
    "height": int,
    "fps": float,
    "vcodec": str,
    "verdict": str,
    "cause": str,
    "replaced": bool,
    "shard": str,
}
"""The columns in their order. Any may be null: times and durations are seconds, ``size`` bytes,
``width`` and ``height`` pixels, ``path`` relative to the mirror's folder."""

COLUMNS = tuple(SCHEMA)

BATCH = 1_000
"""Rows written at a time."""
ROW_GROUP = 20_000
"""Rows of a parquet row group: 20 MB of Python objects while it is made."""

_NULLABLE: dict[type, str] = {str: "string", int: "Int64", float: "Float64", bool: "boolean"}
"""pandas' types that keep what is absent apart from what is zero."""

_Row = dict[str, Any]


def export(rows: Iterable[Mapping[str, Any]], format: str, out: Path | BinaryIO) -> int:
    """Writes the rows to a file or a binary stream and returns how many went there.

    ``rows`` must hold every name in :data:`COLUMNS`; ``sha256sums`` leaves out those without a file
    or a digest. A file appears whole or not at all; a stream is left open. A reader of the stream
    that goes away (``head``) ends the export without an error.

    Raises UsageError for an unknown format or an ``out`` that is a folder, ToolMissing if parquet is
    asked for without pyarrow, MachineError or DiskFull if the file can not be written.
    """
    if format not in FORMATS:
        raise UsageError("no such format", subject=format, fix=f"choose one of {', '.join(FORMATS)}")
    if format == "parquet":
        _parquet()
    written = 0

    def taken() -> Iterator[_Row]:
        nonlocal written
        for row in rows:
            if format != "sha256sums" or _has_digest(row):
                written += 1
                yield _plain(row)

    if isinstance(out, Path):
        with whole_file(out) as stream:
            _WRITERS[format](taken(), stream)
    else:
        try:
            _WRITERS[format](taken(), out)
            out.flush()
        except BrokenPipeError:
            _let_go(out)
    return written


def _plain(row: Mapping[str, Any]) -> _Row:
    """The columns as the plain types of the schema; what is no finite number is null."""
    plain: _Row = {}
    for name, kind in SCHEMA.items():
        value = row[name]
        if value is not None:
            value = kind(value)
        if kind is float and value is not None and not math.isfinite(value):
            value = None
        plain[name] = value
    return plain


def _batches(rows: Iterator[_Row], size: int) -> Iterator[list[_Row]]:
    while batch := list(islice(rows, size)):
        yield batch


def _write_csv(rows: Iterator[_Row], out: BinaryIO) -> None:
    out.write(_csv_lines([COLUMNS]))
    for batch in _batches(rows, BATCH):
        out.write(_csv_lines([_csv_cell(value) for value in row.values()] for row in batch))


def _csv_lines(cells: Iterable[Iterable[Any]]) -> bytes:
    """The csv module quotes only the characters of its own line end: it is given both, and one goes."""
    lines: list[str] = []
    sink = SimpleNamespace(write=lambda line: lines.append(line.removesuffix("\r\n") + "\n"))
    csv.writer(sink, lineterminator="\r\n").writerows(cells)
    return "".join(lines).encode()


def _csv_cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _write_jsonl(rows: Iterator[_Row], out: BinaryIO) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    for batch in _batches(rows, BATCH):
        out.write("".join(f"{encode(row)}\n" for row in batch).encode())


def _write_sha256sums(rows: Iterator[_Row], out: BinaryIO) -> None:
    for batch in _batches(rows, BATCH):
        out.write("".join(_sha256_line(row) for row in batch).encode())


def _has_digest(row: Mapping[str, Any]) -> bool:
    """There is a file, and it is known what its bytes should be."""
    return bool(row["path"] and row["sha256"]) and row["verdict"] != Verdict.MISSING


def _sha256_line(row: _Row) -> str:
    """GNU's form: a line that begins with a backslash has a path with escapes."""
    path = row["path"]
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == path else chr(92)}{row['sha256']}  {escaped}\n"


def _write_parquet(rows: Iterator[_Row], out: BinaryIO) -> None:
    pa, pq = _parquet()
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in SCHEMA.items()])
    with pq.ParquetWriter(_Sink(out), schema, compression="zstd") as writer:
        for batch in _batches(rows, ROW_GROUP):
            table = pa.Table.from_pandas(_frame(batch), schema=schema, preserve_index=False)
            writer.write_table(table)


def data_frame(rows: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    """The rows as a frame with the columns of :data:`SCHEMA`, their types those that know what is absent.

    ``rows`` are as :func:`export` takes them; of their Python objects no more than a batch is kept.
    """
    import pandas

    parts = [_frame(batch) for batch in _batches(map(_plain, rows), ROW_GROUP)]
    return pandas.concat(parts, ignore_index=True) if parts else _frame([])


def _frame(batch: list[_Row]) -> pandas.DataFrame:
    import pandas

    dtypes = {name: _NULLABLE[kind] for name, kind in SCHEMA.items()}
    return pandas.DataFrame(batch, columns=list(COLUMNS), dtype=object).astype(dtypes)


def _parquet() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ToolMissing(
            "parquet needs the pyarrow package", subject="pyarrow", fix='pip install "kdl[parquet]"'
        ) from error
    return pyarrow, pyarrow.parquet


class _Sink(io.RawIOBase):
    """A stream that knows its position, as parquet needs, where a pipe does not; closing it is no matter."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._out.write(data)
        size = memoryview(data).nbytes
        self._position += size
        return size

    def tell(self) -> int:
        return self._position


_WRITERS: dict[str, Callable[[Iterator[_Row], BinaryIO], None]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "sha256sums": _write_sha256sums,
}


def _let_go(out: BinaryIO) -> None:
    """What else is written for a reader that has gone goes nowhere, the last flush of stdout included."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, out.fileno())
        os.close(nowhere)
