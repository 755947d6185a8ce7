"""Verdicts as a Parquet file: typed columns for data frames, DuckDB and Spark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from unspun.model.verdict import Verdict
from unspun.reading.records import Failure, Omissions
from unspun.service.console import REPLACEMENT, CommandError
from unspun.service.render import ByteStream
from unspun.service.render.columns import VerdictColumn, columns, from_row, row

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 10_000
MOST_EVIDENCE = 100_000
"""A row group ends at either limit, so that its evidence takes at most about 100 MB of memory."""


class ParquetWriter:
    """Writes row groups as verdicts arrive; the file can be read once it is closed.

    The columns are those of the CSV, but `repairs`, `evidence` and `passages` are complete, as lists of structures; the
    last two are null unless evidence was requested. `probability` is null without a base rate. Lone surrogates, which
    Parquet cannot encode, become U+FFFD. Raises CommandError if pyarrow is not installed.
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
        """Add a verdict, and write a row group if it is full."""
        self._rows.append(row(verdict))
        self._evidence += len(verdict.evidence or ())
        if len(self._rows) >= self._most_rows or self._evidence >= self._most_evidence:
            self._flush()

    def fail(self, failure: Failure) -> None:
        """Do nothing: the file contains verdicts only."""

    def close(self, skipped: Omissions | None = None) -> None:
        """Write the last rows, and the index that readers need."""
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        try:
            batch = self._pa.RecordBatch.from_pylist(self._rows, self._schema)
        except UnicodeEncodeError:
            batch = self._pa.RecordBatch.from_pylist(_without_surrogates(self._rows), self._schema)
        self._writer.write_batch(batch)
        self._rows, self._evidence = [], 0


def schema(record: type[Verdict] = Verdict) -> pa.Schema:
    """Return the names and types of the columns. Raises CommandError if pyarrow is not installed."""
    pa, _ = _pyarrow()
    return pa.schema([_field(pa, column) for column in columns(record)])


def _field(pa: Any, column: VerdictColumn) -> pa.Field:
    plain = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    kind = plain.get(column.of)
    if kind is None:
        kind = pa.struct([_field(pa, inner) for inner in columns(column.of)])
    if column.many:
        kind = pa.list_(pa.field("element", kind, nullable=False))
    return pa.field(column.name, kind, nullable=column.optional)


def read(file: Path | IO[bytes]) -> Iterator[Verdict]:
    """Yield the verdicts of a file that ParquetWriter wrote, with one row group in memory at a time."""
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


def _without_surrogates(value: Any) -> Any:
    """Replace each lone surrogate with U+FFFD, which keeps the offsets right."""
    if isinstance(value, str):
        return "".join(REPLACEMENT if "\ud800" <= character <= "\udfff" else character for character in value)
    if isinstance(value, dict):
        return {name: _without_surrogates(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value
