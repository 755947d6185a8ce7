"""model/detector.py with a deep tier: which tier decides, and where in the text the spinner was at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import evidence
from model.deep import DeepEncoder
from model.detector import LONG, Detector
from model.document import Documents
from model.evidence import DEEP_LEAST_WEIGHT, UNSPUN_WEIGHT
from model.verdict import Verdict
from tests import deep as tiny
from tests import tables

NEVER, ALWAYS = 2.0, float("inf")
"""A score that no text reaches, and a contrast that none does."""
JUDGED = (
    tables.ARTICLE,
    tiny.SPUN_ARTICLE,
    *(" ".join(tables.SENTENCES[start : start + 8]) for start in range(0, 18, 3)),
)
ABSTAINED = ("", "The vessel was late.", "Le bateau a quitté le port avant la tempête et les gens avaient froid. " * 6)
TEXTS = (*JUDGED, *ABSTAINED)
CLEAN = " ".join(tables.SENTENCES)
SPUN_PASSAGE = " ".join([tiny.SPUN_SENTENCE] * 3)
SNIPPETS = (
    *tables.SENTENCES[:6],
    tiny.SPUN_SENTENCE,
    "Floating vessel",
    "counterfeit consciousness",
    "the the",
    "&amp; vitality &lt;",
    "ves\u200bsel",
    "flοating",  # a Greek letter that looks alike
    "\n\n- ship\n\n",
    "e\u0301 İ ﬁ 😀 Ã©",
    "\ud800",
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Return the documents of a batch that the encoder was asked to read, a list a call."""
    calls: list[list[int]] = []
    read = DeepEncoder.read

    def count(self: DeepEncoder, documents: Documents, which: Sequence[int], **options: Any) -> Any:
        calls.append(list(which))
        return read(self, documents, which, **options)

    monkeypatch.setattr(DeepEncoder, "read", count)
    return calls


def doubting(detector: Detector, *, score: float = NEVER, contrast: float = ALWAYS) -> Detector:
    """Return the detector with other limits below which the fast tier's answer stands."""
    return Detector(tiny.with_doubt(detector.bundle, score=score, contrast=contrast))


def scores(verdicts: Sequence[Verdict]) -> list[float]:
    return [verdict.score for verdict in verdicts]


