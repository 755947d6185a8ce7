import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tables as tiny
from tests.cases import cases
from unspun.model.text.characters import fold_code
from unspun.model.text.document import (
    SECTION,
    Documents,
    Shape,
    TokenClass,
    hash_phrase,
    hash_token,
    hash_tokens,
    tokenise,
)
from unspun.model.text.repair import repair

TEXT = st.text(st.characters(), max_size=120) | st.lists(
    st.sampled_from(
        [
            *("aZé.,!?'\"-\n\n \t0;{}|•", "the ", "Mr. ", "Don’t ", "ﬁ", "Ã©", "&amp;", "\u200b", "\r\n", "\u0301"),
            *("http://a.b/c ", "x@y.org ", "Click here ", "中", "\ud800", "😀", "\u202e", "а", "\x00", "- item\n"),
        ]
    ),
    max_size=60,
).map("".join)
TEXTS = st.lists(TEXT, max_size=5)


# --- tokens


@pytest.mark.parametrize("case", cases("model/tokens.toml"), ids=lambda case: ascii(case["text"]))
def test_tokens(case: dict[str, Any]) -> None:
    assert tokenise(case["text"]) == case["tokens"]


def test_token_classes() -> None:
    documents = Documents.parse(["In 1,999 don't (really)"])
    word, number, mark = TokenClass.WORD, TokenClass.NUMBER, TokenClass.PUNCTUATION
    assert documents.token_class.tolist() == [word, number, word, mark, word, mark]


def test_the_shape_marks_capitals() -> None:
    documents = Documents.parse(["So NATO met iPhone I O'BRIEN."])
    shape = documents.token_shape
    assert (shape & Shape.CAPITAL > 0).tolist() == [True, True, False, False, True, True, False]
    assert (shape & Shape.ALL_CAPITALS > 0).tolist() == [False, True, False, False, False, True, False]


def test_the_shape_marks_the_first_word_of_a_sentence() -> None:
    documents = Documents.parse(['It fell. "Then it rose," he said.\n\n3 men came.'])
    first = documents.token_shape & Shape.SENTENCE_START > 0
    assert [word for word, flag in zip(documents.words(), first, strict=True) if flag] == ["it", "then", "men"]


def test_the_shape_marks_a_space_before() -> None:
    documents = Documents.parse(["a-b (c)\nd"])
    spaced = documents.token_shape & Shape.SPACE_BEFORE > 0
    assert spaced.tolist() == [True, False, False, True, False, False, True]


def test_token_text_keeps_capitals() -> None:
    documents = Documents.parse(["Don’t STOP"])
    assert [documents.token_text(i) for i in range(2)] == ["Don’t", "STOP"]


# --- hashes


def test_the_hash_is_that_of_the_folded_token() -> None:
    documents = Documents.parse(["Don’t DON'T don't"])
    assert documents.token_hash.tolist() == [hash_token("don't")] * 3


def test_hashes_never_change() -> None:
    # A change would make all existing bundles useless, because they contain hashes.
    assert hash_token("imagination") == 0x221D8B4759A4F8D8
    assert hash_token("naïve") == 0x0915BAAA1A39193B
    assert hash_token("😀") == 0xD02C53BD59E075C4


def test_hash_is_the_same_in_another_process() -> None:
    program = "from unspun.model.text.document import hash_token; print(hash_token('vision'))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert answers == {f"{hash_token('vision')}\n"}


def test_hashes_of_many_words_do_not_collide() -> None:
    letters = "abcdefghijklmnopqrst"
    words = [a + b + c + d for a in letters for b in letters for c in letters for d in letters]
    hashes = hash_tokens(words)
    assert np.unique(hashes).size == len(words)
    # The low bits select slots of tables, so they must be as evenly distributed as random ones.
    slots = np.bincount((hashes & np.uint64(1023)).astype(np.int64), minlength=1024)
    assert slots.std() < 1.2 * np.sqrt(len(words) / 1024)


def test_hash_phrase_equals_the_hashes_in_a_text() -> None:
    documents = Documents.parse(["They are imaginative and prescient."])
    assert hash_phrase("Imaginative and prescient").tolist() == documents.token_hash[2:5].tolist()


@given(st.text(st.characters(), min_size=1, max_size=30))
def test_a_hash_does_not_depend_on_other_words(word: str) -> None:
    assert hash_tokens(["before", word, "", "after"])[1] == hash_token(word)


