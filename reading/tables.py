"""Reads Parquet: a document for each row, a few rows at a time."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from unspun.reading.encodings import NotTextError, decode
from unspun.reading.records import (
    NO_DOCUMENTS,
    Failure,
    MissingLibraryError,
    Place,
    Record,
    StreamError,
    UnreadableError,
)

ROWS = 256
"""Rows that are held at a time."""
PIECE = 1 << 20
"""Bytes of a column that are read at a time: without it, all of a row group, which may be all of the file."""
IN_MEMORY = 1 << 26
"""Bytes from which what can only be read from its end, and comes as a stream, is laid down on disk."""


def read_parquet(stream: io.BufferedIOBase, place: Place) -> Iterator[Record | Failure]:
    """Yield a document or what is wrong for each row; `place` is kept up to date.

    Raises UnreadableError for what is no Parquet or has no texts, and what reading raises.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingLibraryError("pyarrow", "parquet") from error

    with _seekable(stream) as file:
        try:
            table = parquet.ParquetFile(file, pre_buffer=False, buffer_size=PIECE)
            columns = _columns(table.schema_arrow)
            for batch in table.iter_batches(ROWS, columns=list(columns.values()), use_threads=False):
                yield from _rows(batch, columns, place)
        except StreamError:
            raise
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the disk's, and not what is on it
                raise
            raise UnreadableError(f"broken Parquet: {str(error).splitlines()[0]}") from error
    if not place.line:
        yield Failure(place.name, NO_DOCUMENTS)


def _columns(schema: Any) -> dict[str, str]:
    """Return what the columns of texts and ids are called in this file."""
    import pyarrow.types as types

    # Backwards, so that of columns called Text and text the first one is taken.
    called = {name.strip().casefold(): name for name in reversed(schema.names)}
    if "text" not in called:
        raise UnreadableError(f'no column "text" (the columns are: {", ".join(schema.names) or "none"})')
    kind = schema.field(called["text"]).type
    if types.is_dictionary(kind):
        kind = kind.value_type
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind)
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) or is_bytes):
        raise UnreadableError(f'the column "{called["text"]}" is of type {kind}, not of strings')
    return {name: called[name] for name in ("text", "id") if name in called}


def _rows(batch: Any, columns: dict[str, str], place: Place) -> Iterator[Record | Failure]:
    texts = _values(batch, columns["text"])
    ids = _values(batch, columns["id"]) if "id" in columns else [None] * len(texts)
    for id, text in zip(ids, texts, strict=True):
        place.line += 1
        try:
            if text is None:
                yield place.failure('"text" is null, not a string')
            else:
                yield place.record(_text(id), _text(text))
        except NotTextError as error:
            yield place.failure(str(error))


def _values(batch: Any, column: str) -> list[Any]:
    import pyarrow as pa

    values = batch.column(batch.schema.get_field_index(column))
    try:
        return list(values.to_pylist())
    except UnicodeDecodeError:  # strings that are no UTF-8: nothing keeps a writer from it
        return list(values.cast(pa.large_string()).cast(pa.large_binary()).to_pylist())


def _text(value: Any) -> Any:
    return decode(value) if isinstance(value, bytes) else value


@contextmanager
def _seekable(stream: io.BufferedIOBase) -> Iterator[IO[bytes] | io.BufferedIOBase]:
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy
