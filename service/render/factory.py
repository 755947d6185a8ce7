"""Chooses the writer or renderer of a format."""

from __future__ import annotations

from datetime import UTC, datetime

from unspun.service.render import ByteStream, Renderer, TextWriter, VerdictWriter

IN_LINES = ("jsonl", "csv")
"""Formats in which each verdict is a text of its own."""


def writer_for(form: str, stream: ByteStream, *, source: str = "", supported: float = 0.0) -> VerdictWriter:
    """Return a writer of jsonl, csv, parquet or html to a stream.

    `source` names the input, and `supported` is the smallest false-positive rate that the model's calibration supports.
    """
    if form == "parquet":
        from unspun.service.render.parquet import ParquetWriter

        return ParquetWriter(stream)
    if form == "html":
        from unspun.service.render.html import HtmlWriter, Report

        return HtmlWriter(stream, Report(supported=supported), datetime.now(UTC), source=source)
    # Lone surrogates, which UTF-8 cannot encode, become question marks.
    return TextWriter(renderer_for(form), lambda text: stream.write(text.encode("utf-8", "replace")))


def renderer_for(form: str) -> Renderer:
    """Return the renderer of jsonl or csv."""
    if form == "csv":
        from unspun.service.render.csv import Csv

        return Csv()
    from unspun.service.render.jsonl import JsonLines

    return JsonLines()
