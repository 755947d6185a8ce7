"""PDF, DOCX, ODT, RTF and EPUB: their text, what is left out of it, and bad files."""

from __future__ import annotations

import contextlib
import difflib
import gzip
import re
import signal
import subprocess
import sys
import threading
import time
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import DATA, cases, why
from tests.reading import documents
from tests.reading.support import failures, read, texts
from unspun.model.detector import Detector
from unspun.reading import records
from unspun.reading.documents import isolation
from unspun.reading.documents.draft import Draft
from unspun.reading.documents.isolation import Limits, read_document
from unspun.reading.reader import Reader, Record
from unspun.reading.records import UnreadableError

EXAMPLES = Path(__file__).parents[2] / "seeds/examples"
FILES = sorted(path for path in (DATA / "documents").iterdir() if path.suffix[1:] in isolation.DOCUMENT_FORMATS)
QUIET = "The harbour was quiet."
PARAGRAPH = f"<w:p><w:r><w:t>{QUIET}</w:t></w:r></w:p>"


def parse(data: bytes, kind: str) -> Draft:
    """Read a document in this process, which is quicker."""
    draft: Draft = import_module(f"unspun.reading.documents.{kind}").read(data)
    return draft


def error(data: bytes, kind: Any, limits: Limits = isolation.LIMITS) -> str:
    """Return the message about a document that cannot be read."""
    with pytest.raises(UnreadableError) as raised:
        read_document(data, kind, limits)
    return str(raised.value)


# The example articles as documents


