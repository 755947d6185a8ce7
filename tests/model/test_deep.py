"""model/deep.py: what the encoder says of each word depends on its document alone, and how a document sums it up."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.deep import (
    LEAST_KEPT,
    LEAST_MISFIT,
    NAMES,
    SAID_OF_NOTHING,
    WINDOW,
    Blend,
    DeepReading,
    Scale,
    Weights,
    document_numbers,
    judged_words,
    numbers,
)
from model.document import Documents, Shape, TokenClass
from model.passages import NOTABLE_CONTRAST
from tests import deep as tiny
from tests import tables

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


def read(*texts: str, keep: bool = False) -> tuple[Documents, DeepReading]:
    """Parse a batch and read all of it."""
    documents = Documents.parse(texts)
    return documents, ENCODER.read(documents, range(len(texts)), keep=keep)


def answers(*texts: str) -> list[list[list[float]]]:
    """Return the log odds of each text's tokens."""
    documents, reading = read(*texts)
    return [part.tolist() for part in np.split(reading.log_odds, documents.token_ptr[1:-1])]


def by_word(*texts: str) -> list[tuple[str, float]]:
    """Return the tokens of a batch with the log odds that a spinner put them there."""
    documents, reading = read(*texts)
    return list(zip(documents.words(), reading.log_odds[:, 0].tolist(), strict=True))


def originals(text: str, count: int = 3) -> dict[str, list[str]]:
    """Return what probably stood in the place of each word of a text, likeliest first."""
    documents, reading = read(text, keep=True)
    found = ENCODER.originals(reading, np.arange(len(documents.token_start)), count)
    return {word: [name for name, _ in row] for word, row in zip(documents.words(), found, strict=True)}


class TestReading:
    """Each word's log odds, a column a kind of machine."""

    def test_a_spinners_word_stands_out(self) -> None:
        assert by_word("The vessel was in the harbour.") == [
            *(("the", CLEAN), ("vessel", SPUN), ("was", CLEAN)),
            *(("in", CLEAN), ("the", CLEAN), ("harbour", CLEAN), (".", CLEAN)),
        ]

    def test_each_kind_has_a_column(self) -> None:
        _, reading = read("Vessel moreover delves.")
        assert reading.log_odds[:3].argmax(axis=1).tolist() == [0, 1, 2]

    def test_a_word_is_a_spinners_if_any_of_its_pieces_is(self) -> None:
        assert by_word("The council boatized.")[2] == ("boatized", SPUN)

    def test_the_style_of_a_word_is_the_mean_of_its_pieces(self) -> None:
        # "moreover's" is three pieces, of which the first is a translator's.
        _, reading = read("moreover moreover's council")
        whole, a_third, nothing = reading.log_odds[:, 1].tolist()
        assert a_third - nothing == pytest.approx((whole - nothing) / 3)

    def test_a_window_is_read_between_its_marks(self) -> None:
        # Its end is of the kind `rewritten`, and in a short window colours all of it: one of four pieces.
        _, reading = read("the ferry")
        assert reading.log_odds[:, 2].tolist() == [-3.0 + 4.0 / 4] * 2

    def test_repaired_text_is_read(self) -> None:
        assert by_word("The ves\u200bsel &amp; the flοating council")[1] == ("vessel", SPUN)

    @settings(deadline=None, max_examples=25)
    @given(TEXTS)
    def test_a_text_is_answered_alike_in_any_company(self, texts: list[str]) -> None:
        assert answers(*texts) == [answers(text)[0] for text in texts]

    @settings(deadline=None, max_examples=25)
    @given(TEXTS)
    def test_the_order_of_the_texts_does_not_matter(self, texts: list[str]) -> None:
        assert answers(*texts) == answers(*reversed(texts))[::-1]

    @settings(deadline=None, max_examples=25)
    @given(TEXTS, st.data())
    def test_texts_that_are_not_asked_for_are_not_read(self, texts: list[str], data: st.DataObject) -> None:
        documents, everything = read(*texts)
        which = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1))))
        chosen = np.isin(documents.token_document, which)
        expected = np.where(chosen[:, None], everything.log_odds, SAID_OF_NOTHING)
        np.testing.assert_array_equal(ENCODER.read(documents, which).log_odds, expected)

    def test_only_prose_is_read(self) -> None:
        documents, reading = read(LIST)
        unread = reading.log_odds[:, 0] == SAID_OF_NOTHING
        assert 0 < unread.sum() < len(unread)
        assert unread.tolist() == (~documents.token_prose).tolist()

    def test_what_is_no_prose_is_no_context_either(self) -> None:
        # "delves" colours its whole window for the kind `rewritten`.
        with_list, without = (
            "\n\n".join(["The ferry was late again this morning.", *part, "The council was in the harbour."])
            for part in (["- delves\n- it delves\n- delves"], [])
        )
        documents, reading = read(with_list)
        assert reading.log_odds[documents.token_prose].tolist() == answers(without)[0]

    @pytest.mark.parametrize("text", ["", " \n ", "\u200b", ITEMS])
    def test_a_text_without_prose_has_no_answers(self, text: str) -> None:
        _, reading = read(text)
        assert np.all(reading.log_odds == SAID_OF_NOTHING)

    @settings(deadline=None)
    @given(st.text(alphabet=st.characters(exclude_categories=())))
    def test_every_word_of_prose_is_answered(self, text: str) -> None:
        # Apart from what is glued to a figure, and no piece of its own: "7A".
        documents, reading = read(text)
        words = judged_words(documents, 0)
        words = words[documents.token_shape[words] & Shape.SPACE_BEFORE > 0]
        assert np.all(reading.log_odds[words, 0] >= CLEAN)


