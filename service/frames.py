"""Scores data frames, for engines that bring their own workers: Spark's `mapInPandas`, Ray's `map_batches`.

    from unspun.service.frames import SCHEMA, score_frame, score_frames
    verdicts = articles.select("id", "text").mapInPandas(score_frames, SCHEMA)        # Spark
    verdicts = articles.map_batches(score_frame, batch_format="pandas")               # Ray

Each process loads the model once, with its first frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from unspun.model.text.allowed import Allowed
from unspun.model.verdict import EvidenceChoice, Verdict
from unspun.reading.records import optional
from unspun.service.rows import RowScorer, name_of, places, row_columns, row_values

SPARK = {str: "string", int: "long", float: "double", bool: "boolean"}


def spark_types(record: type[Verdict] = Verdict) -> dict[str, str]:
    """Return the Spark type of each column of an answer: those of the CSV, and `json`, the whole verdict."""
    return {name: SPARK[kind] for name, kind in row_columns(record).items()}


COLUMNS = tuple(spark_types())
SCHEMA = ", ".join(f"{name} {kind}" for name, kind in spark_types().items())
"""The columns of an answer as a Spark schema. `json` is the whole verdict, the same bytes as everywhere."""


def score_frames(
    frames: Iterable[Any],
    *,
    depth: str = "auto",
    evidence: EvidenceChoice = True,
    bundle: str | None = None,
    base_rate: float | None = None,
    text_field: str | None = None,
    id_field: str | None = None,
    allowed: Allowed | None = None,
) -> Iterator[Any]:
    """Yield a pandas frame of verdicts for each pandas frame of texts.

    `text_field` and `id_field` are their columns: names, or numbers from 1. By default the text is `text`, `content`,
    `body`, `article` or `full_text`, and the id is `id` if there is one, in any case. `base_rate` is the share of
    paraphrased texts among those that are scored; with it, each verdict has a `probability`. Terms that are `allowed`
    are never evidence. A row without text keeps its id and gets no other values. Raises KeyError if a frame has no such
    column, and ValueError if the base rate is not between 0 and 1.
    """
    for frame in frames:
        yield score_frame(
            frame,
            depth=depth,
            evidence=evidence,
            bundle=bundle,
            base_rate=base_rate,
            text_field=text_field,
            id_field=id_field,
            allowed=allowed,
        )


def score_frame(
    frame: Any,
    *,
    depth: str = "auto",
    evidence: EvidenceChoice = True,
    bundle: str | None = None,
    base_rate: float | None = None,
    text_field: str | None = None,
    id_field: str | None = None,
    allowed: Allowed | None = None,
) -> Any:
    """Return the verdicts on one pandas frame, in the same order; see score_frames."""
    import pandas as pd

    found = places(frame.columns, text_field, id_field)
    texts = _values(frame.iloc[:, found["text"]])
    ids = _values(frame.iloc[:, found["id"]]) if "id" in found else [None] * len(frame)
    verdicts = RowScorer(depth, evidence, bundle, base_rate, allowed=allowed).score(texts, ids)
    rows = [
        {"id": name_of(id)} if verdict is None else row_values(verdict)
        for id, verdict in zip(ids, verdicts, strict=True)
    ]
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in _types().items()}
    )


def _values(column: Any) -> list[Any]:
    """Return the values of a column, None for those that are missing."""
    missing = column.isna().tolist()
    if any(missing) and column.dtype.kind == "f":  # so pandas reads whole numbers, of which some are missing
        return [
            None if gone else int(value) if value.is_integer() else value
            for value, gone in zip(column, missing, strict=True)
        ]
    return [None if gone else value for value, gone in zip(column.tolist(), missing, strict=True)]


@cache
def _types() -> dict[str, Any]:
    """Return the type of each column of an answer. Arrow's can all be null, so every frame has the same types."""
    import pandas as pd

    with optional("pyarrow", "parquet"):
        import pyarrow as pa
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return {name: pd.ArrowDtype(types[kind]) for name, kind in row_columns().items()}
