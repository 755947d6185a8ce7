"""The right answers of the service, from the Python API: to compare each answer with."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.common import example_articles
from tests.reading.documents import docx
from unspun.model.comparing.comparer import Comparer
from unspun.model.detector import Detector
from unspun.model.verdict import Verdict
from unspun.reading import packing
from unspun.reading.reader import format_of, read_stream
from unspun.reading.records import Record
from unspun.service.render.summary import digest_of, summary

TEXTS, WORDS, EVERY = 12, 150, 4
"""Number of different texts, their length in words, and the number of texts of which one is spun."""
SHORT = "Too short to judge."
NO_ID = '{"id": null, '
PARAGRAPH = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"
DOWNLOAD = re.compile(r'download="verdict\.json" href="data:application/json;base64,([^"]+)"')

Judged = tuple[str, str | None]
"""The model that an answer names, and what is wrong with the answer, or None."""


class RightAnswers:
    """The answers of some models to a fixed set of texts, pairs of texts and files.

    An answer is right if it is exactly what the Python API gives with the model that the answer names. The methods
    raise ValueError, LookupError and TypeError if an answer has another form.
    """

    def __init__(self, models: Sequence[Path]) -> None:
        self.texts = [text for text, _ in islice(example_articles(EVERY, WORDS), TEXTS)]
        self.pairs = [(self.texts[i], self.texts[-1 - i]) for i in range(3)]
        self.files = _files(self.texts)
        self._verdicts: dict[tuple[str, int], str] = {}
        self._summaries: dict[tuple[str, int], dict[str, Any]] = {}
        self._comparisons: dict[tuple[str, int], str] = {}
        self._of_files: dict[tuple[str, int], list[Any]] = {}
        self._short: dict[str, Any] = {}
        for path in models:
            self._learn(Detector.load(path))

    def _learn(self, detector: Detector) -> None:
        model = detector.model.sha256
        for i, verdict in enumerate(detector.score_many(self.texts)):
            self._verdicts[model, i] = verdict.to_json().removeprefix(NO_ID)
        for i, verdict in enumerate(detector.score_many(self.texts, evidence="all")):
            self._summaries[model, i] = summary(verdict)
        comparer = Comparer(detector.bundle)
        for i, pair in enumerate(self.pairs):
            self._comparisons[model, i] = f"{comparer.compare(*pair).to_json()}\n"
        for i, (name, content) in enumerate(self.files):
            self._of_files[model, i] = [_plain(verdict) for verdict in _verdicts_on(name, content, detector)]
        self._short[model] = _plain(detector.score(SHORT))

    def verdict(self, line: str, id: str, text: int) -> Judged:
        """Judge the JSON of a verdict on a text, which must have the right bytes."""
        model = _model(json.loads(line))
        if (model, text) not in self._verdicts:
            return model, f"a verdict of an unknown model: {model}"
        if line != f'{{"id": {json.dumps(id)}, {self._verdicts[model, text]}':
            return model, _another("verdict", model, f"text {text}")
        return model, None

    def comparison(self, line: str, pair: int) -> Judged:
        """Judge the JSON of a comparison, which must have the right bytes."""
        model = _model(json.loads(line))
        same = line == self._comparisons.get((model, pair))
        return model, None if same else _another("comparison", model, f"pair {pair}")

    def of_file(self, items: Sequence[Any], file: int) -> Judged:
        """Judge the verdicts on a file."""
        model = _model(items[0])
        same = items == self._of_files.get((model, file))
        return model, None if same else _another("verdicts", model, self.files[file][0])

    def short(self, items: Sequence[Any], count: int) -> Judged:
        """Judge the verdicts on a number of short texts."""
        model = _model(items[0])
        same = items == [self._short.get(model)] * count
        return model, None if same else _another("verdicts", model, "short texts")

    def label(self, label: Mapping[str, Any], text: int, comment: str) -> Judged:
        """Judge a label as the service returns it."""
        model = _model(label["verdict"])
        same = {name: label[name] for name in ("verdict", "signals")} == self._summaries.get((model, text))
        same = same and (label["comment"], label["digest"]) == (comment, digest_of(self.texts[text]))
        return model, None if same else _another("label", model, f"text {text}")

    def page(self, page: str, text: int) -> Judged:
        """Judge the page with a verdict by the verdict that it offers for download, its headline and its model."""
        found = DOWNLOAD.search(page)
        if found is None:
            return "", "a page without a verdict"
        verdict = json.loads(base64.b64decode(found[1]))
        model = _model(verdict)
        if verdict != json.loads(NO_ID + self._verdicts.get((model, text), '"model": null}')):
            return model, _another("verdict", model, f"text {text}")
        if f'class="verdict {verdict["verdict"]}' not in page or f"<code>{model[:12]}</code>" not in page:
            return model, "a page whose headline or model is not that of its download"
        return model, None


def _files(texts: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return the names and contents of files to upload, in several formats."""
    lines = [
        "".join(json.dumps({"id": f"line-{i}", "text": text}) + "\n" for i, text in enumerate(some)).encode()
        for some in (texts[3:6], texts[6:9])
    ]
    escaped = texts[3].replace("&", "&amp;").replace("<", "&lt;")
    return [
        ("article.txt", texts[0].encode()),
        ("articles.jsonl", lines[0]),
        ("articles.jsonl.gz", gzip.compress(lines[1])),
        ("article.docx", docx("".join(map(PARAGRAPH.format, escaped.split("\n\n"))))),
    ]


def _verdicts_on(name: str, content: bytes, detector: Detector) -> list[Verdict]:
    """Return the verdicts on the documents in a file, as `unspun score` reads it."""
    _, packed = packing.split(name)
    stream: Any = io.BytesIO(content)
    if packed is not None:
        stream = io.BufferedReader(packing.unpack(stream, packed))
    kind = format_of(name)
    assert kind is not None
    records = list(read_stream(stream, name, kind))
    found = [record for record in records if isinstance(record, Record)]
    assert len(found) == len(records)
    verdicts = detector.score_many([record.text for record in found], ids=[record.id for record in found])
    return [verdict.with_repairs(record.repairs) for record, verdict in zip(found, verdicts, strict=True)]


def _plain(verdict: Verdict) -> Any:
    return json.loads(verdict.to_json())


def _model(answer: Mapping[str, Any]) -> str:
    return str(answer["model"]["sha256"])


def _another(what: str, model: str, of: str) -> str:
    return f"not the {what} of the model that it names ({model[:8]}) on {of}"
