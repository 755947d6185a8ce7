"""N-gram statistics: counted in human text, combined with two published sources, and packed for the engine.

The published sources are read from their Python packages, at training time only:

- `pocketsphinx`: a pruned trigram model of US English (72,547 words, 2.05 M bigrams, 1.67 M trigrams; BSD licence). Its
  bit-packed trie, written by `ngram_model_trie.c`, is read directly.
- `symspellpy`: 242,342 bigram counts, from the Google Books n-grams of the words in its dictionary (MIT licence).
"""

from __future__ import annotations

import importlib.resources
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.ngrams import BACKOFF, LanguageModel, NgramTable, ngram_keys
from unspun.model.language.vocabulary import BOUNDARY, SPECIALS, UNKNOWN

POCKETSPHINX_WEIGHT = 4.0e7
"""Words of running text that the pocketsphinx model counts as."""
SYMSPELL_WEIGHT = 1.0e7
SYMSPELL_TOTAL = 1_024_908_267_229
"""Size of the corpus behind symspellpy's counts, according to its documentation."""
CORPUS_WEIGHT = 2.0
"""Weight of the human corpora: they have fewer words than the published sources, but from more registers."""
DISCOUNT = 0.6
"""Subtracted from each pooled count, in favour of unseen followers (absolute discounting, Ney et al. 1994)."""


@dataclass(frozen=True, eq=False)
class Ngrams:
    """N-grams of one order: word ids (N, order) and expected counts (N,)."""

    ids: NDArray[np.int32]
    counts: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NgramCounts:
    """Expected counts from one source: unigrams (V,) over the vocabulary, bigrams and trigrams."""

    unigrams: NDArray[np.float64]
    bigrams: Ngrams
    trigrams: Ngrams


@dataclass(frozen=True, eq=False)
class TrieModel:
    """The pocketsphinx model: words, n-grams as word indices (N, order), and natural log probabilities."""

    words: tuple[str, ...]
    unigram: NDArray[np.float64]
    bigrams: NDArray[np.int64]
    bigram_log_probability: NDArray[np.float64]
    trigrams: NDArray[np.int64]
    trigram_log_probability: NDArray[np.float64]


_TRIE_MAGIC = b"Trie Language Model"
_LOG_UNIT = math.log(1.0001)
_TABLE = 1 << 16


def read_pocketsphinx() -> TrieModel:
    """Read the US English trigram model of the `pocketsphinx` wheel.

    Raises ModuleNotFoundError if the package is missing, and ValueError if its model has another format.
    """
    path = importlib.resources.files("pocketsphinx") / "model" / "en-us" / "en-us.lm.bin"
    data = path.read_bytes()
    if not data.startswith(_TRIE_MAGIC) or data[len(_TRIE_MAGIC)] != 3:
        raise ValueError(f"{path}: not a trigram trie; install pocketsphinx 5.1")
    at = len(_TRIE_MAGIC) + 1
    sizes = struct.unpack_from("<3I", data, at)
    at += 12 + 4  # the sizes, and the type of quantiser
    tables = np.frombuffer(data, "<f4", 3 * _TABLE, at).reshape(3, _TABLE)
    at += tables.nbytes
    node = np.dtype([("log_probability", "<f4"), ("backoff", "<f4"), ("next", "<u4")])
    unigrams = np.frombuffer(data, node, sizes[0] + 1, at)
    at += unigrams.nbytes
    word_bits, next_bits = sizes[0].bit_length(), sizes[2].bit_length()
    middle_bits, longest_bits = word_bits + 32 + next_bits, word_bits + 16
    middle = np.frombuffer(data, np.uint8, _packed_size(sizes[1], middle_bits), at)
    at += middle.nbytes
    longest = np.frombuffer(data, np.uint8, _packed_size(sizes[2], longest_bits), at)
    at += longest.nbytes
    (length,) = struct.unpack_from("<I", data, at)
    words = tuple(data[at + 4 : at + 4 + length].decode("utf-8").split("\0")[: sizes[0]])

    # The trie is stored last word first: a bigram's node is below its second word and names the first.
    second = np.repeat(np.arange(sizes[0]), _lengths(unigrams["next"]))
    pairs = len(second)  # slightly fewer than in the header, because the writer dropped n-grams of unknown words
    first = _unpack(middle, pairs, middle_bits, 0, word_bits)
    next_node = _unpack(middle, pairs + 1, middle_bits, word_bits + 32, next_bits)
    parent = np.repeat(np.arange(pairs), _lengths(next_node))
    triples = len(parent)
    earliest = _unpack(longest, triples, longest_bits, 0, word_bits)
    return TrieModel(
        words=words,
        unigram=unigrams["log_probability"][:-1].astype(np.float64) * _LOG_UNIT,
        bigrams=np.stack([first, second], axis=1),
        bigram_log_probability=tables[0][_unpack(middle, pairs, middle_bits, word_bits + 16, 16)] * _LOG_UNIT,
        trigrams=np.stack([earliest, first[parent], second[parent]], axis=1),
        trigram_log_probability=tables[2][_unpack(longest, triples, longest_bits, word_bits, 16)] * _LOG_UNIT,
    )


