"""model/detector.py with several tiers: which tier decides, and which part of the text was paraphrased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import deep as tiny
from tests import tables
from unspun.model.decision import evidence
from unspun.model.decision.evidence import DEEP_LEAST_WEIGHT, UNSPUN_WEIGHT
from unspun.model.detector import Detector, MissingTierError
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import DeepEncoder
from unspun.model.verdict import Verdict

NEVER = 1e-300
"""A rate that is below every text's, so that the fast tier is never in doubt."""
JUDGED = (
    tables.ARTICLE,
    tiny.SPUN_ARTICLE,
    *(" ".join(tables.SENTENCES[start : start + 8]) for start in range(0, 18, 3)),
)
ABSTAINED = ("", "The vessel was late.", "Le bateau a quitté le port avant la tempête et les gens avaient froid. " * 6)
TEXTS = (*JUDGED, *ABSTAINED)
CLEAN = " ".join(tables.SENTENCES)
SPUN_PASSAGE = " ".join([tiny.SPUN_SENTENCE] * 8)
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
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Return the documents that the encoder reads, one list per call."""
    calls: list[list[int]] = []
    read = DeepEncoder.read

    def count(self: DeepEncoder, documents: Documents, which: Sequence[int], **options: Any) -> Any:
        calls.append(list(which))
        return read(self, documents, which, **options)

    monkeypatch.setattr(DeepEncoder, "read", count)
    return calls


def doubting(detector: Detector, rate: float = NEVER) -> Detector:
    """Return the detector with another rate above which the fast tier's verdict is final."""
    return Detector(tiny.with_doubt(detector.bundle, rate))


def scores(verdicts: Sequence[Verdict]) -> list[float | None]:
    return [verdict.score for verdict in verdicts]