def test_long_tokens_are_hashed_like_short_ones() -> None:
    word = "ab" * 200_000
    documents = Documents.parse([f"{word} {word} x"])
    assert documents.token_hash.tolist() == [hash_token(word)] * 2 + [hash_token("x")]


def test_folding_twice_is_the_same_as_folding_once() -> None:
    words = "Straße ΣΊΣΥΦΟΣ İI ǅ ’ “x” ÉÈ"
    folded = "".join(chr(fold_code(ord(letter))) for letter in words)
    assert "".join(chr(fold_code(ord(letter))) for letter in folded) == folded


# --- sentences and paragraphs


def structure(text: str) -> str:
    """Return the folded tokens with `|` before a sentence and `||` before a paragraph."""
    documents = Documents.parse([text])
    pieces = []
    for i, word in enumerate(documents.words()):
        if i and documents.token_paragraph[i] > documents.token_paragraph[i - 1]:
            pieces.append("||")
        elif i and documents.token_sentence[i] > documents.token_sentence[i - 1]:
            pieces.append("|")
        pieces.append(word)
    return " ".join(pieces)


@pytest.mark.parametrize("case", cases("model/sentences.toml"), ids=lambda case: ascii(case["text"][:60]))
def test_sentences_and_paragraphs(case: dict[str, Any]) -> None:
    assert structure(case["text"]) == case["expected"]


# --- spans


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        ("The plan is imaginative and prescient.", "imaginative and prescient"),
        ("caf&eacute; cr&egrave;me", "caf&eacute; cr&egrave;me"),
        ("\ufeffâ€œim\u200bagiÂ­nativeâ€\u009d & co", "im\u200bagiÂ­native"),
        ("e\u0301te\u0301 \r\n ﬁne", "ﬁne"),
    ],
)
def test_source_span_is_exact(text: str, passage: str) -> None:
    documents = Documents.parse(["Something before.", text])
    start, end = text.index(passage), text.index(passage) + len(passage)
    tokens = range(*documents.token_ptr[1:].tolist())
    first = next(token for token in tokens if documents.source_span(token, token)[0] == start)
    last = next(token for token in tokens if documents.source_span(token, token)[1] == end)
    assert documents.source_span(first, last) == (start, end)


def test_source_span_of_two_documents_is_refused() -> None:
    documents = Documents.parse(["one", "two"])
    with pytest.raises(ValueError, match="not a span of one document"):
        documents.source_span(0, 1)


@given(TEXTS)
def test_spans_are_inside_the_text_in_order_and_disjoint(texts: list[str]) -> None:
    documents = Documents.parse(texts)
    for number, text in enumerate(texts):
        first, last = documents.token_ptr[number : number + 2].tolist()
        done = 0
        for token in range(first, last):
            start, end = documents.source_span(token, token)
            assert done <= start < end <= len(text)
            done = end


@given(TEXT)
def test_without_repairs_the_span_is_the_token(text: str) -> None:
    documents = Documents.parse([text])
    if repair(text).text == text:
        for token in range(documents.token_hash.size):
            start, end = documents.source_span(token, token)
            assert hash_token(text[start:end]) == documents.token_hash[token]


@given(TEXT)
def test_every_letter_and_digit_is_in_a_token(text: str) -> None:
    documents = Documents.parse([text])
    inside = np.zeros(documents.characters.size, dtype=bool)
    for start, end in zip(documents.token_start, documents.token_end, strict=True):
        inside[start:end] = True
    for character, covered in zip(map(chr, documents.characters.tolist()), inside, strict=True):
        assert covered == (unicodedata.category(character)[0] not in "Z" and not character.isspace())


# --- batches


@given(TEXTS)
def test_a_batch_gives_the_same_arrays_as_single_texts(texts: list[str]) -> None:
    batch = Documents.parse(texts)
    for number, text in enumerate(texts):
        alone = Documents.parse([text])
        part = slice(*batch.token_ptr[number : number + 2].tolist())
        for name in ("token_hash", "token_class", "token_shape", "token_prose"):
            assert np.array_equal(getattr(batch, name)[part], getattr(alone, name)), name
        for name in ("token_sentence", "token_paragraph"):
            ours = getattr(batch, name)[part]
            assert np.array_equal(ours - ours[:1].sum(), getattr(alone, name)), name
        assert batch.excluded[number] == alone.excluded[0]
        assert batch.repairs[number] == alone.repairs[0]
        spans = [batch.source_span(token, token) for token in range(part.start, part.stop)]
        assert spans == [alone.source_span(token, token) for token in range(part.stop - part.start)]


