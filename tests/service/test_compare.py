"""`unspun compare`, with a comparer that needs no model."""

from __future__ import annotations

import gzip
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import lxml.html
import pytest

from tests.cases import why
from tests.service.fake_comparer import FakeComparer, load_fake
from tests.service.support import Unspun, cases, run_on_terminal
from unspun.model.bundle import BundleError

SOURCE = (
    "The council of Coldwell voted nine to two on Monday to open the harbour steps. Swimmers had waited for eleven "
    "months. Nobody spoke against it. The mayor thanked the volunteers who had painted the railings."
)
SPUN = (
    "Bathers had waited for eleven calendar months. The council of Coldwell balloted nine to two on Monday to open the "
    "port steps. Nobody talked against it. It was raining. The mayor thanked the volunteers who had painted the "
    "railings."
)
OTHER = "Two goals in the last minutes won the cup for a side that few had expected even to reach the final."


@pytest.fixture
def compare(unspun: Unspun) -> Unspun:
    """Run `unspun compare` in this process."""
    return partial(unspun, "compare", load=load_fake)


@pytest.fixture
def files(here: Path) -> Path:
    """Return the current folder, with a suspect, its source, and other documents."""
    (here / "docs").mkdir()
    (here / "empty").mkdir()
    for name, text in {"a.txt": SPUN, "b.txt": SOURCE, "docs/a.txt": OTHER, "docs/b.txt": SOURCE}.items():
        Path(name).write_text(text, "utf-8")
    records = [{"id": "one", "text": OTHER}, {"id": "two", "text": SPUN}]
    Path("two.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    Path("lines.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in (OTHER, SPUN)))
    Path("binary.txt").write_bytes(b"\x89PNG\r\n")
    return here


def expected(suspect: str = "a.txt", source: str = "b.txt", texts: tuple[str, str] = (SPUN, SOURCE)) -> str:
    return FakeComparer().compare(*texts, suspect_id=suspect, source_id=source).to_json()


# --- two texts


def test_a_pipe_gets_the_comparison_as_one_line(compare: Unspun, files: Path) -> None:
    run = compare("a.txt", "b.txt")
    assert (run.status, run.out, run.errors) == (0, f"{expected()}\n", [])


@pytest.mark.parametrize("place", [0, 1])
def test_either_text_can_be_standard_input(place: int, compare: Unspun, files: Path) -> None:
    paths = ["a.txt", "b.txt"]
    text = (SPUN, SOURCE)[place]
    paths[place] = "-"
    assert compare(*paths, stdin=text.encode()).out == f"{expected(*paths)}\n"


def test_a_record_is_named_by_its_id(compare: Unspun, files: Path) -> None:
    assert compare("two.jsonl#two", "b.txt").out == f"{expected('two')}\n"


def test_a_record_without_an_id_is_named_by_its_line(compare: Unspun, files: Path) -> None:
    assert compare("lines.jsonl#2", "b.txt").out == f"{expected('lines.jsonl#2')}\n"


def test_a_file_name_can_contain_a_hash_sign(compare: Unspun, files: Path) -> None:
    Path("a#1.txt").write_text(SPUN)
    assert compare("a#1.txt", "b.txt").out == f"{expected('a#1.txt')}\n"


def test_files_can_be_compressed_pages_in_another_encoding(compare: Unspun, files: Path) -> None:
    page = f"<html><body><nav>Home</nav><article><p>{SOURCE} The café is open.</p></article></body></html>"
    Path("b.html.gz").write_bytes(gzip.compress(page.encode("cp1252")))
    answer = json.loads(compare("a.txt", "b.html.gz").out)
    assert (answer["derived"], answer["source"]) == (True, {"id": "b.html.gz", "words": 39})


@pytest.mark.parametrize("case", cases("compare_usage.toml"), ids=why)
def test_a_wrong_call_is_reported(case: dict[str, Any], compare: Unspun, files: Path) -> None:
    before = sorted(files.rglob("*"))
    run = compare(*case["arguments"])
    assert (run.status, run.out) == (case.get("status", 2), "")
    assert case["message"] in " ".join(run.errors[-1].split())
    assert sorted(files.rglob("*")) == before


def test_two_empty_texts_get_an_answer(compare: Unspun, files: Path) -> None:
    Path("a.txt").write_text("")
    Path("b.txt").write_text(" \n")
    run = compare("a.txt", "b.txt")
    assert (run.status, json.loads(run.out)["reason"]) == (0, "too_short")


def test_a_failing_comparison_is_reported_on_one_line(compare: Unspun, files: Path) -> None:
    Path("a.txt").write_text(f"{SPUN} raise-error")
    run = compare("a.txt", "b.txt", "--output", "x.html")
    assert (run.status, Path("x.html").exists(), len(run.errors)) == (3, False, 1)
    assert run.errors[0].startswith("unspun: a.txt: could not be compared: ZeroDivisionError")