class TestDepth:
    """Which tier reads a text."""

    def test_deep_asks_the_deep_tier(self, deep_detector: Detector) -> None:
        assert deep_detector.score(tables.ARTICLE, depth="deep").depth == "deep"

    def test_fast_never_runs_the_encoder(self, deep_detector: Detector, asked: list[list[int]]) -> None:
        found = deep_detector.score_many(TEXTS, depth="fast")
        assert {verdict.depth for verdict in found} == {"fast"}
        assert asked == []

    def test_the_encoder_reads_a_batch_once(self, deep_detector: Detector, asked: list[list[int]]) -> None:
        deep_detector.score_many(JUDGED, depth="deep")
        assert asked == [list(range(len(JUDGED)))]

    def test_deep_reads_what_is_abstained_from_too(
        self, deep_detector: Detector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(evidence, "AGREED_WEIGHT", -np.inf)  # the tiny tagger's weights are random
        found = deep_detector.score("The vessel was late.", depth="deep")
        assert (found.verdict, found.depth) == ("abstained", "deep")
        assert [row.suggestion for row in found.evidence or ()] == ["boat"]

    @pytest.mark.parametrize("text", ["", "7 + 8 = 15", "- vessel\n- ship\n- vitality"])
    def test_a_text_without_words_is_left_to_the_fast_tier(self, deep_detector: Detector, text: str) -> None:
        assert deep_detector.score(text, depth="deep").depth == "fast"

    @pytest.mark.parametrize("depth", ["shallow", "", "Deep"])
    def test_other_depths_are_refused(self, deep_detector: Detector, depth: str) -> None:
        with pytest.raises(ValueError, match="is none of auto, fast, deep"):
            deep_detector.score(tables.ARTICLE, depth=depth)

    def test_a_model_without_a_deep_tier_says_so(self, detector: Detector) -> None:
        with pytest.raises(ValueError, match="no deep tier"):
            detector.score(tables.ARTICLE, depth="deep")

    def test_a_model_without_a_deep_tier_answers_auto_as_fast(self, detector: Detector) -> None:
        auto, fast = (detector.score_many(TEXTS, depth=depth) for depth in ("auto", "fast"))
        assert auto == fast
        assert {verdict.depth for verdict in auto} == {"fast"}

    def test_the_fast_tier_is_the_same_with_a_deep_one(self, detector: Detector, deep_detector: Detector) -> None:
        with_deep = deep_detector.score_many(TEXTS, depth="fast")
        assert [replace(verdict, model=detector.model) for verdict in with_deep] == detector.score_many(TEXTS)


class TestAuto:
    """`auto` asks the deep tier only where the fast one is in doubt."""

    def test_below_the_limits_the_fast_tier_decides(self, deep_detector: Detector, asked: list[list[int]]) -> None:
        found = doubting(deep_detector).score_many(JUDGED)
        assert {verdict.depth for verdict in found} == {"fast"}
        assert asked == []

    def test_from_a_score_on_the_deep_tier_decides(self, deep_detector: Detector) -> None:
        by_fast = scores(deep_detector.score_many(JUDGED, depth="fast"))
        limit = median(by_fast) + 1e-5
        found = doubting(deep_detector, score=limit).score_many(JUDGED)
        assert [verdict.depth for verdict in found] == ["fast" if score < limit else "deep" for score in by_fast]
        assert {verdict.depth for verdict in found} == {"fast", "deep"}

    def test_only_texts_in_doubt_are_read(self, deep_detector: Detector, asked: list[list[int]]) -> None:
        by_fast = scores(deep_detector.score_many(JUDGED, depth="fast"))
        limit = median(by_fast) + 1e-5
        doubting(deep_detector, score=limit).score_many(JUDGED)
        assert asked == [[number for number, score in enumerate(by_fast) if score >= limit]]

    def test_a_stretch_that_stands_out_is_doubt_whatever_the_score(self, deep_detector: Detector) -> None:
        # A text no longer than a stretch has none.
        short = " ".join(tables.SENTENCES[:6])
        found = doubting(deep_detector, contrast=1e-6).score_many([tables.ARTICLE, short])
        assert [(verdict.depth, verdict.words > 100) for verdict in found] == [("deep", True), ("fast", False)]

    def test_what_is_abstained_from_is_not_read(self, deep_detector: Detector, asked: list[list[int]]) -> None:
        found = deep_detector.score_many([*ABSTAINED, tables.ARTICLE, *ABSTAINED])
        assert [verdict.depth for verdict in found] == ["fast"] * 3 + ["deep"] + ["fast"] * 3
        assert asked == [[3]]

    @pytest.mark.parametrize("limit", [0.0, 0.5, 0.7, 0.8, NEVER])
    def test_the_answer_is_that_of_the_tier_that_decided(self, deep_detector: Detector, limit: float) -> None:
        fast, deep = (deep_detector.score_many(TEXTS, depth=depth) for depth in ("fast", "deep"))
        auto = doubting(deep_detector, score=limit).score_many(TEXTS)
        assert auto == [{"fast": a, "deep": b}[answer.depth] for answer, a, b in zip(auto, fast, deep, strict=True)]

    def test_without_evidence_the_scores_are_the_same(self, deep_detector: Detector) -> None:
        with_evidence, without = (deep_detector.score_many(TEXTS, evidence=shown) for shown in (True, False))
        assert scores(with_evidence) == scores(without)
        assert {verdict.evidence for verdict in without} == {None}


class TestVerdict:
    """What the deep tier makes of a text."""

    def test_replaced_words_raise_the_score(self, deep_detector: Detector) -> None:
        clean, spun = scores(deep_detector.score_many([tables.ARTICLE, tiny.SPUN_ARTICLE], depth="deep"))
        assert clean < 0.3 < 0.6 < spun

    def test_the_deep_tier_has_thresholds_of_its_own(self, deep_detector: Detector) -> None:
        bands = [{"words": 40, "suspect": 0.0, "paraphrased": 0.0}]
        entry = {**deep_detector.bundle.manifest["deep"], "thresholds": {"minimum_words": 40, "bands": bands}}
        manifest = {**deep_detector.bundle.manifest, "deep": entry}
        detector = Detector(replace(deep_detector.bundle, manifest=manifest))
        assert deep_detector.score(tables.ARTICLE).verdict == "clear"
        assert detector.score(tables.ARTICLE).verdict == "paraphrased"

    @settings(deadline=None, max_examples=15)
    @given(
        st.lists(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=9), max_size=12).map(" ".join), max_size=5),
        st.sampled_from(["auto", "deep"]),
    )
    def test_a_batch_answers_as_each_text_alone(self, deep_detector: Detector, texts: list[str], depth: str) -> None:
        texts = [text.removesuffix(".") for text in texts]  # what stands beside them in the batch is not their context
        together = [verdict.to_json() for verdict in deep_detector.score_many(texts, depth=depth)]
        assert together == [deep_detector.score(text, depth=depth).to_json() for text in texts]

    @settings(deadline=None, max_examples=30)
    @given(st.text(alphabet=st.characters(exclude_categories=())))
    def test_any_text_gets_a_verdict_and_the_same_again(self, deep_detector: Detector, text: str) -> None:
        first, second = (deep_detector.score(text, depth="deep").to_json() for _ in range(2))
        assert first == second