@given(TEXTS)
def test_numbering_continues_across_the_batch(texts: list[str]) -> None:
    documents = Documents.parse(texts)
    assert documents.token_ptr[0] == 0
    assert documents.token_ptr[-1] == documents.token_hash.size
    sizes = np.bincount(documents.token_document, minlength=len(texts))
    assert np.array_equal(np.diff(documents.token_ptr), sizes)
    for numbers in (documents.token_sentence, documents.token_paragraph):
        steps = np.diff(numbers, prepend=0)
        assert set(steps.tolist()) <= {0, 1}
    other = np.diff(documents.token_document) > 0
    assert np.all(np.diff(documents.token_paragraph)[other] == 1)
    assert np.all(np.diff(documents.token_sentence)[np.diff(documents.token_paragraph) > 0] == 1)


INSERTED = st.lists(st.tuples(st.integers(0, 200), st.sampled_from("\u200b\u200c\u2060\ufeff\u202d\ufe0f")))


@given(TEXT, INSERTED)
def test_zero_width_characters_change_no_token(text: str, inserted: list[tuple[int, str]]) -> None:
    hidden = text
    for place, character in inserted:
        hidden = hidden[:place] + character + hidden[place:]
    assert np.array_equal(Documents.parse([hidden]).token_hash, Documents.parse([text]).token_hash)


# --- sections


LINES = st.sampled_from([*tiny.SENTENCES, "- ship\n- boat", "x = y;", "\n\n", "word " * 90])
LONG_TEXTS = st.lists(st.lists(LINES, max_size=120).map(" ".join), max_size=3)


def prose_words(documents: Documents, first: int, last: int) -> int:
    inside = slice(first, last)
    return int(((documents.token_class[inside] == TokenClass.WORD) & documents.token_prose[inside]).sum())


@settings(max_examples=40)
@given(LONG_TEXTS)
def test_every_token_is_in_one_section_of_its_document(texts: list[str]) -> None:
    documents = Documents.parse(texts)
    sections, owner = documents.in_sections()
    assert len(sections) == len(owner) == len(sections.token_ptr) - 1
    assert (sections.token_ptr[0], sections.token_ptr[-1]) == (0, documents.token_hash.size)
    assert np.array_equal(np.diff(sections.token_ptr), np.bincount(sections.token_document, minlength=len(owner)))
    assert np.array_equal(owner[sections.token_document], documents.token_document)
    assert np.array_equal(np.unique(owner), np.arange(len(texts)))  # an empty text is a section, too
    assert np.all(np.diff(owner) >= 0)


@settings(max_examples=40)
@given(LONG_TEXTS)
def test_a_section_ends_with_a_sentence(texts: list[str]) -> None:
    documents = Documents.parse(texts)
    sections, _ = documents.in_sections()
    for cut in sections.token_ptr[1:-1].tolist():
        if 0 < cut < documents.token_hash.size:
            assert documents.token_sentence[cut] != documents.token_sentence[cut - 1]


@settings(max_examples=40)
@given(LONG_TEXTS)
def test_a_section_is_neither_too_short_nor_too_long(texts: list[str]) -> None:
    documents = Documents.parse(texts)
    sections, owner = documents.in_sections()
    longest = max(
        (
            prose_words(documents, *np.searchsorted(documents.token_sentence, [number, number + 1]).tolist())
            for number in np.unique(documents.token_sentence).tolist()
        ),
        default=0,
    )
    for number, count in enumerate(np.bincount(owner, minlength=len(texts)).tolist()):
        sizes = [
            prose_words(documents, *sections.token_ptr[i : i + 2].tolist()) for i in np.flatnonzero(owner == number)
        ]
        if count > 1:
            assert min(sizes) >= 0.5 * SECTION
        assert max(sizes) <= 1.5 * SECTION + longest  # the last sentence may be long


def test_a_text_as_long_as_a_section_is_one_section() -> None:
    text = " ".join(tiny.SENTENCES)
    assert 1.2 * SECTION < len(text.split()) <= 1.5 * SECTION
    assert Documents.parse([text]).in_sections()[1].tolist() == [0]


