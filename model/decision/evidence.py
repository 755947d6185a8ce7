"""Evidence: the words that give a machine away, the words they probably replaced, and where they are in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unspun.model.signals.base import Floats
from unspun.model.signals.debris import DEBRIS
from unspun.model.signals.features import BatchFeatures, Signals
from unspun.model.text.document import Documents, Shape
from unspun.model.tiers.deep import DeepEncoder, EncoderOutput
from unspun.model.verdict import Evidence

LEAST_WEIGHT = 2.5
"""Weight, in nats, below which a word of a spun text is not shown, so that most words that are shown were replaced."""
DEEP_LEAST_WEIGHT, AGREED_WEIGHT = 4.3, 1.5
"""The same for the deep tier, whose weights are relative to a lower prior; and the weight that the fast tier's tagger
must also give the word."""
NO_SUGGESTION_WEIGHT = 0.5
"""Additional nats that a word needs if there is no suggestion for what it replaced."""
UNSPUN_WEIGHT = 1.5
"""Additional nats that a word needs in a text that is surely not spun, because fewer of its words were replaced."""
LEAST_ODDS = -4.0
"""Log odds, against the word in the text, from which an alternative is suggested. They may be low because the word is
already known to be odd."""
SUGGESTIONS = 3
"""Most words that are suggested for a place, the likeliest first."""
GUESSES = 8
"""Most guesses of the encoder that are combined with the synonyms."""
SYNONYM_SHARE, WORST_SYNONYM = 0.5, -6.0
"""Weight of a synonym's log odds relative to the encoder's log probability, and their lower limit."""
UNGUESSED, UNGUESSED_LOSS = -8.0, 1.5
"""Log probability of a synonym that the encoder did not guess: UNGUESSED_LOSS below its last guess, or UNGUESSED less
UNGUESSED_LOSS if it made none."""
DEEP_PROBABLE = -1.75
"""Score of the deep tier's first suggestion from which it is probable. Of such suggestions on texts by two tools that
the model was not trained on (role `calibrate`, see `benchmarks.evidence`), 62 % and 71 % were right."""
PROBABLE = 0.5
"""The same for the fast tier: the probability that a person wrote the first alternative. 63 % and 57 % were right."""
LONGEST_WORD = 40
"""Letters above which a word is not shown, because it is an identifier or encoded data."""
MOST = 200
"""Most pieces of evidence shown for one document; the heaviest are kept."""
LEAST_DEBRIS_WEIGHT = 1.5
"""Debris with a lower weight is too common in human text to be shown, but the classifier counts it."""


class Finding(NamedTuple):
    """Tokens `first` to `last` (included), the words they may have replaced, the signal and the weight.

    `probable` says whether the first suggestion is probably right if the text is spun.
    """

    first: int
    last: int
    suggestions: tuple[str, ...]
    signal: str
    weight: float
    probable: bool = False


class Originals(NamedTuple):
    """The words that a word may have replaced, likeliest first, and whether the first is probably right."""

    words: tuple[str, ...]
    probable: bool


@dataclass(frozen=True, eq=False)
class DeepTagging:
    """What the deep tier says about the words of a batch.

    For documents that it has `read` (D,), `replaced` (T,), its log odds, take the place of the tagger's.
    """

    encoder: DeepEncoder
    reading: EncoderOutput
    replaced: Floats
    read: NDArray[np.bool_]
    prior_log_odds: float


def find_evidence(
    signals: Signals,
    documents: Documents,
    measured: BatchFeatures,
    prior_log_odds: float,
    spun: NDArray[np.floating],
    shown: NDArray[np.bool_],
    is_spun: NDArray[np.bool_],
    deep: DeepTagging | None = None,
) -> list[list[Evidence]]:
    """Return the evidence of each document of a batch, in the order of the text, without overlaps.

    Documents that are not `shown` get none.

    Args:
        signals: the signals, for known phrases, synonyms and debris.
        documents: the batch, with T tokens.
        measured: the features of the same tokens, divided into sections.
        prior_log_odds: log odds of a replaced word in the tagger's training text. They are subtracted from its answers,
            so that weights are log likelihood ratios.
        spun: (T,) score of the kind `spun` of each token's document, 0 outside the spun parts.
        shown: (D,) which documents to look for evidence in.
        is_spun: (D,) which documents have the kind `spun`.
        deep: what the deep tier says, if it read any document.
    """
    found: list[list[Finding]] = [[] for _ in documents.texts]
    document = documents.token_document
    taken = ~shown[document] | documents.token_allowed
    for phrase in _phrases(signals, measured):
        if not taken[phrase.first]:
            found[document[phrase.first]].append(phrase)
            taken[phrase.first : phrase.last + 1] = True
    weights = measured.misfit - np.float32(prior_log_odds)
    answered = np.zeros(len(document), dtype=bool)
    if deep is not None:
        answered = deep.read[document]
        weights = np.where(answered, deep.replaced - np.float32(deep.prior_log_odds), weights)
    least = np.where(answered, DEEP_LEAST_WEIGHT, LEAST_WEIGHT) + UNSPUN_WEIGHT * (1.0 - spun)
    short = documents.token_end - documents.token_start <= LONGEST_WORD
    likely = (weights > least) & measured.encoding.judged & short & ~taken
    misfits = _fast_misfits(signals, measured, weights, least, likely & ~answered)
    if deep is not None:
        agreed = measured.misfit - np.float32(prior_log_odds) > AGREED_WEIGHT
        misfits += _deep_misfits(signals, documents, measured, weights, likely & answered & agreed, deep)
    for misfit in misfits:
        found[document[misfit.first]].append(misfit)
        taken[misfit.first : misfit.last + 1] = True
    for debris in _debris(signals, measured, taken):
        found[document[debris.first]].append(debris)
    return [
        _finish(documents, findings, replacing) for findings, replacing in zip(found, is_spun.tolist(), strict=True)
    ]


def _phrases(signals: Signals, measured: BatchFeatures) -> list[Finding]:
    phrases = signals.tables.phrases
    hits = signals.known_phrases.find(measured.encoding)
    rows = zip(hits.first.tolist(), hits.length.tolist(), hits.phrase.tolist(), strict=True)
    answer: list[Finding] = []
    for first, length, phrase in rows:
        # Words and phrases that people also write are left to the taggers, which read the whole context.
        if signals.known_phrases.betraying[phrase]:
            original = phrases.originals[phrase]
            weight = float(phrases.weights[phrase])
            answer.append(Finding(first, first + length - 1, (original,), "known_phrase", weight, True))
    return answer


def _misfit(first: int, last: int, found: Originals, weight: float) -> Finding:
    return Finding(first, last, found.words, "substitution" if found.words else "misfit", weight, found.probable)


def _fast_misfits(
    signals: Signals,
    measured: BatchFeatures,
    weights: NDArray[np.floating],
    least: NDArray[np.floating],
    likely: NDArray[np.bool_],
) -> list[Finding]:
    """Return single words that do not fit, with alternatives that would fit better."""
    places = np.flatnonzero(likely)
    if not len(places):
        return []
    found = signals.substitutions.candidates(measured.encoding, places)
    order = np.argsort(-found.score, axis=1, kind="stable")[:, :SUGGESTIONS]
    # The odds are against the word in the text, whose own are 0.
    every = np.concatenate([np.zeros((len(places), 1), found.score.dtype), found.score], axis=1)
    probable = found.score.max(axis=1) - np.logaddexp.reduce(every, axis=1) >= np.log(PROBABLE)
    words = signals.tables.vocabulary.words
    weight, limit = weights[places].tolist(), least[places].tolist()
    answer: list[Finding] = []
    for row, (place, columns) in enumerate(zip(places.tolist(), order.tolist(), strict=True)):
        better = tuple(words[found.ids[row, k]] for k in columns if found.score[row, k] > LEAST_ODDS)
        if better or weight[row] > limit[row] + NO_SUGGESTION_WEIGHT:
            answer.append(_misfit(place, place, Originals(better, bool(better and probable[row])), float(weight[row])))
    return answer


def _deep_misfits(
    signals: Signals,
    documents: Documents,
    measured: BatchFeatures,
    weights: NDArray[np.floating],
    likely: NDArray[np.bool_],
    deep: DeepTagging,
) -> list[Finding]:
    """Return words that do not fit, with the words that they probably replaced.

    Neighbouring words with the same first suggestion are joined, such as "imaginative and prescient" for "vision".
    """
    places = np.flatnonzero(likely)
    if not len(places):
        return []
    originals = _originals(signals, documents, measured, places, deep)
    answer: list[Finding] = []
    for place, found in zip(places.tolist(), originals, strict=True):
        weight = float(weights[place])
        if answer and found.words and answer[-1].last == place - 1 and answer[-1].suggestions[:1] == found.words[:1]:
            previous = answer[-1]
            if documents.token_document[previous.first] == documents.token_document[place]:
                probable = previous.probable or found.probable
                answer[-1] = previous._replace(last=place, weight=max(previous.weight, weight), probable=probable)
                continue
        answer.append(_misfit(place, place, found, weight))
    return answer


def _originals(
    signals: Signals, documents: Documents, measured: BatchFeatures, places: NDArray[np.int64], deep: DeepTagging
) -> list[Originals]:
    """Return the words that `places` may have replaced: the encoder's guesses and fitting synonyms."""
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
        ordered = sorted(both, key=lambda word: (-both[word], word))[:SUGGESTIONS]
        answer.append(Originals(tuple(ordered), bool(ordered) and both[ordered[0]] >= DEEP_PROBABLE))
    return answer


