"""model/detector.py: text in, verdict out; the same text gives the same bytes, alone or in a batch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tables as tiny
from unspun.model.decision.decision import SCORE_PARAPHRASED, SCORE_SUSPECT
from unspun.model.detector import BATCH_CHARACTERS, BATCH_DOCUMENTS, Detector, _batches
from unspun.model.verdict import KINDS

UNFAMILIAR = (
    "Whoever shall hereby bequeath his tenements unto whomsoever, notwithstanding these covenants, must forthwith "
    "deliver them whole. Such heirs would then possess themselves thereof, provided nobody else should contest your "
    "testament. Whether creditors may nevertheless distrain upon its chattels depends upon statutes which each county "
    "enacts."
)
"""More than forty words of English prose, hardly any of which are in the tiny model's vocabulary."""
EXCERPTS = [" ".join(tiny.SENTENCES[i : i + 8]) for i in range(16)]
SNIPPETS = (*tiny.SENTENCES, "ferry", "the the", "{old|new}", "Vitality.", "\n\n- ship\n\n", "É ß 7%", "ship", "\ud800")


def test_an_article_gets_a_verdict(detector: Detector) -> None:
    found = detector.score(tiny.ARTICLE, id="a.txt")
    assert found.id == "a.txt"
    assert found.verdict in ("clear", "suspect", "paraphrased")
    assert found.reason is None
    assert found.depth == "fast"
    assert found.words == len(tiny.ARTICLE.split())
    assert tuple(found.kinds or ()) == KINDS


def test_the_score_is_that_of_the_strongest_kind(detector: Detector) -> None:
    for found in detector.score_many(EXCERPTS, evidence=False):
        assert found.kinds is not None
        assert found.score == max(found.kinds.values())
        assert found.kind in (None, max(found.kinds, key=found.kinds.__getitem__))


def test_verdict_and_score_agree(detector: Detector) -> None:
    for paraphrased, suspect in ((0.1, 0.3), (0.7, 0.8), (0.001, 0.9), (0.9, 0.99)):
        changed = with_decision(detector, paraphrased=paraphrased, suspect=suspect)
        for found in changed.score_many(EXCERPTS, evidence=False):
            assert found.score is not None
            assert (found.verdict == "paraphrased") == (found.score >= SCORE_PARAPHRASED)
            assert (found.verdict == "clear") == (found.score < SCORE_SUSPECT)


def test_the_rate_is_never_below_what_the_sample_supports(detector: Detector) -> None:
    for supported in (0.002, 0.5, 0.9):
        changed = with_decision(detector, supported=supported)
        found = changed.score_many(EXCERPTS, evidence=False)
        assert all(supported <= (verdict.false_positive_rate or 0.0) <= 1.0 for verdict in found)


def test_a_clear_text_has_no_kind_and_no_share(detector: Detector) -> None:
    found = with_decision(detector, paraphrased=1e-9, suspect=1e-8).score(tiny.ARTICLE)
    assert (found.verdict, found.kind, found.share, found.passages) == ("clear", None, 0.0, ())


def test_a_text_that_is_not_clear_has_a_kind_and_a_share(detector: Detector) -> None:
    found = with_decision(detector, paraphrased=1e-9, suspect=0.9).score(" ".join(tiny.SENTENCES))
    assert found.verdict == "suspect"
    assert found.kind in KINDS
    assert 0.0 < (found.share or 0.0) <= 1.0


def with_decision(detector: Detector, *, supported: float = 0.002, **thresholds: float) -> Detector:
    decision = replace(detector.decision, supported=supported)
    if thresholds:
        decision = decision.with_thresholds("fast", **thresholds)
    return Detector(replace(detector.bundle, decision=decision))


class TestBaseRate:
    """The probability, for callers who know how many of their texts are paraphrased."""

    def test_with_a_base_rate_there_is_a_probability(self, detector: Detector) -> None:
        found = detector.score(tiny.ARTICLE, base_rate=0.05)
        assert found.probability == pytest.approx(
            detector.decision.probability("fast", found.score or 0.0, 0.05), abs=1e-6
        )

    def test_the_rest_of_the_verdict_stays_the_same(self, detector: Detector) -> None:
        with_rate = detector.score(tiny.ARTICLE, base_rate=0.05)
        assert replace(with_rate, probability=None) == detector.score(tiny.ARTICLE)

    def test_an_abstention_has_no_probability(self, detector: Detector) -> None:
        assert detector.score("Too short.", base_rate=0.05).probability is None

    @pytest.mark.parametrize("value", [0, 1, -0.5, 5, "5 %", float("nan")])
    def test_an_invalid_base_rate_is_refused(self, detector: Detector, value: Any) -> None:
        with pytest.raises(ValueError, match="give the share of paraphrased texts, between 0 and 1"):
            detector.score(tiny.ARTICLE, base_rate=value)


