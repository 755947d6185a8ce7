"""model/comparing: what a suspect text shares with a source, and whether it was made from that source."""

from __future__ import annotations

import itertools
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unspun.model.comparing.comparer import Comparer
from unspun.model.comparing.comparison import RELATIONS, Alignment, Comparison, Span
from unspun.model.comparing.sentences import heaviest_chain

DATA = tomllib.loads((Path(__file__).parents[1] / "data" / "model" / "comparisons.toml").read_text("utf-8"))
EXAMPLES = Path(__file__).parents[2] / "seeds" / "examples"
EXAMPLE = (EXAMPLES / "spun" / "05-cup-final.relations.txt").read_text("utf-8")


@pytest.fixture(scope="module")
def comparer() -> Comparer:
    return Comparer.load()


def text_of(name: str) -> str:
    """Return a case's text by its name, changed as the part of the name after the colon says."""
    name, _, change = name.partition(":")
    text: str = DATA["texts"][name] if name in DATA["texts"] else (EXAMPLES / name).read_text("utf-8")
    if change == "shouted":
        return text.upper().replace(" ", "  ")
    if change == "disguised":  # with Cyrillic letters and zero-width spaces
        return text.replace("o", "\N{CYRILLIC SMALL LETTER O}").replace("th", "t\N{ZERO WIDTH SPACE}h")
    if change == "half":
        return text[: len(text) // 2].rpartition(". ")[0] + "."
    if change.startswith("with "):
        return text_of(change.removeprefix("with ")) + "\n\n" + text
    return text


@pytest.mark.parametrize("case", DATA["case"], ids=lambda case: case["what"])
def test_comparison_of_two_texts(comparer: Comparer, case: dict[str, Any]) -> None:
    answer = comparer.compare(text_of(case["suspect"]), text_of(case["source"]))
    assert answer.reason == case.get("reason")
    assert answer.derived == case["derived"]
    if not answer.derived:
        assert answer.kind is None
    elif "kind" in case:
        assert answer.kind == case["kind"]
    if case.get("moved"):
        assert any(alignment.moved for alignment in answer.alignments)


@pytest.mark.parametrize("text", ["Yes.", "No thanks.", "Open from nine to five.\n", EXAMPLE])
def test_identical_texts_are_copies_even_if_short(comparer: Comparer, text: str) -> None:
    answer = comparer.compare(text, f"{text} ")
    assert (answer.kind, answer.kinds["copied"], answer.share) == ("copied", 1.0, 1.0)


def test_substitutions_are_listed_with_their_counts(comparer: Comparer) -> None:
    source = f"{text_of('note')} The captain told nobody about the ship, and the mate told nobody about the captain."
    suspect = source.replace("told", "instructed").replace("ship", "watercraft")
    found = {(one.source, one.suspect): one.count for one in comparer.compare(suspect, source).substitutions}
    assert found == {("told", "instructed"): 3, ("ship", "watercraft"): 2}


def test_a_phrase_for_a_word_is_one_substitution(comparer: Comparer) -> None:
    source = text_of("note").replace("nothing unusual", "of their shared vision")
    suspect = source.replace("vision", "imaginative and prescient")
    found = comparer.compare(suspect, source).substitutions
    assert [(one.source, one.suspect) for one in found] == [("vision", "imaginative and prescient")]


def test_the_share_is_that_of_the_source(comparer: Comparer) -> None:
    source = text_of("human/04-night-train.txt")
    whole = comparer.compare(source, source)
    part = comparer.compare(text_of("human/04-night-train.txt:half"), source)
    assert whole.share == 1.0
    assert 0.35 < part.share < 0.6


def test_missing_passages_are_listed(comparer: Comparer) -> None:
    source = text_of("human/04-night-train.txt")
    suspect = text_of("human/04-night-train.txt:half")
    missing = [one.source for one in comparer.compare(suspect, source).alignments if one.suspect is None]
    assert missing
    assert all(span is not None and source[span.start : span.end] not in suspect for span in missing)


def test_edits_have_the_offsets_of_replaced_words(comparer: Comparer) -> None:
    source, suspect = text_of("note"), text_of("note").replace("captain", "skipper")
    edits = [edit for one in comparer.compare(suspect, source).alignments for edit in one.edits]
    [changed] = [edit for edit in edits if edit.operation != "equal"]
    assert changed.operation == "replaced"
    assert changed.suspect is not None
    assert changed.source is not None
    assert suspect[changed.suspect.start : changed.suspect.end] == "skipper"
    assert source[changed.source.start : changed.source.end] == "captain"


def test_the_result_is_plain_json(comparer: Comparer) -> None:
    answer = comparer.compare(text_of("note"), text_of("reordered"), suspect_id="a", source_id="b")
    read = json.loads(answer.to_json())
    assert read == answer.to_dict()
    assert list(read)[:5] == ["derived", "probability", "kind", "kinds", "share"]
    assert (read["suspect"]["id"], read["source"]["id"]) == ("a", "b")


def test_long_texts_do_not_take_quadratic_time(comparer: Comparer) -> None:
    # 2,000 sentences on each side are four million pairs, too many to compare one by one.
    sentences = [f"The {_word(3 * i)} was seen by {_word(3 * i + 1)} and by a {_word(3 * i + 2)}." for i in range(2000)]
    answer = comparer.compare(" ".join([*sentences[1000:], *sentences[:1000]]), " ".join(sentences))
    assert answer.derived
    assert answer.share > 0.95
    assert sum(one.moved for one in answer.alignments) == 1000


@pytest.mark.parametrize(
    ("suspect", "source"),
    [
        ("word " * 30_000, "word " * 29_000),  # a single endless sentence
        ("A. " * 20_000, "A. B. " * 10_000),  # tens of thousands of one-word sentences
        (
            "The cat sat on the mat today.\n" * 4000,
            "The cat sat on the mat again.\n" * 4000,
        ),  # the same line many times
    ],
)
def test_repetitive_texts_take_linear_time(comparer: Comparer, suspect: str, source: str) -> None:
    # Takes a second or two; without limits it would take hours or run out of memory.
    check(comparer.compare(suspect, source), suspect, source)


def _word(number: int) -> str:
    """Return a distinct name for each number."""
    letters = []
    while True:
        number, rest = divmod(number, 21)
        letters.append("bcdfghjklmnpqrstvwxyz"[rest] + "aeiou"[rest % 5])
        if not number:
            return "".join(letters).capitalize()


def spans(alignments: tuple[Alignment, ...], side: str) -> list[Span]:
    return [span for one in alignments if (span := getattr(one, side)) is not None]


def check(answer: Comparison, suspect: str, source: str) -> None:
    """Assert the properties of every comparison."""
    assert 0.0 <= answer.probability <= 1.0
    assert 0.0 <= answer.share <= 1.0
    assert tuple(answer.kinds) == RELATIONS
    assert sum(answer.kinds.values()) == pytest.approx(1.0)
    for side, text in (("suspect", suspect), ("source", source)):
        found = sorted((span.start, span.end) for span in spans(answer.alignments, side))
        assert all(0 <= start < end <= len(text) for start, end in found)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(found))
    for one in answer.alignments:
        for side in ("suspect", "source"):
            whole = getattr(one, side)
            inner = sorted((s.start, s.end) for edit in one.edits if (s := getattr(edit, side)) is not None)
            assert all(whole.start <= start < end <= whole.end for start, end in inner)
            assert all(end <= start for (_, end), (start, _) in itertools.pairwise(inner))