class TestDepth:
    def test_depth_deep_uses_the_deep_tier(self, deep_detector: Detector) -> None:
        assert deep_detector.score(tables.ARTICLE, depth="deep").depth == "deep"

    def test_depth_fast_never_runs_the_encoder(self, deep_detector: Detector, reads: list[list[int]]) -> None:
        found = deep_detector.score_many(TEXTS, depth="fast")
        assert {verdict.depth for verdict in found} == {"fast"}
        assert reads == []

    def test_the_encoder_reads_a_batch_once(self, deep_detector: Detector, reads: list[list[int]]) -> None:
        deep_detector.score_many(JUDGED, depth="deep")
        assert reads == [list(range(len(JUDGED)))]

    def test_depth_deep_also_reads_texts_without_a_verdict(
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
    def test_an_unknown_depth_is_refused(self, deep_detector: Detector, depth: str) -> None:
        with pytest.raises(ValueError, match="use one of first, auto, fast, deep"):
            deep_detector.score(tables.ARTICLE, depth=depth)

    def test_depth_deep_without_a_deep_tier_is_an_error(self, detector: Detector) -> None:
        with pytest.raises(ValueError, match="no deep tier"):
            detector.score(tables.ARTICLE, depth="deep")

    def test_depth_auto_without_a_deep_tier_is_fast(self, detector: Detector) -> None:
        auto, fast = (detector.score_many(TEXTS, depth=depth) for depth in ("auto", "fast"))
        assert auto == fast
        assert {verdict.depth for verdict in auto} == {"fast"}

    def test_a_deep_tier_does_not_change_the_fast_one(self, detector: Detector, deep_detector: Detector) -> None:
        with_deep = deep_detector.score_many(TEXTS, depth="fast")
        assert [replace(verdict, model=detector.model) for verdict in with_deep] == detector.score_many(TEXTS)


class TestAuto:
    """Depth `auto` uses the deep tier only if the fast one is in doubt."""

    def test_the_fast_tier_decides_if_it_is_sure(self, deep_detector: Detector, reads: list[list[int]]) -> None:
        found = doubting(deep_detector).score_many(JUDGED)
        assert {verdict.depth for verdict in found} == {"fast"}
        assert reads == []

    def test_the_deep_tier_reads_and_decides_texts_up_to_a_rate(
        self, deep_detector: Detector, reads: list[list[int]]
    ) -> None:
        found = deep_detector.measure(JUDGED, depth="fast")
        by_kind = np.exp(deep_detector.decision.tiers["fast"].log_rates(found.fast, found.words, found.unfamiliar))
        by_fast = by_kind.min(axis=1).tolist()
        limit = median(by_fast) * 1.0001
        depths = [verdict.depth for verdict in doubting(deep_detector, limit).score_many(JUDGED)]
        assert depths == ["fast" if rate > limit else "deep" for rate in by_fast]
        assert set(depths) == {"fast", "deep"}
        assert reads == [[number for number, rate in enumerate(by_fast) if rate <= limit]]

    def test_doubt_about_one_kind_is_enough(self, deep_detector: Detector) -> None:
        for kind in range(3):
            doubt = np.full(3, NEVER)
            doubt[kind] = 1e9
            found = Detector(replace(deep_detector.bundle, doubt=doubt)).score(tables.ARTICLE)
            assert found.depth == "deep"

    def test_the_encoder_does_not_read_abstentions(self, deep_detector: Detector, reads: list[list[int]]) -> None:
        found = deep_detector.score_many([*ABSTAINED, tables.ARTICLE, *ABSTAINED])
        assert [verdict.depth for verdict in found] == ["fast"] * 3 + ["deep"] + ["fast"] * 3
        assert reads == [[3]]

    @pytest.mark.parametrize("limit", [NEVER, 0.3, 0.8, 1.5, 1e9])
    def test_the_verdict_is_from_the_tier_that_decided(self, deep_detector: Detector, limit: float) -> None:
        fast, deep = (deep_detector.score_many(TEXTS, depth=depth) for depth in ("fast", "deep"))
        auto = doubting(deep_detector, limit).score_many(TEXTS)
        assert auto == [{"fast": a, "deep": b}[answer.depth] for answer, a, b in zip(auto, fast, deep, strict=True)]

    def test_without_evidence_the_scores_are_the_same(self, deep_detector: Detector) -> None:
        with_evidence, without = (deep_detector.score_many(TEXTS, evidence=shown) for shown in (True, False))
        assert scores(with_evidence) == scores(without)
        assert {verdict.evidence for verdict in without} == {None}


class TestFirst:
    """At depth `auto`, the first tier settles plain human text unless all evidence is wanted or terms are allowed."""

    def test_a_settled_text_is_clear_without_a_score(self, first_detector: Detector) -> None:
        found = first_detector.score(tables.ARTICLE)
        assert (found.verdict, found.depth, found.reason) == ("clear", "first", None)
        assert (found.score, found.share, found.kinds, found.false_positive_rate) == (None, None, None, None)
        assert (found.evidence, found.passages, found.sentences, found.repairs) == (None, (), (), ())

    def test_a_later_tier_decides_about_the_others(self, first_detector: Detector, deep_detector: Detector) -> None:
        for text in (tiny.SPUN_ARTICLE, *ABSTAINED):
            found = first_detector.score(text)
            assert found.depth != "first"
            assert found == replace(deep_detector.score(text), model=first_detector.model)

    def test_the_encoder_reads_only_what_is_left(self, first_detector: Detector, reads: list[list[int]]) -> None:
        first_detector.score_many([tables.ARTICLE, tiny.SPUN_ARTICLE, tables.ARTICLE])
        assert reads == [[0]]

    def test_depth_first_abstains_from_the_others(self, first_detector: Detector) -> None:
        settled, *others = first_detector.score_many([tables.ARTICLE, tiny.SPUN_ARTICLE, *ABSTAINED], depth="first")
        assert settled == first_detector.score(tables.ARTICLE)
        said = {(verdict.verdict, verdict.reason, verdict.depth, verdict.score) for verdict in others}
        assert said == {("abstained", "unsettled", "first", None)}

    @pytest.mark.parametrize("depth", ["fast", "deep"])
    def test_later_tiers_answer_as_if_there_were_none(
        self, first_detector: Detector, deep_detector: Detector, depth: str
    ) -> None:
        expected = [replace(one, model=first_detector.model) for one in deep_detector.score_many(TEXTS, depth=depth)]
        assert first_detector.score_many(TEXTS, depth=depth) == expected

    @pytest.mark.parametrize("evidence", [True, False])
    def test_it_gives_no_evidence_and_runs_with_or_without(self, first_detector: Detector, evidence: bool) -> None:
        found = first_detector.score(tables.ARTICLE, evidence=evidence)
        assert (found.depth, found.evidence) == ("first", None)

    def test_the_fast_tier_adds_the_evidence_if_all_is_asked_for(self, first_detector: Detector) -> None:
        found = first_detector.score(tables.ARTICLE, evidence="all")
        assert found.depth == "fast"
        assert found.evidence is not None

    @pytest.mark.parametrize("suspect", [0.001, 0.999])
    def test_the_verdict_does_not_depend_on_the_evidence(self, first_detector: Detector, suspect: float) -> None:
        decision = first_detector.decision.with_thresholds("fast", 1e-9, suspect)
        detector = Detector(replace(first_detector.bundle, decision=decision))
        with_all, without = (
            [one.verdict for one in detector.score_many(TEXTS, evidence=asked)] for asked in ("all", False)
        )
        assert with_all == without

    def test_a_text_that_the_fast_tier_finds_paraphrased_is_read_by_the_encoder_only_for_its_evidence(
        self, first_detector: Detector, reads: list[list[int]]
    ) -> None:
        tiers = first_detector.decision.tiers
        surely = replace(tiers["fast"], factors=np.full(3, 1e-9))
        decision = replace(first_detector.decision, tiers={**tiers, "fast": surely})
        detector = Detector(replace(first_detector.bundle, decision=decision))
        plain = detector.score(tiny.SPUN_ARTICLE, evidence=False)
        assert (plain.verdict, plain.depth, reads) == ("paraphrased", "fast", [])
        shown = detector.score(tiny.SPUN_ARTICLE)
        assert (shown.verdict, shown.score, shown.depth, reads) == ("paraphrased", plain.score, "fast", [[0]])

    @pytest.mark.parametrize("allow", ["before", "later"])
    def test_allowed_terms_leave_it_out(self, first_detector: Detector, allow: str) -> None:
        terms = ["spline"]  # none of them is in the text
        bundle = first_detector.bundle
        found = Detector(bundle, terms) if allow == "before" else first_detector.allowing(terms)
        assert found.score(tables.ARTICLE).depth == "deep"
        with pytest.raises(MissingTierError, match="allowed terms need the fast tier; use depth 'auto' or 'fast'"):
            found.score(tables.ARTICLE, depth="first")

    def test_without_the_list_of_terms_it_is_back(self, first_detector: Detector) -> None:
        assert first_detector.allowing(["spline"]).allowing(None).score(tables.ARTICLE).depth == "first"

    def test_depth_first_without_a_first_tier_is_an_error(self, deep_detector: Detector) -> None:
        with pytest.raises(MissingTierError, match="no first tier; use depth 'auto' or 'fast'"):
            deep_detector.score(tables.ARTICLE, depth="first")

    def test_a_base_rate_adds_the_probability_at_the_lowest_score(self, first_detector: Detector) -> None:
        found = first_detector.score(tables.ARTICLE, base_rate=0.05)
        assert found.probability == pytest.approx(first_detector.decision.probability("first", 0.0, 0.05), abs=1e-6)
        assert first_detector.score(tiny.SPUN_ARTICLE, depth="first", base_rate=0.05).probability is None

    @settings(max_examples=15)
    @given(
        st.lists(st.sampled_from([*TEXTS, *SNIPPETS, CLEAN * 3]) | st.text(max_size=30), max_size=6),
        st.sampled_from(["auto", "first"]),
    )
    def test_a_batch_gives_the_same_verdicts_as_single_texts(
        self, first_detector: Detector, texts: list[str], depth: str
    ) -> None:
        together = [verdict.to_json() for verdict in first_detector.score_many(texts, depth=depth)]
        assert together == [first_detector.score(text, depth=depth).to_json() for text in texts]

    def test_a_batch_of_many_documents_keeps_their_order(self, first_detector: Detector) -> None:
        texts = [tables.ARTICLE, tiny.SPUN_ARTICLE, "Too short."] * 100
        names = [str(number) for number in range(len(texts))]
        found = first_detector.score_many(texts, ids=names, evidence=False)
        assert [verdict.id for verdict in found] == names
        assert [verdict.depth for verdict in found] == ["first", "deep", "fast"] * 100


class TestVerdict:
    def test_replaced_words_raise_the_score(self, deep_detector: Detector) -> None:
        clean, spun = deep_detector.score_many([tables.ARTICLE, tiny.SPUN_ARTICLE], depth="deep")
        assert (clean.verdict, spun.verdict) == ("clear", "paraphrased")
        assert (clean.score or 0.0) < (spun.score or 0.0)

    @pytest.mark.parametrize(
        ("word", "kind"), [("vessel", "spun"), ("moreover", "translated"), ("delves", "rewritten")]
    )
    def test_the_kind_has_the_strongest_evidence(self, deep_detector: Detector, word: str, kind: str) -> None:
        text = " ".join(f"A {word} and {sentence[0].lower()}{sentence[1:]}" for sentence in tables.SENTENCES[:14])
        found = deep_detector.score(text, depth="deep")
        assert found.kind == kind
        assert found.kinds is not None
        assert found.score == found.kinds[kind]

    def test_the_deep_tier_has_its_own_thresholds(self, deep_detector: Detector) -> None:
        decision = deep_detector.decision.with_thresholds("deep", 1e-300, 1e-299)
        detector = Detector(replace(deep_detector.bundle, decision=decision))
        first, second = (one.score(tiny.SPUN_ARTICLE, depth="deep") for one in (deep_detector, detector))
        assert (first.verdict, second.verdict) == ("paraphrased", "clear")
        assert deep_detector.score(tiny.SPUN_ARTICLE, depth="fast") == detector.score(tiny.SPUN_ARTICLE, depth="fast")

    def test_the_probability_is_from_the_tier_that_decided(self, deep_detector: Detector) -> None:
        found = deep_detector.score(tiny.SPUN_ARTICLE, depth="deep", base_rate=0.05)
        assert found.probability == pytest.approx(
            deep_detector.decision.probability("deep", found.score or 0.0, 0.05), abs=1e-6
        )

    @settings(max_examples=15)
    @given(
        st.lists(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=9), max_size=12).map(" ".join), max_size=5),
        st.sampled_from(["auto", "deep"]),
    )
    def test_a_batch_gives_the_same_verdicts_as_single_texts(
        self, deep_detector: Detector, texts: list[str], depth: str
    ) -> None:
        texts = [text.removesuffix(".") for text in texts]  # neighbours in the batch must not become context
        together = [verdict.to_json() for verdict in deep_detector.score_many(texts, depth=depth)]
        assert together == [deep_detector.score(text, depth=depth).to_json() for text in texts]

    @settings(max_examples=30)
    @given(st.text(alphabet=st.characters(exclude_categories=())))
    def test_any_text_gets_the_same_verdict_twice(self, deep_detector: Detector, text: str) -> None:
        first, second = (deep_detector.score(text, depth="deep").to_json() for _ in range(2))
        assert first == second


