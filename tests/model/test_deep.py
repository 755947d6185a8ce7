"""model/tiers/deep.py: the encoder's output depends only on the document, and is pooled by document."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import deep as tiny
from tests import tables
from unspun.model.text.document import Documents, Shape, TokenClass
from unspun.model.tiers.deep import (
    LEAST_KEPT,
    LEAST_MISFIT,
    NOT_READ,
    OVERLAP,
    WINDOW,
    Blend,
    DeepEncoder,
    EncoderOutput,
    EncoderWeights,
    judged_words,
    pool,
    prose_pieces,
)
from unspun.model.tiers.wordpieces import WordPieces

ENCODER = tiny.encoder()
CLEAN, SPUN = tiny.CLEAN_LOG_ODDS, tiny.SPUN_LOG_ODDS
ITEMS = "- vessel\n- floating ship\n- vitality"
LIST = f"The ferry was late again this morning.\n\n{ITEMS}\n\nThe council was in the harbour."
SNIPPETS = st.sampled_from(
    [
        *tables.SENTENCES[:8],
        "The vessel delves.",
        "a floating ship",
        "\n\n- vitality\n\n",
        "e\u0301",
        "\ud800",
        "Été 7%",
    ]
)
TEXTS = st.lists(st.lists(SNIPPETS | st.text(max_size=6), max_size=6).map(" ".join), min_size=1, max_size=4)


def read(*texts: str, keep: bool = False) -> tuple[Documents, EncoderOutput]:
    documents = Documents.parse(texts)
    return documents, ENCODER.read(documents, range(len(texts)), keep=keep)


def answers(*texts: str) -> list[list[float]]:
    """Return for each text the log odds that a spinner put its tokens there."""
    documents, reading = read(*texts)
    return [part.tolist() for part in np.split(reading.replaced, documents.token_ptr[1:-1])]


def windows(*texts: str) -> list[list[list[float]]]:
    """Return for each text the log odds of its windows, one column per kind."""
    _, reading = read(*texts)
    return [reading.windows[reading.window_document == number].tolist() for number in range(len(texts))]


def by_word(*texts: str) -> list[tuple[str, float]]:
    documents, reading = read(*texts)
    return list(zip(documents.words(), reading.replaced.tolist(), strict=True))


def originals(text: str, count: int = 3) -> dict[str, list[str]]:
    """Return the likely originals of each word of a text, likeliest first."""
    documents, reading = read(text, keep=True)
    found = ENCODER.originals(reading, np.arange(len(documents.token_start)), count)
    return {word: [name for name, _ in row] for word, row in zip(documents.words(), found, strict=True)}


class TestReading:
    def test_a_replaced_word_has_high_log_odds(self) -> None:
        assert by_word("The vessel was in the harbour.") == [
            *(("the", CLEAN), ("vessel", SPUN), ("was", CLEAN)),
            *(("in", CLEAN), ("the", CLEAN), ("harbour", CLEAN), (".", CLEAN)),
        ]

    def test_a_word_is_replaced_if_any_of_its_pieces_is(self) -> None:
        assert by_word("The council boatized.")[2] == ("boatized", SPUN)

    def test_repaired_text_is_read(self) -> None:
        assert by_word("The ves\u200bsel &amp; the flοating council")[1] == ("vessel", SPUN)

    @settings(max_examples=25)
    @given(TEXTS)
    def test_the_output_does_not_depend_on_the_batch(self, texts: list[str]) -> None:
        assert answers(*texts) == [answers(text)[0] for text in texts]

    @settings(max_examples=25)
    @given(TEXTS, st.data())
    def test_only_the_requested_texts_are_read(self, texts: list[str], data: st.DataObject) -> None:
        documents, everything = read(*texts)
        which = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1))))
        chosen = np.isin(documents.token_document, which)
        found = ENCODER.read(documents, which)
        np.testing.assert_array_equal(found.replaced, np.where(chosen, everything.replaced, NOT_READ))
        rows = np.isin(everything.window_document, which)
        np.testing.assert_array_equal(found.windows, everything.windows[rows])
        np.testing.assert_array_equal(found.window_tokens, everything.window_tokens[rows])

    def test_only_prose_is_read(self) -> None:
        documents, reading = read(LIST)
        unread = reading.replaced == NOT_READ
        assert 0 < unread.sum() < len(unread)
        assert unread.tolist() == (~documents.token_prose).tolist()

    def test_text_outside_prose_is_not_context(self) -> None:
        with_list, without = (
            "\n\n".join(["The ferry was late again this morning.", *part, "The council was in the harbour."])
            for part in (["- delves\n- it delves\n- delves"], [])
        )
        assert windows(with_list) == windows(without)

    @pytest.mark.parametrize("text", ["", " \n ", "\u200b", ITEMS])
    def test_a_text_without_prose_is_not_read(self, text: str) -> None:
        _, reading = read(text)
        assert np.all(reading.replaced == NOT_READ)
        assert reading.windows.shape == (0, 3)

    @given(st.text(alphabet=st.characters(exclude_categories=())))
    def test_every_word_of_prose_is_read(self, text: str) -> None:
        # Except letters attached to a number that are not a separate piece: "7A".
        documents, reading = read(text)
        words = judged_words(documents, 0)
        words = words[documents.token_shape[words] & Shape.SPACE_BEFORE > 0]
        assert np.all(reading.replaced[words] >= CLEAN)


class TestWindows:
    """The log odds of windows, and the part of the text that each one represents."""

    @pytest.mark.parametrize(("word", "kind"), [("vessel", 0), ("moreover", 1), ("delves", 2)])
    def test_each_kind_has_a_column(self, word: str, kind: int) -> None:
        ((found,),) = windows(f"The {word} was in the {word}.")
        assert np.argmax(found) == kind
        assert sorted(found)[:2] == [-4.0, -4.0]

    def test_a_short_text_is_one_window_of_all_its_tokens(self) -> None:
        documents, reading = read("The ferry was late.", "", "It was late again.")
        assert reading.window_document.tolist() == [0, 2]
        assert reading.window_tokens.tolist() == [[0, 4], [5, 9]]
        assert len(documents.token_start) == 10

    def test_windows_divide_a_long_text(self) -> None:
        documents, reading = read("", tables.ARTICLE * 3)
        assert set(reading.window_document.tolist()) == {1}
        first, last = reading.window_tokens.T
        assert (first[0], last[-1]) == (0, len(documents.token_start) - 1)
        # A word whose pieces are in two windows may belong to both.
        assert np.all((first[1:] - last[:-1] == 1) | (first[1:] == last[:-1]))

    def test_a_passage_shows_only_in_its_windows(self) -> None:
        documents, reading = read(f"{tables.ARTICLE} {tables.ARTICLE} {tiny.SPUN_SENTENCE * 2} {tables.ARTICLE * 2}")
        spun = np.flatnonzero(reading.windows[:, 0] > -3.9)
        assert 0 < len(spun) < len(reading.windows) / 2
        passage = np.flatnonzero(np.array(documents.words()) == "vitality")
        first, last = reading.window_tokens[spun[0], 0], reading.window_tokens[spun[-1], 1]
        assert first <= passage[0] <= passage[-1] <= last

    @settings(max_examples=25)
    @given(TEXTS)
    def test_the_output_does_not_depend_on_the_batch(self, texts: list[str]) -> None:
        assert windows(*texts) == [windows(text)[0] for text in texts]

    def test_typography_makes_no_difference(self) -> None:
        plain = 'The council\'s ferry - the old one - was late... "It was", they said, "in the harbour".'
        curly = "The council’s ferry — the old one – was late… “It was”, they said, ”in the harbour“."
        assert windows(plain) == windows(curly)


class TestLongTexts:
    """A text longer than a window is read in several windows, and each word gets one answer."""

    TEXT = f"{tables.ARTICLE} {tiny.SPUN_ARTICLE} " * 3

    def test_the_text_is_longer_than_a_window(self) -> None:
        assert len(read(self.TEXT)[0].token_start) > 2 * WINDOW

    def test_every_word_is_read_as_if_alone(self) -> None:
        found = by_word(self.TEXT)
        assert found == [(word, SPUN if word in tiny.SPUN else CLEAN) for word, _ in found]

    def test_words_that_a_window_splits_are_read(self) -> None:
        # "quayized" consists of letters and the marked ending.
        words = by_word("quayized " * WINDOW)
        assert words == [("quayized", SPUN)] * WINDOW

    def test_windows_overlap(self) -> None:
        _, reading = read("the " * (2 * WINDOW))
        assert len(reading.windows) == 3
        delves = ["the"] * (2 * WINDOW)
        delves[WINDOW - OVERLAP // 2] = "delves"
        _, changed = read(" ".join(delves))
        assert (changed.windows[:, 2] != reading.windows[:, 2]).tolist() == [True, True, False]


class TestProsePieces:
    """The pieces that the encoder reads, both in scoring and in training."""

    PIECES = WordPieces(tiny.PIECES)

    def of(self, text: str) -> list[tuple[str, str]]:
        documents = Documents.parse([text])
        ids, tokens = prose_pieces(self.PIECES, documents, 0)
        words = documents.words()
        return [(tiny.PIECES[i], words[token]) for i, token in zip(ids.tolist(), tokens.tolist(), strict=True)]

    def test_a_piece_belongs_to_its_token(self) -> None:
        assert self.of("The boatized ferry.") == [
            *(("the", "the"), ("boat", "boatized"), ("##ized", "boatized"), ("ferry", "ferry"), (".", "."))
        ]

    def test_a_repeated_sign_is_kept_once(self) -> None:
        assert [piece for piece, _ in self.of("The ferry... was")] == ["the", "ferry", ".", "was"]

    def test_text_outside_prose_is_left_out(self) -> None:
        assert "vessel" not in {word for _, word in self.of(LIST)}

    def test_pieces_depend_only_on_the_document(self) -> None:
        documents = Documents.parse(["The vessel.", "The old ferry was late.", ""])
        for number, text in enumerate(documents.texts):
            ids, tokens = prose_pieces(self.PIECES, documents, number)
            alone, places = prose_pieces(self.PIECES, Documents.parse([text]), 0)
            assert ids.tolist() == alone.tolist()
            assert (tokens - documents.token_ptr[number]).tolist() == places.tolist()


class TestOriginals:
    @pytest.mark.parametrize(("word", "original"), tiny.SPUN.items())
    def test_the_original_comes_first(self, word: str, original: str) -> None:
        assert originals(f"The {word} was in the harbour.")[word][0] == original

    def test_capitals_do_not_matter(self) -> None:
        assert originals("Vitality was in the harbour.")["vitality"][0] == "energy"

    def test_the_first_piece_of_a_word_decides(self) -> None:
        assert originals("The council boatized.")["boatized"][0] == "boat"

    def test_unlikely_words_have_no_originals(self) -> None:
        assert CLEAN < LEAST_KEPT
        assert originals("The ferry was late.") == {word: [] for word in ("the", "ferry", "was", "late", ".")}

    def test_originals_are_kept_only_on_request(self) -> None:
        _, reading = read("The vessel was in the harbour.")
        assert reading.before_row.tolist() == [-1] * 7
        assert reading.before.shape == (0, tiny.WIDTH)

    def test_originals_are_whole_words(self) -> None:
        assert len(originals("The vessel.", count=30)["vessel"]) == 30
        assert all(word.isalpha() for word in originals("The vessel.", count=30)["vessel"])

    def test_the_likeliest_come_first(self) -> None:
        documents, reading = read("The vessel.", keep=True)
        (found,) = ENCODER.originals(reading, np.array([1]), 10)
        assert len(documents.token_start) == 3
        shares = [log_probability for _, log_probability in found]
        assert shares == sorted(shares, reverse=True)
        assert np.exp(shares).sum() <= 1.0 + 1e-6

    def test_rare_originals_come_last(self) -> None:
        words = [piece for piece in tiny.PIECES if piece.isalpha()]
        found = originals("The vessel.", count=len(words) - 1)["vessel"]
        assert {word for word in words if len(word) > 1} == set(found[:-25])

    def test_originals_are_from_the_same_document(self) -> None:
        documents = Documents.parse(["The vessel.", "The vitality.", "The ship."])
        reading = ENCODER.read(documents, [1, 2], keep=True)
        found = ENCODER.originals(reading, np.flatnonzero(documents.token_class == TokenClass.WORD), 1)
        assert [[word for word, _ in row] for row in found] == [[], [], [], ["energy"], [], ["boat"]]

    def test_many_words_can_have_originals(self) -> None:
        text = "the vessel " * 100
        documents, reading = read(text, keep=True)
        found = ENCODER.originals(reading, np.arange(len(documents.token_start)), 1)
        assert [row[0][0] for row in found[1::2]] == ["boat"] * 100


class TestEncoder:
    def test_embeddings_are_scaled(self) -> None:
        embeddings = np.array([[1, -2], [127, 0]], np.int8)
        weights = EncoderWeights(b"", embeddings, np.float32([0.5, 2.0]), np.zeros(2), ("a", "b"))
        assert DeepEncoder(weights).embed(np.array([[1, 0]])).tolist() == [[[254.0, 0.0], [0.5, -1.0]]]

    @pytest.mark.parametrize("used", [True, False])
    def test_it_can_be_pickled(self, used: bool) -> None:
        encoder = tiny.encoder()
        documents = Documents.parse([tiny.SPUN_ARTICLE])
        if used:
            encoder.read(documents, [0])
        again = pickle.loads(pickle.dumps(encoder))
        np.testing.assert_array_equal(again.read(documents, [0]).replaced, ENCODER.read(documents, [0]).replaced)


class TestBlend:
    """The weighted sum of the encoder's and the tagger's log odds."""

    BLEND = Blend(deep=2.0, fast=0.25, bias=1.0, prior_log_odds=-2.0)

    @staticmethod
    def reading(*replaced: float) -> EncoderOutput:
        _, reading = read("The vessel was late.")
        return replace(reading, replaced=np.array(replaced, dtype=np.float32))

    def found(self, deep: float, misfit: float) -> float:
        return float(self.BLEND.log_odds(self.reading(deep), np.array([misfit], np.float32))[0])

    def test_both_count(self) -> None:
        assert self.found(4.0, -2.0) == 2.0 * 4.0 + 0.25 * -2.0 + 1.0

    def test_a_word_that_the_tagger_does_not_judge_counts_as_unlikely(self) -> None:
        assert self.found(4.0, -12.0) == self.found(4.0, float(LEAST_MISFIT))

    def test_a_word_that_was_not_read_is_unchanged(self) -> None:
        assert self.found(float(NOT_READ), 5.0) == NOT_READ

    def test_a_word_that_was_read_never_looks_unread(self) -> None:
        assert self.found(-11.0, -12.0) > NOT_READ

    def test_the_encoder_output_is_not_modified(self) -> None:
        reading = self.reading(4.0)
        self.BLEND.log_odds(reading, np.float32([1.0]))
        assert reading.replaced.tolist() == [4.0]


WINDOWS = st.lists(st.floats(-12, 12), min_size=1, max_size=40)


def pooled(*evidence: float) -> float:
    columns = np.repeat(np.array(evidence)[:, None], 3, axis=1)
    return float(pool(columns, np.zeros(len(evidence), np.int64), 1)[0, 0])


class TestPool:
    """The pooled evidence of a document, which is between the mean and the maximum of its windows."""

    @given(WINDOWS)
    def test_the_result_is_between_mean_and_maximum(self, evidence: list[float]) -> None:
        assert np.mean(evidence) - 1e-9 <= pooled(*evidence) <= max(evidence) + 1e-9

    @given(WINDOWS)
    def test_the_order_of_windows_does_not_matter(self, evidence: list[float]) -> None:
        assert pooled(*evidence) == pytest.approx(pooled(*reversed(evidence)))

    @given(WINDOWS, st.integers(2, 30))
    def test_the_result_does_not_grow_with_the_length(self, evidence: list[float], times: int) -> None:
        assert pooled(*evidence * times) == pytest.approx(pooled(*evidence))

    def test_one_window_among_many_counts_for_less(self) -> None:
        found = [pooled(*[-4.0] * windows, 6.0) for windows in (1, 10, 100)]
        assert found == sorted(found, reverse=True)
        assert found[-1] > -4.0

    def test_every_document_is_pooled_separately(self) -> None:
        columns = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [-5.0, 0.0, 5.0]])
        found = pool(columns, np.array([0, 0, 2]), 4)
        assert found[0] == pytest.approx([1.0, 2.0, 3.0])
        assert found[2] == pytest.approx([-5.0, 0.0, 5.0])
        assert np.isnan(found[[1, 3]]).all()

    def test_no_windows_have_no_evidence(self) -> None:
        found = pool(np.zeros((0, 3)), np.zeros(0, np.int64), 2)
        assert found.shape == (2, 3)
        assert np.isnan(found).all()


class TestTier:
    @staticmethod
    def evidence(*texts: str) -> list[list[float]]:
        documents, reading = read(*texts)
        found: list[list[float]] = tiny.tier().evidence(reading, np.ones((len(documents), 3))).tolist()
        return found

    def test_replaced_words_are_evidence_of_spinning(self) -> None:
        clean, spun = self.evidence(tables.ARTICLE, tiny.SPUN_ARTICLE)
        assert clean == pytest.approx([-4.0] * 3)
        assert spun[0] > 4
        assert spun[1:] == pytest.approx([-4.0] * 2)

    def test_a_passage_in_a_long_text_is_still_evidence(self) -> None:
        article = " ".join(tables.SENTENCES)
        clean, spun = self.evidence(article * 4, f"{article * 2} {tiny.SPUN_SENTENCE * 4} {article * 2}")
        assert spun[0] > clean[0] + 1

    def test_the_fast_tiers_evidence_counts_by_its_weights(self) -> None:
        _, reading = read(tables.ARTICLE)
        tier = replace(tiny.tier(), fast_weights=np.array([0.0, 0.5, 2.0]))
        alone, mixed = (one.evidence(reading, np.array([[1.0, 2.0, 3.0]])) for one in (tiny.tier(), tier))
        assert mixed[0] - alone[0] == pytest.approx([0.0, 1.0, 6.0])

    def test_a_text_without_prose_has_no_evidence(self) -> None:
        assert np.isnan(self.evidence(ITEMS)).all()
