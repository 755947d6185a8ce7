"""service/render/: verdicts as a table, JSON lines and CSV. Parquet and the report have their own test files."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tests.service.fake_detector import FakeDetector, verdict_on
from tests.service.support import CLEAR, SPUN, SUSPECT
from unspun.model.verdict import Evidence, Repair, SpunPassage, Verdict
from unspun.model.wording import THRESHOLDS
from unspun.reading.records import Failure, Omissions
from unspun.service.render.columns import summarise
from unspun.service.render.csv import Csv
from unspun.service.render.factory import writer_for
from unspun.service.render.highlight import LEVELS
from unspun.service.render.jsonl import JsonLines, parse
from unspun.service.render.table import VerdictTable, percent

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


ABSTAINED = {
    **dict.fromkeys(("kind", "score", "false_positive_rate", "share", "kinds")),
    "verdict": "abstained",
    "reason": "unfamiliar",
}


def table(width: int = 100, show: int = 5, **options: Any) -> VerdictTable:
    options = {"force_terminal": False, "color_system": None, **options}
    return VerdictTable(Console(file=io.StringIO(), width=width, **options), show=show)


def test_json_lines_are_the_canonical_json() -> None:
    verdict = verdict_on(SPUN)
    assert JsonLines().document(SPUN, verdict) == verdict.to_json() + "\n"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": None},
        {"evidence": None},
        {"id": "lone \ud800", "evidence": (Evidence(0, 3, "The", None, "debris", 0.5),)},
        {"evidence": (Evidence(0, 3, "The", "A", "misfit", 0.5, ("One", "This")),)},
        {"passages": (SpunPassage(4, 80, 12),)},
        {"probability": 0.62},
        {"repairs": (Repair("mojibake", 3), Repair("zero_width", 1))},
        ABSTAINED,
    ],
)
def test_a_line_of_json_can_be_parsed_back(changes: dict[str, Any]) -> None:
    verdict = verdict_on(SPUN, **changes)
    assert parse(JsonLines().document(SPUN, verdict)) == verdict


@pytest.mark.parametrize("line", ["", "{}", "[]", "3", '{"id": "a"}', "not JSON"])
def test_a_line_that_is_not_a_verdict_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        parse(line)


def test_lines_are_written_at_once() -> None:
    stream = io.BytesIO()
    writer = writer_for("csv", stream)
    assert stream.getvalue().decode() == Csv().header()
    writer.write(CLEAR, verdict_on(CLEAR, id="é.txt"))
    assert stream.getvalue().decode() == Csv().header() + Csv().document(CLEAR, verdict_on(CLEAR, id="é.txt"))


def test_lone_surrogates_are_not_written_to_utf_8() -> None:
    stream = io.BytesIO()
    writer_for("csv", stream).write(CLEAR, verdict_on(CLEAR, id="a\ud800b"))
    assert b"\na?b,clear," in stream.getvalue()


def test_a_closed_writer_leaves_the_stream_open() -> None:
    stream = io.BytesIO()
    writer_for("jsonl", stream).close()
    assert not stream.closed


def test_csv_has_the_documented_columns() -> None:
    assert Csv().header() == (
        "id,verdict,kind,score,false_positive_rate,share,spun,translated,rewritten,probability,reason,words,allowed,"
        "english,depth,repairs,evidence,passages,sentences,observations,model_name,model_version,model_sha256\n"
    )


def cells_of(verdict: Verdict) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(Csv().header() + Csv().document(SPUN, verdict), newline=""))
    return row


def test_a_csv_row_contains_the_verdict() -> None:
    verdict = verdict_on(SPUN, id='odd, "id"\nof two lines')
    row = cells_of(verdict)
    assert row["id"] == verdict.id
    numbers = ("score", "false_positive_rate", "share", "spun", "translated", "rewritten")
    assert [float(row[name]) for name in numbers] == [0.97, 0.0021, 0.93, 0.97, 0.01, 0.01]
    assert (row["model_name"], row["model_version"]) == ("fake", "0.0.1")
    assert (row["verdict"], row["kind"], row["reason"]) == ("paraphrased", "spun", "")
    assert row["evidence"] == "imaginative and prescient -> vision; vitality -> energy"


def test_csv_leaves_null_and_missing_evidence_empty() -> None:
    row = cells_of(verdict_on(CLEAR, evidence=None))
    empty = ("kind", "probability", "reason", "repairs", "evidence", "passages")
    assert [row[name] for name in empty] == [""] * len(empty)


def test_csv_leaves_the_numbers_of_an_abstained_document_empty() -> None:
    row = cells_of(verdict_on(SPUN, **ABSTAINED))
    assert (row["verdict"], row["reason"]) == ("abstained", "unfamiliar")
    numbers = ("score", "false_positive_rate", "share", "spun", "translated", "rewritten", "probability")
    assert [row[name] for name in numbers] == [""] * len(numbers)


def test_csv_summarises_repairs_and_passages() -> None:
    repairs = (Repair("mojibake", 3), Repair("zero_width", 1))
    row = cells_of(verdict_on(SPUN, repairs=repairs, passages=(SpunPassage(0, 20, 4), SpunPassage(30, 70, 8))))
    assert (row["repairs"], row["passages"]) == ("mojibake:3 zero_width:1", "0-20 30-70")


def test_csv_contains_the_probability() -> None:
    verdict = FakeDetector().score(SPUN, base_rate=0.05)
    assert float(cells_of(verdict)["probability"]) == verdict.probability


def test_a_cell_lists_the_heaviest_evidence_without_repeats() -> None:
    found = [Evidence(n, n + 1, f"w{n % 20}", None, "test", float(n % 20)) for n in range(40)]
    assert summarise(found) == "; ".join(f"w{n}" for n in range(19, 9, -1))


@given(st.text(), st.text())
def test_csv_accepts_any_text(id: str, found: str) -> None:
    verdict = verdict_on(CLEAR, id=id, evidence=(Evidence(0, 1, found, found, "test", 1.0),))
    (row,) = csv.reader(io.StringIO(Csv().document(CLEAR, verdict), newline=""))
    assert row[0] == id


def test_a_row_shows_verdict_score_kind_words_and_document() -> None:
    row = table().document(SPUN, verdict_on(SPUN)).splitlines()[0]
    assert row.split() == ["paraphrased", "97", "%", "█████│████│▊", "spun", "13", "a.txt"]


def test_odd_words_are_shown_with_their_likely_originals() -> None:
    shown = table(width=200).document(SPUN, verdict_on(SPUN))
    assert "shared his [imaginative and prescient → vision] and the [vitality → energy] of" in shown


def test_evidence_without_a_suggestion_is_only_marked() -> None:
    assert "In [the The] town" in table().document("In the The town he sat.", verdict_on("In the The town he sat."))


@pytest.mark.parametrize(("show", "lines"), [(0, 0), (1, 2), (3, 4), (9, 7)])
def test_show_limits_the_sentences(show: int, lines: int) -> None:
    text = "\n\n".join([SPUN] * 6)
    assert len(table(width=200, show=show).document(text, verdict_on(text)).splitlines()) == 1 + lines


def test_a_paraphrased_document_without_evidence_says_so() -> None:
    shown = table().document(SPUN, verdict_on(SPUN, evidence=()))
    assert shown.splitlines()[2:] == ["    no single words stand out"]


@pytest.mark.parametrize(("changes", "lines"), [({"verdict": "clear", "kind": None}, 1), ({}, 2)])
def test_documents_without_evidence_show_no_sentences(changes: dict[str, Any], lines: int) -> None:
    assert len(table().document(SPUN, verdict_on(SPUN, evidence=None, **changes)).splitlines()) == lines


def test_a_suspicious_document_shows_its_false_positive_rate_in_words() -> None:
    line = table().document(SPUN, verdict_on(SPUN, evidence=None)).splitlines()[1]
    assert line == "    about 1 in 480 human texts of this length looks like this; 93 % of the words"


def test_no_smaller_rate_is_shown_than_the_calibration_supports() -> None:
    verdict = verdict_on(SPUN, false_positive_rate=0.002)
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    line = VerdictTable(console, supported=0.002).document(SPUN, verdict).splitlines()[1]
    assert line.startswith("    fewer than 1 in 500 human texts of this length look like this;")


def test_the_probability_is_shown_if_there_is_one() -> None:
    line = table(width=120).document(SPUN, verdict_on(SPUN, probability=0.624)).splitlines()[1]
    assert line.endswith("; probability 62 %")


def test_a_line_says_what_was_repaired() -> None:
    repairs = (Repair("hidden", 140), Repair("homoglyph", 1))
    lines = table().document(CLEAR, verdict_on(CLEAR, repairs=repairs)).splitlines()
    assert lines[1:] == ["    repaired: hidden text (140 words), 1 word with look-alike letters"]


def test_a_disguise_stands_out() -> None:
    shown = [
        table(force_terminal=True, color_system="standard").document(CLEAR, verdict_on(CLEAR, repairs=(repair,)))
        for repair in (Repair("hidden", 140), Repair("hidden", 2), Repair("ligature", 140))
    ]
    assert ["\x1b[33mrepaired" in one for one in shown] == [True, False, False]


def test_a_document_that_failed_has_a_row_with_the_reason() -> None:
    lines = table().failure(Failure("a\x1b.pdf", "binary (PDF),\nnot text")).splitlines()
    assert [line.split() for line in lines] == [["failed", "a�.pdf"], ["binary", "(PDF),", "not", "text"]]


def test_the_first_skipped_files_are_listed_and_the_rest_are_counted() -> None:
    skipped = Omissions()
    for place in range(25):
        skipped.add("type .png is not read in folders", f"{place:02}.png")
    skipped.add("neither a page nor a text")
    lines = table().footer(skipped).splitlines()
    assert (lines[0], lines[1]) == ("skipped: 26 files or records", "    00.png: type .png is not read in folders")
    assert lines[21:] == [
        "    and 5 more: type .png is not read in folders",
        "    and 1 more: neither a page nor a text",
        "    --output report.html lists them all",
    ]


def test_nothing_skipped_is_not_mentioned() -> None:
    assert table().footer(Omissions()) == ""


def test_the_header_says_what_a_score_is() -> None:
    assert table(width=100).header().splitlines()[0] == f"score: {THRESHOLDS}; not a probability"


def test_an_abstained_document_shows_its_reason_and_no_score() -> None:
    assert table().document("Three little words", verdict_on("Three little words")).split() == [
        *("abstained", "too", "short", "3", "a.txt")
    ]
    assert table().document(SPUN, verdict_on(SPUN, **ABSTAINED)).split()[:3] == ["abstained", "unfamiliar", "13"]


def test_without_a_terminal_the_table_is_plain_text() -> None:
    shown = table().header() + table().document(SPUN, verdict_on(SPUN))
    assert "\x1b" not in shown


def test_heavier_evidence_has_more_emphasis() -> None:
    middle, high = LEVELS
    found = tuple(
        Evidence(SPUN.index(word), SPUN.index(word) + len(word), word, None, "test", weight)
        for word, weight in (("mayor", high), ("shared", middle), ("vitality", middle - 0.1))
    )
    verdict = verdict_on(SPUN, evidence=found)
    shown = table(width=200, force_terminal=True, color_system="standard").document(SPUN, verdict)
    assert "\x1b[1;31mmayor" in shown
    assert "\x1b[1;33mshared" in shown
    assert "\x1b[33mvitality" in shown


def test_suggestions_have_their_own_colour() -> None:
    shown = table(width=200, force_terminal=True, color_system="standard").document(SPUN, verdict_on(SPUN))
    assert "\x1b[32mvision" in shown


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = table(force_terminal=True, color_system="standard").document(SPUN, verdict_on(SPUN))
    assert not re.search(r"\x1b\[[0-9;]*3\d", shown)
    assert "→ vision]" in ESCAPE.sub("", shown)


def test_a_terminal_without_unicode_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.TextIOWrapper(io.BytesIO(), "ascii")
    text = "word " * 200 + SPUN + " word" * 200
    shown = VerdictTable(Console(file=file, width=80)).document(text, verdict_on(text))
    assert shown.isascii()
    assert "-> vision]" in shown


@pytest.mark.parametrize("width", [20, 30, 45, 60, 80, 200])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    renderer = table(width=width)
    id = "a/rather/long/path/" * 4 + "文字.txt"
    shown = renderer.header() + renderer.document(SPUN, verdict_on(SPUN, id=id))
    assert max(map(cell_len, shown.splitlines())) <= max(width, 18)
    assert "文字.txt" in re.sub(r"\s", "", shown)


NUMBERS: dict[str, Any] = {"score": 0.6, "false_positive_rate": 0.02, "share": 0.4}
HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]vitality[/bold] [/] \u202eevil\u2066 \x9b2J \ud800 a\rb\x08\x00"


def test_text_cannot_control_the_terminal() -> None:
    verdict = verdict_on(HOSTILE, id=HOSTILE, verdict="suspect", kind="spun", reason=None, **NUMBERS)
    shown = table(width=200).document(HOSTILE, verdict)
    assert not set(shown) & set("\x1b\x07\x9b\u202e\u2066\ud800\r\x08\x00")
    assert "[bold][vitality → energy][/bold] [/]" in shown


def test_suggestions_cannot_control_the_terminal() -> None:
    found = (Evidence(4, 9, "mayor", "\x1b[2J[red]", "test", 1.0),)
    shown = table().document(SPUN, verdict_on(SPUN, evidence=found))
    assert "\x1b" not in shown
    assert "[2J[red]?]" in shown


@given(st.text(), st.text(max_size=50), st.integers(1, 120))
def test_any_text_is_shown_in_printable_lines(text: str, id: str, width: int) -> None:
    verdict = verdict_on(text + " vitality", id=id, verdict="suspect", kind="spun", reason=None, **NUMBERS)
    shown = table(width=width).document(text + " vitality", verdict)
    assert all(line.isprintable() for line in shown.split("\n"))


def test_long_evidence_is_shortened() -> None:
    text = "word " * 100
    found = (Evidence(0, 499, text[:499], None, "test", 1.0),)
    shown = table(width=1000).document(text, verdict_on(text, evidence=found, verdict="suspect"))
    assert len(shown.splitlines()[2]) < 150
    assert " … " in shown


@pytest.mark.parametrize(
    ("score", "shown"),
    [
        (0.0, "0 %"),
        (0.001, "<1 %"),
        (0.03, "3 %"),
        (0.5, "50 %"),
        (0.994, "99 %"),
        (0.9999, ">99 %"),
        (1.0, "100 %"),
    ],
)
def test_a_score_is_never_rounded_to_certainty(score: float, shown: str) -> None:
    assert percent(score) == shown


def test_a_suspect_document_is_shown_as_suspect() -> None:
    assert table().document(SUSPECT, verdict_on(SUSPECT)).startswith("suspect       50 %  ████")