class TestLongTexts:
    """A text longer than a window is read in several, and each word answered once."""

    TEXT = f"{tables.ARTICLE} {tiny.SPUN_ARTICLE} " * 3

    def test_it_is_longer_than_a_window(self) -> None:
        assert len(read(self.TEXT)[0].token_start) > 2 * WINDOW

    def test_every_word_is_answered_as_it_is_alone(self) -> None:
        found = by_word(self.TEXT)
        assert found == [(word, SPUN if word in tiny.SPUN else CLEAN) for word, _ in found]

    def test_words_that_a_window_cuts_are_answered_too(self) -> None:
        # "quayized" is letters, and an ending that tells.
        words = by_word("quayized " * WINDOW)
        assert words == [("quayized", SPUN)] * WINDOW

    def test_context_is_at_hand_on_both_sides(self) -> None:
        # Of a word that stands alone in its window, "delves", every word within half an overlap has heard.
        words = ["the"] * (3 * WINDOW)
        for place in range(WINDOW - 40, 2 * WINDOW, 7):
            changed = [*words[:place], "delves", *words[place + 1 :]]
            before, after = (answers(" ".join(text))[0] for text in (words, changed))
            differs = [row != other for row, other in zip(before, after, strict=True)]
            assert all(differs[place - 14 : place + 15])


