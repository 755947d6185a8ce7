"""model/decision/evidence.py: signs of a machine, and their exact place in the text as submitted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import deep
from tests import tables as tiny
from tests.cases import cases
from unspun.model.decision import evidence as module
from unspun.model.decision.evidence import find_evidence
from unspun.model.detector import Detector
from unspun.model.text.document import Documents
from unspun.model.verdict import Evidence

SIGNALS = {"known_phrase", "substitution", "misfit", "debris"}
WORDS = ("misfit", "substitution")
PIECES = (
    *tiny.SENTENCES[:6],
    "counterfeit consciousness",
    "the the",
    "{old|new}",
    "{dollars}",
    "a apple",
    "ship",
    "Vitality.",
    "&amp; &lt;",
    "\ud800",
    "\u200b",
    "\u202eהעיר\u202c",
    "е\u0301",
    "😀",
    "Ã©",
    "&#x41;n boat",
    "ﬁre",
    "\r\n\n",
    "\x00",
    "…",
)


def find(*texts: str, prior: float = -2.0, spun: float = 1.0, shown: bool = True) -> list[list[Evidence]]:
    documents = Documents.parse(texts)
    measured = tiny.extractor().measure(documents.in_sections()[0])
    shares = np.full(len(measured.misfit), spun)
    which, is_spun = (np.full(len(texts), value) for value in (shown, spun > 0.5))
    return find_evidence(tiny.signals(), documents, measured, prior, shares, which, is_spun)


@pytest.mark.parametrize("case", cases("model/evidence.toml"), ids=lambda case: case["text"])
def test_evidence_is_found(case: dict[str, Any]) -> None:
    passage, suggestion, signal = case["evidence"]
    found = [(e.text, e.suggestion or "", e.signal) for e in find(case["text"])[0]]
    assert (passage, suggestion, signal) in found


def check(text: str, rows: list[Evidence]) -> None:
    """Assert that evidence is in order without overlaps, at the offsets of the text as submitted, and has a weight."""
    assert all(text[row.start : row.end] == row.text != "" for row in rows)
    assert all(first.end <= second.start for first, second in itertools.pairwise(rows))
    assert all(row.signal in SIGNALS and row.weight > 0 for row in rows)
    assert all((row.suggestion is None) == (row.signal == "misfit") for row in rows if row.signal in WORDS)


@given(st.lists(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=9), max_size=3))
def test_evidence_of_any_text_is_valid(parts: list[list[str]]) -> None:
    texts = [" ".join(part) for part in parts]
    for text, rows in zip(texts, find(*texts), strict=True):
        check(text, rows)


@pytest.mark.parametrize("texts", [(), ("",)])
def test_nothing_has_no_evidence(texts: tuple[str, ...]) -> None:
    assert find(*texts) == [[] for _ in texts]


def test_only_the_heaviest_pieces_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    (everything,) = find(tiny.ARTICLE)
    monkeypatch.setattr(module, "MOST", 3)
    (some,) = find(tiny.ARTICLE)
    assert len(everything) > 3
    assert sorted(row.weight for row in some) == sorted(row.weight for row in everything)[-3:]


def test_offsets_are_right_in_a_text_of_many_sections() -> None:
    text = " ".join(
        [*tiny.SENTENCES * 4, "The mayor gave a speech about counterfeit consciousness.", *tiny.SENTENCES * 4]
    )
    assert len(Documents.parse([text]).in_sections()[1]) > 3
    (rows,) = find("Too short.", text)[1:]
    check(text, rows)
    assert "counterfeit consciousness" in {row.text for row in rows}


def test_weights_are_log_likelihood_ratios() -> None:
    # Lowering the prior log odds adds the difference to the weight of every misfit.
    by_place = [
        {row.start: row.weight for row in find(tiny.ARTICLE, prior=prior)[0] if row.signal in WORDS}
        for prior in (-2.0, -4.0)
    ]
    shared = by_place[0].keys() & by_place[1].keys()
    assert shared
    assert all(by_place[1][place] - by_place[0][place] == pytest.approx(2.0, abs=0.011) for place in shared)


def test_a_text_that_is_surely_not_spun_shows_fewer_words() -> None:
    spun, human = (find(tiny.ARTICLE, spun=share)[0] for share in (1.0, 0.0))
    assert 0 < len(human) < len(spun)
    assert set(human) < set(spun)


def test_a_word_with_a_suggestion_is_a_substitution() -> None:
    (rows,) = find("The old ship was late. He instructed the council.", prior=-9)
    assert ("ship", "substitution") in {(row.text, row.signal) for row in rows}
    check("The old ship was late. He instructed the council.", rows)


def test_documents_that_are_not_shown_have_no_evidence() -> None:
    assert find(tiny.ARTICLE, "counterfeit consciousness", shown=False) == [[], []]


def test_a_phrase_that_people_also_write_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    known = tiny.signals().known_phrases
    monkeypatch.setattr(known, "betraying", np.zeros_like(known.betraying))
    (rows,) = find("A speech about counterfeit consciousness.")
    assert not [row for row in rows if row.signal == "known_phrase"]


def test_the_original_of_a_known_phrase_is_probable() -> None:
    (rows,) = find("A speech about counterfeit consciousness.", spun=0.0)
    assert [row.probable for row in rows if row.signal == "known_phrase"] == [True]


@pytest.mark.parametrize(("least", "probable"), [(0.0, True), (1.1, False)], ids=["likely", "unlikely"])
def test_a_likely_original_is_probable(least: float, probable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBABLE", least or 1e-9)
    rows = [row for row in find(tiny.ARTICLE, prior=-9)[0] if row.signal == "substitution"]
    assert rows
    assert {row.probable for row in rows} == {probable}


def test_in_a_text_that_is_not_spun_no_word_has_a_probable_original(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBABLE", 1e-9)
    assert not any(row.probable for row in find(tiny.ARTICLE, prior=-9, spun=0.0)[0] if row.signal == "substitution")


def test_an_odd_word_without_a_suggestion_has_nothing_probable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBABLE", 1e-9)
    assert not any(row.probable for row in find(tiny.ARTICLE)[0] if row.suggestion is None)


def test_a_suggestion_is_never_the_word_itself(detector: Detector) -> None:
    rows = detector.score(" ".join(tiny.SENTENCES)).evidence or ()
    assert all(row.suggestion is None or row.suggestion != row.text.lower() for row in rows)


@pytest.fixture(scope="class")
def ignored_tagger() -> Iterator[None]:
    """Ignore the tagger for the deep tier's evidence, because the tiny tagger's weights are random."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AGREED_WEIGHT", -np.inf)
        yield


