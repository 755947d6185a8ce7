"""The table of known phrases: lexicons of tortured phrases and spinner idioms, weighed by how often people write them.

Sources: the fingerprints of the Problematic Paper Screener (Cabanac, Labbé and Magazinov; CC BY 4.0 as stated by its
redistributor), and substitutions of real spinners collected by reading and by aligning their output. Files hold
phrase<TAB>expected original; further columns are not read.
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
from unspun.training.corpora.roles import default_roles

SPUN_RATE = 2e-6
"""Assumed rate of one listed phrase in spun text, per word; only its ratio to the human rate enters a weight."""
RARE = 2
"""Occurrences in human text up to which a phrase speaks for itself; commoner ones need their context."""
CONTEXT_WEIGHT = 0.7
"""Weight (nats) of a phrase that people write too, where its original would fit better."""
MAX_WEIGHT = 4.0
BATCH = 64


def read_lexicons(directory: Path) -> list[tuple[str, str]]:
    """Return (phrase, original) pairs of every `.tsv` file of a folder, in order of file name."""
    pairs: list[tuple[str, str]] = []
    rows_of = default_roles().lexicon_rows
    for path in sorted(directory.glob("*.tsv")):
        for line in path.read_text("utf-8").splitlines():
            columns = line.split("\t")
            if rows_of.get(columns[-1], "train") != "train":
                continue
            if len(columns) >= 2 and not line.startswith("#"):
                pairs.append((columns[0].strip(), _plain(columns[1])))
    return [(phrase, original) for phrase, original in pairs if phrase and original and phrase != original]


def _plain(original: str) -> str:
    """Drop what a lexicon adds to the expected phrase: abbreviations in brackets and question marks."""
    return re.sub(r"\s*(\([^)]*\)|\?)", "", original).strip()


def build_phrases(pairs: Iterable[tuple[str, str]], human: Sequence[str], vocabulary: Vocabulary) -> PhraseTable:
    """Return the table of phrases of up to MAX_WORDS words, weighed against `human` texts.

    Of several originals the first is kept. Single words are substitutions only in context.
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
    counts, words = _count(keys, lengths, human)
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


def _count(keys: NDArray[np.uint64], lengths: NDArray[np.int8], human: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """Return how often each phrase stands in human text, and the number of its tokens."""
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