def _lengths(starts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the number of children of each node, given where they start (the last entry is the end)."""
    bounds = starts.astype(np.int64)
    return bounds[1:] - bounds[:-1]


def _packed_size(entries: int, bits: int) -> int:
    """Return the size of a packed trie level in bytes: with one extra entry, and eight bytes to read past the end."""
    return ((1 + entries) * bits + 7) // 8 + 8


def _unpack(packed: NDArray[np.uint8], entries: int, bits: int, offset: int, width: int) -> NDArray[np.int64]:
    """Return the field of `width` bits at bit `offset` in each of the first `entries` records of `bits` bits."""
    position = np.arange(entries, dtype=np.int64) * bits + offset
    byte, shift = position >> 3, (position & 7).astype(np.uint64)
    value = np.zeros(entries, dtype=np.uint64)
    for k in range(6):
        value |= packed[byte + k].astype(np.uint64) << np.uint64(8 * k)
    return ((value >> shift) & np.uint64((1 << width) - 1)).astype(np.int64)


def pocketsphinx_counts(model: TrieModel, words: Sequence[str]) -> NgramCounts:
    """Return the model's expected counts in a text of POCKETSPHINX_WEIGHT words, for a vocabulary."""
    ids = {word: i for i, word in enumerate(words)}
    ids |= {"<s>": BOUNDARY, "</s>": BOUNDARY}
    to_id = np.array([ids.get(word, UNKNOWN) for word in model.words], dtype=np.int32)
    share = np.exp(model.unigram)
    share[model.words.index("<s>")] = share[model.words.index("</s>")]
    unigrams = np.bincount(to_id, weights=share, minlength=len(words)) * POCKETSPHINX_WEIGHT
    pairs = share[model.bigrams[:, 0]] * np.exp(model.bigram_log_probability)
    # A trigram's expected count needs that of its first two words, which the model contains as a bigram.
    size = np.int64(len(model.words))
    pair_key = model.bigrams[:, 0] * size + model.bigrams[:, 1]
    order = np.argsort(pair_key)
    head = _look_up(pair_key[order], model.trigrams[:, 0] * size + model.trigrams[:, 1], pairs[order])
    triples = np.nan_to_num(head) * np.exp(model.trigram_log_probability)
    return NgramCounts(
        unigrams=unigrams.astype(np.float64),
        bigrams=_known(to_id[model.bigrams], pairs * POCKETSPHINX_WEIGHT),
        trigrams=_known(to_id[model.trigrams], triples * POCKETSPHINX_WEIGHT),
    )


def symspell_counts(words: Sequence[str]) -> NgramCounts:
    """Return symspellpy's bigram counts, scaled to SYMSPELL_WEIGHT words of running text, for a vocabulary."""
    path = importlib.resources.files("symspellpy") / "frequency_bigramdictionary_en_243_342.txt"
    ids = {word: i for i, word in enumerate(words)}
    rows = [line.split() for line in path.read_text("utf-8-sig").splitlines()]
    pairs = np.array([[ids.get(a, UNKNOWN), ids.get(b, UNKNOWN)] for a, b, _ in rows], dtype=np.int32)
    counts = np.array([float(count) for _, _, count in rows]) * (SYMSPELL_WEIGHT / SYMSPELL_TOTAL)
    none = Ngrams(np.zeros((0, 3), np.int32), np.zeros(0))
    bigrams = _known(pairs, counts)
    heads = np.bincount(bigrams.ids[:, 0], weights=bigrams.counts, minlength=len(words))
    return NgramCounts(unigrams=heads.astype(np.float64), bigrams=bigrams, trigrams=none)


def count_ngrams(stream: NDArray[np.int32], size: int) -> NgramCounts:
    """Count the n-grams in a stream of word ids with BOUNDARY between texts, for a vocabulary of `size` words.

    N-grams with an unknown word are dropped. So are trigrams that occur once, which would fill most of the table.
    """
    unigrams = np.bincount(stream, minlength=size).astype(np.float64)
    bigrams = _count_windows(stream, 2, size, minimum=1)
    trigrams = _count_windows(stream, 3, size, minimum=2)
    return NgramCounts(unigrams * CORPUS_WEIGHT, bigrams, trigrams)


def _count_windows(stream: NDArray[np.int32], order: int, size: int, minimum: int) -> Ngrams:
    length = max(len(stream) - order + 1, 0)
    columns = [stream[k : k + length] for k in range(order)]
    inner = [column != BOUNDARY for column in columns[1:-1]]
    known = np.logical_and.reduce([column != UNKNOWN for column in columns] + inner)
    key = np.ravel_multi_index(tuple(column[known] for column in columns), (size,) * order)
    unique, counts = np.unique(key, return_counts=True)
    unique, counts = unique[counts >= minimum], counts[counts >= minimum]
    return Ngrams(_split_key(unique, order, size), counts.astype(np.float64) * CORPUS_WEIGHT)


def _split_key(key: NDArray[np.int64], order: int, size: int) -> NDArray[np.int32]:
    return np.stack(np.unravel_index(key, (size,) * order), axis=1).astype(np.int32)


def _known(ids: NDArray[np.int32], counts: NDArray[np.float64]) -> Ngrams:
    """Drop n-grams with an unknown word or without a count."""
    keep = (ids != UNKNOWN).all(axis=1) & (counts > 0)
    return Ngrams(ids[keep], counts[keep])


def _pool(parts: Sequence[Ngrams], order: int, size: int) -> Ngrams:
    """Add up the counts of the same n-grams from several sources."""
    key = np.ravel_multi_index(tuple(np.concatenate([part.ids for part in parts]).T), (size,) * order)
    unique, inverse = np.unique(key, return_inverse=True)
    counts = np.bincount(inverse, weights=np.concatenate([part.counts for part in parts]))
    return Ngrams(_split_key(unique, order, size), counts.astype(np.float64))


def build_language_model(
    sources: Sequence[NgramCounts], *, bigrams: int, trigrams: int, slot_bits: int
) -> LanguageModel:
    """Combine the sources, and pack the n-grams that add most to their backed-off estimate.

    N-grams are chosen by relative entropy: their count times the change in their log probability (Stolcke 1998,
    "Entropy-based pruning of backoff language models").
    """
    unigram_counts = np.sum([source.unigrams for source in sources], axis=0)
    size = len(unigram_counts)
    unigram = np.log((unigram_counts + 0.5) / (unigram_counts + 0.5).sum())
    pairs = _pool([source.bigrams for source in sources], 2, size)
    heads = np.maximum(np.bincount(pairs.ids[:, 0], weights=pairs.counts, minlength=size), unigram_counts) + 1.0
    first, second = pairs.ids.T
    kept = np.maximum(pairs.counts - DISCOUNT, 0.0) / heads[first]
    mass = np.clip(1.0 - np.bincount(first, weights=kept, minlength=size), 0.02, 1.0)
    backed_off = np.log(mass[first]) + unigram[second]
    pair_log = np.log(kept + np.exp(backed_off))
    strength = pairs.counts * np.abs(pair_log - backed_off)
    best = _strongest(np.where(pairs.counts > DISCOUNT, strength, 0.0), bigrams)

    triples = _pool([source.trigrams for source in sources], 3, size)
    pair_key = first.astype(np.int64) * size + second
    head = _look_up(pair_key, triples.ids[:, 0].astype(np.int64) * size + triples.ids[:, 1], pairs.counts)
    tail = _look_up(pair_key, triples.ids[:, 1].astype(np.int64) * size + triples.ids[:, 2], pair_log)
    tail = np.where(np.isnan(tail), np.log(mass[triples.ids[:, 1]]) + unigram[triples.ids[:, 2]], tail)
    share = np.maximum(triples.counts - DISCOUNT, 0.0) / (np.maximum(np.nan_to_num(head), triples.counts) + 2.0)
    triple_log = np.log(share + 0.4 * np.exp(tail))
    gain = triples.counts * np.abs(triple_log - (tail + BACKOFF))
    top = _strongest(np.where(triples.counts > DISCOUNT, gain, 0.0), trigrams)

    keys = np.concatenate([ngram_keys(*pairs.ids[best].T), ngram_keys(*triples.ids[top].T)])
    values = np.concatenate([pair_log[best], triple_log[top]])
    return LanguageModel(
        unigram=unigram.astype(np.float32),
        backoff=np.log(mass).astype(np.float32),
        table=NgramTable.build(keys, values, slot_bits),
    )


def _strongest(strength: NDArray[np.float64], number: int) -> NDArray[np.int64]:
    """Return the indices of the `number` largest positive strengths, in increasing order."""
    number = min(number, int((strength > 0).sum()))
    return np.sort(np.argpartition(-strength, max(number - 1, 0))[:number])


def _look_up(keys: NDArray[np.int64], wanted: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values of the `wanted` keys; `keys` is sorted. Missing keys have the value NaN."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], np.nan)


def choose_vocabulary(counts: dict[str, float], size: int) -> tuple[str, ...]:
    """Return the special words and the `size` commonest others, commonest first and ties by spelling."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return (*SPECIALS, *(word for word, _ in ranked[:size]))
