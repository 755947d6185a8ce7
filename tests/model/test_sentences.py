"""Sentences and observations of a verdict: evidence where no word is odd by itself."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unspun.model.decision.sentences import MOST, SentenceEvidence, SentenceScale, listed
from unspun.model.detector import Detector
from unspun.model.text.document import Documents
from unspun.model.verdict import Verdict
from unspun.training.reporting.metrics import auroc

EXAMPLES = Path(__file__).parents[2] / "seeds" / "examples"
SPUN = sorted((EXAMPLES / "spun").glob("*.txt"))
HUMAN = sorted((EXAMPLES / "human").glob("*.txt"))
DEPTHS = ("fast", "deep")


@pytest.fixture(scope="module", params=DEPTHS)
def spun(shipped: Detector, request: pytest.FixtureRequest) -> list[tuple[str, Verdict]]:
    """Return the spun examples with their verdicts, at one depth."""
    texts = [path.read_text("utf-8") for path in SPUN]
    return list(zip(texts, shipped.score_many(texts, depth=request.param), strict=True))


def test_a_suspicious_text_has_a_score_for_each_sentence(spun: list[tuple[str, Verdict]]) -> None:
    suspicious = [(text, verdict) for text, verdict in spun if verdict.kind]
    assert len(suspicious) >= 4
    for text, verdict in suspicious:
        sentences = [text[one.start : one.end] for one in verdict.sentences]
        assert len(sentences) >= 20
        assert all(re.fullmatch(r"\W*\w.*", sentence, re.DOTALL) for sentence in sentences)


def test_no_sentence_is_more_suspicious_than_all_that_people_write(spun: list[tuple[str, Verdict]]) -> None:
    assert max(one.score for _, verdict in spun for one in verdict.sentences) == 0.999


def test_sentences_are_in_the_order_of_the_text_and_do_not_overlap(spun: list[tuple[str, Verdict]]) -> None:
    for _, verdict in spun:
        edges = [edge for one in verdict.sentences for edge in (one.start, one.end)]
        assert edges == sorted(edges)


def test_odd_words_are_inside_sentences_with_a_high_score(spun: list[tuple[str, Verdict]]) -> None:
    scores = [
        sentence.score
        for _, verdict in spun
        for found in verdict.evidence or ()
        for sentence in verdict.sentences
        if sentence.start <= found.start < sentence.end
    ]
    assert np.median(scores) > 0.8


@pytest.mark.parametrize(("depth", "least"), [("fast", 0.65), ("deep", 0.8)])
def test_in_a_text_by_a_person_and_a_machine_the_machine_s_sentences_have_higher_scores(
    shipped: Detector, depth: str, least: float
) -> None:
    made, scores = [], []
    for human, machine in zip(HUMAN, SPUN, strict=True):
        first, second = (path.read_text("utf-8") for path in (human, machine))
        person = first[: first.find("\n\n", len(first) // 2)]
        spun = second[second.find("\n\n", len(second) // 2) :]
        for one in shipped.score(person + spun, depth=depth).sentences:
            made.append(one.start >= len(person))
            scores.append(one.score)
    assert auroc(np.array(made), np.array(scores)) > least


def test_a_clear_text_has_sentences_only_if_all_evidence_is_requested(shipped: Detector) -> None:
    text = HUMAN[2].read_text("utf-8")
    assert shipped.score(text).to_dict().keys().isdisjoint({"sentences", "observations"})
    everything = shipped.score(text, evidence="all")
    assert everything.verdict == "clear"
    assert np.mean([one.score >= 0.9 for one in everything.sentences]) < 0.5


def test_an_abstained_text_has_neither(shipped: Detector) -> None:
    verdict = shipped.score("Too short.", evidence="all")
    assert (verdict.sentences, verdict.observations) == ((), ())


def test_headings_and_lists_are_no_sentences(shipped: Detector) -> None:
    text = SPUN[0].read_text("utf-8")
    verdict = shipped.score(f"# A heading of its own\n\n- one\n- two\n\n{text}")
    assert min(one.start for one in verdict.sentences) >= len("# A heading of its own\n\n- one\n- two\n\n")


def test_observations_say_what_is_unusual_in_words(shipped: Detector) -> None:
    texts = [path.read_text("utf-8") for path in SPUN]
    said = [one for verdict in shipped.score_many(texts) for one in verdict.observations]
    assert any(one.text.startswith("Words that seem to have been swapped are more frequent than in") for one in said)
    for one in said:
        [share] = re.findall(r"than in (\d\d) % of human texts\.$", one.text)
        assert int(share) >= 80
        # A value is unusually high, or unusually low.
        assert one.percentile >= 0.79 or one.percentile <= 0.21


def test_a_model_without_a_scale_of_sentences_gives_the_same_verdict_without_them(shipped: Detector) -> None:
    """Bundles before version 2.1.0 have none."""
    older = Detector(replace(shipped.bundle, sentences={}, usual=None))
    text = SPUN[1].read_text("utf-8")
    assert older.score(text) == replace(shipped.score(text), sentences=(), observations=())


def test_of_a_very_long_text_the_strongest_sentences_are_listed() -> None:
    count = MOST + 500
    documents = Documents.parse([" ".join(f"Sentence number {i} is here." for i in range(count))])
    first = np.flatnonzero(np.diff(documents.token_sentence, prepend=-1))
    last = np.append(first[1:], len(documents.token_sentence)) - 1
    strength = np.random.default_rng(0).permutation(count).astype(np.float64)
    found = SentenceEvidence(first, last, np.full(count, 5), np.stack([strength, strength - 1, strength - 1], axis=1))
    one = np.ones((1, 3))
    scale = SentenceScale(np.array([5.0]), 0 * one, one, np.array([0.0, count]), np.array([0.0, 1.0]))
    answer = listed(documents, found, scale)
    assert len(answer) == MOST
    assert min(sentence.score for sentence in answer) == round(500 / count, 3)
    assert [sentence.start for sentence in answer] == sorted(sentence.start for sentence in answer)
