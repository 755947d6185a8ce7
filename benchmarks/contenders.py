"""The tools whose speed `benchmarks.throughput` compares. Each reads JSON lines and writes a line for each text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.common import SEED, UnavailableError, load_detector
from benchmarks.encoders import in_onnxruntime, in_pytorch, write_graph

GRAPH = "encoder.onnx"
BATCH = 256
"""Texts given to a tool at a time, except to unspun, which makes its own batches."""

Command = Callable[[Path, Path], None]
"""Reads a file of JSON lines, and writes a line for each text to another file."""
ScoreTexts = Callable[[Sequence[str]], Sequence[Any]]
"""Returns an answer for each text."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A tool to time. `load` gets the folder with the trained classifiers, and the folder of unspun's model.

    `reads` says how many articles it reads: "all", or the number given for the "deep" tier or the "encoder".
    `arguments` are those of `unspun score`, empty for other tools.
    """

    title: str
    load: Callable[[Path, Path | None], Command]
    reads: str = "all"
    arguments: tuple[str, ...] = ()


def unspun_score(file: Path, out: Path, model: Path | None, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of `unspun` that score a file into another one in a single process."""
    chosen = [] if model is None else ["--model", str(model)]
    return ["score", str(file), "--output", str(out), "--force", "--quiet", "--workers", "1", *arguments, *chosen]


def read_texts(file: Path) -> Iterator[tuple[str, str]]:
    """Yield the id and the text of each line."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            yield record["id"], record["text"]


def prepare(name: str, work: Path) -> None:
    """Train one of the PREPARED tools on the articles in a folder, or build it, and save it there."""
    if name == "encoder_onnx":
        write_graph(work / GRAPH)
        return
    import joblib
    from sklearn.pipeline import make_pipeline

    texts = [text for _, text in read_texts(work / "all.jsonl")]
    pipeline = make_pipeline(*TRAINED[name]())
    pipeline.fit(texts, json.loads((work / "labels.json").read_text("utf-8")))
    joblib.dump(pipeline, work / f"{name}.joblib")


def _unspun(title: str, depth: str, evidence: bool, reads: str = "all") -> Contender:
    arguments = ("--depth", depth, *(() if evidence else ("--no-evidence",)))

    def load(work: Path, model: Path | None) -> Command:
        from unspun.model.detector import DEPTHS
        from unspun.service.cli import cli

        if depth not in DEPTHS:
            raise UnavailableError(f"this version has no depth {depth}")
        detector = load_detector(model)
        try:
            detector.score_many([], depth=depth)
        except ValueError as error:
            raise UnavailableError(str(error)) from error

        def run(file: Path, out: Path) -> None:
            command = unspun_score(file, out, model, arguments)
            cli.main(command, prog_name="unspun", standalone_mode=False, obj=lambda bundle: detector)

        return run

    return Contender(title, load, reads, arguments)


def _other(title: str, load: Callable[[Path], ScoreTexts], reads: str = "all") -> Contender:
    def load_command(work: Path, model: Path | None) -> Command:
        return partial(_score_file, load(work))

    return Contender(title, load_command, reads)


def _score_file(score: ScoreTexts, file: Path, out: Path) -> None:
    records = read_texts(file)
    with out.open("w", encoding="utf-8") as lines:
        while batch := list(islice(records, BATCH)):
            answers = score([text for _, text in batch])
            for (id, _), answer in zip(batch, answers, strict=True):
                lines.write(json.dumps({"id": id, "score": answer}) + "\n")


def _tokens(work: Path) -> ScoreTexts:
    find = re.compile(r"\w+|[^\w\s]").findall
    return lambda texts: [len(find(text)) for text in texts]


def _trained(name: str) -> Callable[[Path], ScoreTexts]:
    def load(work: Path) -> ScoreTexts:
        import joblib

        pipeline = joblib.load(work / f"{name}.joblib")
        return lambda texts: pipeline.predict_proba(texts)[:, 1].tolist()  # type: ignore[no-any-return]

    return load


def _tfidf_steps() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    return TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000)


def _words_steps() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(), _linear()


def _characters_steps() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import HashingVectorizer

    # "char_wb" is the faster of the two analysers: within words.
    return HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5)), _linear()


def _linear() -> Any:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss", random_state=SEED)


TRAINED = {"tfidf": _tfidf_steps, "words": _words_steps, "characters": _characters_steps}
"""Tools that are trained here, and the steps of their scikit-learn pipelines."""
PREPARED = (*TRAINED, "encoder_onnx")
CONTENDERS = {
    "first": _unspun("unspun, first tier", "first", False),
    "auto_verdict": _unspun("unspun, auto, no evidence", "auto", False),
    "auto": _unspun("unspun, auto", "auto", True),
    "fast_verdict": _unspun("unspun, fast tier, no evidence", "fast", False),
    "fast": _unspun("unspun, fast tier", "fast", True),
    "deep_verdict": _unspun("unspun, deep tier, no evidence", "deep", False, reads="deep"),
    "deep": _unspun("unspun, deep tier", "deep", True, reads="deep"),
    "tokens": _other("tokens by a regular expression", _tokens),
    "words": _other("hashed words + linear model", _trained("words")),
    "tfidf": _other("TF-IDF (1-2 grams) + logistic regression", _trained("tfidf")),
    "characters": _other("hashed character 3-5-grams + linear model", _trained("characters")),
    "encoder": _other("encoder of RoBERTa-base's size, PyTorch", lambda work: in_pytorch(), reads="encoder"),
    "encoder_onnx": _other(
        "encoder of RoBERTa-base's size, onnxruntime", lambda work: in_onnxruntime(work / GRAPH), reads="encoder"
    ),
}
