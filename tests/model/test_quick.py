"""model/text/quick.py: the words of raw text by their hashes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspun.model.text.quick import QuickWords, ngrams

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=60)
"""All code points, unpaired surrogates included."""
BATCHES = st.lists(ANY_TEXT | st.lists(st.sampled_from(["the", "Ferries", "it's", "1,000", "“", "\n"])).map(" ".join))


def hashes(text: str) -> list[int]:
    found: list[int] = QuickWords.of([text]).hashes.tolist()
    return found


@given(BATCHES)
def test_a_text_has_the_same_words_alone_and_in_a_batch(texts: list[str]) -> None:
    batch = QuickWords.of(texts)
    assert len(batch) == len(texts)
    for number, text in enumerate(texts):
        alone, rows = QuickWords.of([text]), slice(*batch.ptr[number : number + 2].tolist())
        assert batch.hashes[rows].tolist() == alone.hashes.tolist()
        assert batch.first[rows].tolist() == alone.first.tolist()
        assert (batch.size[number], batch.lines[number]) == (alone.size[0], alone.lines[0])


@given(BATCHES)
def test_every_word_belongs_to_one_text(texts: list[str]) -> None:
    words = QuickWords.of(texts)
    assert (words.ptr[0], words.ptr[-1]) == (0, len(words.hashes))
    assert (np.diff(words.ptr) >= 0).all()


@given(ANY_TEXT, ANY_TEXT)
def test_a_blank_line_separates_as_the_end_of_a_text_does(text: str, other: str) -> None:
    assert hashes(f"{text}\n\n{other}") == hashes(text) + hashes(other)


@given(BATCHES, st.integers(1, 7))
def test_sections_cover_each_text_and_cross_none(texts: list[str], size: int) -> None:
    words = QuickWords.of(texts)
    ptr, owner = words.in_sections(size)
    assert sorted(set(owner.tolist())) == list(range(len(texts)))  # a text without words has a section, too
    sizes = np.diff(ptr)
    for number in range(len(texts)):
        of_text = sizes[owner == number]
        assert of_text.sum() == words.ptr[number + 1] - words.ptr[number]
        assert of_text.max() - of_text.min() <= 1
    starts = ptr[:-1]
    assert (starts >= words.ptr[owner]).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ferry", "ferry"),  # capitals
        ("1,234", "9,876"),  # digits
        ("it’s — “so”…", 'it\'s - "so".'),  # marks of typesetting programs
        ("a\u00a0b\tc\r\nd", "a b c d"),  # blanks
        ("\ud800", "?"),  # half a surrogate pair, which UTF-8 cannot encode
    ],
)
def test_these_count_as_the_same(one: str, other: str) -> None:
    assert hashes(one) == hashes(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("form", "from"),
        ("10", "100"),  # numbers of another length
        ("internationally", "internationalize"),  # another end
        ("cafe", "café"),
        ("can't", "cant"),
        ("a b", "b a"),
    ],
)
def test_these_differ(one: str, other: str) -> None:
    assert hashes(one) != hashes(other)


@pytest.mark.parametrize(
    ("text", "words"), [("", 0), (" \n\t", 0), ("It's 5 o'clock.", 4), ("(a-b)", 5), ("naïve 😀", 2)]
)
def test_words_are_counted(text: str, words: int) -> None:
    assert len(hashes(text)) == words


def test_the_hashes_are_the_same_on_every_machine() -> None:
    assert hashes("The ferries internationally.") == [
        3584186493830740253,
        15293701450837160002,
        18000802287784426534,
        16708524995004511075,
    ]


def test_ngrams_depend_on_the_order_of_words() -> None:
    words = QuickWords.of(["the old ferry", "old the ferry"]).hashes
    singles, pairs, threes = ngrams(words)
    assert sorted(singles[:3].tolist()) == sorted(singles[3:].tolist())
    assert pairs[0] != pairs[3]
    assert threes[0] != threes[3]
    assert (len(singles), len(pairs), len(threes)) == (6, 5, 4)
