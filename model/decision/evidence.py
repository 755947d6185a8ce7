"""The words that give a machine away, with what probably stood there, and their place in the text as submitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.vocabulary import UNKNOWN
from unspun.model.signals.base import Floats
from unspun.model.signals.debris import KINDS as DEBRIS_KINDS
from unspun.model.signals.features import BatchFeatures, Signals
from unspun.model.text.document import Documents, Shape
from unspun.model.tiers.deep import DeepEncoder, EncoderOutput
from unspun.model.verdict import Evidence

LEAST_WEIGHT = 2.5
"""Nats below which a word of a spun text is not shown: shown words should be right more often than not."""
DEEP_LEAST_WEIGHT, AGREED_WEIGHT = 4.3, 1.5
"""The same where the deep tier answers, whose weights are taken against a lower prior; and nats that the fast tier's
tagger has to give the word, too."""
NO_SUGGESTION_WEIGHT = 0.5
"""Nats more that are asked for where nothing can be said of what stood there."""
UNSPUN_WEIGHT = 1.5
"""Nats more that are asked for in a text that is surely not spun: fewer of its words can have been replaced."""
LEAST_ODDS = -4.0
"""Log odds, against the word that is there, from which an alternative is worth suggesting: the word is known to be
odd."""
SUGGESTIONS = 3
"""Words that are named, likeliest first, as what probably stood there."""
GUESSES = 8
"""The encoder's guesses that are weighed against the synonyms that would fit."""
SYNONYM_SHARE, WORST_SYNONYM = 0.5, -6.0
"""What a synonym's log odds count for beside the encoder's log probability, and what they are at least."""
UNGUESSED, UNGUESSED_LOSS = -8.0, 1.5
"""Log probability of a synonym that is not among the guesses, where there are none, and below the last of them."""
LONGEST_WORD = 40
"""Letters above which a word is not shown: it is an identifier or encoded data."""
MOST = 200
"""Pieces of evidence shown for one document, the heaviest first choice."""
DEBRIS_WEIGHT = dict(zip(DEBRIS_KINDS, (4.0, 3.0, 2.0, 1.0, 1.0, 1.5), strict=True))
LEAST_DEBRIS_WEIGHT = 1.5
"""Broken capitals and fragments are too common in what people write to be shown; the classifier counts them."""


Row = tuple[int, int, tuple[str, ...], str, float]
"""First and last token, what probably stood there, signal and weight."""


@dataclass(frozen=True, eq=False)
class DeepTagging:
    """What the deep tier says about a batch: for documents that it `decided` (D,) its answers `replaced` (T,) take the
    tagger's place.
    """

    encoder: DeepEncoder
    reading: EncoderOutput
    replaced: Floats
    decided: NDArray[np.bool_]
    prior_log_odds: float


def find_evidence(
    signals: Signals,
    documents: Documents,
    measured: BatchFeatures,
    prior_log_odds: float,
    spun: NDArray[np.floating],
    deep: DeepTagging | None = None,
) -> list[list[Evidence]]:
    """Return the evidence of each document of a batch, in order of place, without overlaps.

    `prior_log_odds` is the tagger's prior: the log odds of a replaced word in its training text, taken off its answers
    so that weights are log likelihood ratios; `spun` (T,) is for each token the score of `spun` of its document, 0
    outside the part that is. `measured` is of the same tokens, in sections.
    """
    found: list[list[Row]] = [[] for _ in documents.texts]
    document = documents.token_document
    taken = np.zeros(len(document), dtype=bool)
    for first, last, suggestion, weight in _phrases(signals, measured):
        found[document[first]].append((first, last, (suggestion,) if suggestion else (), "known_phrase", weight))
        taken[first : last + 1] = True
    weights = measured.misfit - np.float32(prior_log_odds)
    answered = np.zeros(len(document), dtype=bool)
    if deep is not None:
        answered = deep.decided[document]
        weights = np.where(answered, deep.replaced - np.float32(deep.prior_log_odds), weights)
    least = np.where(answered, DEEP_LEAST_WEIGHT, LEAST_WEIGHT) + UNSPUN_WEIGHT * (1.0 - spun)
    short = documents.token_end - documents.token_start <= LONGEST_WORD
    likely = (weights > least) & measured.encoding.judged & short & ~taken
    rows = _fast_misfits(signals, measured, weights, least, likely & ~answered)
    if deep is not None:
        agreed = measured.misfit - np.float32(prior_log_odds) > AGREED_WEIGHT
        rows += _deep_misfits(signals, documents, measured, weights, likely & answered & agreed, deep)
    for first, last, suggestions, weight in rows:
        signal = "substitution" if suggestions else "misfit"
        found[document[first]].append((first, last, suggestions, signal, weight))
        taken[first : last + 1] = True
    for first, last, kind in _debris(signals, measured, taken):
        found[document[first]].append((first, last, (), "debris", DEBRIS_WEIGHT[kind]))
    return [_finish(documents, rows) for rows in found]


def _phrases(signals: Signals, measured: BatchFeatures) -> list[tuple[int, int, str | None, float]]:
    phrases = signals.tables.phrases
    hits = signals.known_phrases.find(measured.encoding)
    words = measured.encoding.ids
    rows = zip(hits.first.tolist(), hits.length.tolist(), hits.phrase.tolist(), strict=True)
    answer: list[tuple[int, int, str | None, float]] = []
    for first, length, phrase in rows:
        # A single word that people write too is left to the tagger, which reads the whole context.
        if phrases.in_context[phrase] and length == 1 and words[first] != UNKNOWN:
            continue
        answer.append((first, first + length - 1, phrases.originals[phrase], float(phrases.weights[phrase])))
    return answer