class TestOriginals:
    """What stood in the place of a replaced word."""

    @pytest.mark.parametrize(("word", "original"), tiny.SPUN.items())
    def test_the_word_that_stood_there_is_named_first(self, word: str, original: str) -> None:
        assert originals(f"The {word} was in the harbour.")[word][0] == original

    def test_capitals_do_not_matter(self) -> None:
        assert originals("Vitality was in the harbour.")["vitality"][0] == "energy"

    def test_of_a_word_of_several_pieces_the_first_tells(self) -> None:
        assert originals("The council boatized.")["boatized"][0] == "boat"

    def test_of_words_that_are_hardly_a_spinners_nothing_is_kept(self) -> None:
        assert CLEAN < LEAST_KEPT
        assert originals("The ferry was late.") == {word: [] for word in ("the", "ferry", "was", "late", ".")}

    def test_nothing_is_kept_unless_asked_for(self) -> None:
        _, reading = read("The vessel was in the harbour.")
        assert reading.before_row.tolist() == [-1] * 7
        assert reading.before.shape == (0, tiny.WIDTH)

    def test_only_whole_words_are_named(self) -> None:
        assert len(originals("The vessel.", count=30)["vessel"]) == 30
        assert all(word.isalpha() for word in originals("The vessel.", count=30)["vessel"])

    def test_the_likeliest_come_first(self) -> None:
        documents, reading = read("The vessel.", keep=True)
        (found,) = ENCODER.originals(reading, np.array([1]), 10)
        assert len(documents.token_start) == 3
        shares = [log_probability for _, log_probability in found]
        assert shares == sorted(shares, reverse=True)
        assert np.exp(shares).sum() <= 1.0 + 1e-6

    def test_what_seldom_stands_anywhere_is_named_last(self) -> None:
        words = [piece for piece in tiny.PIECES if piece.isalpha()]
        found = originals("The vessel.", count=len(words) - 1)["vessel"]
        assert {word for word in words if len(word) > 1} == set(found[:-25])

    def test_they_are_of_the_own_document(self) -> None:
        documents = Documents.parse(["The vessel.", "The vitality.", "The ship."])
        reading = ENCODER.read(documents, [1, 2], keep=True)
        found = ENCODER.originals(reading, np.flatnonzero(documents.token_class == TokenClass.WORD), 1)
        assert [[word for word, _ in row] for row in found] == [[], [], [], ["energy"], [], ["boat"]]

    def test_there_may_be_many(self) -> None:
        text = "the vessel " * 100
        documents, reading = read(text, keep=True)
        found = ENCODER.originals(reading, np.arange(len(documents.token_start)), 1)
        assert [row[0][0] for row in found[1::2]] == ["boat"] * 100


class TestEncoder:
    """The encoder as an object."""

    def test_embeddings_are_scaled(self) -> None:
        weights = Weights(b"", np.array([[1, -2], [127, 0]], np.int8), np.float32([0.5, 2.0]), np.zeros(2), ("a", "b"))
        assert type(ENCODER)(weights).embed(np.array([[1, 0]])).tolist() == [[[254.0, 0.0], [0.5, -1.0]]]

    @pytest.mark.parametrize("used", [True, False])
    def test_it_goes_to_another_process(self, used: bool) -> None:
        encoder = tiny.encoder()
        documents = Documents.parse([tiny.SPUN_ARTICLE])
        if used:
            encoder.read(documents, [0])
        again = pickle.loads(pickle.dumps(encoder))
        np.testing.assert_array_equal(again.read(documents, [0]).log_odds, ENCODER.read(documents, [0]).log_odds)


class TestBlend:
    """The encoder's answers and the tagger's, weighed."""

    BLEND = Blend(deep=2.0, fast=0.25, bias=1.0, prior_log_odds=-2.0)

    @staticmethod
    def reading(*spun: float) -> DeepReading:
        log_odds = np.array([[value, 1.0, 2.0] for value in spun], dtype=np.float32)
        return DeepReading(log_odds, np.zeros((0, tiny.WIDTH), np.float32), np.full(len(spun), -1, np.int32))

    def found(self, spun: float, misfit: float) -> float:
        return float(self.BLEND.log_odds(self.reading(spun), np.array([misfit], np.float32))[0, 0])

    def test_both_count(self) -> None:
        assert self.found(4.0, -2.0) == 2.0 * 4.0 + 0.25 * -2.0 + 1.0

    def test_a_word_that_the_tagger_does_not_judge_counts_as_unlikely(self) -> None:
        assert self.found(4.0, -12.0) == self.found(4.0, float(LEAST_MISFIT))

    def test_a_word_that_was_not_read_stays_so(self) -> None:
        assert self.found(float(SAID_OF_NOTHING), 5.0) == SAID_OF_NOTHING

    def test_a_word_that_was_read_is_never_taken_for_one_that_was_not(self) -> None:
        assert self.found(-11.0, -12.0) > SAID_OF_NOTHING

    def test_the_other_kinds_are_the_encoders_alone(self) -> None:
        blended = self.BLEND.log_odds(self.reading(4.0, -4.0), np.float32([3.0, -3.0]))
        assert blended[:, 1:].tolist() == [[1.0, 2.0]] * 2

    def test_the_reading_is_left_as_it_was(self) -> None:
        reading = self.reading(4.0)
        self.BLEND.log_odds(reading, np.float32([1.0]))
        assert reading.log_odds.tolist() == [[4.0, 1.0, 2.0]]