class TestPassages:
    """The paraphrased part of a longer text, in whole windows, and its share of the words."""

    LONG_TEXT = f"{CLEAN} {SPUN_PASSAGE} {CLEAN}"

    def test_a_spun_passage_in_a_long_text_is_located(self, deep_detector: Detector) -> None:
        found = deep_detector.score(self.LONG_TEXT, depth="deep")
        assert found.kind == "spun"
        (passage,) = found.passages
        start, end = self.LONG_TEXT.index(SPUN_PASSAGE), self.LONG_TEXT.index(SPUN_PASSAGE) + len(SPUN_PASSAGE)
        inside = max(0, min(end, passage.end) - max(start, passage.start))
        assert inside > 0.6 * len(SPUN_PASSAGE)
        assert passage.words < 3 * len(SPUN_PASSAGE.split())

    def test_the_words_of_a_passage_are_counted(self, deep_detector: Detector) -> None:
        (passage,) = deep_detector.score(self.LONG_TEXT, depth="deep").passages
        assert passage.words == len(self.LONG_TEXT[passage.start : passage.end].split())

    def test_the_share_is_the_share_of_those_words(self, deep_detector: Detector) -> None:
        found = deep_detector.score(self.LONG_TEXT, depth="deep")
        (passage,) = found.passages
        assert found.share == pytest.approx(passage.words / found.words, abs=0.02)

    def test_offsets_refer_to_the_text_as_submitted(self, deep_detector: Detector) -> None:
        text = f"Caf&eacute; \u200b😀 {self.LONG_TEXT}".replace("vessel", "ves\u200bsel")
        (passage,) = deep_detector.score(text, depth="deep").passages
        shown = text[passage.start : passage.end]
        assert "vitality of the ves\u200bsel" in shown
        assert shown == shown.strip()

    def test_each_text_of_a_batch_has_its_own_passages(self, deep_detector: Detector) -> None:
        texts = [self.LONG_TEXT, CLEAN * 2, f"{SPUN_PASSAGE * 2} {CLEAN} {CLEAN}"]
        found = deep_detector.score_many(texts, depth="deep")
        assert [verdict.passages for verdict in found] == [
            deep_detector.score(text, depth="deep").passages for text in texts
        ]
        assert [len(verdict.passages) for verdict in found] == [1, 0, 1]

    @pytest.mark.parametrize("times", [3, 8, 40])
    def test_an_entirely_spun_text_has_no_passages(self, deep_detector: Detector, times: int) -> None:
        found = deep_detector.score(f"{SPUN_PASSAGE} " * times, depth="deep")
        assert (found.kind, found.share, found.passages) == ("spun", 1.0, ())

    def test_a_translated_passage_in_a_long_text_is_located(self, deep_detector: Detector) -> None:
        passage = " ".join(f"{sentence[:-1]}{', moreover' * 9}." for sentence in tables.SENTENCES[:8])
        found = deep_detector.score(f"{CLEAN} {passage} {CLEAN}", depth="deep")
        assert found.kind == "translated"
        assert 0.0 < (found.share or 0.0) < 0.5
        assert len(found.passages) == 1

    def test_a_clear_text_has_no_passages(self, deep_detector: Detector) -> None:
        found = deep_detector.score(CLEAN * 2, depth="deep")
        assert (found.verdict, found.share, found.passages) == ("clear", 0.0, ())

    def test_the_share_falls_with_the_length_of_the_rest(self, deep_detector: Detector) -> None:
        texts = [f"{CLEAN * times} {SPUN_PASSAGE * 2} {CLEAN * times}" for times in (1, 2, 4)]
        shares = [verdict.share or 0.0 for verdict in deep_detector.score_many(texts, depth="deep")]
        assert shares == sorted(shares, reverse=True)
        assert shares[0] > 2 * shares[2] > 0

    def test_without_evidence_only_the_share_is_given(self, deep_detector: Detector) -> None:
        with_evidence, without = (
            deep_detector.score(self.LONG_TEXT, depth="deep", evidence=shown) for shown in (True, False)
        )
        assert without.passages == ()
        assert without.share == with_evidence.share

    def test_outside_the_passage_a_word_needs_more_weight(self, deep_detector: Detector) -> None:
        # The weight of replaced words is just too low for a text that is surely not spun.
        prior = tiny.SPUN_LOG_ODDS - (DEEP_LEAST_WEIGHT + UNSPUN_WEIGHT - 0.25)
        commoner = replace(tiny.tier(), blend=replace(tiny.BLEND, prior_log_odds=prior))
        text = f"The vessel was late. {self.LONG_TEXT}"
        found = Detector(replace(deep_detector.bundle, deep=commoner)).score(text, depth="deep")
        (passage,) = found.passages
        places = [row.start for row in found.evidence or () if row.text == "vessel"]
        assert places
        assert all(passage.start <= place < passage.end for place in places)


class TestLongTexts:
    """A long text is judged by all of its windows, never by the worst one alone."""

    def test_evidence_does_not_grow_with_the_length_of_human_text(self, deep_detector: Detector) -> None:
        found = deep_detector.measure([CLEAN * times for times in (1, 4, 16)], depth="deep")
        assert found.deep is not None
        assert found.deep[:, 0] == pytest.approx(np.full(3, -4.0), abs=0.01)

    def test_one_odd_sentence_counts_for_less_in_a_longer_text(self, deep_detector: Detector) -> None:
        found = deep_detector.measure([f"{CLEAN * n} {tiny.SPUN_SENTENCE} {CLEAN * n}" for n in (1, 4, 16)])
        assert found.deep is not None
        evidence = found.deep[:, 0].tolist()
        assert evidence == sorted(evidence, reverse=True)
