"""model/detector.py: text in, verdict out; the same bytes for the same text, alone or in company."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle import Bundle
from model.detector import BATCH_CHARACTERS, BATCH_DOCUMENTS, Detector, _batches
from tests import tables as tiny

SNIPPETS = (*tiny.SENTENCES, "ferry", "the the", "{old|new}", "Vitality.", "\n\n- ship\n\n", "É ß 7%", "ship", "\ud800")


@pytest.fixture(scope="module")
def one(detector: Detector) -> Detector:
    return detector


def test_an_article_gets_a_verdict(detector: Detector) -> None:
    found = detector.score(tiny.ARTICLE, id="a.txt")
    assert found.id == "a.txt"
    assert found.verdict in ("clear", "suspect", "paraphrased")
    assert found.reason is None
    assert found.depth == "fast"
    assert found.words == len(tiny.ARTICLE.split())


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
def test_what_cannot_be_judged_is_abstained_from(detector: Detector, text: str, reason: str) -> None:
    found = detector.score(text)
    assert (found.verdict, found.reason, found.kind) == ("abstained", reason, None)


def test_a_text_that_is_too_short_still_has_evidence(detector: Detector) -> None:
    found = detector.score("A speech about counterfeit consciousness.")
    assert found.verdict == "abstained"
    assert [row.suggestion for row in found.evidence or () if row.signal == "known_phrase"] == [
        "artificial intelligence"
    ]


def test_evidence_may_be_left_out(detector: Detector) -> None:
    without = detector.score(tiny.ARTICLE, evidence=False)
    assert without.evidence is None
    assert without.score == detector.score(tiny.ARTICLE).score


@pytest.mark.parametrize("depth", ["auto", "fast"])
def test_the_fast_tier_answers(detector: Detector, depth: str) -> None:
    assert detector.score(tiny.ARTICLE, depth=depth).depth == "fast"


@pytest.mark.parametrize("depth", ["deep", "shallow", ""])
def test_other_depths_are_refused(detector: Detector, depth: str) -> None:
    with pytest.raises(ValueError, match="depth"):
        detector.score(tiny.ARTICLE, depth=depth)


def test_ids_must_be_as_many_as_texts(detector: Detector) -> None:
    with pytest.raises(ValueError, match="1 ids for 2 texts"):
        detector.score_many(["a", "b"], ids=["a"])


def test_no_texts_have_no_verdicts(detector: Detector) -> None:
    assert detector.score_many([]) == []


def test_verdicts_are_in_order_over_batches(detector: Detector) -> None:
    texts = [" ".join(tiny.SENTENCES[: 1 + i % 9]) for i in range(BATCH_DOCUMENTS + 9)]
    found = detector.score_many(texts, ids=[str(i) for i in range(len(texts))], evidence=False)
    assert [verdict.id for verdict in found] == [str(i) for i in range(len(texts))]
    assert [verdict.words for verdict in found] == [len(text.split()) for text in texts]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=12), max_size=12), max_size=6))
def test_a_batch_answers_as_each_text_alone(one: Detector, parts: list[list[str]]) -> None:
    texts = [" ".join(part).removesuffix(".") for part in parts]
    together = [verdict.to_json() for verdict in one.score_many(texts)]
    assert together == [one.score(text).to_json() for text in texts]


@settings(deadline=None, max_examples=20)
@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_gets_a_verdict_and_the_same_again(one: Detector, text: str) -> None:
    first = one.score(text)
    assert first.to_json() == one.score(text).to_json()
    assert sum(Decimal(str(value)) for value in first.kinds.values()) == 1
    assert Decimal(str(first.score)) == 1 - Decimal(str(first.kinds["human"]))


def test_two_detectors_of_one_bundle_agree(detector: Detector, tiny_bundle: object) -> None:
    again = Detector.load(str(tiny_bundle))
    assert again.score(tiny.ARTICLE).to_json() == detector.score(tiny.ARTICLE).to_json()


def test_a_detector_keeps_its_bundle(detector: Detector) -> None:
    assert isinstance(detector.bundle, Bundle)


@given(st.lists(st.integers(0, BATCH_CHARACTERS + 10), max_size=200))
def test_batches_are_bounded_and_leave_nothing_out(lengths: list[int]) -> None:
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


@pytest.mark.parametrize("module", ["model", "model.detector", "model.bundle"])
def test_the_engine_loads_nothing_that_only_others_need(module: str) -> None:
    others = ("flask", "torch", "click", "rich", "service", "training")  # pandas: scikit-learn takes it if it is there
    code = f"import sys, {module}; print([name for name in {others} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_shipped_model_tells_spun_from_human(shipped: Detector) -> None:
    folder = tiny.DATA.parents[2] / "seeds" / "examples"
    human, spun = (
        shipped.score_many([path.read_text("utf-8") for path in sorted((folder / kind).glob("*.txt"))], evidence=False)
        for kind in ("human", "spun")
    )
    assert min(verdict.score for verdict in spun) > max(verdict.score for verdict in human)


def test_the_shipped_model_calls_none_of_our_own_articles_paraphrased(shipped: Detector) -> None:
    folder = tiny.DATA.parents[2] / "seeds" / "examples" / "human"
    found = shipped.score_many([path.read_text("utf-8") for path in sorted(folder.glob("*.txt"))])
    assert {verdict.verdict for verdict in found} == {"clear"}


@settings(deadline=None, max_examples=5)
@given(st.lists(st.sampled_from(tiny.SENTENCES), min_size=1, max_size=30))
def test_the_shipped_model_answers_a_batch_as_each_text_alone(shipped: Detector, parts: list[str]) -> None:
    texts = [" ".join(parts), "A line without an end", " ".join(parts[::-1]), ""]
    together = [verdict.to_json() for verdict in shipped.score_many(texts)]
    assert together == [shipped.score(text).to_json() for text in texts]
