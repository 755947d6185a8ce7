"""service/render/comparison*.py: comparisons as text, as a table and as a page."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.cases import why
from tests.service.fake_comparer import MODEL
from tests.service.pages import assert_self_contained
from tests.service.support import cases
from unspun.model.comparing.comparison import (
    RELATIONS,
    Alignment,
    ComparedText,
    Comparison,
    Edit,
    Span,
    WordSubstitution,
)
from unspun.service.render.comparison import ComparedPair, ComparedSuspect, ComparisonJsonLines, rows
from unspun.service.render.comparison_html import MOST_SHOWN, MOST_SUBSTITUTIONS, ComparisonPage
from unspun.service.render.comparison_table import MOST_SUBSTITUTIONS as MOST_IN_TABLE
from unspun.service.render.comparison_table import ComparisonTable

WHEN = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
SUSPECT = "Bathers waited. The council balloted to unlatch the port steps at once. It rained."
SOURCE = "The council voted to open the harbour steps. Swimmers waited. Nobody minded."
HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e\x07&amp;\"'"
KINDS = {"copied": 0.01, "spun": 0.95, "translated": 0.03, "rewritten": 0.01}


def span(text: str, words: str) -> Span:
    start = text.index(words)
    return Span(start, start + len(words))


def edit(operation: Any, suspect: str | None, source: str | None) -> Edit:
    return Edit(
        operation,
        None if suspect is None else span(SUSPECT, suspect),
        None if source is None else span(SOURCE, source),
    )


ALIGNMENTS = (
    Alignment(
        span(SUSPECT, "Bathers waited."),
        span(SOURCE, "Swimmers waited."),
        0.5,
        True,
        (edit("replaced", "Bathers", "Swimmers"), edit("equal", "waited", "waited")),
    ),
    Alignment(
        span(SUSPECT, "The council balloted to unlatch the port steps at once."),
        span(SOURCE, "The council voted to open the harbour steps."),
        0.6,
        False,
        (
            edit("equal", "The council", "The council"),
            edit("replaced", "balloted", "voted"),
            edit("replaced", "unlatch", "open"),
            edit("replaced", "port", "harbour"),
            edit("inserted", "at once", None),
        ),
    ),
    Alignment(span(SUSPECT, "It rained."), None, 0.0, False),
    Alignment(None, span(SOURCE, "Nobody minded."), 0.0, False),
)
SUBSTITUTIONS = (WordSubstitution("voted", "balloted", 2), WordSubstitution("harbour", "port", 1))


def comparison(**changes: Any) -> Comparison:
    base = Comparison(
        derived=True,
        probability=0.9999,
        kind="spun",
        kinds=dict(KINDS),
        share=0.83,
        reason=None,
        substitutions=SUBSTITUTIONS,
        suspect=ComparedText("a.txt", 14),
        source=ComparedText("b.txt", 13),
        model=MODEL,
        alignments=ALIGNMENTS,
    )
    return replace(base, **changes)


UNRELATED = comparison(derived=False, kind=None, probability=0.02, share=0.1)
UNKNOWN = comparison(derived=False, kind=None, probability=0.0, reason="too_short", substitutions=(), alignments=())


def pair(of: Comparison | None = None, suspect: str = SUSPECT, source: str = SOURCE) -> ComparedPair:
    return ComparedPair(of or comparison(), suspect, source)


def table_of(*answers: ComparedSuspect, width: int = 100, **options: Any) -> str:
    sink = io.StringIO()
    console = Console(width=width, file=io.StringIO(), **({"color_system": None} | options))
    table = ComparisonTable(console, sink)
    for answer in answers:
        table.write(answer)
    table.close()
    return sink.getvalue()


def one(of: Comparison | None = None) -> ComparedSuspect:
    return ComparedSuspect("a.txt", (pair(of),))


def found(*comparisons: Comparison, among: int = 7, suspect: str = "a.txt") -> ComparedSuspect:
    return ComparedSuspect(suspect, tuple(pair(of) for of in comparisons), among)


def source_of(*answers: ComparedSuspect) -> str:
    sink = io.StringIO()
    page = ComparisonPage(sink, WHEN)
    for answer in answers:
        page.write(answer)
    page.close()
    return sink.getvalue()


def page_of(*answers: ComparedSuspect) -> Any:
    return lxml.html.document_fromstring(source_of(*answers))


def words(element: Any) -> str:
    return " ".join(element.text_content().split())


# --- passages cut into pieces


@pytest.mark.parametrize("case", cases("compare_pieces.toml"), ids=why)
def test_a_passage_is_cut_by_its_edits(case: dict[str, Any]) -> None:
    edits = tuple(Edit(name, Span(start, end), None) for name, start, end in case["edits"])
    alignment = Alignment(Span(0, len(case["text"])), None, 0.5, False, edits)
    [row] = rows(pair(comparison(alignments=(alignment,)), case["text"]))
    assert [f"{piece.operation or '.'}:{piece.text}" for piece in row.suspect or ()] == case["pieces"]


SPANS = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: Span(min(ends), max(ends)))
EDITS = st.lists(st.builds(Edit, st.sampled_from(["equal", "replaced", "inserted"]), SPANS, SPANS), max_size=6)


@given(st.text(min_size=1, max_size=30), EDITS)
@settings(max_examples=150)
def test_joined_pieces_are_the_passage(text: str, edits: list[Edit]) -> None:
    whole = Span(0, len(text))
    [row] = rows(pair(comparison(alignments=(Alignment(whole, whole, 0.5, False, tuple(edits)),)), text, text))
    for pieces in (row.suspect, row.source):
        assert "".join(piece.text for piece in pieces or ()) == text
        assert all(piece.text for piece in pieces or ())


# --- JSON


def test_json_lines_are_the_canonical_bytes() -> None:
    sink = io.StringIO()
    writer = ComparisonJsonLines(sink)
    writer.write(found(comparison(), UNRELATED))
    writer.close()
    assert sink.getvalue() == f"{comparison().to_json()}\n{UNRELATED.to_json()}\n"


# --- the table


def test_the_heading_shows_result_probability_and_share() -> None:
    lines = table_of(one()).splitlines()
    assert lines[:4] == [
        "Spun from the source  >99 %  words and phrases replaced by others",
        "83 % of the source's words reappear in the suspect",
        "suspect a.txt  14 words",
        "source  b.txt  13 words",
    ]


def test_passages_are_side_by_side_with_replaced_words_marked() -> None:
    lines = [" ".join(line.split()) for line in table_of(one(), width=140).splitlines()]
    assert "↕ [Bathers] waited. [Swimmers] waited." in lines
    assert "It rained. (not in the source)" in lines
    assert lines.index("(not in the suspect)") + 2 == lines.index("Nobody minded.")
    assert "↕ in another place in the source" in lines


def test_colours_mark_words_on_a_terminal() -> None:
    out = table_of(one(), force_terminal=True, color_system="standard")
    assert "\x1b[1;31mBathers\x1b[0m" in out
    assert "\x1b[32mSwimmers\x1b[0m" in out
    assert "\x1b[2mwaited\x1b[0m" in out
    assert "[Bathers]" not in out


def test_a_narrow_terminal_shows_passages_one_below_the_other() -> None:
    lines = table_of(one(), width=60).splitlines()
    at = lines.index("suspect ↕ [Bathers] waited.")
    assert lines[at + 1] == "source    [Swimmers] waited."
    assert "not in the suspect  Nobody minded." in lines


@pytest.mark.parametrize("width", [30, 60, 76, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, table_of(one(), found(comparison()), width=width).splitlines())) <= width


def test_substitutions_are_listed_with_their_counts() -> None:
    lines = [" ".join(line.split()) for line in table_of(one()).splitlines()]
    at = lines.index("2 substitutions")
    assert lines[at + 1 :] == ["2 voted → balloted", "1 harbour → port"]


def test_only_the_most_frequent_substitutions_are_listed() -> None:
    many = tuple(WordSubstitution(f"word{i}", f"term{i}", 1) for i in range(MOST_IN_TABLE + 3))
    lines = table_of(one(comparison(substitutions=many))).splitlines()
    assert lines[-1].strip() == "3 more; --format jsonl lists all of them"


def test_unrelated_texts_show_only_similar_passages() -> None:
    out = table_of(one(UNRELATED))
    assert out.startswith("Not made from the source  2 %")
    assert "[Bathers]" in out
    assert "It rained" not in out
    assert "substitution" not in out


def test_a_failed_comparison_shows_the_reason_and_advice() -> None:
    lines = table_of(one(UNKNOWN)).splitlines()
    assert lines[0].startswith("Cannot be compared  one of the texts has too few words")
    assert lines[0].endswith("give longer texts")
    assert len(lines) == 3  # no probability, no share, no passages


def test_each_likely_source_has_a_line() -> None:
    second = comparison(source=ComparedText("c.txt", 13), kind="copied", probability=0.7, share=0.2)
    lines = table_of(found(comparison(), second, UNRELATED), found(UNRELATED, suspect="z.txt")).splitlines()
    assert [line.split() for line in lines] == [
        ["a.txt"],
        [">99", "%", "spun", "83", "%", "of", "it", "b.txt"],
        ["70", "%", "copied", "20", "%", "of", "it", "c.txt"],
        ["z.txt"],
        ["no", "source", "found", "in", "7", "documents;", "nearest:", "b.txt,", "2", "%"],
    ]


@pytest.mark.parametrize(
    ("of", "among", "said"),
    [
        (UNKNOWN, 1, "1 document: one of the texts has too few words"),
        (replace(UNKNOWN, source=ComparedText(None, 0)), 12_000, "12,000 documents: no word in common"),
        (
            replace(UNKNOWN, suspect=ComparedText("a.txt", 0), source=ComparedText(None, 13)),
            3,
            "3 documents: one of the texts has too few words",
        ),
    ],
)
def test_the_reason_is_shown_if_no_source_was_found(of: Comparison, among: int, said: str) -> None:
    assert table_of(found(of, among=among)).splitlines()[1].strip().startswith(f"no source found in {said}")


@given(st.text(st.characters(codec=None), max_size=40), st.text(st.characters(codec=None), max_size=20))
@settings(max_examples=80)
def test_only_printable_characters_reach_the_terminal(text: str, name: str) -> None:
    whole = Span(0, len(text))
    alignment = Alignment(whole, whole, 1.0, False, (Edit("replaced", whole, whole),))
    of = comparison(
        suspect=ComparedText(name, 14),
        source=ComparedText(name, 13),
        alignments=(alignment,),
        substitutions=(WordSubstitution(name, text, 1),),
    )
    out = table_of(
        ComparedSuspect(name, (ComparedPair(of, text, text),)),
        ComparedSuspect(name, (ComparedPair(of, text, text),), 3),
    )
    assert all(character.isprintable() for character in out.replace("\n", ""))


# --- the page


def test_the_page_shows_the_result() -> None:
    page = page_of(one())
    assert words(page.cssselect("h1")[0]) == "Spun from the source"
    facts = {words(fact[0]): words(fact[1]) for fact in page.cssselect(".facts div")}
    assert facts == {
        "Suspect": "a.txt, 14 words",
        "Source": "b.txt, 13 words",
        "Probability that one was made from the other": ">99 %",
        "Words of the source that reappear": "83 %",
        "Kind": "spun 95 %, translated 3 %, copied 1 %, rewritten 1 %",
    }


def test_the_page_shows_passages_side_by_side() -> None:
    lines = [[words(cell) for cell in row] for row in page_of(one()).cssselect(".beside tbody tr")]
    assert lines == [
        ["1 moved", "Bathers waited.", "Swimmers waited."],
        [
            "2",
            "The council balloted to unlatch the port steps at once.",
            "The council voted to open the harbour steps.",
        ],
        ["3", "It rained.", "Not in the source"],
        ["4", "Not in the suspect", "Nobody minded."],
    ]


def test_a_replaced_word_links_to_its_counterpart_and_back() -> None:
    page = page_of(one(), one())
    links = page.cssselect("a.replaced")
    assert len(links) == 2 * 2 * 4
    by_id = {link.get("id"): link for link in links}
    assert len(by_id) == len(links)
    for link in links:
        twin = by_id[link.get("href").removeprefix("#")]
        assert twin.get("href") == f"#{link.get('id')}"
        assert (twin.get("title"), link.get("title")) == (words(link), words(twin))


def test_the_page_lists_the_most_frequent_substitutions() -> None:
    many = tuple(WordSubstitution(f"word{i}", f"term{i}", 1) for i in range(MOST_SUBSTITUTIONS + 3))
    page = page_of(one(comparison(substitutions=many)))
    assert len(page.cssselect(".substitutions tbody tr")) == MOST_SUBSTITUTIONS
    assert "3 more;" in words(page.cssselect("details .hint")[0])


def test_the_page_says_why_texts_cannot_be_compared() -> None:
    page = page_of(one(UNKNOWN))
    assert words(page.cssselect("h1")[0]) == "Cannot be compared"
    assert "give longer texts" in words(page.cssselect(".intro")[0])
    assert page.cssselect("table") == []


def test_a_search_lists_every_suspect_and_shows_the_sources() -> None:
    page = page_of(found(comparison(), comparison(source=ComparedText("c.txt", 13))), found(UNRELATED, suspect="z.txt"))
    assert words(page.cssselect("h1")[0]) == "1 of 2 suspects with a source"
    lines = [[words(cell) for cell in row] for row in page.cssselect(".searches tbody tr")]
    assert lines == [
        ["a.txt", "b.txt", ">99 %", "spun", "83 %"],
        ["a.txt", "c.txt", ">99 %", "spun", "83 %"],
        ["z.txt", "No source found; the nearest document is b.txt, 2 %"],
    ]
    assert [link.get("href") for link in page.cssselect(".searches a")] == ["#pair-1"]
    assert len(page.cssselect("section.pair")) == 1


def test_a_long_search_shows_only_the_first_pairs() -> None:
    page = page_of(*(found(comparison(), suspect=f"{place}.txt") for place in range(MOST_SHOWN + 2)))
    assert len(page.cssselect("section.pair")) == MOST_SHOWN
    assert len(page.cssselect(".searches tbody tr")) == MOST_SHOWN + 2


def test_a_search_without_suspects_is_a_valid_page() -> None:
    page = page_of()
    assert words(page.cssselect("h1")[0]) == "0 of 0 suspects with a source"
    assert page.cssselect("table, section") == []


def test_texts_and_names_are_escaped_and_harmless() -> None:
    whole = Span(0, len(HOSTILE))
    alignment = Alignment(whole, whole, 1.0, False, (Edit("replaced", whole, whole),))
    of = comparison(
        suspect=ComparedText(HOSTILE, 14),
        source=ComparedText(HOSTILE, 13),
        alignments=(alignment,),
        substitutions=(WordSubstitution(HOSTILE, HOSTILE, 1),),
    )
    pair_of = ComparedPair(of, HOSTILE, HOSTILE)
    for answer in (ComparedSuspect(HOSTILE, (pair_of,)), ComparedSuspect(HOSTILE, (pair_of,), 3)):
        html = source_of(answer)
        page = lxml.html.document_fromstring(html)
        assert len(page.cssselect("script")) == 1
        assert "alert(1)" not in page.cssselect("script")[0].text_content()
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", html)
        assert "<script>alert(1)</script>" in words(page.cssselect("td")[0])


def test_the_page_is_self_contained() -> None:
    assert_self_contained(source_of(one()))


def test_every_relation_has_its_own_headline() -> None:
    heads = {kind: words(page_of(one(comparison(kind=kind))).cssselect("h1")[0]) for kind in RELATIONS}
    assert len(set(heads.values())) == len(RELATIONS)