def _fast_misfits(
    signals: Signals,
    measured: BatchFeatures,
    weights: NDArray[np.floating],
    least: NDArray[np.floating],
    likely: NDArray[np.bool_],
) -> list[tuple[int, int, tuple[str, ...], float]]:
    """Return single words that do not belong, with alternatives that would fit better."""
    places = np.flatnonzero(likely)
    if not len(places):
        return []
    found = signals.substitutions.candidates(measured.encoding, places)
    order = np.argsort(-found.score, axis=1, kind="stable")[:, :SUGGESTIONS]
    words = signals.tables.vocabulary.words
    weight, limit = weights[places].tolist(), least[places].tolist()
    answer: list[tuple[int, int, tuple[str, ...], float]] = []
    for row, (place, columns) in enumerate(zip(places.tolist(), order.tolist(), strict=True)):
        better = tuple(words[found.ids[row, k]] for k in columns if found.score[row, k] > LEAST_ODDS)
        if better or weight[row] > limit[row] + NO_SUGGESTION_WEIGHT:
            answer.append((place, place, better, float(weight[row])))
    return answer


def _deep_misfits(
    signals: Signals,
    documents: Documents,
    measured: BatchFeatures,
    weights: NDArray[np.floating],
    likely: NDArray[np.bool_],
    deep: DeepTagging,
) -> list[tuple[int, int, tuple[str, ...], float]]:
    """Return passages that do not belong, with what the encoder takes to have stood there.

    Neighbouring words that stand for one and the same word are one passage: "imaginative and prescient" for "vision".
    """
    places = np.flatnonzero(likely)
    if not len(places):
        return []
    originals = _originals(signals, documents, measured, places, deep)
    answer: list[tuple[int, int, tuple[str, ...], float]] = []
    for place, words in zip(places.tolist(), originals, strict=True):
        weight = float(weights[place])
        if answer and words and answer[-1][1] == place - 1 and answer[-1][2][:1] == words[:1]:
            first, _, before, heaviest = answer[-1]
            if documents.token_document[first] == documents.token_document[place]:
                answer[-1] = (first, place, before, max(heaviest, weight))
                continue
        answer.append((place, place, words, weight))
    return answer


def _originals(
    signals: Signals, documents: Documents, measured: BatchFeatures, places: NDArray[np.int64], deep: DeepTagging
) -> list[tuple[str, ...]]:
    """Return what probably stood at `places`, likeliest first: the encoder's guesses and synonyms that would fit."""
    guesses = deep.encoder.originals(deep.reading, places, GUESSES)
    found = signals.substitutions.candidates(measured.encoding, places)
    vocabulary = signals.tables.vocabulary.words
    answer = []
    for row, (place, guessed) in enumerate(zip(places.tolist(), guesses, strict=True)):
        scores = dict(guessed)
        floor = min(scores.values(), default=UNGUESSED) - UNGUESSED_LOSS
        fitting = {vocabulary[i]: s for i, s in zip(found.ids[row], found.score[row].tolist(), strict=True) if i}
        both = {
            word: scores.get(word, floor) + SYNONYM_SHARE * max(fitting.get(word, WORST_SYNONYM), WORST_SYNONYM)
            for word in {**scores, **fitting}
        }
        both.pop(documents.token_text(place).lower(), None)
        answer.append(tuple(sorted(both, key=lambda word: (-both[word], word))[:SUGGESTIONS]))
    return answer


def _debris(signals: Signals, measured: BatchFeatures, taken: NDArray[np.bool_]) -> list[tuple[int, int, str]]:
    """Return what tools left behind: first token, last token and kind."""
    marks = signals.debris.read(measured.encoding).tokens
    document = measured.encoding.documents.token_document
    attached = measured.encoding.documents.token_shape & Shape.SPACE_BEFORE == 0
    answer = []
    for place, kind in zip(*(column.tolist() for column in np.nonzero(marks)), strict=True):
        name = DEBRIS_KINDS[kind]
        first, last = place, place
        if name == "doubled_word":
            first -= 1
        elif name in ("article", "braced_word"):
            last += 2 if name == "braced_word" else 1
        last = min(last, len(document) - 1)
        if DEBRIS_WEIGHT[name] < LEAST_DEBRIS_WEIGHT or (name == "braced_word" and attached[place]):
            continue  # a brace that hangs on what stands before it is mathematics
        if document[first] == document[last] and not taken[first : last + 1].any():
            taken[first : last + 1] = True
            answer.append((first, last, name))
    return answer


def _finish(documents: Documents, rows: list[Row]) -> list[Evidence]:
    """Keep the heaviest, and put them in order of place with their offsets."""
    rows = sorted(rows, key=lambda row: (-row[4], row[0]))[:MOST]
    answer = []
    for first, last, suggestions, signal, weight in sorted(rows):
        start, end = documents.source_span(first, last)
        text = documents.texts[int(documents.token_document[first])][start:end]
        if text[:1].isupper():
            suggestions = tuple(word[:1].upper() + word[1:] for word in suggestions)
        first_choice = suggestions[0] if suggestions else None
        answer.append(Evidence(start, end, text, first_choice, signal, round(weight, 2), suggestions[1:]))
    return answer
