"""English inflection: from a form to its lemma, and from a lemma to a form."""

import pytest

pytest.importorskip("lemminflect", reason="inflection tables: pip install lemminflect")
pytest.importorskip("wordfreq", reason="word frequencies: pip install wordfreq")

from tests.cases import cases
from unspun.training.machines.inflection import analyse, frequency, inflect, inflect_naively


@pytest.mark.parametrize("case", cases("training/inflection.json", "inflect"), ids=lambda case: case["comment"])
def test_inflect_returns_the_form(case):
    assert inflect(case["lemma"], case["tag"]) == case["form"]


@pytest.mark.parametrize("case", cases("training/inflection.json", "naive"), ids=lambda case: case["comment"])
def test_naive_inflection_follows_suffix_rules(case):
    assert inflect_naively(case["lemma"], case["tag"]) == case["form"]


@pytest.mark.parametrize("case", cases("training/inflection.json", "analyse"), ids=lambda case: case["comment"])
def test_analyse_returns_every_reading(case):
    assert [list(reading) for reading in analyse(case["form"])] == case["readings"]


@pytest.mark.parametrize("form", ["told", "houses", "bigger", "quickly", "went", "building", "children", "best"])
def test_inflect_undoes_analyse(form):
    assert all(form == inflect(lemma, tag) for lemma, _, tag in analyse(form) if lemma != "well")


def test_a_phrase_is_rarer_than_its_words():
    assert 0 < frequency("commercial enterprise") < min(frequency("commercial"), frequency("enterprise"))


def test_an_unknown_word_has_no_frequency():
    assert frequency("blorfingly") == 0.0
