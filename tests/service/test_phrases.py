"""`unspun phrases`: a report of tortured phrases and spinner idioms."""

from __future__ import annotations

import csv
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import lxml.html
import pytest

from tests.reading import documents
from tests.service.support import Unspun

TORTURED = "Counterfeit consciousness is used.\nThey saw bosom peril, and bosom peril again.\n"
PLAIN = "The harbour was quiet, and nobody came.\n"


@pytest.fixture
def phrases(unspun: Unspun) -> Unspun:
    """Run `unspun phrases` in this process."""
    return partial(unspun, "phrases")


@pytest.fixture
def files(here: Path) -> Path:
    """Return the current folder, with a text that has listed phrases, and one that has none."""
    Path("a.txt").write_text(TORTURED)
    Path("b.txt").write_text(PLAIN)
    return here


def test_a_pipe_gets_a_line_for_each_document(phrases: Unspun, files: Path) -> None:
    run = phrases("a.txt", "b.txt")
    assert run.status == 0
    first, second = map(json.loads, run.out.splitlines())
    assert {name: first[name] for name in ("id", "words", "places", "distinct")} == {
        "id": "a.txt",
        "words": 12,
        "places": 3,
        "distinct": 2,
    }
    assert first["phrases"][1] == {
        "page": None,
        "line": 2,
        "start": 44,
        "end": 55,
        "text": "bosom peril",
        "phrase": "bosom peril",
        "expected": "breast cancer",
        "kind": "tortured",
        "before": "They saw ",
        "after": ", and bosom peril again.",
    }
    assert second == {"id": "b.txt", "words": 7, "places": 0, "distinct": 0, "phrases": []}
    assert run.errors[-1].startswith(
        "unspun: 2 documents searched (1 with listed phrases: 3 places, 2 different phrases); "
    )


def test_csv_has_a_row_for_each_place(phrases: Unspun, files: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(phrases("a.txt", "b.txt", "--format", "csv").out)))
    assert [(row["id"], row["line"], row["phrase"], row["expected"]) for row in rows] == [
        ("a.txt", "1", "counterfeit consciousness", "artificial intelligence"),
        ("a.txt", "2", "bosom peril", "breast cancer"),
        ("a.txt", "2", "bosom peril", "breast cancer"),
    ]


def test_a_table_shows_each_place_with_its_sentence(phrases: Unspun, files: Path) -> None:
    run = phrases("a.txt", "b.txt", "--format", "table", "--show", "1")
    assert run.out.splitlines() == [
        "a.txt: 3 places with 2 listed phrases, 12 words",
        "    Counterfeit consciousness → artificial intelligence  line 1, tortured phrase",
        "        Counterfeit consciousness is used.",
        "    and 2 more; --show N shows more",
        "b.txt: no listed phrases",
    ]


def test_html_shows_the_documents_with_most_different_phrases_first(phrases: Unspun, files: Path) -> None:
    Path("0.txt").write_text("It is <b>bosom peril</b>.")
    assert phrases("0.txt", "a.txt", "b.txt", "missing.txt", "--output", "found.html").status == 3
    page = lxml.html.fromstring(Path("found.html").read_text("utf-8"))
    assert [one.text_content() for one in page.cssselect("h1, h2")] == [
        "2 of 3 documents with listed phrases",
        *("a.txt", "0.txt", "Could not be searched"),
    ]
    assert [one.text_content() for one in page.cssselect("mark")] == ["Counterfeit consciousness", *3 * ["bosom peril"]]
    assert "<b>bosom peril" in page.text_content()


def test_places_in_a_pdf_have_a_page(phrases: Unspun, here: Path) -> None:
    pytest.importorskip("pypdfium2")
    pages = [documents.lines([PLAIN.strip()] * 3), documents.lines(["They saw bosom peril here."])]
    Path("paper.pdf").write_bytes(documents.pdf(pages))
    ((place,),) = [json.loads(line)["phrases"] for line in phrases("paper.pdf").out.splitlines()]
    assert (place["page"], place["text"]) == (2, "bosom peril")


def test_phrases_of_your_own_are_found_too(phrases: Unspun, files: Path) -> None:
    Path("ours.tsv").write_text("harbour was quiet\tport was calm\n")
    found: list[Any] = [json.loads(line)["phrases"] for line in phrases("b.txt", "--list", "ours.tsv").out.splitlines()]
    assert [(one["phrase"], one["expected"], one["kind"]) for one in found[0]] == [
        ("harbour was quiet", "port was calm", "own")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.txt", "--list", "bad.tsv"], "bad.tsv: line 1: 'one' has 1 word"),
        (["a.txt", "--list", "binary.tsv"], "binary.tsv: is not text in UTF-8"),
        (["a.txt", "--list", "missing.tsv"], "File 'missing.tsv' does not exist"),
        (["a.txt", "--output", "out.docx"], "out.docx: unknown format .docx"),
        (["a.txt", "--output", "a.txt"], "a.txt is one of the inputs"),
        (["a.txt", "--force"], "can only be used with --output"),
    ],
)
def test_wrong_usage_says_what_is_wrong(arguments: list[str], message: str, phrases: Unspun, files: Path) -> None:
    Path("bad.tsv").write_text("one\n")
    Path("binary.tsv").write_bytes(b"\xff\xfe\x00")
    run = phrases(*arguments)
    assert run.status == 2
    assert message in run.errors[-1]


def test_a_report_is_not_overwritten_unless_forced(phrases: Unspun, files: Path) -> None:
    assert phrases("a.txt", "--output", "out.csv").status == 0
    run = phrases("b.txt", "--output", "out.csv")
    assert run.status == 1
    assert "already exists; choose another --output, or pass --force to overwrite it" in run.errors[-1]
    assert phrases("b.txt", "--output", "out.csv", "--force").status == 0
