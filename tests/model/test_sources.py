"""model/comparing/sources.py: finds candidates for a text's source among many documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import cases, why
from unspun.model.comparing import sources
from unspun.model.comparing.comparison import RELATIONS, ComparedText, Comparison
from unspun.model.comparing.sources import Candidate, SourceIndex, Sources
from unspun.model.verdict import ModelInfo

DOCUMENTS = {
    "harbour": "The town council of Coldwell voted nine to two on Monday to open the harbour steps again.",
    "train": "The night train to Kiruna left forty minutes late, as it does on most nights of the winter.",
    "bread": "The dough ferments for eleven hours over night before the baker puts it into the oven.",
    "final": "Two goals in the last nine minutes won the cup for the town on Monday night.",
    "empty": "",
}
MODEL = ModelInfo("fake", "0.0.1", "0" * 64)
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


def names(candidates: list[Candidate]) -> list[str]:
    return [list(DOCUMENTS)[one.place] for one in candidates]


@pytest.fixture(scope="module")
def index() -> SourceIndex:
    return SourceIndex.build(DOCUMENTS.values())


class Fake:
    """A comparer that looks up a probability and a share for each source."""

    def __init__(self, **sources: tuple[float, float]) -> None:
        self.sources = sources
        self.asked: list[tuple[str, str, str | None]] = []

    def compare(
        self, suspect: str, source: str, *, suspect_id: str | None = None, source_id: str | None = None
    ) -> Comparison:
        self.asked.append((suspect, source, suspect_id))
        probability, share = self.sources[str(source_id)]
        kinds = dict.fromkeys(RELATIONS, 0.25)
        return Comparison(
            derived=probability > 0.5,
            probability=probability,
            kind=None,
            kinds=kinds,
            share=share,
            reason=None,
            substitutions=(),
            suspect=ComparedText(suspect_id, 9),
            source=ComparedText(source_id, 9),
            model=MODEL,
            alignments=(),
        )


# --- the index


@pytest.mark.parametrize("case", cases("model/sources.toml"), ids=why)
def test_the_source_is_the_first_candidate(case: dict[str, Any], index: SourceIndex) -> None:
    assert names(index.candidates(case["suspect"]))[:1] == ([case["source"]] if "source" in case else [])


def test_a_document_has_similarity_1_to_itself(index: SourceIndex) -> None:
    first = index.candidates(DOCUMENTS["bread"])[0]
    assert (first.place, round(first.similarity, 5)) == (2, 1.0)


def test_documents_that_share_nothing_are_not_candidates(index: SourceIndex) -> None:
    assert names(index.candidates("Coldwell")) == ["harbour"]


def test_the_number_of_candidates_is_limited(index: SourceIndex) -> None:
    every = index.candidates("On Monday the town was late for the night.")
    assert len(every) == 4
    assert index.candidates("On Monday the town was late for the night.", 2) == every[:2]


def test_equally_similar_documents_keep_their_order() -> None:
    index = SourceIndex.build(["A grey seal.", "Another thing.", "A grey seal.", "A grey seal."])
    assert [one.place for one in index.candidates("The grey seal", 2)] == [0, 2]


def test_rare_words_weigh_more_than_frequent_ones() -> None:
    index = SourceIndex.build(["We went to Kiruna", *["we went to the sea"] * 5])
    assert index.candidates("to the sea we went from Kiruna", 6)[0].place == 0


def test_an_empty_index_has_no_candidates() -> None:
    index = SourceIndex.build([])
    assert (len(index), index.candidates("anything")) == (0, [])


def test_the_index_does_not_depend_on_batches(index: SourceIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BATCH_TEXTS", 2)
    apart = SourceIndex.build(DOCUMENTS.values())
    for text in DOCUMENTS.values():
        assert apart.candidates(text) == index.candidates(text)


@given(st.lists(ANY_TEXT, max_size=8), ANY_TEXT)
@settings(max_examples=60)
def test_candidates_are_deterministic_and_in_order(texts: list[str], suspect: str) -> None:
    answers = [SourceIndex.build(texts).candidates(suspect, 3) for _ in range(2)]
    assert answers[0] == answers[1]
    similarities = [one.similarity for one in answers[0]]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0.0 < one.similarity <= 1.0 and one.place < len(texts) for one in answers[0])


# --- documents and their texts


@given(st.lists(ANY_TEXT, max_size=8))
@settings(max_examples=60)
def test_stored_texts_are_unchanged(texts: list[str]) -> None:
    with Sources((str(place), text) for place, text in enumerate(texts)) as documents:
        assert len(documents) == len(texts)
        for place in reversed(range(len(texts))):
            assert documents.text(place) == texts[place]


def test_derived_matches_come_first_and_both_groups_are_by_similarity() -> None:
    fake = Fake(harbour=(0.1, 0.2), train=(0.9, 0.9), bread=(0.95, 0.6), final=(0.2, 0.1))
    with Sources(DOCUMENTS.items()) as documents:
        suspect = "the night train of Monday in Coldwell"
        alike = names(documents.index.candidates(suspect))
        found = [one.comparison.source.id for one in documents.find(suspect, fake, at_least=4)]
    derived = ("train", "bread")
    assert found == [one for one in alike if one in derived] + [one for one in alike if one not in derived]
    assert found != alike


def test_a_suspect_is_compared_with_the_text_of_each_candidate() -> None:
    fake = Fake(harbour=(0.9, 0.2))
    with Sources(DOCUMENTS.items()) as documents:
        documents.find("Coldwell", fake, suspect_id="s")
    assert fake.asked == [("Coldwell", DOCUMENTS["harbour"], "s")]


def test_excluded_documents_do_not_reduce_the_number_of_matches() -> None:
    fake = Fake(train=(0.9, 0.2), final=(0.1, 0.1), bread=(0.2, 0.1), harbour=(0.3, 0.1))
    with Sources(DOCUMENTS.items()) as documents:
        [first] = documents.find("the Kiruna train", fake, count=1)
        [second] = documents.find("the Kiruna train", fake, count=1, without=[first.place])
    assert (first.comparison.source.id, second.place != first.place) == ("train", True)


def test_much_less_similar_documents_are_compared_only_on_request() -> None:
    fake = Fake(train=(0.9, 0.2), final=(0.1, 0.1), bread=(0.2, 0.1), harbour=(0.3, 0.1))
    with Sources(DOCUMENTS.items()) as documents:
        suspect = DOCUMENTS["train"]
        found = [[one.place for one in documents.find(suspect, fake, at_least=most)] for most in (1, 3, 9)]
    assert [len(one) for one in found] == [1, 3, 4]
    assert {one[0] for one in found} == {1}


def test_a_failing_reader_leaves_no_file_open() -> None:
    def broken() -> Any:
        yield "a", "text"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Sources(broken())  # an open file would cause a ResourceWarning, which is an error here