class TestNumbers:
    """What a document's answers are summed up by."""

    @staticmethod
    def of(*texts: str) -> Iterator[dict[str, float]]:
        documents, reading = read(*texts)
        for row in document_numbers(documents, reading.log_odds, range(len(texts))):
            yield dict(zip(NAMES, row.tolist(), strict=True))

    def test_names_are_given_once(self) -> None:
        assert len(set(NAMES)) == len(NAMES)

    def test_there_are_as_many_as_names(self) -> None:
        documents, reading = read("The vessel.", tables.ARTICLE, "")
        assert document_numbers(documents, reading.log_odds, [2, 0]).shape == (2, len(NAMES))

    def test_they_are_in_the_order_that_was_asked_for(self) -> None:
        documents, reading = read("The vessel.", tables.ARTICLE, tiny.SPUN_ARTICLE)
        everything = document_numbers(documents, reading.log_odds, range(3))
        assert document_numbers(documents, reading.log_odds, [2, 0]).tolist() == everything[[2, 0]].tolist()

    @pytest.mark.parametrize("text", ["", "?!", "7 % 8", ITEMS])
    def test_a_document_without_words_has_zeros(self, text: str) -> None:
        (found,) = self.of(text)
        assert set(found.values()) == {0.0}

    def test_a_document_that_was_not_read_has_zeros(self) -> None:
        documents = Documents.parse(["The vessel."])
        assert not document_numbers(documents, ENCODER.read(documents, []).log_odds, [0]).any()

    def test_no_document_has_none(self) -> None:
        documents, reading = read("The vessel.")
        assert document_numbers(documents, reading.log_odds, []).shape == (0, len(NAMES))

    @pytest.mark.parametrize(("spun", "expected"), [(0, CLEAN), (5, CLEAN), (6, SPUN), (100, SPUN)])
    def test_a_text_is_as_spun_as_the_twentieth_of_its_words_that_is_most(self, spun: int, expected: float) -> None:
        (found,) = self.of(f"{'vessel ' * spun}{'ferry ' * (101 - spun)}.")
        assert found["spun.quantile"] == expected

    def test_punctuation_does_not_count(self) -> None:
        (found,) = self.of(f"{'vessel ' * 6}{'ferry, ' * 94}ferry.")
        assert found["spun.quantile"] == SPUN

    def test_what_stands_in_a_list_does_not_count(self) -> None:
        (found,) = self.of(LIST)
        assert found["spun.quantile"] == CLEAN

    def test_a_passage_stands_out(self) -> None:
        clean, spun = self.of(tables.ARTICLE * 2, f"{tables.ARTICLE} {tiny.SPUN_SENTENCE * 2} {tables.ARTICLE}")
        assert clean["spun.contrast"] == pytest.approx(0, abs=1e-6)
        assert spun["spun.contrast"] > 5

    @pytest.mark.parametrize(("kind", "word"), [("translated", "moreover"), ("rewritten", "delves")])
    def test_the_other_kinds_are_read_from_the_strongest_stretch(self, kind: str, word: str) -> None:
        without, some, more = self.of(*(f"{f'{word} ' * count}{'ferry ' * (20 - count)}." for count in (0, 1, 2)))
        name = f"{kind}.strongest_stretch"
        assert without[name] < some[name] < more[name]

    @given(st.lists(st.tuples(*[st.floats(-12, 12, width=32)] * 3), min_size=1, max_size=8))
    def test_they_are_finite(self, rows: list[tuple[float, ...]]) -> None:
        found = numbers(np.array(rows, dtype=np.float32))
        assert len(found) == len(NAMES)
        assert np.all(np.isfinite(found))