@pytest.mark.usefixtures("ignored_tagger")
class TestDeep:
    """Evidence from the deep tier: replaced words, and the encoder's guesses of their originals."""

    PIECES = (
        *PIECES,
        *deep.SPUN,
        "Floating vessel",
        "FLOATING",
        deep.SPUN_SENTENCE,
        "\n\n- vessel\n\n",
        "ves\u200bsel",
    )

    def test_a_word_that_the_tagger_disagrees_about_is_not_shown(
        self, deep_detector: Detector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "AGREED_WEIGHT", np.inf)
        (rows,) = self.find(deep_detector, deep.SPUN_SENTENCE)
        assert not [row for row in rows if row.signal == "substitution"]

    @staticmethod
    def find(detector: Detector, *texts: str) -> list[list[Evidence]]:
        return [list(found.evidence or ()) for found in detector.score_many(texts, depth="deep")]

    @pytest.mark.parametrize("case", cases("model/deep_evidence.toml"), ids=lambda case: case["text"])
    def test_replaced_words_are_found_with_their_originals(self, deep_detector: Detector, case: dict[str, Any]) -> None:
        (rows,) = self.find(deep_detector, case["text"])
        assert [[row.text, row.suggestion or "", row.signal] for row in rows] == case["evidence"]

    @settings(max_examples=100)
    @given(st.lists(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=9), max_size=3))
    def test_evidence_of_any_text_is_valid(self, deep_detector: Detector, parts: list[list[str]]) -> None:
        texts = [" ".join(part) for part in parts]
        for text, rows in zip(texts, self.find(deep_detector, *texts), strict=True):
            check(text, rows)

    def test_words_of_two_texts_are_never_joined(self, deep_detector: Detector) -> None:
        texts = ("The boats left the harbour in the morning, and one was floating", "Vessel was in the harbour.")
        first, second = self.find(deep_detector, *texts)
        assert [row.text for row in first] == ["floating"]
        assert [row.text for row in second] == ["Vessel"]

    @pytest.mark.parametrize("passage", ["floating vessel", "vitality vigour", "vigour vitality"])
    def test_a_passage_weighs_as_much_as_its_heaviest_word(self, deep_detector: Detector, passage: str) -> None:
        ((row,),) = self.find(deep_detector, f"The {passage} was in the harbour.")
        assert row.text == passage
        assert row.weight == deep.SPUN_LOG_ODDS - deep.BLEND.prior_log_odds

    def test_a_less_certain_word_weighs_less(self, deep_detector: Detector) -> None:
        ((row,),) = self.find(deep_detector, "The vigour was in the harbour.")
        assert row.weight == deep.PERHAPS_LOG_ODDS - deep.BLEND.prior_log_odds

    @pytest.mark.parametrize(("least", "probable"), [(-np.inf, True), (np.inf, False)], ids=["likely", "unlikely"])
    def test_a_likely_original_is_probable_in_a_spun_text(
        self, deep_detector: Detector, least: float, probable: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "DEEP_PROBABLE", least)
        found = deep_detector.score(deep.SPUN_ARTICLE, depth="deep")
        assert found.kind == "spun"
        assert {row.probable for row in found.evidence or () if row.signal == "substitution"} == {probable}

    def test_a_few_alternatives_follow_the_suggestion(self, deep_detector: Detector) -> None:
        ((row,),) = self.find(deep_detector, "The ship was in the harbour.")
        assert row.suggestion == "boat"
        assert len(row.alternatives) == module.SUGGESTIONS - 1
        assert row.suggestion not in row.alternatives

    def test_fitting_synonyms_are_among_the_alternatives(self, deep_detector: Detector) -> None:
        # The encoder knows only one original for "ship"; the others are from the table of alternatives.
        ((row,),) = self.find(deep_detector, "The old ferry was late, and the ship was late.")
        assert set(row.alternatives) == {"ferry", "boats"}

    def test_suggestions_are_capitalised_like_the_word(self, deep_detector: Detector) -> None:
        ((row,),) = self.find(deep_detector, "Ship was in the harbour.")
        assert (row.suggestion, {word[0] for word in row.alternatives}) == ("Boat", {"B", "F"})

    def test_a_word_is_never_its_own_suggestion(self, deep_detector: Detector) -> None:
        # The encoder ranks the word itself second.
        ((row,),) = self.find(deep_detector, "The Vitality of the council was in the harbour.")
        assert row.suggestion == "Energy"
        assert "Vitality" not in row.alternatives

    def test_evidence_is_from_the_tier_that_decided(self, deep_detector: Detector) -> None:
        # The second text of the batch gets no verdict, so at depth `auto` the deep tier does not read it.
        texts = [deep.SPUN_ARTICLE, "The vessel was late."]
        decided, left = deep_detector.score_many(texts)
        assert (decided.depth, left.depth) == ("deep", "fast")
        assert left == deep_detector.score(texts[1], depth="fast")
