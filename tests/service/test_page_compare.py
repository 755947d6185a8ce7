"""Two texts compared on the page, with a comparer that needs no model."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.service.pages import assert_self_contained
from tests.service.support import ROOT
from tests.service.support import SPUN as JUDGED
from tests.service.test_compare import OTHER, SOURCE, SPUN
from tests.service.test_compare_api import client_for
from tests.service.test_page import Shown, judge
from unspun.service.http.keys import KeyStore
from unspun.service.http.routes.page import EXAMPLES

DOCUMENTS = ROOT / "tests" / "data" / "documents"
File = tuple[str, bytes]


@pytest.fixture
def client() -> FlaskClient:
    return client_for()


def compare(client: FlaskClient, suspect: str | File = "", source: str | File = "", **fields: str) -> TestResponse:
    form: dict[str, Any] = dict(fields)
    for name, given in (("suspect", suspect), ("source", source)):
        form[name] = given if isinstance(given, str) else ""
        form[f"{name}_file"] = (io.BytesIO(b""), "") if isinstance(given, str) else (io.BytesIO(given[1]), given[0])
    return client.post("/compare", data=form, content_type="multipart/form-data")


def boxes(shown: Shown) -> list[str]:
    return [str(box.text or "").removeprefix("\n") for box in shown.all("//textarea")]


def test_the_form_has_a_box_and_a_file_for_each_text(client: FlaskClient) -> None:
    fields = Shown(client.get("/compare")).all("//form//textarea | //form//input")
    assert [field.get("name") for field in fields] == ["suspect", "suspect_file", "source", "source_file"]


def test_every_page_links_to_it(client: FlaskClient) -> None:
    assert Shown(client.get("/")).all("//nav//a[@href='/compare']")


def test_two_texts_are_shown_side_by_side(client: FlaskClient) -> None:
    answer = compare(client, SPUN, SOURCE)
    shown = Shown(answer)
    assert answer.status_code == 200
    assert shown.text("//h1") == "Spun from the source"
    rows = shown.all("//table[@class='beside']/tbody/tr")
    assert [" ".join(cell.text_content().split()) for cell in rows[1]][1:] == [
        "The council of Coldwell balloted nine to two on Monday to open the port steps.",
        "The council of Coldwell voted nine to two on Monday to open the harbour steps.",
    ]
    [replaced] = shown.all("//a[@class='replaced'][. = 'balloted']")
    assert shown.text(f"//*[@id='{replaced.get('href')[1:]}']") == "voted"


def test_unrelated_texts_are_called_unrelated(client: FlaskClient) -> None:
    assert Shown(compare(client, SPUN, OTHER)).text("//h1") == "Not made from the source"


def test_files_are_compared_and_named(client: FlaskClient) -> None:
    shown = Shown(compare(client, ("essay.txt", SPUN.encode()), ("paper.md", SOURCE.encode())))
    assert "essay.txt" in shown.of_class("facts")[0]
    assert "paper.md" in shown.of_class("facts")[0]


def test_pdf_and_word_files_are_compared() -> None:
    client = client_for(max_words=5_000, max_bytes=1_000_000)
    files = [(name, (DOCUMENTS / name).read_bytes()) for name in ("spun-01-office1.pdf", "human-01-office1.docx")]
    assert Shown(compare(client, *files)).text("//h1") == "Spun from the source"


def test_the_texts_stay_in_the_form(client: FlaskClient) -> None:
    assert boxes(Shown(compare(client, SPUN, SOURCE))) == [SPUN, SOURCE]
    assert boxes(Shown(compare(client, SPUN, ""))) == [SPUN, ""]


def test_the_example_can_be_tried(client: FlaskClient) -> None:
    [link] = Shown(client.get("/compare")).all("//form//a")
    assert boxes(Shown(client.get(link.get("href")))) == [EXAMPLES.suspect, EXAMPLES.source]


def test_a_comparison_can_be_saved_as_one_file(client: FlaskClient) -> None:
    shown = Shown(compare(client, SPUN, SOURCE))
    page = shown.downloaded("comparison.html").decode()
    assert_self_contained(page)
    assert Shown(page).text("//h1") == "Spun from the source"


def test_the_download_is_the_response_of_the_api(client: FlaskClient) -> None:
    expected = client.post("/v1/compare", json={"suspect": SPUN, "source": SOURCE}).data
    assert Shown(compare(client, SPUN, SOURCE)).downloaded("comparison.json") == expected


def test_a_checked_text_can_be_taken_over(client: FlaskClient) -> None:
    [form] = Shown(judge(client, JUDGED)).all("//form[@action='/compare']")
    packed = form.xpath("./input[@name='packed']/@value")[0]
    shown = Shown(client.post("/compare", data={"packed": packed}))
    assert boxes(shown) == [JUDGED, ""]
    assert not shown.all("//*[@role='alert']")


# --- problems


@pytest.mark.parametrize(
    ("suspect", "source", "says"),
    [
        ("", SOURCE, "The suspect is missing."),
        (SPUN, " \n", "The source is missing."),
        (SPUN, "word " * 201, "The source is too long."),
        (("a.txt", b""), SOURCE, "The file with the suspect, a.txt, contains no text."),
        (("a.pdf", b"%PDF"), SOURCE, "a.pdf: not a PDF file"),
        (("a.jsonl", b'{"text": "One."}\n{"text": "Two."}\n'), SOURCE, "a.jsonl contains many documents."),
    ],
    ids=["no suspect", "no source", "too long", "empty file", "broken file", "many documents"],
)
def test_a_problem_names_the_text(suspect: str | File, source: str, says: str, client: FlaskClient) -> None:
    answer = compare(client, suspect, source)
    assert answer.status_code in (413, 422)
    assert says in Shown(answer).text("//*[@role='alert']")


def test_texts_that_are_too_short_are_explained(client: FlaskClient) -> None:
    assert Shown(compare(client, "Too short.", "As well.")).text("//h1") == "Cannot be compared"


def test_a_broken_form_is_refused(client: FlaskClient) -> None:
    assert client.post("/compare", data={"packed": "?"}).status_code == 400
    assert client.post("/compare", json={"suspect": SPUN}).status_code == 415


def test_a_comparison_needs_a_key_where_keys_are_required(tmp_path: Path) -> None:
    keyed = client_for(keys_file=tmp_path / "keys.json")
    key = KeyStore(tmp_path / "keys.json").add("desk")
    assert compare(keyed, SPUN, SOURCE).status_code == 401
    assert compare(keyed, SPUN, SOURCE, key=key).status_code == 200


def test_a_comparison_counts_as_two_texts() -> None:
    limited = client_for(rate_limit="3 per hour")
    assert [compare(limited, SPUN, SOURCE).status_code for _ in range(2)] == [200, 429]


def test_an_internal_error_shows_only_the_request_id(client: FlaskClient) -> None:
    answer = compare(client, f"raise-error {SPUN}", SOURCE)
    assert answer.status_code == 500
    assert "division" not in answer.text


def test_markup_in_texts_is_text(client: FlaskClient) -> None:
    page = compare(client, f"{SPUN} <script>alert(1)</script>", SOURCE).text
    assert "<script>alert" not in page
    downloads = [link for link in page.split('"') if link.startswith("data:text/html;base64,")]
    assert b"<script>alert" not in base64.b64decode(downloads[0].partition(",")[2])