class TestUnfamiliar:
    """Text that is unlike anything that the model was calibrated on."""

    def test_it_gets_no_verdict(self, detector: Detector) -> None:
        found = detector.score(UNFAMILIAR)
        assert (found.verdict, found.reason) == ("abstained", "unfamiliar")
        assert found.words >= 40

    def test_the_limit_is_part_of_the_model(self, detector: Detector) -> None:
        bolder = replace(detector.decision, least_familiar=99.0)
        found = Detector(replace(detector.bundle, decision=bolder)).score(UNFAMILIAR)
        assert (found.verdict != "abstained", found.reason) == (True, None)

    def test_too_short_takes_precedence(self, detector: Detector) -> None:
        assert detector.score(UNFAMILIAR[:100]).reason == "too_short"

    def test_sections_are_weighted_by_their_words(self, detector: Detector) -> None:
        text = " ".join(tiny.SENTENCES) + " " + UNFAMILIAR
        parts = detector.measure([" ".join(tiny.SENTENCES), UNFAMILIAR, text], depth="fast")
        assert (parts.owner == 2).sum() == 2
        assert parts.unfamiliar[0] < parts.unfamiliar[2] < parts.unfamiliar[1]


class TestMeasure:
    """The evidence before the decision, for training and calibration."""

    def test_each_text_has_its_evidence(self, detector: Detector) -> None:
        found = detector.measure([tiny.ARTICLE, "", "Too short."], depth="fast")
        assert found.fast.shape == (3, 3)
        assert found.words.tolist() == [len(tiny.ARTICLE.split()), 0, 2]
        assert found.why == (None, "too_short", "too_short")
        assert found.deep is None
        assert not found.decided.any()

    def test_verdicts_are_based_on_the_measured_evidence(self, detector: Detector) -> None:
        found = detector.measure([tiny.ARTICLE], depth="fast")
        tier = detector.decision.tiers["fast"]
        scores = tier.scores(tier.log_rates(found.fast, found.words, found.unfamiliar))
        assert list((detector.score(tiny.ARTICLE).kinds or {}).values()) == np.round(scores[0], 6).tolist()

    def test_a_long_text_is_measured_in_sections(self, detector: Detector) -> None:
        found = detector.measure([" ".join(tiny.SENTENCES * 6), tiny.ARTICLE], depth="fast")
        assert found.owner.tolist() == sorted(found.owner.tolist())
        assert (found.owner == 0).sum() > 4
        assert (found.owner == 1).sum() == 1
        assert np.bincount(found.owner, weights=found.counts).tolist() == found.words.tolist()

    def test_no_texts_give_no_evidence(self, detector: Detector) -> None:
        assert detector.measure([], depth="fast").fast.shape == (0, 3)


def test_the_decision_comes_from_the_bundle(detector: Detector) -> None:
    assert detector.decision.minimum_words == 40


def test_the_model_is_named(detector: Detector) -> None:
    model = detector.score(tiny.ARTICLE).model
    assert (model.name, model.version, len(model.sha256)) == ("tiny", "0.0.1", 64)
    assert model == detector.model


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too_short"),  # nothing at all
        (" \n\t ", "too_short"),  # white space
        ("Ten words are too few to say anything about this.", "too_short"),  # a line
        (
            "Le bateau a quitté le port avant la tempête et les gens du quai avaient froid dans la nuit. " * 4,
            "not_english",
        ),
        (Path(tiny.__file__).read_text("utf-8"), "not_prose"),  # a program
        ("\x00\x01\x02" * 500, "too_short"),  # a binary
        ("\ud800" * 100, "not_prose"),  # lone surrogates
    ],
)
def test_texts_that_cannot_be_judged_are_abstained_from(detector: Detector, text: str, reason: str) -> None:
    found = detector.score(text)
    assert (found.verdict, found.reason, found.kind) == ("abstained", reason, None)
    assert (found.score, found.false_positive_rate, found.share, found.kinds) == (None, None, None, None)


def test_a_text_that_is_too_short_still_has_evidence(detector: Detector) -> None:
    found = detector.score("A speech about counterfeit consciousness.")
    assert found.verdict == "abstained"
    assert [row.suggestion for row in found.evidence or () if row.signal == "known_phrase"] == [
        "artificial intelligence"
    ]


def test_evidence_can_be_left_out(detector: Detector) -> None:
    without = detector.score(tiny.ARTICLE, evidence=False)
    assert without.evidence is None
    assert without.score == detector.score(tiny.ARTICLE).score


