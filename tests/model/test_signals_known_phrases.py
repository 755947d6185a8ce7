"""model/signals/known_phrases.py: finds only phrases from the list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.cases import cases
from tests.tables import encode
from tests.tables import language as tiny_language
from tests.tables import signals as tiny_signals
from unspun.model.signals.features import Signals
from unspun.model.signals.known_phrases import KnownPhrases, PhraseTable, phrase_keys


@pytest.mark.parametrize("case", cases("model/known_phrases.toml"), ids=lambda case: case["text"])
def test_phrases_are_found(signals: Signals, case: dict[str, Any]) -> None:
    encoding = encode(case["text"])
    hits = signals.known_phrases.find(encoding)
    spans = [
        encoding.documents.source_span(first, first + length - 1)
        for first, length in zip(hits.first.tolist(), hits.length.tolist(), strict=True)
    ]
    assert [case["text"][start:end] for start, end in spans] == case["found"]


def known_phrases(keys: NDArray[np.uint64], lengths: list[int]) -> KnownPhrases:
    """Return the signal for phrases with these keys and these numbers of words."""
    count = len(keys)
    phrases = PhraseTable(
        keys=keys,
        lengths=np.array(lengths, np.int8),
        weights=np.ones(count, np.float32),
        in_context=np.zeros(count, bool),
        ends=np.zeros((count, 4), np.int32),
        originals=("",) * count,
    )
    return KnownPhrases(tiny_language(), phrases)


def test_a_phrase_does_not_span_two_documents(signals: Signals) -> None:
    assert not len(signals.known_phrases.find(encode("It is counterfeit", "consciousness")).first)


def test_the_longest_phrase_wins() -> None:
    encoding = encode("a b c d")
    hashes = encoding.documents.token_hash
    keys = np.array([phrase_keys(hashes[:2], 2)[0], phrase_keys(hashes[1:], 3)[0]])
    hits = known_phrases(keys, lengths=[2, 3]).find(encoding)
    assert (hits.first.tolist(), hits.length.tolist()) == ([1], [3])


def test_an_empty_list_finds_nothing() -> None:
    reading = known_phrases(np.zeros(0, np.uint64), lengths=[]).read(encode("The ferry was late."))
    assert not reading.tokens.any()
    assert not reading.documents.any()


def test_every_token_of_a_phrase_has_its_weight(signals: Signals) -> None:
    tokens = signals.known_phrases.read(encode("An imaginative and prescient man.")).tokens[:, 0]
    assert (tokens > 0).tolist() == [False, True, True, True, False, False]


def test_weights_are_counted_per_hundred_words(signals: Signals) -> None:
    text = "Counterfeit consciousness " + "went to the market in the morning " * 3
    documents = signals.known_phrases.read(encode(text)).documents
    assert documents[0, 0] == pytest.approx(100 / 23)


@given(st.lists(st.sampled_from(["counterfeit", "consciousness", "imaginative", "and", "prescient", "ship", "."])))
def test_hits_do_not_overlap_and_are_in_order(words: list[str]) -> None:
    signals = tiny_signals()
    hits = signals.known_phrases.find(encode(" ".join(words)))
    ends = hits.first + hits.length
    assert (ends[:-1] <= hits.first[1:]).all()
