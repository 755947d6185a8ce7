"""The engine's tables, from published resources and human text: vocabulary, word vectors and alternatives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.topics import PackedVectors
from unspun.model.language.vocabulary import SPECIALS
from unspun.model.signals.substitutions import Alternatives
from unspun.training.language import ngrams
from unspun.training.machines.inflection import word_frequencies
from unspun.training.machines.synonyms import FUNCTION_WORDS, Moby, MyThes, WordNet, read_glove, word_vectors

ALTERNATIVES = 12
"""Alternatives kept for each word: more cost time and find little."""
COMMONNESS = 0.35
"""Exponent of an alternative's own frequency in its rank: people use more common words than spinners."""
PAIR_WEIGHT = 1.0
"""Weight of a known substitution by a real spinner; each thesaurus has weight 1."""
_REPLACEABLE = """
    also again ever never now more most less least many much few just only even very too over before after near toward
    towards along beyond within since although though while because whereas about other another same own during until
    against across around without through between among however
"""
KEPT_WORDS = FUNCTION_WORDS - frozenset(_REPLACEABLE.split())
"""Function words that machines leave alone. They have no alternatives, and are not alternatives of other words."""
UNFITTED_WEIGHTS = np.array([1, 1, 1, 0, 1, 0], dtype=np.float32)
"""Weights of the alternatives before `training.classifier.ranking` fits them: only the gain and the rank count."""
UNFITTED_BIAS = np.float32(0.0)
NEIGHBOUR_WEIGHT = 0.5
"""Weight of neighbours by word vectors; each thesaurus has weight 1."""


def choose_words(counts: Counter[str], size: int) -> tuple[str, ...]:
    """Return the vocabulary: the `size` commonest words in human text and `wordfreq`'s list combined."""
    total = sum(counts.values()) or 1
    share = {word: count / total for word, count in counts.items() if count >= 3}
    for word, frequency in word_frequencies().items():
        if word.replace("'", "").isalpha():
            share[word] = share.get(word, 0.0) + frequency
    for special in (*SPECIALS, ".", "!", "?", "…", "..."):
        share.pop(special, None)
    usable = {word: s for word, s in share.items() if not any(c.isdigit() for c in word)}
    return ngrams.choose_vocabulary(usable, size)


def pack_vectors(words: Sequence[str]) -> PackedVectors:
    """Return GloVe vectors of the vocabulary. Contractions and possessives are the mean of their parts."""
    names, table = read_glove()
    index = {word: i for i, word in enumerate(names)}
    vectors = np.zeros((len(words), table.shape[1]), dtype=np.float32)
    for place, word in enumerate(words):
        if place < len(SPECIALS):
            continue
        parts = [index[part] for part in _parts(word) if part in index]
        if parts:
            vectors[place] = table[parts].mean(axis=0)
    present = np.abs(vectors).sum(axis=1) > 0
    vectors[present] -= vectors[present].mean(axis=0)
    vectors[present] /= vectors[present].std(axis=0)
    return PackedVectors.pack(vectors)


def _parts(word: str) -> tuple[str, ...]:
    """Split a word as GloVe's tokeniser does: "don't" into "do" and "n't", "cat's" into "cat" and "'s"."""
    if word.endswith("n't"):
        return (word[:-3], "n't")
    head, mark, tail = word.partition("'")
    return (head, mark + tail) if mark and head else (word,)


def build_alternatives(
    words: Sequence[str], log_probability: NDArray[np.floating], pairs: Iterable[tuple[str, str]] = ()
) -> Alternatives:
    """Return the likeliest originals of each word, from WordNet, MyThes, Moby and neighbours by word vectors.

    Synonyms count in both directions, because a spinner may have replaced either word by the other. `pairs` are known
    substitutions: (what the machine wrote, original).
    """
    ids = {word: i for i, word in enumerate(words) if i >= len(SPECIALS) and word not in KEPT_WORDS}
    vectors = word_vectors()
    weights: list[dict[int, float]] = [{} for _ in words]
    for thesaurus in (WordNet(), MyThes(), Moby()):
        for word, place in ids.items():
            _add(weights, ids, place, thesaurus.alternatives(word), 1.0)
    for word, rows, cosines in zip(vectors.words, *vectors.nearest(count=12, floor=0.5), strict=True):
        if word in ids:
            near = [(vectors.words[row], float(c)) for row, c in zip(rows, cosines, strict=True) if row >= 0]
            _add(weights, ids, ids[word], near, NEIGHBOUR_WEIGHT)
    for word, original in pairs:
        if word in ids and original in ids and word != original:
            weights[ids[word]][ids[original]] = weights[ids[word]].get(ids[original], 0.0) + PAIR_WEIGHT
    table = np.zeros((len(words), ALTERNATIVES), dtype=np.uint16)
    prior = np.exp(COMMONNESS * log_probability.astype(np.float64))
    for place, row in enumerate(weights):
        ranked = sorted(row, key=lambda other: (-row[other] * prior[other], other))[:ALTERNATIVES]
        table[place, : len(ranked)] = ranked
    rank = np.arange(1, ALTERNATIVES + 1)
    return Alternatives(
        ids=table,
        log_prior=np.log((1 / rank) / (1 / rank).sum()).astype(np.float32),
        weights=UNFITTED_WEIGHTS,
        bias=UNFITTED_BIAS,
    )


def _add(
    weights: list[dict[int, float]],
    ids: dict[str, int],
    place: int,
    alternatives: Iterable[tuple[str, float]],
    factor: float,
) -> None:
    """Add a source's alternatives of a word, and with half the weight the word as an alternative of each."""
    known = [(ids[other], weight) for other, weight in alternatives if other in ids and ids[other] != place]
    total = sum(weight for _, weight in known) or 1.0
    for other, weight in known[:40]:
        # The square root keeps a dominant first sense from hiding every other original.
        share = factor * (weight / total) ** 0.5
        weights[place][other] = weights[place].get(other, 0.0) + share
        weights[other][place] = weights[other].get(place, 0.0) + 0.5 * share


def build_language_model(
    stream: NDArray[np.int32],
    words: Sequence[str],
    *,
    bigrams: int,
    trigrams: int,
    slot_bits: int,
) -> LanguageModel:
    """Pool the n-grams of human text, a stream of word ids, with the published statistics, and pack them."""
    sources = [
        ngrams.pocketsphinx_counts(ngrams.read_pocketsphinx(), words),
        ngrams.symspell_counts(words),
        ngrams.count_ngrams(stream, len(words)),
    ]
    return ngrams.build_language_model(sources, bigrams=bigrams, trigrams=trigrams, slot_bits=slot_bits)