def test_a_clear_text_has_evidence_only_if_all_is_requested(detector: Detector) -> None:
    texts = [tiny.ARTICLE, "A speech about counterfeit consciousness."]
    some, everything = (detector.score_many(texts, evidence=which) for which in (True, "all"))
    assert some[0].verdict == "clear"
    assert [verdict.evidence is None for verdict in some] == [True, False]
    assert everything == [replace(some[0], evidence=everything[0].evidence), some[1]]
    assert everything[0].evidence


def test_another_choice_of_evidence_is_refused(detector: Detector) -> None:
    with pytest.raises(ValueError, match="use True, False or 'all'"):
        detector.score("a", evidence="some")  # type: ignore[arg-type]


def test_each_text_needs_an_id(detector: Detector) -> None:
    with pytest.raises(ValueError, match="1 ids for 2 texts"):
        detector.score_many(["a", "b"], ids=["a"])


def test_no_texts_give_no_verdicts(detector: Detector) -> None:
    assert detector.score_many([]) == []


def test_verdicts_stay_in_order_across_batches(detector: Detector) -> None:
    texts = [" ".join(tiny.SENTENCES[: 1 + i % 9]) for i in range(BATCH_DOCUMENTS + 9)]
    found = detector.score_many(texts, ids=[str(i) for i in range(len(texts))], evidence=False)
    assert [verdict.id for verdict in found] == [str(i) for i in range(len(texts))]
    assert [verdict.words for verdict in found] == [len(text.split()) for text in texts]


@settings(max_examples=20)
@given(st.lists(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=12), max_size=12), max_size=6))
def test_a_batch_gives_the_same_verdicts_as_single_texts(detector: Detector, parts: list[list[str]]) -> None:
    texts = [" ".join(part).removesuffix(".") for part in parts]
    together = [verdict.to_json() for verdict in detector.score_many(texts)]
    assert together == [detector.score(text).to_json() for text in texts]


@settings(max_examples=20)
@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_gets_the_same_verdict_twice(detector: Detector, text: str) -> None:
    first = detector.score(text)
    assert first.to_json() == detector.score(text).to_json()
    assert (first.score is None) == (first.verdict == "abstained") == (first.reason is not None)


def test_two_detectors_of_one_bundle_agree(detector: Detector, tiny_bundle: object) -> None:
    again = Detector.load(str(tiny_bundle))
    assert again.score(tiny.ARTICLE).to_json() == detector.score(tiny.ARTICLE).to_json()


@given(st.lists(st.integers(0, BATCH_CHARACTERS + 10), max_size=200))
def test_batches_are_limited_and_complete(lengths: list[int]) -> None:
    class Text(str):
        __slots__ = ("length",)
        length: int

        def __len__(self) -> int:
            return self.length

    texts = []
    for length in lengths:
        text = Text()
        text.length = length
        texts.append(text)
    runs = _batches(texts)
    assert [i for start, stop in runs for i in range(start, stop)] == list(range(len(lengths)))
    assert all(stop - start <= BATCH_DOCUMENTS for start, stop in runs)
    assert all(stop - start == 1 or sum(lengths[start:stop]) <= BATCH_CHARACTERS for start, stop in runs)


@pytest.mark.parametrize("module", ["model", "unspun.model.detector", "unspun.model.bundle"])
def test_the_engine_does_not_import_what_only_other_layers_need(module: str) -> None:
    others = (
        "flask",
        "torch",
        "click",
        "rich",
        "service",
        "training",
    )  # not pandas: scikit-learn imports it if it is installed
    code = f"import sys, {module}; print([name for name in {others} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_shipped_model_separates_spun_from_human_text(shipped: Detector) -> None:
    folder = tiny.DATA.parents[2] / "seeds" / "examples"
    human, spun = (
        shipped.score_many([path.read_text("utf-8") for path in sorted((folder / kind).glob("*.txt"))], evidence="all")
        for kind in ("human", "spun")
    )
    assert min(verdict.score or 0.0 for verdict in spun) > max(verdict.score or 0.0 for verdict in human)


def test_the_shipped_model_calls_none_of_our_own_articles_paraphrased(shipped: Detector) -> None:
    folder = tiny.DATA.parents[2] / "seeds" / "examples" / "human"
    found = shipped.score_many([path.read_text("utf-8") for path in sorted(folder.glob("*.txt"))])
    assert "paraphrased" not in {verdict.verdict for verdict in found}
    assert [verdict.verdict for verdict in found].count("clear") >= len(found) - 1  # one in 33 human texts is suspect


@settings(max_examples=5)
@given(st.lists(st.sampled_from(tiny.SENTENCES), min_size=1, max_size=30))
def test_the_shipped_model_scores_a_batch_like_single_texts(shipped: Detector, parts: list[str]) -> None:
    texts = [" ".join(parts), "A line without an end", " ".join(parts[::-1]), ""]
    together = [verdict.to_json() for verdict in shipped.score_many(texts)]
    assert together == [shipped.score(text).to_json() for text in texts]
