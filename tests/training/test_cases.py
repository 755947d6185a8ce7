"""training/record/cases.py: the texts that accuracy is measured on."""

from __future__ import annotations

from unspun.training.corpora.corpus import LabelledText
from unspun.training.record.cases import ARTICLE, LONG, Case, cases


def page(
    number: int, source: str = "manual", group: str | None = "a", label: str = "human", words: int = 400
) -> LabelledText:
    text = "\n\n".join(" ".join([f"Word{number}", *["word"] * 38, "end."]) for _ in range(words // 40))
    return LabelledText(f"{source}-{number}", label, source, text, group=group)  # type: ignore[arg-type]


def of_shape(found: list[Case], shape: str) -> list[Case]:
    return [case for case in found if case.shape == shape]


def test_the_whole_texts_of_each_source_are_limited() -> None:
    found = cases([page(i) for i in range(9)] + [page(i, "essays") for i in range(3)], limit=4)
    sources = [case.text.source for case in of_shape(found, "whole")]
    assert (sources.count("manual"), sources.count("essays")) == (4, 3)


def test_pages_of_documents_are_joined_to_long_texts() -> None:
    long = of_shape(cases([page(i) for i in range(60)], limit=1), "long")
    assert {case.length for case in long} == set(LONG)
    for case in long:
        assert case.length <= len(case.text.text.split()) < case.length + 400


def test_texts_by_many_writers_make_an_anthology() -> None:
    found = cases([page(i, group=None) for i in range(20)], limit=1)
    assert of_shape(found, "anthology")
    assert not of_shape(found, "long")


def test_a_source_that_is_too_small_has_no_long_texts() -> None:
    assert not of_shape(cases([page(i) for i in range(3)], limit=9), "long")


def test_a_spun_passage_is_inserted_into_an_article() -> None:
    spun = [page(i, "pages", label="spun", words=200) for i in range(3)]
    found = cases([page(i) for i in range(12)] + spun, limit=1)
    inside, without = of_shape(found, "passage"), of_shape(found, "no passage")
    assert inside
    assert all(case.text.label == "spun" for case in inside)
    assert all(case.text.label == "human" for case in without)
    assert all(len(case.text.text.split()) > ARTICLE + 90 for case in inside)


def test_the_same_seed_gives_the_same_cases() -> None:
    texts = [page(i) for i in range(30)] + [page(i, "pages", label="spun", words=200) for i in range(3)]
    assert cases(texts, limit=5, seed=3) == cases(texts, limit=5, seed=3)
