"""Reads Parquet: one document per row, a few rows at a time."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from unspun.reading.encodings import NotTextError, decode
from unspun.reading.fields import Fields
from unspun.reading.records import Failure, Place, Record, StreamError, UnreadableError, optional

ROWS = 32
"""Rows held in memory at a time."""
PIECE = 1 << 20
"""Bytes of a column read at a time. Without it, pyarrow reads a whole row group, which may be the whole file."""
IN_MEMORY = 1 << 26
"""Bytes of a stream that are copied to memory; a longer one is copied to disk. Parquet is read from its end."""


def read_parquet(stream: io.BufferedIOBase, place: Place, fields: Fields) -> Iterator[Record | Failure]:
    """Yield the document of each row, or a failure, and keep `place` current.

    Raises UnreadableError if the file is not Parquet or has no texts, MissingLibraryError, and what reading raises.
    """
    with optional("pyarrow", "parquet"):
        import pyarrow as pa
        from pyarrow import parquet

    with _seekable(stream) as file:
        try:
            table = parquet.ParquetFile(file, pre_buffer=False, buffer_size=PIECE)
            columns = _columns(table.schema_arrow, fields)
            names = table.schema_arrow.names
            wanted = list(dict.fromkeys(names[column] for column in columns.values()))
            # Reading by name reads every column of that name.
            read = [column for name in wanted for column in range(len(names)) if names[column] == name]
            places = {name: read.index(column) for name, column in columns.items()}
            for batch in table.iter_batches(ROWS, columns=wanted, use_threads=False):
                yield from _rows(batch, places, place)
        except StreamError:
            raise
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last from damaged column names
            if isinstance(error, OSError) and error.errno is not None:  # the disk failed; the file may be fine
                raise
            raise UnreadableError(f"broken Parquet: {str(error).splitlines()[0]}") from error


def _columns(schema: Any, fields: Fields) -> dict[str, int]:
    """Return the places of the columns to read, by field."""
    import pyarrow.types as types

    columns = fields.columns(schema.names)
    kind = schema.field(columns["text"]).type
    if types.is_dictionary(kind):
        kind = kind.value_type
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind)
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or is_bytes):
        raise UnreadableError(f'the column "{schema.names[columns["text"]]}" is of type {kind}, not of strings')
    return columns


def _rows(batch: Any, columns: dict[str, int], place: Place) -> Iterator[Record | Failure]:
    for row in zip(*(_values(batch, column) for column in columns.values()), strict=True):
        place.line += 1
        try:
            values = {
                name: decode(value) if isinstance(value, bytes) else value
                for name, value in zip(columns, row, strict=True)
            }
        except NotTextError as error:
            yield place.failure(str(error))
            continue
        text = values["text"]
        if text is None:
            yield place.failure(f'"{batch.schema.names[columns["text"]]}" is null, not a string')
        else:
            yield place.record(text, values)


def _values(batch: Any, column: int) -> list[Any]:
    import pyarrow as pa

    values = batch.column(column)
    try:
        return list(values.to_pylist())
    except UnicodeDecodeError:  # writers do not always check that strings are UTF-8
        return list(values.cast(pa.large_string()).cast(pa.large_binary()).to_pylist())


@contextmanager
def _seekable(stream: io.BufferedIOBase) -> Iterator[IO[bytes] | io.BufferedIOBase]:
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy
