"""Verdicts as a Parquet file: typed columns for data frames, DuckDB and Spark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from unspun.model.verdict import Verdict
from unspun.service.console import REPLACEMENT, CommandError
from unspun.service.render import ByteStream
from unspun.service.render.columns import Column, columns, columns_of, from_row, row

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 10_000
MOST_EVIDENCE = 100_000
"""A row group is closed at either, which bounds memory: to about 100 MB, for the pieces of evidence."""


class ParquetWriter:
    """Writes row groups as verdicts come; the file can be read once it is closed.

    The columns are the CSV's, the fields of a Verdict, with everything of `repairs`, `evidence` and `passages`: lists
    of structures, the last two null where evidence was not asked for. `probability` is null without a base rate. Lone
    surrogates, which Parquet cannot carry, become U+FFFD. Raises CommandError where pyarrow is missing.
    """

    def __init__(self, stream: ByteStream, *, rows: int = MOST_ROWS, evidence: int = MOST_EVIDENCE) -> None:
        self._pa, parquet = _pyarrow()
        self._most_rows = rows
        self._most_evidence = evidence
        self._schema = schema()
        self._writer = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._evidence = 0

    def write(self, text: str, verdict: Verdict) -> None:
        """Take a verdict, and write a row group where enough have come."""
        self._rows.append(row(verdict))
        self._evidence += len(verdict.evidence or ())
        if len(self._rows) >= self._most_rows or self._evidence >= self._most_evidence:
            self._flush()

    def close(self, failures: int = 0) -> None:
        """Write the last rows and the index, without which the file cannot be read."""
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        try:
            batch = self._pa.RecordBatch.from_pylist(self._rows, self._schema)
        except UnicodeEncodeError:
            batch = self._pa.RecordBatch.from_pylist(_encodable(self._rows), self._schema)
        self._writer.write_batch(batch)
        self._rows, self._evidence = [], 0


def schema() -> pa.Schema:
    """Return the names and types of the columns. Raises CommandError where pyarrow is missing."""
    pa, _ = _pyarrow()
    # `passages` is left out of the JSON with the evidence.
    return pa.schema([_field(pa, column, optional=column.name == "passages") for column in columns()])


def _field(pa: Any, column: Column, *, optional: bool = False) -> pa.Field:
    plain = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    kind = plain.get(column.of)
    if kind is None:
        kind = pa.struct([_field(pa, inner) for inner in columns_of(column.of)])
    if column.many:
        kind = pa.list_(pa.field("element", kind, nullable=False))
    return pa.field(column.name, kind, nullable=optional or column.optional)


def read(file: Path | IO[bytes]) -> Iterator[Verdict]:
    """Yield the verdicts of a file that ParquetWriter wrote, a row group in memory at a time."""
    _, parquet = _pyarrow()
    with parquet.ParquetFile(file) as source:
        for group in range(source.num_row_groups):
            for values in source.read_row_group(group).to_pylist():
                yield from_row(values)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise CommandError("Parquet needs pyarrow: pip install 'unspun[parquet]'") from error
    return pa, parquet


def _encodable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", _without_surrogates(rows))


def _without_surrogates(value: Any) -> Any:
    """Return plain JSON types with U+FFFD for each lone surrogate, so that offsets stay true."""
    if isinstance(value, str):
        return "".join(REPLACEMENT if "\ud800" <= character <= "\udfff" else character for character in value)
    if isinstance(value, dict):
        return {name: _without_surrogates(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value
