"""Gives a model its deep tier.

    python -m training.deepen model/default --labelled ../shared/corpora --lexicons ../shared/lexicons \\
        --output model/default --work /tmp/deep --answers answers.npz

Fine-tunes one encoder a fold, each without a fourth of the tools and of the sources of human text, and one on
everything; measures texts with encoders that had not seen them; fits the deep tier's calibration, thresholds and limits
of doubt on these answers; and writes the bundle. About an hour and a half on two cores with AMX, several hours without.
With `--work` a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from model import bundle
from model.align import substitutions
from model.deep import (
    LEAST_MISFIT,
    NAMES,
    Blend,
    DeepEncoder,
    DeepReading,
    DeepTier,
    Weights,
    judged_words,
    numbers,
)
from model.document import Documents
from model.features import FeatureExtractor
from model.passages import contrast
from model.verdict import KINDS
from training.calibrate import MINIMUM_WORDS
from training.calibrate_deep import Measured, fit_deep_tier
from training.classify import BARELY_SPUN, fit_heads, usable
from training.corpora import LabelledText, read_labelled, text_keys
from training.deep_cases import SHIPPED, Case, choose_cases
from training.distance import paraphraser_distance
from training.folds import Folds, part_by_tool
from training.lessons import Gathered, gather
from training.matrix import LabelledMatrix, measure
from training.reference import Reference
from training.train import Parts, Recipe, Stages, split

FOLDS = 4
FOLD_STEPS, STEPS = 450, 800
"""Steps of 64 windows that the folds' encoders, and the one that ships, learn for."""
CHUNK = 16
BLEND_TEXTS = 30
"""Texts of each source that the blend of the two taggers is fitted on."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="bundle with a fast tier")
    parser.add_argument("--labelled", type=Path, action="append", required=True, help="labelled files or folders")
    parser.add_argument("--lexicons", type=Path, help="folder of phrase lists, as the fast tier had them")
    parser.add_argument("--output", type=Path, required=True, help="bundle to write; may be the same")
    parser.add_argument("--answers", type=Path, help="keep the answers for training.record in this .npz")
    parser.add_argument("--work", type=Path, help="keep the results of each stage in this folder")
    parser.add_argument("--version", help="the bundle's new version")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        loaded = bundle.load(options.model)
        texts = list(read_labelled(options.labelled))
    except (bundle.BundleError, ValueError, OSError) as error:
        print(f"training.deepen: {error}", file=sys.stderr)
        return 2
    recipe = Recipe(seed=options.seed, lexicons=options.lexicons, jobs=options.jobs)
    deepen(loaded, texts, options.output, recipe, work=options.work, answers=options.answers, version=options.version)
    return 0


def deepen(
    loaded: bundle.Bundle,
    texts: Sequence[LabelledText],
    output: Path,
    recipe: Recipe,
    *,
    work: Path | None = None,
    answers: Path | None = None,
    version: str | None = None,
) -> None:
    """Train the deep tier and write the bundle with it."""
    stages = Stages(work, texts, recipe, lambda line: print(line, file=sys.stderr, flush=True))
    parts: Parts = stages.run("deep_parts", lambda: split(texts))
    folds = part_by_tool(texts, parts.groups, FOLDS, seed=recipe.seed)
    weights = {fold: _weights(stages, texts, parts, folds, fold, recipe) for fold in (*range(FOLDS), SHIPPED)}
    cases: list[Case] = stages.run("deep_cases", lambda: choose_cases(texts, parts, folds, FOLDS, recipe))
    extractor = FeatureExtractor(loaded.tables, loaded.tagger)
    words = stages.run("deep_words", lambda: measure_words(cases, weights, extractor, recipe.jobs))
    fast: LabelledMatrix = stages.run("deep_fast", lambda: measure_fast(cases, extractor, recipe.jobs))
    odds = stages.run("deep_fast_odds", lambda: fast_log_odds(fast, cases, loaded, seed=recipe.seed))
    blend: Blend = stages.run("deep_blend", lambda: fit_blend(cases, words))
    length = fast.features[:, fast.names.index("length")]
    measured = Measured(
        matrix=fast,
        numbers=summed_up(words, blend),
        fast_odds=odds,
        fast=loaded.classifier.calibration.probabilities(odds, length),
        fold=np.array([case.fold for case in cases]),
        mode=np.array([case.mode for case in cases]),
        contrast=np.array([contrast(_probability(one[:, -1])) for one in words]),
    )
    fitted = fit_deep_tier(measured, loaded.manifest["thresholds"])
    tier = DeepTier(DeepEncoder(weights[SHIPPED]), blend, fitted.scale, fitted.calibration)
    manifest = {
        **{name: value for name, value in loaded.manifest.items() if name not in _WRITTEN_ANEW},
        "version": version or loaded.manifest["version"],
        "deep": {"blend": asdict(blend), "thresholds": fitted.thresholds, "doubt": fitted.doubt},
    }
    distance = {"our own paraphrasers against real spinners": paraphraser_distance(fast, seed=recipe.seed)}
    manifest["accuracy"] = {**loaded.manifest["accuracy"], **fitted.accuracy, **distance}
    manifest["sources"] = {**loaded.manifest["sources"], "all-MiniLM-L6-v2": "the encoder's start, Apache-2.0"}
    learnt = text_keys([text.text for text, out in zip(texts, parts.held_out, strict=True) if not out])
    seen = np.union1d(loaded.seen, learnt)
    arrays, manifest["reference"] = reference(measured).pack()
    bundle.save(output, manifest, loaded.tables, loaded.tagger, loaded.classifier, seen, tier, extra=arrays)
    if answers is not None:
        fitted.answers.save(answers)


def reference(measured: Measured) -> Reference:
    """Return the texts that a house's own can be compared with: whole texts of MINIMUM_WORDS and more, judged by heads
    and encoders that had seen neither their tool nor, of human text, their source.
    """
    matrix = measured.matrix
    rows = np.isin(measured.mode, ("real", "own")) & np.isin(matrix.labels, KINDS)
    rows &= (measured.fold != SHIPPED) & (matrix.words >= MINIMUM_WORDS)
    return Reference.of_matrix(matrix.take(rows), measured.fast_odds[rows], measured.numbers[rows])


_WRITTEN_ANEW = (*bundle.WRITTEN, "deep", "reference")


def _weights(
    stages: Stages, texts: Sequence[LabelledText], parts: Parts, folds: Folds, fold: int, recipe: Recipe
) -> Weights:
    def learn() -> Weights:
        # PyTorch and the ONNX tools are of the extra `deep`, and slow to import.
        from training.export import quantised
        from training.fine_tune import Course, fine_tune

        gathered = _gathered(stages, texts, parts, recipe)
        learns = np.ones(len(texts), dtype=bool) if fold == SHIPPED else folds.learns(fold)
        course = Course(STEPS if fold == SHIPPED else FOLD_STEPS, seed=recipe.seed)
        pieces = _wordpieces()
        encoder = fine_tune(
            gathered.lessons, gathered.streams(learns), course, ends=(pieces.start, pieces.end), report=_told
        )
        return quantised(encoder)

    return stages.run(f"deep_encoder_{fold}", learn)


def _told(step: int, losses: dict[str, float]) -> None:
    if step % 50 == 0:
        told = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        print(f"  step {step}: {told}", file=sys.stderr, flush=True)


def _wordpieces() -> Any:
    from model.wordpieces import WordPieces
    from training.encoder import pretrained_folder

    return WordPieces.read(pretrained_folder() / "vocab.txt")


def _gathered(stages: Stages, texts: Sequence[LabelledText], parts: Parts, recipe: Recipe) -> Gathered:
    return stages.run("deep_lessons", lambda: gather(texts, parts, _wordpieces(), recipe))


def measure_words(
    cases: Sequence[Case], weights: dict[int, Weights], extractor: FeatureExtractor, jobs: int
) -> list[NDArray[np.float16]]:
    """Return for the judged words of each case (W, 4): the encoder's three log odds, and the tagger's.

    A case is read by the encoder that may judge it.
    """
    answer: list[NDArray[np.float16]] = [np.zeros((0, 4), np.float16)] * len(cases)
    for fold, one in weights.items():
        rows = [i for i, case in enumerate(cases) if case.fold == fold]
        encoder = DeepEncoder(one)
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        work = (delayed(_read)(encoder, extractor, [cases[i].text.text for i in chunk]) for chunk in chunks)
        for chunk, found in zip(chunks, Parallel(n_jobs=jobs)(work), strict=True):
            for i, values in zip(chunk, found, strict=True):
                answer[i] = values
    return answer


def _read(encoder: DeepEncoder, extractor: FeatureExtractor, texts: list[str]) -> list[NDArray[np.float16]]:
    documents = Documents.parse(texts)
    misfit = extractor.measure(documents).misfit
    log_odds = encoder.read(documents, range(len(texts))).log_odds
    words = [judged_words(documents, number) for number in range(len(texts))]
    return [np.column_stack([log_odds[one], misfit[one]]).astype(np.float16) for one in words]


def fit_blend(cases: Sequence[Case], words: Sequence[NDArray[np.float16]]) -> Blend:
    """Fit the blend of the two taggers on words of real spinners, new to both, and of people."""
    values, labels = [], []
    taken: Counter[str] = Counter()
    for case, one in zip(cases, words, strict=True):
        text = case.text
        spun = text.label == "spun" and text.original is not None and (text.changed_frac or 1.0) >= BARELY_SPUN
        if case.fold == SHIPPED or case.mode != "real" or not (spun or text.label == "human") or not len(one):
            continue
        if taken[text.source] >= BLEND_TEXTS:
            continue
        taken[text.source] += 1
        changed = _changed(text) if spun else np.zeros(len(one), dtype=bool)
        if len(changed) == len(one):
            values.append(one[:, [0, -1]].astype(np.float64))
            labels.append(changed)
    inputs = np.maximum(np.concatenate(values), LEAST_MISFIT)
    truth = np.concatenate(labels)
    fitted = LogisticRegression().fit(inputs, truth)
    deep, fast = fitted.coef_[0].tolist()
    share = float(truth.mean())
    numbers = (deep, fast, float(fitted.intercept_[0]), float(np.log(share / (1.0 - share))))
    return Blend(*(round(number, 6) for number in numbers))


def _changed(text: LabelledText) -> NDArray[np.bool_]:
    """Return which of the judged words of a spun text were replaced."""
    documents = Documents.parse([text.text])
    pairs = substitutions(text.original or "", text.text, inflections=True)
    spans = [documents.source_span(int(word), int(word)) for word in judged_words(documents, 0)]
    return np.array([any(pair.start < end and pair.end > start for pair in pairs) for start, end in spans], dtype=bool)


def summed_up(words: Sequence[NDArray[np.float16]], blend: Blend) -> NDArray[np.float32]:
    """Return the deep numbers of each text (N, len(NAMES)) from what was measured of its words."""
    answer = np.zeros((len(words), len(NAMES)), dtype=np.float32)
    for row, one in enumerate(words):
        values = one.astype(np.float32)
        reading = DeepReading(values[:, :3], np.zeros((0, 0), np.float32), np.zeros(0, np.int32))
        answer[row] = numbers(blend.log_odds(reading, values[:, 3]))
    return answer


def _probability(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    answer: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.asarray(log_odds, dtype=np.float64)))
    return answer


def measure_fast(cases: Sequence[Case], extractor: FeatureExtractor, jobs: int) -> LabelledMatrix:
    """Return the fast tier's document numbers of the cases."""
    groups = np.array([case.group for case in cases], dtype=np.int32)
    matrix = measure([case.text for case in cases], extractor, jobs=jobs, groups=groups)
    return replace(matrix, held_out=np.array([case.held_out for case in cases]))


def fast_log_odds(
    matrix: LabelledMatrix, cases: Sequence[Case], loaded: bundle.Bundle, *, seed: int
) -> NDArray[np.float64]:
    """Return the fast tier's log odds (N, 3): of the cases of a fold, by heads that saw nothing of it."""
    fold = np.array([case.fold for case in cases])
    whole = np.isin([case.mode for case in cases], ("real", "own"))
    answer = loaded.classifier.log_odds(matrix.features, matrix.style)
    learns = usable(matrix) & whole
    for number in range(FOLDS):
        tested = fold == number
        near = np.isin(matrix.groups, np.unique(matrix.groups[tested & (matrix.labels != "human")]))
        with threadpool_limits(limits=1):
            heads = fit_heads(matrix.take(learns & ~tested & ~near), seed=seed)
        odds = [head.log_odds(matrix.features[tested], matrix.style[tested]) for head in heads]
        answer[tested] = np.stack(odds, axis=1)
    return answer


if __name__ == "__main__":
    sys.exit(main())