texts = st.one_of(
    st.text(max_size=400),
    st.lists(st.sampled_from(DATA["texts"]["note"].split()), max_size=80).map(" ".join),
    st.sampled_from([*DATA["texts"].values(), "\x00\ud800 a", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}" * 30]),
)


@settings(max_examples=60)
@given(suspect=texts, source=texts)
def test_spans_refer_to_the_texts_as_submitted_and_never_overlap(comparer: Comparer, suspect: str, source: str) -> None:
    check(comparer.compare(suspect, source), suspect, source)


@settings(max_examples=20)
@given(suspect=texts, source=texts)
def test_the_same_two_texts_give_the_same_bytes(comparer: Comparer, suspect: str, source: str) -> None:
    first, second = (comparer.compare(suspect, source).to_json() for _ in range(2))
    assert first == second


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 9)), max_size=9, unique_by=lambda c: c[:2])
)
def test_the_chain_is_the_heaviest_ascending_one(candidates: list[tuple[int, int, int]]) -> None:
    def heaviest(last: tuple[int, int], rest: list[tuple[int, int, int]]) -> float:
        after = [one for one in rest if one[0] > last[0] and one[1] > last[1]]
        return max((one[2] + heaviest((one[0], one[1]), after) for one in after), default=0)

    weights = {(i, j): weight for i, j, weight in candidates}
    chain = heaviest_chain(candidates)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(chain))
    assert sum(weights[pair] for pair in chain) == heaviest((-1, -1), candidates)