class TestPassages:
    """The part of a longer text in which the replaced words stand."""

    LONG_TEXT = f"{CLEAN} {SPUN_PASSAGE} {CLEAN}"

    def test_a_spun_passage_in_a_long_text_is_located(self, deep_detector: Detector) -> None:
        found = deep_detector.score(self.LONG_TEXT, depth="deep")
        assert found.kind == "spun"
        (passage,) = found.passages
        # From its first replaced word to its last.
        assert self.LONG_TEXT[passage.start : passage.end] == SPUN_PASSAGE[len("The ") : -len(" of the council.")]

    def test_its_words_are_counted(self, deep_detector: Detector) -> None:
        (passage,) = deep_detector.score(self.LONG_TEXT, depth="deep").passages
        assert passage.words == len(self.LONG_TEXT[passage.start : passage.end].split())

    def test_its_place_is_that_in_the_text_as_submitted(self, deep_detector: Detector) -> None:
        text = f"Caf&eacute; \u200b😀 {self.LONG_TEXT}".replace("vessel", "ves\u200bsel")
        (passage,) = deep_detector.score(text, depth="deep").passages
        shown = text[passage.start : passage.end]
        assert shown.startswith("vitality of the ves\u200bsel")
        assert shown.endswith("instructed the vitality")

    def test_each_text_of_a_batch_has_its_own(self, deep_detector: Detector) -> None:
        texts = [self.LONG_TEXT, CLEAN * 2, f"{SPUN_PASSAGE} {CLEAN} {CLEAN}"]
        found = deep_detector.score_many(texts, depth="deep")
        assert [verdict.passages for verdict in found] == [
            deep_detector.score(text, depth="deep").passages for text in texts
        ]
        assert [len(verdict.passages) for verdict in found] == [1, 0, 1]

    def test_a_short_text_has_none(self, deep_detector: Detector) -> None:
        found = deep_detector.score(f"{SPUN_PASSAGE} {' '.join(tables.SENTENCES[:10])}", depth="deep")
        assert found.words < LONG
        assert (found.kind, found.passages) == ("spun", ())

    def test_a_text_that_is_spun_throughout_has_none(self, deep_detector: Detector) -> None:
        found = deep_detector.score(f"{SPUN_PASSAGE} " * 8, depth="deep")
        assert found.words >= LONG
        assert (found.kind, found.passages) == ("spun", ())

    def test_a_passage_that_is_most_of_the_text_is_none(self, deep_detector: Detector) -> None:
        # Spun at both ends, with little enough between them to be one passage.
        found = deep_detector.score(f"{SPUN_PASSAGE * 2} {CLEAN} {SPUN_PASSAGE * 2}", depth="deep")
        assert found.words >= LONG
        assert (found.kind, found.passages) == ("spun", ())

    def test_a_few_words_are_none(self, deep_detector: Detector) -> None:
        found = deep_detector.score(f"{CLEAN} The vessel, the floating ship, was late. {CLEAN}", depth="deep")
        assert found.passages == ()

    def test_an_odd_word_here_and_there_is_none(self, deep_detector: Detector) -> None:
        sentences = [tiny.SPUN_SENTENCE, *tables.SENTENCES[:4]] * 8
        found = deep_detector.score(" ".join(sentences), depth="deep")
        assert found.words >= LONG
        assert (found.kind, found.passages) == ("spun", ())

    def test_a_text_that_is_clear_has_none(self, deep_detector: Detector) -> None:
        found = deep_detector.score(CLEAN * 2, depth="deep")
        assert (found.verdict, found.passages) == ("clear", ())

    def test_without_evidence_there_are_none(self, deep_detector: Detector) -> None:
        assert deep_detector.score(self.LONG_TEXT, depth="deep", evidence=False).passages == ()

    def test_outside_it_a_word_must_be_odder_to_be_shown(self, deep_detector: Detector) -> None:
        # Replaced words weigh just too little to be shown in a text that is surely not spun.
        prior = tiny.SPUN_LOG_ODDS - (DEEP_LEAST_WEIGHT + UNSPUN_WEIGHT - 0.25)
        commoner = replace(tiny.tier(), blend=replace(tiny.BLEND, prior_log_odds=prior))
        text = f"The vessel was late. {self.LONG_TEXT}"
        found = Detector(replace(deep_detector.bundle, deep=commoner)).score(text, depth="deep")
        (passage,) = found.passages
        places = [row.start for row in found.evidence or () if row.text == "vessel"]
        assert len(places) == 3
        assert all(passage.start <= place < passage.end for place in places)
