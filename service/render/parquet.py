"""Verdicts as a Parquet file: typed columns for data frames, DuckDB and Spark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from model.verdict import KINDS, Verdict
from service.console import REPLACEMENT, CommandError
from service.render import Stream

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 10_000
MOST_EVIDENCE = 100_000
"""A row group is closed at either, which bounds memory: to about 100 MB, for the pieces of evidence."""

SAME = ("id", "score", "verdict", "kind", "reason", "words", "depth")
"""Columns that are called as in the JSON."""
MODEL = ("name", "version", "sha256")


class ParquetWriter:
    """Writes row groups as verdicts come; the file can be read once it is closed.

    The columns are the CSV's, with everything of the evidence: `id`, `score`, `verdict`, `kind`, a probability for
    each kind (`human`, `spun`, `translated`, `rewritten`), `reason`, `words`, `depth`, `evidence` and `passages`
    (lists of structures, null where evidence was not asked for), `model_name`, `model_version`, `model_sha256`.
    Lone surrogates, which Parquet cannot carry, become U+FFFD. Raises CommandError where pyarrow is missing.
    """

    def __init__(self, stream: Stream, *, rows: int = MOST_ROWS, evidence: int = MOST_EVIDENCE) -> None:
        self._pa, parquet = _pyarrow()
        self._most_rows = rows
        self._most_evidence = evidence
        self._schema = schema()
        self._writer = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._evidence = 0

    def write(self, text: str, verdict: Verdict) -> None:
        """Take a verdict, and write a row group where enough have come."""
        self._rows.append(_row(verdict))
        self._evidence += len(verdict.evidence or ())
        if len(self._rows) >= self._most_rows or self._evidence >= self._most_evidence:
            self._flush()

    def close(self) -> None:
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

    def needed(name: str, kind: Any) -> Any:
        return pa.field(name, kind, nullable=False)

    text, number, count = pa.string(), pa.float64(), pa.int64()
    evidence = pa.struct(
        [
            needed("start", count),
            needed("end", count),
            needed("text", text),
            pa.field("suggestion", text),
            needed("signal", text),
            needed("weight", number),
            needed("alternatives", pa.list_(needed("element", text))),
        ]
    )
    passage = pa.struct([needed("start", count), needed("end", count), needed("words", count)])
    return pa.schema(
        [
            pa.field("id", text),
            needed("score", number),
            needed("verdict", text),
            pa.field("kind", text),
            *(needed(kind, number) for kind in KINDS),
            pa.field("reason", text),
            needed("words", count),
            needed("depth", text),
            pa.field("evidence", pa.list_(needed("element", evidence))),
            pa.field("passages", pa.list_(needed("element", passage))),
            *(needed(f"model_{part}", text) for part in MODEL),
        ]
    )


def read(file: Path | IO[bytes]) -> Iterator[Verdict]:
    """Yield the verdicts of a file that ParquetWriter wrote, a row group in memory at a time."""
    _, parquet = _pyarrow()
    with parquet.ParquetFile(file) as source:
        for group in range(source.num_row_groups):
            for row in source.read_row_group(group).to_pylist():
                yield Verdict.from_dict(
                    {
                        **{name: row[name] for name in SAME},
                        "kinds": {kind: row[kind] for kind in KINDS},
                        "evidence": row["evidence"],
                        "passages": row["passages"],
                        "model": {part: row[f"model_{part}"] for part in MODEL},
                    }
                )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise CommandError("Parquet needs pyarrow: pip install 'unspun[parquet]'") from error
    return pa, parquet


def _row(verdict: Verdict) -> dict[str, Any]:
    answer = verdict.to_dict()
    row = {name: answer[name] for name in SAME}
    row.update(answer["kinds"])
    row["evidence"] = answer.get("evidence")
    row["passages"] = answer.get("passages")
    row.update({f"model_{part}": answer["model"][part] for part in MODEL})
    return row


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
