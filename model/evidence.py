"""The words that give a machine away, with what probably stood there, and their place in the text as submitted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.document import Shape
from model.features import Measured, Signals
from model.signals.debris import KINDS as DEBRIS_KINDS
from model.verdict import Evidence
from model.vocabulary import UNKNOWN

LEAST_WEIGHT = 2.5
"""Nats below which a word of a spun text is not shown: shown words should be right more often than not."""
NO_SUGGESTION_WEIGHT = 0.5
"""Nats more that are asked for where nothing can be said of what stood there."""
UNSPUN_WEIGHT = 1.5
"""Nats more that are asked for in a text that is surely not spun: fewer of its words can have been replaced."""
LEAST_ODDS = -4.0
"""Log odds, against the word that is there, from which an alternative is worth suggesting: the word is known to be
odd."""
MOST = 200
"""Pieces of evidence shown for one document, the heaviest first choice."""
DEBRIS_WEIGHT = dict(zip(DEBRIS_KINDS, (4.0, 3.0, 2.0, 1.0, 1.0, 1.5), strict=True))
LEAST_DEBRIS_WEIGHT = 1.5
"""Broken capitals and fragments are too common in what people write to be shown; the classifier counts them."""


def find_evidence(
    signals: Signals, measured: Measured, prior_log_odds: float, spun: NDArray[np.floating]
) -> list[list[Evidence]]:
    """Return the evidence of each document of a batch, in order of place, without overlaps.

    `prior_log_odds` is the tagger's prior: the log odds of a replaced word in its training text, taken off its answers
    so that weights are log likelihood ratios; `spun` (D,) is the probability that each document is spun.
    """
    found: list[list[tuple[int, int, str | None, str, float]]] = [[] for _ in measured.encoding.documents.texts]
    document = measured.encoding.documents.token_document
    taken = np.zeros(len(document), dtype=bool)
    for first, last, suggestion, weight in _phrases(signals, measured):
        found[document[first]].append((first, last, suggestion, "known_phrase", weight))
        taken[first : last + 1] = True
    for place, suggestion, weight in _misfits(signals, measured, taken, prior_log_odds, spun):
        signal = "misfit" if suggestion is None else "substitution"
        found[document[place]].append((place, place, suggestion, signal, weight))
        taken[place] = True
    for first, last, kind in _debris(signals, measured, taken):
        found[document[first]].append((first, last, None, "debris", DEBRIS_WEIGHT[kind]))
    return [_finish(measured, rows) for rows in found]


def _phrases(signals: Signals, measured: Measured) -> list[tuple[int, int, str | None, float]]:
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


def _misfits(
    signals: Signals, measured: Measured, taken: NDArray[np.bool_], prior_log_odds: float, spun: NDArray[np.floating]
) -> list[tuple[int, str | None, float]]:
    """Return single words that do not belong: place, suggestion and weight."""
    weight = measured.misfit - np.float32(prior_log_odds)
    least = LEAST_WEIGHT + UNSPUN_WEIGHT * (1.0 - spun[measured.encoding.documents.token_document])
    places = np.flatnonzero((weight > least) & measured.encoding.judged & ~taken)
    if not len(places):
        return []
    found = signals.substitutions.candidates(measured.encoding, places)
    best = found.score.argmax(axis=1)
    here = np.arange(len(places))
    words = signals.tables.vocabulary.words
    likely = found.score[here, best] > LEAST_ODDS
    suggestion = [words[i] if ok else None for i, ok in zip(found.ids[here, best], likely, strict=True)]
    shown = np.flatnonzero(likely | (weight[places] > least[places] + NO_SUGGESTION_WEIGHT))
    suggestion = [suggestion[i] for i in shown.tolist()]
    places = places[shown]
    return list(zip(places.tolist(), suggestion, weight[places].astype(float).tolist(), strict=True))


def _debris(signals: Signals, measured: Measured, taken: NDArray[np.bool_]) -> list[tuple[int, int, str]]:
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


def _finish(measured: Measured, rows: list[tuple[int, int, str | None, str, float]]) -> list[Evidence]:
    """Keep the heaviest, and put them in order of place with their offsets."""
    rows = sorted(rows, key=lambda row: (-row[4], row[0]))[:MOST]
    documents = measured.encoding.documents
    answer = []
    for first, last, suggestion, signal, weight in sorted(rows):
        start, end = documents.source_span(first, last)
        text = documents.texts[int(documents.token_document[first])][start:end]
        if suggestion is not None and text[:1].isupper():
            suggestion = suggestion[:1].upper() + suggestion[1:]
        answer.append(Evidence(start, end, text, suggestion, signal, round(weight, 2)))
    return answer
