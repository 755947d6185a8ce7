"""Suspicious sentences, observations and examples, where people see them: on the page, in the report, on a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from rich.console import Console

from tests.service.app import client_for
from tests.service.support import CLEAR, SPUN
from tests.service.test_page import Shown, judge, rendered, verdict_on
from unspun.model.verdict import Evidence, Observation, Sentence, SpunPassage, Verdict
from unspun.reading.records import Omissions
from unspun.service.page.result import Result
from unspun.service.render.highlight import sentence_level
from unspun.service.render.html import Report
from unspun.service.render.table import VerdictTable

TEXT = "It rained all day. The council has made a big decision of opening. Nobody minded it at all."
SENTENCES = (
    Sentence(0, 18, 0.4, "spun"),
    Sentence(19, 66, 0.97, "translated"),
    Sentence(67, 91, 0.999, "rewritten"),
)
SEEN = Observation("translationese", "mark_;", 0.97, "Semicolons are more frequent than in 97 % of human texts.")


def told(*evidence: Evidence, **changes: Any) -> Verdict:
    return verdict_on(
        TEXT, *evidence, **{"sentences": SENTENCES, "observations": (SEEN,), "kind": "translated", **changes}
    )


@pytest.fixture
def client() -> FlaskClient:
    return client_for()


def table_of(verdict: Verdict, show: int = 5) -> str:
    table = VerdictTable(Console(file=io.StringIO(), width=100), show=show)
    return table.document(TEXT, verdict) + table.footer(Omissions())


def report_of(verdict: Verdict) -> Shown:
    report = Report()
    report.add(TEXT, verdict)
    return Shown(report.render(datetime(2026, 11, 30, tzinfo=UTC)))


@pytest.mark.parametrize(("score", "level"), [(0.89, 0), (0.9, 1), (0.979, 1), (0.98, 2), (1.0, 2)])
def test_the_more_suspicious_a_sentence_the_stronger_its_mark(score: float, level: int) -> None:
    assert sentence_level(score) == level


def test_the_page_marks_suspicious_sentences(client: FlaskClient) -> None:
    shown = rendered(client, TEXT, told())
    marks = shown.all("//*[@class='article']/span")
    assert [(mark.text_content(), mark.get("class"), mark.get("title")) for mark in marks] == [
        (TEXT[19:66], "told t1", "Translated: more suspicious than 97 % of human sentences"),
        (TEXT[67:91], "told t2", "Rewritten: more suspicious than 99 % of human sentences"),
    ]
    assert shown.article == TEXT


def test_the_page_lists_suspicious_sentences_by_strength(client: FlaskClient) -> None:
    shown = rendered(client, TEXT, told())
    links = shown.all("//ol[@class='sentences']/li/a")
    assert [link.text_content() for link in links] == [TEXT[67:91], TEXT[19:66]]
    assert all(shown.all(f"//*[@id='{link.get('href')[1:]}']") for link in links)


def test_a_marked_word_stays_marked_in_a_marked_sentence(client: FlaskClient) -> None:
    shown = rendered(client, TEXT, told(Evidence(46, 54, "decision", "choice", "misfit", 3.0)))
    [word] = shown.all("//*[@class='told t1']/a")
    assert word.text_content() == "decision"


def test_a_sentence_over_the_bound_of_a_passage_is_linked_once() -> None:
    result = Result(TEXT, told(passages=(SpunPassage(30, 91, 10),)))
    parts = [part for run in result.runs for part in run.parts if part.sentence and part.sentence.number == 1]
    assert [part.first for part in parts] == [True, False]


def test_the_page_says_what_stands_out_in_the_whole_text(client: FlaskClient) -> None:
    shown = rendered(client, TEXT, told())
    assert shown.text("//section[@class='observations']") == f"In the text as a whole {SEEN.text}"


def test_the_report_shows_suspicious_sentences_and_what_stands_out() -> None:
    shown = report_of(told())
    assert shown.of_class("sentence") == [
        f"{TEXT[67:91]} rewritten: more suspicious than 99 % of human sentences",
        f"{TEXT[19:66]} translated: more suspicious than 97 % of human sentences",
    ]
    assert shown.of_class("observed") == [SEEN.text]


def test_the_report_shows_a_sentence_with_odd_words_once() -> None:
    shown = report_of(told(Evidence(46, 54, "decision", "choice", "misfit", 3.0)))
    assert [line.startswith(TEXT[19:40]) for line in shown.of_class("sentence")] == [True, False]


def test_the_terminal_shows_suspicious_sentences_and_what_stands_out() -> None:
    lines = [line.strip() for line in table_of(told()).splitlines()]
    assert lines[2:] == [
        SEEN.text,
        "suspicious sentences, each more so than this share of human sentences:",
        f">99 % rewritten  {TEXT[67:91]}",
        f"97 %  {TEXT[19:66]}",
    ]


def test_a_terminal_without_unicode_shows_what_stands_out_with_straight_quotes() -> None:
    seen = Observation("translationese", "word_so", 0.97, "The word “so” is more frequent than in 97 % of human texts.")
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    shown = VerdictTable(Console(file=file, width=100)).document(TEXT, told(observations=(seen,)))
    assert 'The word "so" is more frequent' in shown


def test_the_terminal_shows_as_many_sentences_as_asked_for() -> None:
    assert TEXT[19:66] not in table_of(told(), show=1)
    assert SEEN.text not in table_of(told(), show=0)


# --- suggestions that are only examples


@pytest.mark.parametrize(("probable", "lead", "mark"), [(True, "probably", ""), (False, "for instance", "?")])
def test_an_example_is_not_called_probable(probable: bool, lead: str, mark: str, client: FlaskClient) -> None:
    verdict = told(Evidence(46, 54, "decision", "choice", "misfit", 3.0, probable=probable))
    assert rendered(client, TEXT, verdict).of_class("was") == [f"{lead} choice"]
    assert report_of(verdict).all("//*[@id='was-1-1']")[0].text_content() == f"{lead} choice"
    assert f"[decision → choice{mark}]" in table_of(verdict)
    assert ('"?" after a suggestion: for instance' in table_of(verdict)) == (not probable)


# --- texts that are clear


def test_a_clear_text_shows_its_odd_words_only_if_asked(client: FlaskClient) -> None:
    shown = Shown(judge(client, CLEAR))
    assert "Odd words are marked only in texts that are not clear." in shown.text("//section[@class='reading']")
    assert not shown.of_class("odd")


def test_the_terminal_shows_the_evidence_of_a_clear_text_if_it_was_asked_for() -> None:
    clear = told(Evidence(46, 54, "decision", "choice", "misfit", 3.0), verdict="clear", kind=None, observations=())
    shown = table_of(clear)
    assert "[decision → choice" in shown
    assert f">99 % rewritten  {TEXT[67:91]}" in shown
    assert "looks like this" not in shown
    assert table_of(clear.without_evidence()).count("\n") == 1


def test_the_odd_words_of_a_clear_text_can_be_asked_for(client: FlaskClient) -> None:
    text = CLEAR + "\r\n\tIt rained."
    [form] = Shown(judge(client, file=(text.encode(), "a.txt"))).all("//form[.//button[@name='evidence']]")
    fields = {one.get("name"): one.get("value") for one in form.xpath(".//input | .//button")}
    shown = Shown(client.post("/", data=fields))
    assert "No single word stands out." in shown.text("//section[@class='reading']")
    assert "From the file a.txt." in shown.text("//section[@class='reading']")


def test_a_paraphrased_text_needs_no_asking(client: FlaskClient) -> None:
    assert not Shown(judge(client, SPUN)).all("//button[@name='evidence']")