def original(path: Path) -> str:
    label, number, _ = path.name.split("-")
    return next((EXAMPLES / label).glob(f"{number}-*")).read_text("utf-8")


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.replace("’", "'"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_document_has_the_words_of_the_plain_text(path: Path) -> None:
    text = parse(path.read_bytes(), path.suffix[1:]).text()
    assert difflib.SequenceMatcher(None, words(text), words(original(path)), autojunk=False).ratio() > 0.99
    assert abs(len(text.split("\n\n")) - len(original(path).split("\n\n"))) <= 1


def test_a_document_gets_the_verdict_of_the_plain_text(shipped: Detector) -> None:
    read_texts = [parse(path.read_bytes(), path.suffix[1:]).text() for path in FILES]
    plain_texts = sorted({original(path) for path in FILES})
    expected = dict(zip(plain_texts, shipped.score_many(plain_texts, evidence=False), strict=True))
    found = shipped.score_many(read_texts, evidence=False)
    different = [
        f"{path.name}: {verdict.verdict}"
        for path, verdict in zip(FILES, found, strict=True)
        if verdict.verdict != expected[original(path)].verdict
    ]
    assert different == []


# What is read


@pytest.mark.parametrize("case", cases("reading/documents.toml", "docx"), ids=why)
def test_docx(case: dict[str, Any]) -> None:
    more = {}
    if "styles" in case:
        relations = f'<Relationships xmlns="{documents.RELATIONS}"><Relationship '
        relations += f'Type="{documents.OFFICE_DOCUMENT}/styles" Target="styles.xml"/></Relationships>'
        more = {
            "word/_rels/document.xml.rels": relations,
            "word/styles.xml": f'<w:styles xmlns:w="{documents.W}">{case["styles"]}</w:styles>',
        }
    check(parse(documents.docx(case["body"], more=more), "docx"), case)


@pytest.mark.parametrize("case", cases("reading/documents.toml", "odt"), ids=why)
def test_odt(case: dict[str, Any]) -> None:
    check(parse(documents.odt(case["body"], case.get("styles", "")), "odt"), case)


@pytest.mark.parametrize("case", cases("reading/documents.toml", "rtf"), ids=why)
def test_rtf(case: dict[str, Any]) -> None:
    check(parse(case["body"].encode("ascii"), "rtf"), case)


@pytest.mark.parametrize("case", cases("reading/documents.toml", "epub"), ids=why)
def test_epub(case: dict[str, Any]) -> None:
    check(parse(documents.epub(case["chapters"]), "epub"), case)


def check(draft: Draft, case: dict[str, Any]) -> None:
    assert draft.paragraphs == case["text"]
    assert dict(draft.repairs) == case.get("repairs", {})


def test_a_document_with_macros_is_read_without_running_them() -> None:
    data = documents.docx(PARAGRAPH, kind=documents.WORD_WITH_MACROS, more={"word/vbaProject.bin": "x"})
    assert parse(data, "docx").text() == QUIET


def test_the_main_part_may_have_another_name() -> None:
    assert parse(documents.docx(PARAGRAPH, main="word/document2.xml"), "docx").text() == QUIET


def test_fonts_of_a_book_may_be_encrypted() -> None:
    encryption = '<encryption><CipherReference URI="OEBPS/font.otf"/></encryption>'
    assert parse(documents.epub([f"<p>{QUIET}</p>"], {"META-INF/encryption.xml": encryption}), "epub").text() == QUIET


# The layout of pages


TEXT = [
    "The iron steps at Coldwell Harbour will reopen on Saturday,",
    "eleven months after the council chained them shut, and no-",
    "body is happier about it than Dot Pascoe.",
]
NEXT = [
    "She swam off those steps when she was six and her mother",
    "taught her there with a rope round her middle.",
]
JOINED = (
    "The iron steps at Coldwell Harbour will reopen on Saturday, eleven months after the council chained them shut, "
    "and nobody is happier about it than Dot Pascoe."
)
NEXT_JOINED = "She swam off those steps when she was six and her mother taught her there with a rope round her middle."


def pages(*contents: str, **options: Any) -> Draft:
    return parse(documents.pdf(contents, **options), "pdf")


def test_lines_are_joined_and_words_made_whole() -> None:
    assert pages(documents.lines(TEXT)).paragraphs == [JOINED]


def test_a_gap_separates_paragraphs() -> None:
    page = documents.lines(TEXT) + documents.lines(NEXT, y=500)
    assert pages(page).paragraphs == [JOINED, NEXT_JOINED]


def test_an_indented_line_starts_a_paragraph() -> None:
    page = documents.lines(TEXT) + documents.lines(NEXT[:1], x=55, y=508) + documents.lines(NEXT[1:], y=494)
    assert pages(page).paragraphs == [JOINED, NEXT_JOINED]


def test_a_paragraph_goes_on_on_the_next_page() -> None:
    assert pages(documents.lines(TEXT[:2]), documents.lines(TEXT[2:])).paragraphs == [JOINED]


@pytest.mark.parametrize("order", ["by column", "by row"])
def test_columns_are_read_one_after_the_other(order: str) -> None:
    left = [
        "The iron steps at Coldwell",
        "Harbour will reopen on",
        "Saturday, eleven months",
        "after the council chained",
    ]
    right = ["them shut, and nobody is", "happier about it than Dot", "Pascoe, who swam there", "when she was six."]
    if order == "by column":
        page = documents.lines(left) + documents.lines(right, x=220)
    else:
        page = "".join(
            documents.lines([row[0]], y=550 - 14 * number) + documents.lines([row[1]], x=220, y=550 - 14 * number)
            for number, row in enumerate(zip(left, right, strict=True))
        )
    assert pages(page).paragraphs == [" ".join(left + right)]


@pytest.mark.parametrize("matrix", ["0 1 -1 0 100 40", "0 -1 1 0 300 560", "-1 0 0 -1 360 100"])
def test_a_turned_page_is_read(matrix: str) -> None:
    assert pages(documents.lines(TEXT).replace("1 0 0 1 40 550", matrix)).paragraphs == [JOINED]


def test_text_across_a_page_is_left_out() -> None:
    watermark = documents.lines(["DRAFT"]).replace("1 0 0 1 40 550", "0.7 0.7 -0.7 0.7 100 100")
    assert pages(documents.lines(TEXT) + watermark).paragraphs == [JOINED]


def test_running_heads_and_page_numbers_are_left_out() -> None:
    contents = [
        documents.lines(["The Coldwell Reader"], y=580) + documents.lines(body) + documents.lines([number], x=200, y=20)
        for body, number in ((TEXT, "12"), (NEXT, "13"))
    ]
    assert pages(*contents).paragraphs == [JOINED, NEXT_JOINED]


@pytest.mark.parametrize("step", [1, 5])
def test_numbers_of_lines_are_left_out(step: int) -> None:
    body = [f"and line {word} of the paragraph goes on to here" for word in ("one", "two", "three") * 8]
    page = documents.lines(body)
    for number in range(step, len(body) + 1, step):
        page += documents.lines([str(number)], x=10, y=550 - 14 * (number - 1), size=7)
    assert not re.search(r"\d", pages(page).text())


def test_a_footnote_does_not_interrupt_a_sentence() -> None:
    mark = documents.lines(["1"], x=300, y=526, size=6)
    note = documents.lines(["1 First printed in the autumn number."], y=40, size=7)
    first = documents.lines(TEXT[:2]) + mark + note
    assert pages(first, documents.lines(TEXT[2:])).paragraphs == [JOINED]


def test_a_footnote_goes_on_in_the_next_column() -> None:
    column = [
        "The iron steps at Coldwell",
        "Harbour will reopen on",
        "Saturday, some months",
        "after the council chained",
    ]
    other = ["them shut, and nobody is", "happier about it than Dot", "Pascoe, who swam there", "when she was six."]
    notes = documents.lines(["1 The minutes of the council, which"], y=480, size=7)
    notes += documents.lines(["are kept in the town hall."], x=220, y=480, size=7)
    draft = pages(documents.lines(column) + documents.lines(other, x=220) + notes)
    assert draft.paragraphs == [" ".join(column + other)]


def test_a_caption_does_not_interrupt_a_sentence() -> None:
    caption = documents.lines(["Figure 1: the steps at low water."], y=560, size=8)
    second = caption + documents.lines(TEXT[2:], y=500) + documents.lines(NEXT, y=470)
    assert pages(documents.lines(TEXT[:2]), second).paragraphs == [
        JOINED,
        "Figure 1: the steps at low water.",
        NEXT_JOINED,
    ]


def test_notes_in_the_margin_come_last() -> None:
    body = [f"and line {word} of the paragraph goes on to here" for word in ("one", "two", "three") * 5]
    note = documents.lines(["A note", "at the side"], x=280, y=480)
    assert pages(documents.lines(body) + note).paragraphs == [" ".join(body), "A note\nat the side"]


def test_a_short_right_column_is_no_note() -> None:
    body = [f"and line {word} of the column is here" for word in ("one", "two", "three") * 8]
    rest = ["and the right column has", "no more than four lines", "on the page, which are", "as wide as the others"]
    found = pages(documents.lines(body) + documents.lines(rest, x=220), documents.lines(["It ends."]))
    assert found.text().endswith(f"{body[-1]} {' '.join(rest)}\n\nIt ends.")


def test_items_of_a_list_are_paragraphs() -> None:
    items = ["• The iron steps at Coldwell Harbour, which were shut", "for eleven months", "• The boatyard"]
    assert pages(documents.lines(items)).paragraphs == [
        "• The iron steps at Coldwell Harbour, which were shut for eleven months",
        "• The boatyard",
    ]


def test_a_large_first_letter_belongs_to_its_word() -> None:
    initial = documents.lines(["T"], x=40, y=525, size=36)
    body = documents.lines(["he steps at Coldwell Harbour reopen on", "Saturday, or so the council has told us,"], x=64)
    page = initial + body + documents.lines(["eleven months after they were shut in a hurry."], y=522)
    assert pages(page).paragraphs == [
        "The steps at Coldwell Harbour reopen on Saturday, or so the council has told us, eleven months after they "
        "were shut in a hurry."
    ]


def test_a_table_of_contents_is_kept_by_line() -> None:
    contents = ["Preamble . . . . . . . . . . . 1", "Analysis . . . . . . . . . . . 2"]
    assert pages(documents.lines(contents) + documents.lines(TEXT, y=400)).paragraphs == ["\n".join(contents), JOINED]


HIDDEN = {
    "drawn with no colour": "3 Tr ",
    "white on white": "1 1 1 rg ",
}


@pytest.mark.parametrize("how", HIDDEN)
def test_text_that_nobody_sees_is_left_out_and_counted(how: str) -> None:
    draft = pages(documents.lines(TEXT) + HIDDEN[how] + documents.lines(["Four words are hidden."], y=200))
    assert draft.paragraphs == [JOINED]
    assert draft.repairs["hidden"] == 4


def test_text_outside_the_page_is_left_out() -> None:
    draft = pages(documents.lines(TEXT) + documents.lines(["Not on the page."], x=500))
    assert draft.paragraphs == [JOINED]


def test_white_text_on_a_dark_box_is_read() -> None:
    box = "0 0 0.4 rg 0 180 400 60 re f 1 1 1 rg "
    assert pages(documents.lines(TEXT) + box + documents.lines(["A white heading."], y=200)).paragraphs[-1] == (
        "A white heading."
    )


def test_a_recognised_text_behind_a_scan_is_read() -> None:
    scan = "q 400 0 0 600 0 0 cm /Im Do Q 3 Tr "
    assert pages(scan + documents.lines(TEXT), images=True).paragraphs == [JOINED]


# Files that cannot be read


def entity(declarations: str, use: str) -> bytes:
    return documents.docx(
        f'<?xml version="1.0"?><!DOCTYPE a [{declarations}]><w:document xmlns:w="{documents.W}"><w:body><w:p><w:r>'
        f"<w:t>{use}</w:t></w:r></w:p></w:body></w:document>"
    )


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
LOCKED_PDF = "/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<" + "00" * 32 + ">/U<" + "00" * 32 + ">>>/ID[<00><00>]"
LOCKED_ODT = {"content.xml": "?", "META-INF/manifest.xml": "<encryption-data/>"}
LOCKED_EPUB = {"META-INF/encryption.xml": '<e><CipherReference URI="OEBPS/chapter%200.xhtml"/></e>'}
WORKBOOK = documents.docx("<?xml version='1.0'?><workbook/>", main="xl/workbook.xml")
WITHOUT_CHAPTER = {
    "META-INF/container.xml": '<c><rootfile full-path="b.opf"/></c>',
    "b.opf": '<p><item id="a" href="gone.xhtml" media-type="application/xhtml+xml"/><itemref idref="a"/></p>',
}
ZIP = documents.package({"a": "b"})
SCAN = "q 400 0 0 600 0 0 cm /Im Do Q"
NEEDS_PASSWORD = "encrypted; save it without a password"
OTHER_ZIP = "file but another zip archive: it has no"
SCANNED = "scanned: 1 page of images without text; add a text layer, for example with ocrmypdf"
ENTITIES = "word/document.xml declares XML entities, which are not read because they are used for attacks"
BAD = {
    "docx: empty": (b"", "not a DOCX file"),
    "pdf: empty": (b"", "not a PDF file"),
    "rtf: a plain text": (b"words", "not an RTF file"),
    "docx: in fact a PDF": (documents.pdf([]), "not a DOCX file but a PDF file; rename it"),
    "docx: another zip": (ZIP, f"not a DOCX {OTHER_ZIP} word/document.xml"),
    "odt: another zip": (ZIP, f"not an ODT {OTHER_ZIP} content.xml"),
    "epub: another zip": (ZIP, f"not an EPUB {OTHER_ZIP} META-INF/container.xml"),
    "docx: a spreadsheet": (WORKBOOK, f"not a DOCX {OTHER_ZIP} word/document.xml"),
    "docx: old": (OLE, "not a DOCX file but an old Office file; save it as DOCX"),
    "docx: encrypted": (OLE + "EncryptedPackage".encode("utf-16-le"), NEEDS_PASSWORD),
    "pdf: encrypted": (documents.pdf([documents.lines(TEXT)], trailer=LOCKED_PDF), NEEDS_PASSWORD),
    "odt: encrypted": (documents.package(LOCKED_ODT), NEEDS_PASSWORD),
    "epub: encrypted": (documents.epub([QUIET], LOCKED_EPUB), "encrypted (digital rights management)"),
    "docx: cut off": (documents.docx(PARAGRAPH)[:-30], "broken DOCX: File is not a zip file"),
    "pdf: cut off": (documents.pdf([documents.lines(TEXT)])[:200], "broken PDF: its structure cannot be read"),
    "epub: a chapter is missing": (documents.package(WITHOUT_CHAPTER), "broken EPUB: gone.xhtml is missing"),
    "docx: an external entity": (entity('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;"), ENTITIES),
    "docx: nested 1,500 deep": (
        documents.docx("<w:sdt>" * 1500 + PARAGRAPH + "</w:sdt>" * 1500),
        "its elements are nested too deeply to be read",
    ),
    "docx: no text": (documents.docx(""), "contains no text"),
    "pdf: no text": (documents.pdf(["", ""]), "contains no text on 2 pages"),
    "pdf: no visible text": (documents.pdf(["3 Tr " + documents.lines(TEXT)]), "contains no text that can be seen"),
    "pdf: scanned": (documents.pdf([SCAN], images=True), SCANNED),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_read_is_reported(name: str) -> None:
    data, message = BAD[name]
    assert error(data, name.split(":")[0]) == message


def test_entities_are_not_expanded() -> None:
    laughs = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{i} "&a{i - 1};&a{i - 1};">' for i in range(1, 30))
    assert re.match("broken DOCX: .*entity|.* declares XML entities", error(entity(laughs, "&a29;"), "docx"))


@pytest.mark.parametrize(
    ("kind", "name"), [("docx", "_rels/.rels"), ("odt", "content.xml"), ("epub", "META-INF/container.xml")]
)
def test_a_zip_that_unpacks_to_ten_gigabytes_is_reported(kind: str, name: str) -> None:
    assert error(documents.bomb(name, 10 << 30), kind) == (
        "unpacks to more than 134,217,728 bytes, the limit for one document"
    )


LITTLE = Limits(megabytes=64)
BOMBS = {
    "docx": documents.docx("<w:p/>" * 5_000_000),
    "pdf": documents.pdf(
        [zlib.compress(documents.lines(["word"]).encode() * 500_000, 9)], filter="/Filter/FlateDecode"
    ),
    "nested pdf": documents.pdf(
        [zlib.compress(zlib.compress(bytes(200 << 20), 9), 9)], filter="/Filter[/FlateDecode/FlateDecode]"
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_document_that_needs_too_much_memory_is_reported(name: str) -> None:
    message = error(BOMBS[name], name.split()[-1], LITTLE)
    assert "needs more than 64 MB of memory to be read" in message
    assert "--document-memory" in message


def test_a_document_that_takes_too_long_is_reported() -> None:
    started = time.monotonic()
    slow = documents.pdf([documents.lines(["word"])] * 20_000)
    assert error(slow, "pdf", Limits(seconds=1)) == (
        "takes longer than 1 s to read; if you trust the file, raise the limit with --document-seconds or "
        "UNSPUN_DOCUMENT_SECONDS"
    )
    assert time.monotonic() - started < 20


def test_a_book_of_ten_thousand_files_is_read() -> None:
    text = read_document(documents.epub([f"<p>{QUIET}</p>"] * 10_000), "epub").text
    assert text.count(QUIET) == 10_000


def test_the_pages_of_a_pdf_are_known(tmp_path: Path) -> None:
    # The sentence of the second page goes on with the last word of the first one, which is cut in two.
    contents = [
        documents.lines([QUIET, "A long way from the har-"]),
        documents.lines(["bour and the sea.", "A second row."]),
    ]
    (tmp_path / "a.pdf").write_bytes(documents.pdf(contents))
    (record,) = read(tmp_path)
    assert isinstance(record, Record)
    assert [record.page_at(record.text.index(words)) for words in (QUIET, "harbour", "and the sea", "second")] == [
        1,
        1,
        2,
        2,
    ]


@pytest.mark.integration  # takes ten seconds
def test_five_hundred_pages_are_read_within_the_limits() -> None:
    contents = [
        documents.lines([f"{QUIET} Row {row} of page {chr(97 + page % 26)}, said Dot." for row in range(36)])
        for page in range(500)
    ]
    text = read_document(documents.pdf(contents), "pdf").text
    assert text.count(QUIET) > 500 * 29


def test_a_document_longer_than_the_limit_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(records, "LONGEST", 100)
    (tmp_path / "a.docx").write_bytes(documents.docx(PARAGRAPH))
    assert failures(read(tmp_path)) == [f"{tmp_path}/a.docx: longer than 100 bytes, the limit for one document"]


GOOD = {path.suffix[1:]: path.read_bytes() for path in FILES if path.name.startswith("human-01-office1")}


@settings(max_examples=60)
@given(st.sampled_from(["docx", "epub", "odt", "rtf"]), st.integers(0), st.binary(max_size=4), st.integers(0, 4))
def test_damage_is_always_reported_as_such(kind: str, place: int, inserted: bytes, removed: int) -> None:
    place %= len(GOOD[kind])
    damaged = GOOD[kind][:place] + inserted + GOOD[kind][place + removed :]
    with contextlib.suppress(UnreadableError):
        parse(damaged, kind)


# In a run


def test_every_other_file_of_a_run_is_read(tmp_path: Path) -> None:
    (tmp_path / "1.docx").write_bytes(documents.docx(PARAGRAPH))
    (tmp_path / "2.pdf").write_bytes(b"%PDF-" + bytes(1000))
    (tmp_path / "3.pdf.gz").write_bytes(gzip.compress(documents.pdf([documents.lines(TEXT)])))
    (tmp_path / "4.odt").write_bytes(documents.package({"a": "b"}))
    (tmp_path / "5.rtf").write_bytes(rb"{\rtf1 Words.}")
    found = read(tmp_path)
    assert texts(found) == [QUIET, JOINED, "Words."]
    assert [line.partition(": ")[0] for line in failures(found)] == [f"{tmp_path}/2.pdf", f"{tmp_path}/4.odt"]


def test_a_document_at_an_address_is_read() -> None:
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/documents/a.docx", documents.docx(PARAGRAPH))
    assert texts(read("memory://documents/a.docx")) == [QUIET]


def test_the_id_is_the_path_and_the_repairs_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "a.rtf"
    file.write_bytes(rb"{\rtf1 Seen. {\v Not seen.}}")
    assert read(file) == [Record(str(file), "Seen.", str(file), repairs={"hidden": 2})]


@pytest.mark.parametrize("kind", ["docx", "epub", "odt", "pdf", "rtf"])
def test_a_document_is_recognised_without_its_ending(kind: str, tmp_path: Path) -> None:
    data = {
        "docx": documents.docx(PARAGRAPH),
        "epub": documents.epub([f"<p>{QUIET}</p>"]),
        "odt": documents.odt(f"<text:p>{QUIET}</text:p>"),
        "pdf": documents.pdf([documents.lines([QUIET])]),
        "rtf": b"{\\rtf1 " + QUIET.encode() + b"}",
    }[kind]
    (tmp_path / "submission").write_bytes(data)
    assert texts(read(tmp_path / "submission")) == [QUIET]


def test_the_limits_of_a_reader_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(BOMBS["docx"])
    (line,) = failures(list(Reader([str(tmp_path)], limits=LITTLE)))
    assert "more than 64 MB" in line


@pytest.mark.parametrize(("module", "kind"), [("pypdfium2", "pdf"), ("striprtf", "rtf")])
def test_a_missing_library_is_reported_with_the_command_that_installs_it(
    module: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.{'raw' if kind == 'pdf' else module}", None)
    with pytest.raises(UnreadableError, match=rf"needs {module}, .*: pip install 'unspun\[documents\]'"):
        parse(b"", kind)


def test_documents_are_read_in_threads() -> None:
    found: list[str] = []
    data = documents.docx(PARAGRAPH)
    threads = [threading.Thread(target=lambda: found.append(read_document(data, "docx")[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [QUIET] * 8


READ_SLOW = """
import sys
from unspun.reading.documents.isolation import read_document
print("started", flush=True)
read_document(sys.stdin.buffer.read(), "pdf")
"""


def test_an_interrupted_run_leaves_no_process_behind() -> None:
    slow = documents.pdf([documents.lines(["word"])] * 20_000)
    run = subprocess.Popen(
        [sys.executable, "-c", READ_SLOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert run.stdin
    assert run.stdout
    run.stdin.write(slow)
    run.stdin.close()
    run.stdout.readline()
    child = started_by(run.pid)
    run.send_signal(signal.SIGINT)
    assert run.wait(20) != 0
    run.stdout.close()
    deadline = time.monotonic() + 20
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()  # a zombie has ended
    except (FileNotFoundError, ProcessLookupError):
        return False


def started_by(parent: int) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = Path(f"/proc/{parent}/task/{parent}/children")
        if not found.exists():
            pytest.skip("needs /proc, which lists the children of a process")
        if children := found.read_text().split():
            return int(children[0])
        time.sleep(0.05)
    raise AssertionError("no child was started")