def test_an_unusable_model_is_reported_on_one_line(compare: Unspun, files: Path) -> None:
    def refuse(bundle: Path | None) -> Any:
        raise BundleError(f"{bundle}: no model here")

    run = compare("a.txt", "b.txt", "--model", "house", load=refuse)
    assert (run.status, run.errors) == (1, ["unspun: house: no model here"])


def test_the_requested_model_is_loaded(compare: Unspun, files: Path) -> None:
    asked = []

    def load(bundle: Path | None) -> FakeComparer:
        asked.append(bundle)
        return FakeComparer()

    compare("a.txt", "b.txt", "--model", "house", load=load)
    compare("a.txt", "b.txt", load=load)
    assert asked == [Path("house"), None]


# --- output


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("x.json", '{"derived"'),
        ("x.jsonl", '{"derived"'),
        ("x.html", "\n<!doctype html>"),
        ("x.txt", "Spun from the source"),
    ],
)
def test_the_output_name_selects_the_format(name: str, begins: str, compare: Unspun, files: Path) -> None:
    run = compare("a.txt", "b.txt", "--output", name)
    assert (run.status, run.out) == (0, "")
    assert Path(name).read_text("utf-8").lstrip("\n").startswith(begins.lstrip("\n"))


def test_an_existing_file_is_kept_unless_force_is_given(compare: Unspun, files: Path) -> None:
    Path("x.jsonl").write_text("precious")
    run = compare("a.txt", "b.txt", "--output", "x.jsonl")
    assert (run.status, Path("x.jsonl").read_text()) == (1, "precious")
    assert run.errors == ["unspun: x.jsonl: already exists; choose another --output, or pass --force to overwrite it"]
    assert compare("a.txt", "b.txt", "--output", "x.jsonl", "--force").status == 0
    assert Path("x.jsonl").read_text() == f"{expected()}\n"


def test_output_can_be_compressed(compare: Unspun, files: Path) -> None:
    compare("a.txt", "b.txt", "--output", "x.jsonl.gz")
    assert gzip.decompress(Path("x.jsonl.gz").read_bytes()).decode() == f"{expected()}\n"


def test_a_terminal_gets_a_table(files: Path) -> None:
    status, shown = run_on_terminal([sys.executable, "-m", "tests.service.fake_comparer", "compare", "a.txt", "b.txt"])
    assert status == 0
    assert "Spun from the source" in shown
    assert "\x1b[1;31mballoted\x1b[0m" in shown  # a replaced word, highlighted


# --- a folder


def test_the_source_is_found_in_a_folder(compare: Unspun, files: Path) -> None:
    run = compare("a.txt", "--against", "docs")
    assert (run.status, run.out) == (0, f"{expected('a.txt', 'docs/b.txt')}\n")
    assert run.errors[-1].startswith("unspun: 1 suspect: found the source of 1; 2 documents searched; ")


def test_hidden_text_is_not_compared_and_is_reported(compare: Unspun, files: Path) -> None:
    Path("a.html").write_text(f"<html><body><p>{Path('a.txt').read_text()}</p><p hidden>Not seen.</p></body></html>")
    run = compare("a.html", "b.txt")
    assert (run.status, run.verdicts[0]["kind"]) == (0, "spun")
    assert run.errors == ["unspun: a.html: repaired or left out: hidden text (2 words)"]


def test_skipped_files_are_counted_with_their_reasons(compare: Unspun, files: Path) -> None:
    Path("docs/pic.png").touch()
    run = compare("a.txt", "--against", "docs")
    assert "; 1 file or record skipped (type .png is not read in folders: 1); 2 documents searched" in run.errors[-1]


def test_several_places_are_searched_together(compare: Unspun, files: Path) -> None:
    run = compare("a.txt", "--against", "two.jsonl", "--against", "docs/a.txt", "--against", "b.txt", "--top", "9")
    assert [answer["source"]["id"] for answer in run.verdicts][:2] == ["two", "b.txt"]
    assert len(run.verdicts) == 4


def test_each_of_many_suspects_gets_a_line(compare: Unspun, files: Path) -> None:
    run = compare("two.jsonl", "--against", "docs")
    found = [(answer["suspect"]["id"], answer["source"]["id"], answer["derived"]) for answer in run.verdicts]
    assert found == [("one", "docs/a.txt", True), ("two", "docs/b.txt", True)]


def test_one_record_of_many_can_be_the_suspect(compare: Unspun, files: Path) -> None:
    [answer] = compare("two.jsonl#two", "--against", "docs").verdicts
    assert (answer["suspect"]["id"], answer["source"]["id"]) == ("two", "docs/b.txt")
    run = compare("two.jsonl#three", "--against", "docs")
    assert (run.status, run.errors) == (3, ["unspun: two.jsonl: no document has the id three"])


