"""Spun training text: which words are labelled as replaced, and what a paraphrase depends on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tables as tiny
from tests.training.shouter import Shouter
from unspun.model.text.document import Documents
from unspun.training.machines import spinning
from unspun.training.machines.base import Substitution
from unspun.training.machines.spinning import spin, token_labels

TEXT = "The old ship left the harbour."


@pytest.fixture(autouse=True)
def cheap_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a machine that needs no thesaurus."""
    tools = {name: Shouter(name) for name in ("shouter", "other")}
    monkeypatch.setattr(spinning, "_paraphrasers", lambda lexicons: tools)


def labelled(text: str, *changes: Substitution) -> list[str]:
    documents = Documents.parse([text])
    return [documents.token_text(i) for i in np.flatnonzero(token_labels(documents, [changes]))]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ((Substitution(8, 12, "ferry"),), ["ship"]),  # one word
        ((Substitution(4, 12, "ferry"),), ["old", "ship"]),  # a phrase
        ((Substitution(4, 7, "new"), Substitution(22, 29, "port")), ["old", "harbour"]),  # two
        ((), []),  # none
    ],
)
def test_tokens_of_replaced_passages_are_labelled(changes: tuple[Substitution, ...], words: list[str]) -> None:
    assert labelled(TEXT, *changes) == words


def test_each_document_has_its_own_labels() -> None:
    documents = Documents.parse(["We went.", TEXT, "", TEXT])
    labels = token_labels(documents, [(), (Substitution(8, 12, "ferry"),), (), ()])
    assert np.flatnonzero(labels).tolist() == [3 + 2]


def test_texts_that_need_repair_are_rejected() -> None:
    with pytest.raises(ValueError, match="repaired"):
        token_labels(Documents.parse(["zero\u200bwidth"]), [()])


@pytest.mark.parametrize(("first", "turns"), [(0, "shouter other shouter"), (3, "other shouter other")])
def test_machines_take_turns(first: int, turns: str) -> None:
    made = spin([TEXT] * 3, ("shouter", "other"), seed=0, lexicons=None, jobs=1, first=first)
    assert " ".join(one.paraphraser for one in made) == turns


def test_the_same_seed_gives_the_same_texts() -> None:
    texts = list(tiny.SENTENCES)
    first, second, other = (spin(texts, ("shouter",), seed=seed, lexicons=None, jobs=1) for seed in (1, 1, 2))
    assert first == second != other


def test_a_paraphrase_does_not_depend_on_the_split_into_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = list(tiny.SENTENCES)
    whole = spin(texts, ("shouter",), seed=1, lexicons=None, jobs=1)
    monkeypatch.setattr(spinning, "CHUNK", 7)
    assert spin(texts, ("shouter",), seed=1, lexicons=None, jobs=1) == whole


def test_no_texts_are_spun_to_no_texts() -> None:
    assert spin([], ("shouter",), seed=1, lexicons=None, jobs=1) == []


@given(st.lists(st.sampled_from(tiny.SENTENCES), min_size=1, max_size=4, unique=True), st.integers(0, 99))
def test_labels_cover_the_replaced_words_only(parts: list[str], seed: int) -> None:
    made = Shouter("shouter").paraphrase(" ".join(parts), np.random.default_rng(seed))
    for change in made.substitutions:
        words = labelled(made.text, change)
        assert words
        replaced = made.text[change.start : change.end].lower()  # parsing restores the case of a shouted text
        assert all(word.lower() in replaced for word in words)