def _debris(signals: Signals, measured: BatchFeatures, taken: NDArray[np.bool_]) -> list[Finding]:
    """Return what tools left behind, outside the tokens (T,) that are `taken`."""
    marks = signals.debris.read(measured.encoding).tokens
    document = measured.encoding.documents.token_document
    attached = measured.encoding.documents.token_shape & Shape.SPACE_BEFORE == 0
    answer = []
    for place, kind in zip(*(column.tolist() for column in np.nonzero(marks)), strict=True):
        name = tuple(DEBRIS)[kind]
        first, last = place, place
        if name == "doubled_word":
            first -= 1
        elif name in ("article", "braced_word"):
            last += 2 if name == "braced_word" else 1
        last = min(last, len(document) - 1)
        if DEBRIS[name] < LEAST_DEBRIS_WEIGHT or (name == "braced_word" and attached[place]):
            continue  # a brace without a space before it is mathematics
        if document[first] == document[last] and not taken[first : last + 1].any():
            taken[first : last + 1] = True
            answer.append(Finding(first, last, (), "debris", DEBRIS[name]))
    return answer


def _finish(documents: Documents, findings: list[Finding], is_spun: bool) -> list[Evidence]:
    """Keep the heaviest findings and put them in the order of the text, with their offsets.

    If the text is not spun, whole sentences were written anew, so that guesses at single words are seldom right.
    """
    heaviest = sorted(findings, key=lambda finding: (-finding.weight, finding.first))[:MOST]
    answer = []
    for first, last, suggestions, signal, weight, probable in sorted(heaviest):
        start, end = documents.source_span(first, last)
        text = documents.texts[int(documents.token_document[first])][start:end]
        if text[:1].isupper():
            suggestions = tuple(word[:1].upper() + word[1:] for word in suggestions)
        first_choice = suggestions[0] if suggestions else None
        probable = probable and (is_spun or signal == "known_phrase")
        answer.append(Evidence(start, end, text, first_choice, signal, round(weight, 2), suggestions[1:], probable))
    return answer