def test_without_a_source_the_nearest_document_is_not_derived(compare: Unspun, files: Path) -> None:
    Path("c.txt").write_text("On Monday my cup was empty and our cat slept upon the mayor's piano.")
    run = compare("c.txt", "--against", "docs")
    assert (run.status, [answer["derived"] for answer in run.verdicts]) == (0, [False])
    assert "found the source of 0" in run.errors[-1]


def test_a_suspect_that_shares_no_word_gets_a_line_without_a_source(compare: Unspun, files: Path) -> None:
    Path("c.txt").write_text("Quarterly dividends rose despite weaker exports, analysts say.")
    [answer] = compare("c.txt", "--against", "docs").verdicts
    assert (answer["derived"], answer["source"], answer["reason"]) == (False, {"id": None, "words": 0}, "too_short")


@pytest.mark.parametrize("suspect", ["docs", "./docs", "docs/*.txt"])
def test_a_suspect_is_not_its_own_source(suspect: str, compare: Unspun, files: Path) -> None:
    Path("docs/c.txt").write_text(SPUN)
    answers = compare(suspect, "--against", "docs").verdicts
    found = {Path(answer["suspect"]["id"]).name: (answer["derived"], answer["source"]["id"]) for answer in answers}
    assert found["c.txt"] == (True, "docs/b.txt")
    assert found["b.txt"] == (True, "docs/c.txt")
    assert found["a.txt"][0] is False


def test_a_copy_under_another_name_is_a_source(compare: Unspun, files: Path) -> None:
    [answer] = compare("b.txt", "--against", "docs").verdicts
    assert (answer["kind"], answer["source"]["id"]) == ("copied", "docs/b.txt")


def test_top_limits_the_documents_and_sorts_them_by_likelihood(compare: Unspun, files: Path) -> None:
    answers = compare("a.txt", "--against", "docs", "--top", "5").verdicts
    assert [answer["source"]["id"] for answer in answers] == ["docs/b.txt", "docs/a.txt"]
    assert answers[0]["probability"] > answers[1]["probability"]


def test_unreadable_documents_are_reported_and_the_rest_is_searched(compare: Unspun, files: Path) -> None:
    Path("docs/broken.txt").write_bytes(b"\x89PNG\r\n")
    Path("docs/gone.txt").symlink_to("nowhere")
    run = compare("a.txt", "--against", "docs")
    assert (run.status, run.out) == (3, f"{expected('a.txt', 'docs/b.txt')}\n")
    assert run.errors[:2] == [
        "unspun: docs/broken.txt: binary (PNG), not text",
        "unspun: docs/gone.txt: no such file or directory",
    ]
    assert "2 failures" in run.errors[2]


def test_unreadable_suspects_are_reported_and_the_rest_is_compared(compare: Unspun, files: Path) -> None:
    Path("bad.jsonl").write_text(
        '{"id": "x"}\n' + json.dumps({"id": "y", "text": f"{SPUN} raise-error"}) + "\n" + json.dumps({"text": SPUN})
    )
    run = compare("bad.jsonl", "--against", "docs", "--quiet")
    assert (run.status, [answer["suspect"]["id"] for answer in run.verdicts]) == (3, ["bad.jsonl#3"])
    assert [line.split(": ")[1] for line in run.errors] == ["bad.jsonl:1", "bad.jsonl:2"]


def test_the_table_lists_the_source_of_each_suspect(compare: Unspun, files: Path) -> None:
    lines = compare("two.jsonl", "--against", "docs", "--format", "table").out.splitlines()
    assert lines[0] == "one"
    assert lines[1].split() == ["100", "%", "copied", "100", "%", "of", "it", "docs/a.txt"]
    assert lines[2] == "two"
    assert lines[3].split()[-1] == "docs/b.txt"
    assert len(lines) == 4


def test_the_table_shows_a_single_suspect_beside_its_source(compare: Unspun, files: Path) -> None:
    out = compare("a.txt", "--against", "docs", "--format", "table").out
    assert out.splitlines()[1].split()[-1] == "docs/b.txt"
    assert "Spun from the source" in out
    assert "[balloted]" in out


def test_the_table_says_if_no_source_was_found(compare: Unspun, files: Path) -> None:
    out = compare("docs/a.txt", "--against", "b.txt", "--format", "table").out
    assert out.splitlines()[1].strip().startswith("no source found in 1 document; nearest: b.txt, ")


def test_the_page_lists_and_shows_the_sources(compare: Unspun, files: Path) -> None:
    compare("two.jsonl", "--against", "docs", "--output", "x.html")
    page = lxml.html.document_fromstring(Path("x.html").read_text("utf-8"))
    assert page.cssselect("h1")[0].text_content() == "2 of 2 suspects with a source"
    assert [one.get("href") for one in page.cssselect(".searches a")] == ["#pair-1", "#pair-2"]
    assert len(page.cssselect("section.pair")) == 2
