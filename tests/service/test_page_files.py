"""Several files at once on the page, and results that open again."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import lxml.html
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.service.app import client_for
from tests.service.pages import assert_self_contained
from tests.service.support import CLEAR, ROOT, SPUN, SUSPECT
from tests.service.test_page import Shown, judge, verdict_on
from unspun.service.page import results
from unspun.service.page.results import Checked, Results

DOCUMENTS = ROOT / "tests" / "data" / "documents"


@pytest.fixture
def client() -> FlaskClient:
    return client_for()


def upload(client: FlaskClient, *files: tuple[str, bytes | str], **fields: str) -> TestResponse:
    parts = [(io.BytesIO(data.encode() if isinstance(data, str) else data), name) for name, data in files]
    return client.post("/", data={"text": "", "file": parts, **fields}, content_type="multipart/form-data")


def table(shown: Shown) -> list[list[str]]:
    """Return the table of results: the cells of each row."""
    rows = shown.all("//table[@class='results']/tbody/tr")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in rows]


SEVERAL = (("a.txt", CLEAR), ("b.txt", SPUN), ("c.txt", "Few words"), ("d.pdf", b"%PDF-1.7"), ("e.md", SUSPECT))


# --- the table


def test_several_files_get_a_table_with_the_highest_score_first(client: FlaskClient) -> None:
    answer = upload(client, *SEVERAL)
    shown = Shown(answer)
    assert answer.status_code == 200
    assert shown.text("//h1") == "1 of 5 documents looks paraphrased"
    assert table(shown) == [
        ["b.txt", "Paraphrased", "97 %", "spun", "13 words", "imaginative and prescient → vision; vitality → energy"],
        ["e.md", "Suspect", "50 %", "spun", "12 words", "vitality → energy"],
        ["a.txt", "Clear", "3 %", "", "12 words", ""],
        ["c.txt", "No verdict", "", "too short", "2 words", ""],
        ["d.pdf", "Not checked", "broken PDF: its structure cannot be read."],
    ]


def test_each_row_links_to_the_text_and_its_marks(client: FlaskClient) -> None:
    shown = Shown(upload(client, *SEVERAL))
    [link] = shown.all("//table[@class='results']//a[contains(., 'b.txt')]")
    [text] = shown.all(f"//*[@id='{link.get('href')[1:]}']")
    assert [mark.text_content() for mark in text.xpath(".//*[@class='article']//a")] == [
        "imaginative and prescient", "vitality"
    ]  # fmt: skip


def test_ids_stay_unique_with_many_texts(client: FlaskClient) -> None:
    shown = Shown(upload(client, *((f"{place}.txt", SPUN) for place in range(5))))
    ids = shown.all("//@id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in shown.all("//a/@href") if link.startswith("#")} <= set(ids)


def test_a_file_of_many_documents_gets_a_table(client: FlaskClient) -> None:
    lines = "\n".join(json.dumps({"id": name, "text": text}) for name, text in (("one", CLEAR), ("two", SPUN)))
    assert [row[:2] for row in table(Shown(upload(client, ("texts.jsonl", lines))))] == [
        ["two", "Paraphrased"],
        ["one", "Clear"],
    ]


def test_pdf_and_word_files_are_read() -> None:
    client = client_for(max_words=5_000, max_bytes=1_000_000)
    names = ("spun-01-office1.pdf", "spun-01-office1.docx")
    rows = table(Shown(upload(client, *((name, (DOCUMENTS / name).read_bytes()) for name in names))))
    assert {row[0] for row in rows} == set(names)
    assert all(int(row[-2].split()[0]) > 300 for row in rows)


def test_a_text_that_is_too_long_does_not_stop_the_others(client: FlaskClient) -> None:
    rows = table(Shown(upload(client, ("a.txt", "word " * 201), ("b.txt", SPUN))))
    assert rows[0][:2] == ["b.txt", "Paraphrased"]
    assert rows[1][:2] == ["a.txt", "Not checked"]
    assert rows[1][2].startswith("The text is too long. A text may have at most 200 words; this one has 201.")


def test_files_that_cannot_be_read_are_explained_and_nothing_else_is_claimed(client: FlaskClient) -> None:
    shown = Shown(upload(client, ("a.pdf", b"%PDF-1.7"), ("b.txt", b"\x89PNG\r\n\x1a\n")))
    assert shown.text("//h1") == "No document could be checked"


@pytest.mark.parametrize(
    ("texts", "headline"),
    [
        ([CLEAR, CLEAR], "None of 2 documents looks paraphrased"),
        ([CLEAR, SUSPECT], "1 of 2 documents is suspect"),
        ([SPUN, SPUN], "2 of 2 documents look paraphrased"),
        (["Few words", "Fewer"], "No document could be judged"),
    ],
    ids=["clear", "suspect", "paraphrased", "abstained"],
)
def test_the_headline_says_what_matters_most(texts: list[str], headline: str, client: FlaskClient) -> None:
    files = [(f"{place}.txt", text) for place, text in enumerate(texts)]
    assert Shown(upload(client, *files)).text("//h1") == headline


def test_long_texts_are_only_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_CHARACTERS", 2 * len(SPUN))
    shown = Results(Checked(f"{place}.txt", SPUN, verdict_on(SPUN)) for place in range(5))
    assert [row.shown for row in shown.rows] == [True, True, False, False, False]
    assert shown.hidden == 3


# --- limits


@pytest.mark.parametrize("name", ["essay.txt", "essay.unspun.html"])
def test_more_documents_than_the_limit_are_refused(name: str) -> None:
    client = client_for(max_bytes=1_000_000, max_items=10)
    content = saved(client, SPUN) if name.endswith("html") else SPUN
    answer = upload(client, *((name, content) for _ in range(11)))
    alert = Shown(answer).text("//*[@role='alert']")
    assert (answer.status_code, "at most 10 documents" in alert) == (413, True)


def test_every_text_counts_for_the_rate_limit() -> None:
    limited = client_for(rate_limit="3 per hour")
    assert upload(limited, ("a.txt", SPUN), ("b.txt", SPUN)).status_code == 200
    assert upload(limited, ("a.txt", SPUN), ("b.txt", SPUN)).status_code == 429


# --- downloads


def test_the_report_contains_all_documents(client: FlaskClient) -> None:
    report = Shown(upload(client, *SEVERAL)).downloaded("report.html").decode()
    assert_self_contained(report)
    page = lxml.html.document_fromstring(report)
    names = [name.text_content() for name in page.xpath("//table[@id='documents']//th[@scope='row']/bdi")]
    assert names == ["b.txt", "e.md", "a.txt", "c.txt"]
    assert "d.pdf" in page.get_element_by_id("failed").text_content()


def test_the_verdicts_can_be_downloaded_as_the_command_line_writes_them(client: FlaskClient) -> None:
    shown = Shown(upload(client, *SEVERAL))
    lines = [json.loads(line) for line in shown.downloaded("verdicts.jsonl").splitlines()]
    cells = list(csv.DictReader(io.StringIO(shown.downloaded("verdicts.csv").decode())))
    for found in (lines, cells):
        assert [one["id"] for one in found] == ["b.txt", "e.md", "a.txt", "c.txt"]
    answer = client.post("/v1/score", json={"text": SPUN, "id": "b.txt"}).get_json()
    assert lines[0] == answer


# --- a result that opens again


def saved(client: FlaskClient, text: str, name: str = "essay.txt") -> bytes:
    return Shown(judge(client, file=(text.encode(), name))).downloaded("essay.unspun.html")


def test_a_saved_result_is_one_file_that_shows_the_same(client: FlaskClient) -> None:
    page = saved(client, f"{SPUN}\n\nIt\trained.\n").decode()
    assert_self_contained(page)
    shown, before = Shown(page), Shown(judge(client, SPUN))
    assert shown.article == f"{SPUN}\n\nIt\trained.\n"
    assert shown.text("//h1") == "Verdict: Paraphrased"
    assert shown.of_class("figure") == ["97 %"]
    assert shown.of_class("was") == before.of_class("was")
    assert "Checked on" in shown.of_class("made")[0]


def test_control_characters_of_a_text_cannot_act_on_the_reader_of_a_saved_result(client: FlaskClient) -> None:
    page = saved(client, f"{SPUN} \x1b[31m\u202e<script>alert(1)</script>")
    assert b"<script>alert" not in page
    assert Shown(page.decode()).article.endswith(" \ufffd[31m\ufffd<script>alert(1)</script>")


def test_a_saved_result_can_be_opened_on_the_page_again() -> None:
    client = client_for(max_bytes=200_000)
    page = saved(client, f"{SPUN}\n\nIt rained.")
    for name in ("essay.unspun.html", "essay.unspun (1).html", "essay.unspun - Copy.html"):
        again = Shown(judge(client, file=(page, name)))
        assert again.article == f"{SPUN}\n\nIt rained."
        assert again.text("//h1") == "Verdict: Paraphrased"
        assert again.downloaded("essay.unspun.html")


def test_saved_results_can_be_among_several_files() -> None:
    client = client_for(max_bytes=200_000)
    shown = Shown(upload(client, ("essay.unspun.html", saved(client, SPUN)), ("a.txt", CLEAR)))
    assert [row[:2] for row in table(shown)] == [["essay.unspun.html", "Paraphrased"], ["a.txt", "Clear"]]


def test_a_page_of_another_name_cannot_pass_for_a_saved_result() -> None:
    client = client_for(max_bytes=200_000)
    page = saved(client, CLEAR).replace(b"<main", f"<main><p>{SPUN}</p><main".encode())
    assert SPUN in Shown(judge(client, file=(page, "essay.html"))).article


@pytest.mark.parametrize("head", ["", '<meta name="unspun-text" content="====">'], ids=["none", "broken"])
def test_other_pages_are_read_as_pages(head: str, client: FlaskClient) -> None:
    page = f"<html><head>{head}</head><body><p>{SPUN}</p></body></html>"
    assert SPUN in Shown(judge(client, file=(page.encode(), "a.unspun.html"))).article


# --- the score


def bars(shown: Shown, path: str) -> list[Any]:
    return [line.get("x") for line in shown.all(f"{path}//*[name()='rect'][@class='line']")]


def test_the_bar_shows_both_thresholds(client: FlaskClient) -> None:
    shown = Shown(judge(client, SPUN))
    assert bars(shown, "//*[@class='scale']") == ["159.0", "287.0"]
    labels = [label.text for label in shown.all("//*[@class='scale']/*[name()='text']")]
    assert labels == ["clear", "50 % suspect", "90 % paraphrased"]
    [bar] = shown.all("//*[@class='scale']")
    assert bar.get("aria-label") == (
        "97 % on a scale from 0 to 100 %. 50 % is the threshold of suspect, 90 % is the threshold of paraphrased."
    )


def test_without_a_verdict_there_is_no_bar(client: FlaskClient) -> None:
    assert not Shown(judge(client, "Hi.")).all("//*[@class='scale']")


def test_odd_words_are_listed_by_strength_and_closed_at_first(client: FlaskClient) -> None:
    shown = Shown(judge(client, "The vitality of counterfeit consciousness is imaginative and prescient."))
    assert shown.of_class("said") == ["counterfeit consciousness", "imaginative and prescient", "vitality"]
    [details] = shown.all("//details[@class='list']")
    assert details.get("open") is None