@pytest.mark.parametrize("times", [2, 5, 20])
def test_a_long_text_has_sections_of_the_usual_size(times: int) -> None:
    text = " ".join(tiny.SENTENCES * times)
    sections, owner = Documents.parse([text]).in_sections()
    assert len(owner) == pytest.approx(len(text.split()) / SECTION, abs=1.5)
    assert set(sections.texts) == {""}


def test_a_text_without_sentences_is_one_section() -> None:
    assert Documents.parse(["word " * 3000]).in_sections()[1].tolist() == [0]


@settings(max_examples=25)
@given(LONG_TEXTS)
def test_sections_depend_only_on_their_document(texts: list[str]) -> None:
    documents = Documents.parse(texts)
    sections, owner = documents.in_sections()
    for number, text in enumerate(texts):
        rows = np.flatnonzero(owner == number)
        alone, _ = Documents.parse([text]).in_sections()
        bounds = sections.token_ptr[[*rows, rows[-1] + 1]] - documents.token_ptr[number]
        assert np.array_equal(bounds, alone.token_ptr)


def test_no_texts_have_no_sections() -> None:
    sections, owner = Documents.parse([]).in_sections()
    assert (len(sections), owner.tolist()) == (0, [])


# --- edges


def test_an_empty_batch() -> None:
    documents = Documents.parse([])
    assert (len(documents), documents.token_hash.size, documents.token_ptr.tolist()) == (0, 0, [0])


def test_empty_texts_have_no_tokens() -> None:
    documents = Documents.parse(["", "word", " \n "])
    assert documents.token_ptr.tolist() == [0, 0, 1, 1]


def test_texts_are_kept_as_submitted() -> None:
    texts = ("a\r\nb&amp;", "\ud800")
    assert Documents.parse(texts).texts == texts


def test_text_beyond_the_limit_is_not_read() -> None:
    documents = Documents.parse(["one two three", "one"], max_characters=7)
    assert documents.words() == ["one", "two", "one"]
    assert documents.truncated == (True, False)


def test_a_line_of_100_megabytes_is_read_in_seconds() -> None:
    text = "It was a long line and it had no end, " * 2_700_000
    start = time.process_time()
    documents = Documents.parse([text])
    assert documents.truncated == (True,)
    assert documents.token_hash.size > 400_000
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "unit",
    [
        *("a", "a ", ".", ". A", "\n", "a\n", "A b.\n\n", "www.", "a@", "http://a ", "{", "click here ", "1,", "'"),
        *("中", "😀", "\u0301", "x = y;\n", "| a ", "a\t", "by ", "posted ", "- ", "photo by "),
        # Text that is repaired.
        *("é", "Ã©", "é\u0301", "&amp;", "&", "\u200b", "е", "aе", "ⓐ", "\x00", "\r\n", "Â ", "ﬁ"),
        *("&amp;amp;", "\ud83d", "\ufffds "),
    ],
    ids=ascii,
)
def test_parsing_takes_linear_time(unit: str) -> None:
    """Linear time is 0.1 to 0.2 seconds; quadratic time would be minutes."""
    start = time.process_time()
    Documents.parse([unit * (320_000 // len(unit))])
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "text",
    [
        "a\tb\n" * 50 + " " * 60_000 + "x\n",  # blanks before a row of a table
        "a\tb\n" * 50 + "\t" * 60_000 + "x\n",
        "\u201c" * 200_000,  # quotes that are opened only
        ("[1:00] " + "a" * 85 + "\n") * 2_000,  # long words after a time, which are no names
        "".join(f"word {chr(code)} and {chr(code)} " for code in range(0x1F300, 0x1FA00)) * 10,  # many kinds of emoji
        "\u200b " + "a" * 200_000,
        "<script " * 40_000,
    ],
    ids=["blanks", "tabs", "quotes", "words", "emoji", "letters", "tags"],
)
def test_parsing_odd_texts_takes_linear_time(text: str) -> None:
    """Linear time is at most 2 seconds; the time was minutes where a pattern tried all divisions of a row or word."""
    start = time.process_time()
    Documents.parse([text])
    assert time.process_time() - start < 10


@settings(max_examples=20)
@given(st.binary(max_size=400))
def test_bytes_read_as_text_are_accepted(data: bytes) -> None:
    texts = [data.decode("latin-1"), data.decode("utf-8", "surrogateescape"), data.decode("cp1252", "replace")]
    assert Documents.parse(texts).texts == tuple(texts)
