"""Scores data frames, for engines that bring their own workers: Spark's `mapInPandas`, Ray's `map_batches`.

    from unspun.service.frames import SCHEMA, score_frames
    verdicts = articles.select("id", "text").mapInPandas(score_frames, SCHEMA)        # Spark
    verdicts = articles.map_batches(score_frame, batch_format="pandas")               # Ray

Each process loads the model once, with its first frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unspun.model.verdict import EvidenceChoice, Verdict
from unspun.reading.fields import FieldError, Fields, for_programs
from unspun.service.render.columns import cells, columns

if TYPE_CHECKING:
    from unspun.service.batch.scoring import Scorer

SPARK = {str: "string", int: "long", float: "double", bool: "boolean"}


def spark_types(record: type[Verdict] = Verdict) -> dict[str, str]:
    """Return the Spark type of each column of an answer: those of the CSV, and `json`, the whole verdict."""
    return {column.name: "string" if column.many else SPARK[column.of] for column in columns(record)} | {
        "json": "string"
    }


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
) -> Iterator[Any]:
    """Yield a pandas frame of verdicts for each pandas frame of texts.

    `text_field` and `id_field` are their columns: names, or numbers from 1. By default the text is `text`, `content`,
    `body`, `article` or `full_text`, and the id is `id` if there is one, in any case. `base_rate` is the share of
    paraphrased texts among those that are scored; with it, each verdict has a `probability`. A row without text keeps
    its id and gets no other values. Raises KeyError if a frame has no such column, and ValueError if the base rate is
    not between 0 and 1.
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
) -> Any:
    """Return the verdicts on one pandas frame, in the same order; see score_frames."""
    import pandas as pd

    try:
        columns = Fields(text_field, id_field).columns([str(name) for name in frame.columns])
    except FieldError as error:
        raise KeyError(for_programs(error)) from None
    ids = [str(value) for value in frame.iloc[:, columns["id"]]] if "id" in columns else [None] * len(frame)
    texts = [text if isinstance(text, str) else None for text in frame.iloc[:, columns["text"]]]
    asked = [i for i, text in enumerate(texts) if text is not None]
    verdicts = _model(bundle).score_many(
        [texts[i] or "" for i in asked],
        ids=[ids[i] for i in asked],
        depth=depth,
        evidence=evidence,
        base_rate=base_rate,
    )
    rows: list[dict[str, Any]] = [{"id": name} for name in ids]
    for i, verdict in zip(asked, verdicts, strict=True):
        rows[i] = {**cells(verdict), "json": verdict.to_json()}
    return pd.DataFrame(rows, columns=list(COLUMNS))


@lru_cache(maxsize=1)
def _model(bundle: str | None) -> Scorer:
    from unspun.model.detector import Detector

    return Detector.load(None if bundle is None else Path(bundle))