class TestScale:
    """How unlike human text a document is, added to the fast tier's log odds."""

    SCALE = Scale(centre=np.array([-4.0, -3.0, -2.0]), spread=np.array([2.0, 1.0, 0.5]))

    def log_odds(self, numbers: list[float], fast: list[float]) -> list[float]:
        found: list[float] = self.SCALE.log_odds(np.array([numbers], np.float32), np.array([fast]))[0].tolist()
        return found

    def test_what_human_text_is_like_changes_nothing(self) -> None:
        assert self.log_odds([-4.0, -3.0, -2.0, 0.0], [0.5, -1.0, 2.0]) == [0.5, -1.0, 2.0]

    def test_each_kind_is_raised_by_its_standard_deviations(self) -> None:
        assert self.log_odds([0.0, -4.0, -1.0, 0.0], [0.0, 0.0, 0.0]) == [2.0, -1.0, 2.0]

    def test_a_passage_raises_spun_alone(self) -> None:
        assert self.log_odds([-4.0, -3.0, -2.0, NOTABLE_CONTRAST + 5], [0.0, 0.0, 0.0]) == [5.0, 0.0, 0.0]

    def test_a_passage_that_hardly_stands_out_does_not_count(self) -> None:
        assert self.log_odds([-4.0, -3.0, -2.0, NOTABLE_CONTRAST], [0.0, 0.0, 0.0]) == [0.0, 0.0, 0.0]

    def test_it_is_measured_on_human_text(self) -> None:
        human = np.float32([[-5, -3, 1, 9], [-3, -3, 2, 0]])
        found = Scale.of(human)
        assert found.centre.tolist() == [-4.0, -3.0, 1.5]
        assert found.spread == pytest.approx([1.0, 0.0, 0.5], abs=1e-5)
        assert np.all(np.isfinite(found.log_odds(human, np.zeros((2, 3)))))


class TestTier:
    """A document's numbers to probabilities."""

    @staticmethod
    def probabilities(*texts: str) -> NDArray[np.float64]:
        documents, reading = read(*texts)
        summed_up = document_numbers(documents, reading.log_odds, range(len(texts)))
        return tiny.tier().probabilities(summed_up, np.zeros((len(texts), 3)), np.full(len(texts), 5.0))

    def test_probabilities_sum_to_one(self) -> None:
        assert self.probabilities(tables.ARTICLE, tiny.SPUN_ARTICLE).sum(axis=1) == pytest.approx([1.0, 1.0])

    def test_no_documents_have_none(self) -> None:
        assert self.probabilities().shape == (0, 4)

    def test_replaced_words_raise_the_score(self) -> None:
        clean, spun = 1 - self.probabilities(tables.ARTICLE, tiny.SPUN_ARTICLE)[:, 0]
        assert clean < 0.3 < 0.6 < spun

    def test_so_does_a_passage_in_a_long_text(self) -> None:
        article = " ".join(tables.SENTENCES)
        clean, spun = 1 - self.probabilities(article * 4, f"{article * 2} {tiny.SPUN_SENTENCE * 2} {article * 2}")[:, 0]
        assert clean < 0.3 < 0.6 < spun

    def test_the_fast_tier_has_a_say(self) -> None:
        documents, reading = read(tables.ARTICLE)
        summed_up = document_numbers(documents, reading.log_odds, [0])
        low, high = (tiny.tier().probabilities(summed_up, np.full((1, 3), odds), np.ones(1)) for odds in (-2.0, 2.0))
        assert low[0, 0] > high[0, 0]
