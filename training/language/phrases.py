"""The engine's table of known phrases: tortured phrases and spinner idioms, weighted by how often people write them.

Sources: the fingerprints of the Problematic Paper Screener (Cabanac, Labbé and Magazinov; CC BY 4.0 as stated by its
redistributor), and substitutions of real spinners, collected by reading and aligning their output. Lexicon files have
the columns phrase and expected original; all others are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.vocabulary import Vocabulary
from unspun.model.signals.known_phrases import MAX_WORDS, PhraseTable, phrase_keys
from unspun.model.text.document import Documents, hash_phrase
from unspun.training.machines.phrase_table import lexicon_rows

SPUN_RATE = 2e-6
"""Assumed rate per word of one listed phrase in spun text. Only its ratio to the human rate affects a weight."""
RARE = 2
"""Occurrences in human text up to which a phrase is evidence by itself; more frequent ones need context."""
CONTEXT_WEIGHT = 0.7
"""Weight (nats) of a phrase that people also write, used where its original would fit better."""
MAX_WEIGHT = 4.0
BATCH = 64


def read_lexicons(directory: Path) -> list[tuple[str, str]]:
    """Return the (phrase, original) pairs of every `.tsv` file in a folder, in order of file name."""
    rows = (columns for path in sorted(directory.glob("*.tsv")) for columns in lexicon_rows(path) if len(columns) > 1)
    pairs = [(columns[0].strip(), _plain(columns[1])) for columns in rows]
    return [(phrase, original) for phrase, original in pairs if phrase and original and phrase != original]


def _plain(original: str) -> str:
    """Remove a lexicon's notes from an expected phrase: abbreviations in brackets and question marks."""
    return re.sub(r"\s*(\([^)]*\)|\?)", "", original).strip()


def build_phrases(pairs: Iterable[tuple[str, str]], human: Sequence[str], vocabulary: Vocabulary) -> PhraseTable:
    """Return the table of phrases with up to MAX_WORDS words, weighted by their frequency in `human` texts.

    If a phrase has several originals, the first is kept. Single words are evidence only in context.
    """
    rows: dict[tuple[int, int], tuple[str, str, NDArray[np.uint64]]] = {}
    for phrase, original in pairs:
        hashes = hash_phrase(phrase)
        if (
            1 <= len(hashes) <= MAX_WORDS
            and len(wanted := hash_phrase(original))
            and not np.array_equal(hashes, wanted)
        ):
            key = (len(hashes), int(phrase_keys(hashes, len(hashes))[0]))
            rows.setdefault(key, (phrase, original, hashes))
    order = sorted(rows)
    keys = np.array([key for _, key in order], dtype=np.uint64)
    lengths = np.array([length for length, _ in order], dtype=np.int8)
    counts, words = count_phrases(keys, lengths, human)
    weights = np.log(SPUN_RATE / ((counts + 0.5) / max(words, 1)))
    in_context = (counts > RARE) | (lengths == 1)
    weights = np.where(in_context, CONTEXT_WEIGHT, np.clip(weights, CONTEXT_WEIGHT, MAX_WEIGHT))
    ids = vocabulary.ids_of_words
    ends = [
        [ids.get(word, 0) for side in rows[key][:2] for word in (_words(side)[0], _words(side)[-1])] for key in order
    ]
    return PhraseTable(
        keys=keys,
        lengths=lengths,
        weights=weights.astype(np.float32),
        in_context=in_context,
        ends=np.array(ends, dtype=np.int32).reshape(len(order), 4),
        originals=tuple(rows[key][1] for key in order),
    )


def _words(phrase: str) -> list[str]:
    return Documents.parse([phrase]).words()


def count_phrases(
    keys: NDArray[np.uint64], lengths: NDArray[np.int8], human: Sequence[str]
) -> tuple[NDArray[np.int64], int]:
    """Return how often each phrase occurs in human text, and the number of tokens in that text."""
    counts = np.zeros(len(keys), dtype=np.int64)
    words = 0
    for start in range(0, len(human), BATCH):
        hashes = Documents.parse(human[start : start + BATCH]).token_hash
        words += len(hashes)
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            found = phrase_keys(hashes, int(length))
            at = np.minimum(np.searchsorted(keys[rows], found), len(rows) - 1)
            hit = keys[rows][at] == found
            counts[rows] += np.bincount(at[hit], minlength=len(rows))
    return counts, words
