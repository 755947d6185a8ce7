"""service/render/html.py: the report on many documents. tests/browser/test_report.py opens it in a browser."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.fake_detector import verdict_on
from tests.service.pages import assert_self_contained
from tests.service.support import CLEAR, SPUN, SUSPECT
from unspun.model.verdict import Evidence, ModelInfo, Repair, Verdict
from unspun.model.wording import DISGUISED, SCALE
from unspun.reading.records import Failure, Omissions
from unspun.service.render.charts import BANDS, WIDTH, Chart, VerdictCounts, compact
from unspun.service.render.html import EXCERPTS, HtmlWriter, Report
from unspun.service.render.jsonl import parse

WHEN = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
ABSTAINED = "Three little words"


def scored(score: float, id: str = "a.txt", **changes: Any) -> Verdict:
    word = "paraphrased" if score >= 0.9 else "suspect" if score >= 0.5 else "clear"
    kind = None if word == "clear" else "spun"
    kinds = {"spun": score, "translated": 0.0, "rewritten": 0.0}
    return verdict_on(SPUN, id, score=score, verdict=word, kind=kind, kinds=kinds, **changes)


def page_of(report: Report, **options: Any) -> Any:
    return lxml.html.document_fromstring(report.render(WHEN, **options))


def report_on(*texts: str, **options: int) -> Any:
    report = Report(**options)
    for place, text in enumerate(texts):
        report.add(text, verdict_on(text, f"{place}.txt"))
    return page_of(report)


def report_of(*verdicts: Verdict, **options: int) -> Any:
    report = Report(**options)
    for verdict in verdicts:
        report.add(SPUN, verdict)
    return page_of(report)


def text_of(element: Any) -> str:
    return " ".join(element.text_content().split())


def ids(page: Any) -> list[str]:
    return [text_of(cell) for cell in page.cssselect("#documents tbody th")]


def row_of(page: Any, id: str) -> list[str]:
    (row,) = (row for row in page.cssselect("#documents tbody tr") if text_of(row[0]) == id)
    return [text_of(cell) for cell in row]


def skipped(*names: str) -> Omissions:
    found = Omissions()
    for name in names:
        found.add("type .png is not read in folders", name)
    return found


# --- heading and rows


def test_the_heading_counts_verdicts_words_and_failures() -> None:
    report = Report()
    for text in (SPUN, SPUN, SUSPECT, CLEAR, CLEAR, CLEAR, ABSTAINED):
        report.add(text, verdict_on(text))
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        report.fail(Failure(name, "binary (PDF), not text"))
    page = page_of(report, source="submissions/", skipped=skipped("x.png"))
    assert text_of(page.cssselect("h1")[0]) == "2 of 7 documents look paraphrased"
    figures = [
        (text_of(card.cssselect("dt")[0]), text_of(card.cssselect(".figure")[0]))
        for card in page.cssselect(".counts div")
    ]
    assert figures == [("Paraphrased", "2 29 %"), ("Suspect", "1 14 %"), ("Clear", "3 43 %"), ("No verdict", "1 14 %")]
    assert text_of(page.cssselect(".made")[0]) == "Scored: submissions/ · 23 November 2026, 06:05 UTC"
    facts = {text_of(fact[0]): text_of(fact[1]) for fact in page.cssselect(".meta div")}
    assert facts == {
        "Documents": "7",
        "Words of prose": str(2 * 13 + 4 * 12 + 3),
        "Could not be scored": "3",
        "Skipped": "1",
        "Model": f"fake 0.0.1 ({hashlib.sha256(b'fake').hexdigest()[:12]})",
    }


def test_what_was_not_scored_is_listed_with_its_reason() -> None:
    report = Report()
    report.add(CLEAR, verdict_on(CLEAR))
    report.fail(Failure("<b>.pdf", "binary (PDF), not text"))
    left_out = skipped("x.png", "y.png")
    left_out.add("neither a page nor a text")
    page = page_of(report, skipped=left_out)
    failures, others = page.cssselect("details.unscored")
    assert [text_of(one) for one in failures.cssselect("summary, li")] == [
        "1 document could not be read or scored",
        "<b>.pdf binary (PDF), not text",
    ]
    assert [text_of(one) for one in others.cssselect("summary, li")] == [
        "3 files or records were skipped",
        "x.png type .png is not read in folders",
        "y.png type .png is not read in folders",
        "1 more: neither a page nor a text",
    ]


def test_the_report_names_a_bounded_number_of_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unspun.service.render.html.MOST_LISTED", 2)
    report = Report()
    for place in range(5):
        report.fail(Failure(f"{place}.pdf", "binary (PDF), not text"))
    assert [text_of(one) for one in page_of(report).cssselect("details.unscored li")][2:] == ["3 more"]


def test_a_report_in_which_everything_was_scored_has_no_such_list() -> None:
    assert report_on(SPUN).cssselect(".rest, #failed, #skipped") == []


def test_repairs_are_shown_with_each_document() -> None:
    page = report_of(
        verdict_on(SPUN, "a.txt", repairs=(Repair("homoglyph", 12),)),
        verdict_on(CLEAR, repairs=(Repair("ligature", 1),)),
    )
    assert text_of(page.cssselect(".offender .repaired.disguised")[0]) == (
        f"Repaired: 12 words with look-alike letters. {DISGUISED}"
    )
    assert [text_of(one) for one in page.cssselect("#documents .repaired")] == [
        "Repaired: 12 words with look-alike letters",
        "Repaired: 1 ligature",
    ]


def test_reasons_for_abstentions_are_counted() -> None:
    page = report_of(
        verdict_on(ABSTAINED),
        verdict_on(ABSTAINED, reason="not_english"),
        verdict_on(ABSTAINED, reason="not_english"),
    )
    assert "Not judged: 2 not english, 1 too short." in text_of(page.cssselect(".counts .abstained")[0])


def test_the_time_is_shown_in_utc() -> None:
    report = Report().render(WHEN.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert 'datetime="2026-11-23T06:05:00Z"' in report


def test_all_models_that_gave_verdicts_are_named() -> None:
    page = report_of(verdict_on(CLEAR), verdict_on(CLEAR, model=ModelInfo("other", "2.0.0", "ab" * 32)))
    assert [text_of(fact[1]) for fact in page.cssselect(".meta div")[2:]] == [
        f"fake 0.0.1 ({hashlib.sha256(b'fake').hexdigest()[:12]})",
        "other 2.0.0 (abababababab)",
    ]


def test_a_report_without_documents_says_so() -> None:
    page = report_on()
    assert text_of(page.cssselect("h1")[0]) == "No documents"
    assert page.cssselect("table, figure, article") == []


def test_a_row_shows_id_verdict_score_kind_words_depth_and_strongest_words() -> None:
    page = report_on(SPUN, CLEAR, ABSTAINED)
    assert row_of(page, "0.txt") == [
        *("0.txt", "Paraphrased", "97 %", "about 1 in 480", "spun 93 %", "13", "fast"),
        "imaginative and prescient → vision; vitality → energy",
    ]
    assert row_of(page, "1.txt") == ["1.txt", "Clear", "3 %", "about 8 in 10", "", "12", "fast", ""]


def test_an_abstained_document_shows_its_reason_and_no_score() -> None:
    page = report_on(ABSTAINED, f"Unfamiliar words. {SPUN}")
    assert row_of(page, "0.txt") == ["0.txt", "No verdict", "none", "", "too short", "3", "fast", ""]
    assert row_of(page, "1.txt")[1:5] == ["No verdict", "none", "", "unfamiliar"]


def test_a_reason_is_explained() -> None:
    [reason] = report_on(f"Unfamiliar words. {SPUN}").cssselect("#documents tbody .c-kind .hint")
    assert "too unlike the text that unspun was calibrated on" in reason.get("title")


def test_rows_are_sorted_by_score_with_abstentions_last() -> None:
    page = report_of(
        scored(0.2, "low"),
        verdict_on(ABSTAINED, "abstained"),
        scored(0.95, "high"),
        scored(0.7, "doubtful"),
    )
    assert ids(page) == ["high", "doubtful", "low", "abstained"]


def test_of_equal_scores_the_longer_document_comes_first_then_the_earlier() -> None:
    page = report_of(scored(0.9, "a", words=50), scored(0.9, "b", words=80), scored(0.9, "c", words=80))
    assert ids(page) == ["b", "c", "a"]


def test_a_document_without_an_id_is_shown() -> None:
    assert ids(report_of(verdict_on(CLEAR, None))) == ["no id"]


# --- numbers in words


def facts_of(page: Any) -> str:
    return text_of(page.cssselect(".offender .facts-line")[1])


def test_an_offender_shows_its_false_positive_rate_and_suspicious_share() -> None:
    assert facts_of(report_on(SPUN)) == (
        "About 1 in 480 human texts of this length looks like this. 93 % of the words are in suspicious parts."
    )


def test_no_smaller_rate_is_shown_than_the_calibration_supports() -> None:
    report = Report(supported=0.002)
    report.add(SPUN, verdict_on(SPUN, "a", false_positive_rate=0.002))
    assert facts_of(page_of(report)).startswith("Fewer than 1 in 500 human texts of this length look like this.")
    assert row_of(page_of(report), "a")[3] == "fewer than 1 in 500"


def test_a_probability_is_shown_where_a_base_rate_was_given() -> None:
    page = report_of(verdict_on(SPUN, "a", probability=0.624), verdict_on(ABSTAINED, "b"))
    assert "the probability that it is paraphrased is 62 %" in facts_of(page)
    assert [text_of(head) for head in page.cssselect("thead .c-probability")] == ["Probability"]
    assert [row_of(page, id)[3] for id in ("a", "b")] == ["62 %", ""]


def test_the_report_explains_the_score_once() -> None:
    assert text_of(report_on(SPUN, SUSPECT)).count(SCALE) == 1


def test_the_report_says_what_rewritten_does_not_prove() -> None:
    assert "“rewritten” does not prove that a source exists" in text_of(report_on(SPUN).cssselect("#kinds-note")[0])


# --- the documents with the highest scores


def test_the_highest_scores_are_shown_with_the_sentences_that_give_them_away() -> None:
    (offender,) = report_on(SPUN).cssselect(".offender")
    assert text_of(offender.cssselect("h3")[0]) == "1 0.txt"
    assert [text_of(word) for word in offender.cssselect(".sentence .odd")] == ["imaginative and prescient", "vitality"]
    for aside in offender.cssselect(".beside"):
        aside.drop_tree()
    assert text_of(offender.cssselect(".sentence")[0]) == SPUN


def test_each_marked_word_links_to_its_likely_original() -> None:
    page = report_on(SPUN, SUSPECT)
    marks = page.cssselect(".sentence .odd")
    for mark in marks:
        entry = page.get_element_by_id(mark.get("href").removeprefix("#"))
        assert text_of(entry.cssselect(".said")[0]) == text_of(mark)
        assert page.get_element_by_id(mark.get("aria-describedby")) in entry.cssselect(".was")
    assert [text_of(page.get_element_by_id(mark.get("aria-describedby"))) for mark in marks] == [
        "probably vision",
        "probably energy",
        "probably energy",
    ]


def test_heavier_words_have_more_emphasis() -> None:
    found = tuple(
        Evidence(SPUN.index(word), SPUN.index(word) + len(word), word, None, "misfit", weight)
        for word, weight in (("mayor", 9.0), ("shared", 4.0), ("town", 0.1))
    )
    marks = report_of(verdict_on(SPUN, evidence=found)).cssselect(".sentence .odd")
    assert [mark.get("class") for mark in marks] == ["odd l3", "odd l2", "odd l1"]


def test_a_repeated_word_is_listed_once_with_its_greatest_weight() -> None:
    text = "The vitality of the vitality of the Vitality"
    found = tuple(
        Evidence(start, start + 8, text[start : start + 8], "energy", "substitution", weight)
        for start, weight in ((4, 0.1), (20, 4.0), (36, 1.0))
    )
    report = Report()
    report.add(text, verdict_on(text, verdict="suspect", kind="spun", evidence=found))
    page = page_of(report)
    assert [text_of(entry) for entry in page.cssselect(".offender .words li .times")] == [
        "55 times as likely in paraphrased text"
    ]
    assert len(page.cssselect(".sentence .odd")) == 3


def test_only_paraphrased_or_suspect_documents_are_offenders() -> None:
    page = report_of(scored(0.95, "a"), scored(0.6, "b"), scored(0.3, "c"), verdict_on(ABSTAINED, "d"))
    assert [text_of(title) for title in page.cssselect(".offender h3")] == ["1 a", "2 b"]


def test_the_number_of_offenders_is_limited() -> None:
    report = Report(offenders=3)
    for place in range(30):
        report.add(SPUN, scored(0.9 + (place * 7 % 30) / 1000, f"{place}"))
    highest = sorted(range(30), key=lambda place: -(place * 7 % 30))[:3]
    assert [text_of(title) for title in page_of(report).cssselect(".offender h3")] == [
        f"{rank} {place}" for rank, place in enumerate(highest, 1)
    ]


@pytest.mark.parametrize(("options", "rows", "offenders"), [({"limit": 0}, 0, 2), ({"offenders": 0}, 2, 0)])
def test_rows_and_offenders_can_be_left_out(options: dict[str, int], rows: int, offenders: int) -> None:
    page = report_on(SPUN, SUSPECT, **options)
    assert len(page.cssselect("#documents tbody tr")) == rows
    assert len(page.cssselect(".offender")) == offenders


@pytest.mark.parametrize(
    ("evidence", "says"),
    [((), "No single word stands out"), (None, "No evidence was requested")],
)
def test_an_offender_without_words_says_why(evidence: Any, says: str) -> None:
    (offender,) = report_of(verdict_on(SPUN, evidence=evidence)).cssselect(".offender")
    assert says in text_of(offender)


def test_a_long_text_shows_only_its_worst_sentences() -> None:
    text = "\n\n".join([SPUN] * 40)
    page = report_on(text)
    assert len(page.cssselect(".sentence")) == EXCERPTS


def test_a_text_without_full_stops_does_not_fill_the_report() -> None:
    text = "vitality vitality " * 5000
    report = Report()
    report.add(text, verdict_on(text))
    assert len(report.render(WHEN)) < 100_000


def test_a_report_can_be_made_from_json_lines_and_texts() -> None:
    texts = [SPUN, SUSPECT, CLEAR, ABSTAINED]
    direct, again = Report(), Report()
    for place, text in enumerate(texts):
        verdict = verdict_on(text, f"{place}.txt")
        direct.add(text, verdict)
        again.add(text, parse(verdict.to_json()))
    assert direct.render(WHEN) == again.render(WHEN)


def test_without_the_text_an_offender_still_shows_its_words() -> None:
    report = Report()
    report.add("", verdict_on(SPUN))
    (offender,) = page_of(report).cssselect(".offender")
    assert offender.cssselect(".sentence") == []
    assert [text_of(word) for word in offender.cssselect(".said")] == ["imaginative and prescient", "vitality"]


# --- limits


def test_rows_beyond_the_limit_are_counted_and_not_listed() -> None:
    page = report_of(*(scored(place / 100, f"{place}") for place in range(50)), limit=10)
    assert ids(page) == [f"{place}" for place in range(49, 39, -1)]
    assert text_of(page.cssselect("#list")[0]) == "The 10 documents with the highest scores"
    assert "40 documents with lower scores are counted above but not listed here." in text_of(page)
    assert text_of(page.cssselect(".counts .clear .figure")[0]).startswith("50 ")


def test_long_names_and_words_are_shortened() -> None:
    id = "folder/" * 1000 + "end.txt"
    text = "The " + "vitality" * 1000 + " of it all."
    found = (Evidence(4, 8004, text[4:8004], "y" * 8000, "misfit", 9.0, ("z" * 8000,)),)
    report = Report()
    report.add(text, verdict_on(text, id, verdict="suspect", kind="spun", evidence=found))
    page = report.render(WHEN)
    assert "folder/folder/" in page
    assert "/end.txt" in page
    assert not re.search(r"(vitality|yyyyyyyy|zzzzzzzz){20}|(folder/){40}", page)


def test_memory_does_not_grow_with_the_number_of_documents() -> None:
    report = Report(limit=5, offenders=2)
    sizes = []
    for count in (100, 1000):
        for _ in range(count):
            report.add(SPUN, scored(0.95, "same"))
        sizes.append(len(report.render(WHEN)))
    assert abs(sizes[1] - sizes[0]) < 100


def test_the_same_verdicts_and_time_give_the_same_bytes() -> None:
    def made() -> str:
        report = Report()
        for place, text in enumerate([SPUN, SUSPECT, CLEAR, ABSTAINED] * 3):
            report.add(text, verdict_on(text, f"{place}.txt"))
        return report.render(WHEN)

    assert made() == made()


# --- hostile text

HOSTILE = (
    "</script></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'`&amp;{{ 7 * 7 }}{% raw %}"
    "\x1b[2J\u202egpj.exe\u2066\x00\ud800"
)


def hostile_report() -> str:
    text = f"{HOSTILE} vitality {HOSTILE}. The vitality of {HOSTILE}."
    at = text.index("vitality")
    found = (
        Evidence(at, at + 8, "vitality", HOSTILE, HOSTILE, 9.0, (HOSTILE,)),
        Evidence(0, len(HOSTILE), HOSTILE, HOSTILE, HOSTILE, 8.0, (HOSTILE,)),
    )
    report = Report()
    model = ModelInfo(HOSTILE, HOSTILE, HOSTILE)
    report.add(text, verdict_on(text, HOSTILE, verdict="suspect", kind="spun", evidence=found, model=model))
    return report.render(WHEN, source=HOSTILE)


def test_texts_and_ids_are_never_markup() -> None:
    page = lxml.html.document_fromstring(hostile_report())
    assert len(page.cssselect("script")) == 1
    assert len(page.cssselect("style")) == 1
    assert page.cssselect("img") == []
    assert "{{ 7 * 7 }}" in ids(page)[0]
    assert "<script>alert(1)</script>" in ids(page)[0]
    names = {name for element in page.iter() if isinstance(element.tag, str) for name in element.attrib}
    assert [name for name in names if name.startswith("on")] == []


def test_texts_and_ids_cannot_control_the_screen() -> None:
    report = hostile_report()
    assert not set(report) & set("\x1b\u202e\u2066\x00\ud800\r")
    assert "\ufffdgpj.exe" in report


@settings(max_examples=50)
@given(st.text(), st.text(), st.text())
def test_any_text_gives_a_valid_report(text: str, id: str, suggestion: str) -> None:
    whole = text + " vitality. " + text
    at = len(text) + 1
    found = (Evidence(at, at + 8, "vitality", suggestion, "misfit", 1.0, (suggestion,)),)
    report = Report()
    numbers: dict[str, Any] = {"score": 0.6, "false_positive_rate": 0.02, "share": 0.4}
    report.add(whole, verdict_on(whole, id, verdict="suspect", kind="spun", reason=None, evidence=found, **numbers))
    page = report.render(WHEN)
    assert all(line.isprintable() for line in page.split("\n"))
    assert len(lxml.html.document_fromstring(page).cssselect("#documents tbody tr")) == 1


# --- the file


def test_the_report_is_self_contained() -> None:
    report = Report()
    for text in (SPUN, SUSPECT, CLEAR):
        report.add(text, verdict_on(text))
    assert_self_contained(report.render(WHEN))


def test_the_writer_writes_the_report_when_it_is_closed() -> None:
    stream = io.BytesIO()
    writer = HtmlWriter(stream, Report(), WHEN, source="in")
    writer.write(SPUN, verdict_on(SPUN))
    assert stream.getvalue() == b""
    writer.fail(Failure("a.pdf", "binary (PDF), not text"))
    writer.close(skipped("x.png"))
    report = Report()
    report.add(SPUN, verdict_on(SPUN))
    report.fail(Failure("a.pdf", "binary (PDF), not text"))
    assert stream.getvalue().decode() == report.render(WHEN, source="in", skipped=skipped("x.png"))
    assert not stream.closed


# --- accessibility


def test_heading_levels_are_not_skipped() -> None:
    page = report_on(SPUN, SUSPECT, CLEAR)
    levels = [int(heading.tag[1]) for heading in page.cssselect("h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_all_references_resolve() -> None:
    page = report_on(SPUN, SPUN, SUSPECT, CLEAR, ABSTAINED)
    given = [element.get("id") for element in page.cssselect("[id]")]
    assert len(given) == len(set(given))
    named = [
        name
        for element in page.iter()
        if isinstance(element.tag, str)
        for attribute in ("aria-labelledby", "aria-describedby", "for")
        for name in element.get(attribute, "").split()
    ]
    named += [link.get("href")[1:] for link in page.cssselect("a[href^='#']")]
    assert set(named) <= set(given)


def test_the_table_has_headers_and_a_sort_order() -> None:
    page = report_on(SPUN, CLEAR)
    (table,) = page.cssselect("#documents")
    heads = table.cssselect("thead th")
    assert [text_of(head) for head in heads] == [
        "Document",
        "Verdict",
        "Score",
        "Human texts like it",
        "Kind",
        "Words",
        "Depth",
        "Strongest words",
    ]
    assert [head.get("aria-sort") for head in heads] == [None, None, "descending", *[None] * 5]
    assert {head.get("scope") for head in heads} == {"col"}
    assert {row[0].get("scope") for row in table.cssselect("tbody tr")} == {"row"}
    assert table.cssselect("caption")


def test_each_chart_has_a_name_and_its_numbers_as_a_table() -> None:
    page = report_on(SPUN, SUSPECT, CLEAR, ABSTAINED)
    charts = page.cssselect("svg.chart")
    assert [text_of(page.get_element_by_id(chart.get("aria-labelledby"))) for chart in charts] == [
        "Scores",
        "Kinds",
        "Length",
    ]
    tables = page.cssselect("figure table")
    assert len(tables) == 3
    assert [text_of(cell) for cell in tables[1].cssselect("tbody tr")[0]] == ["Spun", "1", "1"]


# --- charts


def chart(name: str, *verdicts: Verdict) -> Chart:
    counts = VerdictCounts()
    for verdict in verdicts:
        counts.add(verdict)
    return next(chart for chart in counts.charts() if chart.name == name)


def numbers(chart: Chart) -> dict[str, tuple[int, ...]]:
    return {name: found for name, found in chart.rows if any(found)}


@pytest.mark.parametrize(
    ("score", "row"), [(0.0, "0–10 %"), (0.0999, "0–10 %"), (0.1, "10–20 %"), (0.9, "90–100 %"), (1.0, "90–100 %")]
)
def test_scores_are_counted_in_tenths(score: float, row: str) -> None:
    assert list(numbers(chart("scores", scored(score)))) == [row]


def test_scores_are_stacked_by_verdict() -> None:
    drawn = chart("scores", *[scored(0.92)] * 3, replace(scored(0.92), verdict="suspect"), verdict_on(ABSTAINED))
    assert numbers(drawn) == {"90–100 %": (3, 1, 0)}
    lower, upper = drawn.bars
    assert (lower.verdict, upper.verdict) == ("paraphrased", "suspect")
    assert lower.height == pytest.approx(3 * upper.height)
    assert upper.y + upper.height == pytest.approx(lower.y)


def test_kinds_are_counted_by_verdict() -> None:
    drawn = chart("kinds", scored(0.95), replace(scored(0.95), kind="translated"), scored(0.6), scored(0.2))
    assert numbers(drawn) == {"Spun": (1, 1), "Translated": (1, 0)}


@pytest.mark.parametrize(
    ("words", "row"),
    [
        (0, "under 50"),
        (49, "under 50"),
        (50, "50–99"),
        (999, "500–999"),
        (1000, "1,000–2,499"),
        (9999, "2,500–9,999"),
        (10_000, "10,000 or more"),
        (10**7, "10,000 or more"),
    ],
)
def test_documents_are_counted_by_length(words: int, row: str) -> None:
    assert list(numbers(chart("lengths", scored(0.5, words=words)))) == [row]


def test_one_document_among_many_is_visible() -> None:
    few = [scored(0.95), scored(0.55)]
    for name in ("scores", "lengths"):
        drawn = chart(name, *[scored(0.01)] * 20_000, *few)
        assert min(min(bar.width, bar.height) for bar in drawn.bars) >= 1.5
        assert {bar.verdict for bar in drawn.bars} == {"paraphrased", "suspect", "clear"}


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(BANDS), st.integers(1, 500)), max_size=20))
def test_nothing_is_drawn_outside_a_chart(documents: list[tuple[float, int, int]]) -> None:
    counts = VerdictCounts()
    for score, words, times in documents:
        verdict = scored(score, words=words)
        for _ in range(times):
            counts.add(verdict)
    for drawn in counts.charts():
        for bar in drawn.bars:
            assert bar.x >= 0
            assert bar.y >= 0
            assert bar.x + bar.width <= WIDTH + 3
            assert bar.y + bar.height <= drawn.height


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (9949, "9.9k"),
        (9951, "10k"),
        (999_499, "999k"),
        (999_501, "1.0M"),
        (51_234_567, "51M"),
        (2_500_000_000, "2.5G"),
    ],
)
def test_counts_are_shortened(number: int, shown: str) -> None:
    assert compact(number) == shown
