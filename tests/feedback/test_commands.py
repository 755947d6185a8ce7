"""`unspun feedback` and `unspun audit` on the command line, with a detector that needs no model."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lxml import html

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from tests.cases import why
from tests.feedback.making import label_of
from tests.feedback.postgres import Server
from tests.service.fake_detector import FakeDetector, load_fake
from tests.service.support import CLEAR, ENVIRONMENT, SPUN, SUSPECT, Unspun, cases, run_unspun
from unspun.model.verdict import ModelInfo
from unspun.service.feedback.store import Store
from unspun.service.render.html import Report
from unspun.service.render.summary import digest_of


@pytest.fixture
def unspun(here: Path, monkeypatch: pytest.MonkeyPatch) -> Unspun:
    """Run `unspun` in an empty folder, with a detector that needs no model."""
    monkeypatch.delenv("UNSPUN_DATABASE_URL", raising=False)
    return partial(run_unspun, load=load_fake)


def lines(*labels: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(label)}\n" for label in labels)


def exported(unspun: Unspun, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in unspun("feedback", "export", *options).out.split("\n") if line]


# --- import, add, export, delete


def test_a_text_without_a_verdict_is_scored_at_the_import(unspun: Unspun) -> None:
    run = unspun("feedback", "import", "-", stdin=lines({"label": "spun", "text": SPUN, "source": "desk"}))
    assert (run.status, run.errors) == (0, ["unspun: feedback.db: 1 label stored"])
    [label] = exported(unspun, "--with-text")
    expected = FakeDetector().score(SPUN)
    assert (label["label"], label["source"], label["text"]) == ("spun", "desk", SPUN)
    for name in ("score", "false_positive_rate", "share", "kind", "depth"):
        assert label["verdict"][name] == getattr(expected, name)
    assert label["verdict"]["model"] == expected.model.to_dict()
    assert label["signals"] == [{"signal": "known_phrase", "count": 2, "weight": 4.5}]


@pytest.mark.parametrize("case", cases("feedback_bad_lines.toml"), ids=why)
def test_an_invalid_line_is_reported_and_the_others_are_stored(
    case: dict[str, str], unspun: Unspun, here: Path
) -> None:
    bad = case["line"].replace("SOURCE", "s" * 201)
    (here / "labels.jsonl").write_text(f'{{"label": "human", "text": "{CLEAR}"}}\n{bad}\n\n')
    run = unspun("feedback", "import", "labels.jsonl")
    assert run.status == 3
    assert run.errors[0].startswith("unspun: labels.jsonl:2: ")
    assert case["says"] in run.errors[0]
    assert run.errors[1:] == ["unspun: feedback.db: 1 label stored"]


@pytest.mark.parametrize("name", ["labels.csv", "labels.tsv", "labels.json", "labels.jsonl.gz", "labels.parquet"])
def test_labelled_text_is_imported_as_evaluate_reads_it(name: str, unspun: Unspun, here: Path) -> None:
    rows = [{"id": "1", "label": "Spun", "text": SPUN, "source": "desk"}, {"id": "2", "label": "human", "text": CLEAR}]
    (here / "in").mkdir()
    (here / "in/README.md").write_text("About these texts.")
    write_rows(here / "in" / name, rows)
    run = unspun("feedback", "import", "in")
    assert (run.status, run.errors[-1]) == (0, "unspun: feedback.db: 2 labels stored")
    labels = exported(unspun, "--with-text")
    assert {(one["label"], one["text"], one["source"]) for one in labels} == {
        ("spun", SPUN, "desk"),
        ("human", CLEAR, None),
    }


def write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    """Write records in the format that the name of a file shows."""
    names = ["id", "label", "text", "source"]
    if file.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]), file)
    elif file.suffix == ".json":
        file.write_text(json.dumps(rows))
    elif file.suffix == ".gz":
        file.write_bytes(gzip.compress(lines(*rows).encode()))
    else:
        mark = {".csv": ",", ".tsv": "\t"}[file.suffix]
        table = [names, *([row.get(name, "") for name in names] for row in rows)]
        file.write_text("\n".join(mark.join(cells) for cells in table))


def test_the_field_of_the_text_can_be_named(unspun: Unspun) -> None:
    table = f"label|story\nspun|{SPUN}\n"
    options = ("--input-format", "csv", "--text-field", "story")
    assert unspun("feedback", "import", "-", *options, stdin=table).errors == ["unspun: feedback.db: 1 label stored"]


def test_a_document_without_a_label_is_reported_with_advice(unspun: Unspun, here: Path) -> None:
    (here / "a.html").write_text(f"<article><p>{CLEAR}</p></article>")
    run = unspun("feedback", "import", "a.html")
    assert run.status == 3
    assert run.errors[0] == "unspun: a.html: has no label; label documents with `unspun feedback add --label`"


def test_an_export_can_be_imported_elsewhere(unspun: Unspun, here: Path) -> None:
    unspun("feedback", "import", "-", stdin=lines({"label": "spun", "text": SPUN}, {"label": "human", "text": CLEAR}))
    (here / "copy.jsonl").write_text(unspun("feedback", "export", "--with-text").out)
    assert unspun("feedback", "import", "--database", "copy.db", "copy.jsonl").status == 0
    assert exported(unspun, "--with-text", "--database", "copy.db") == exported(unspun, "--with-text")


def test_labels_without_their_texts_can_be_imported_elsewhere(unspun: Unspun, here: Path) -> None:
    (here / "a.txt").write_text(SPUN)
    unspun("feedback", "add", "--label", "spun", "a.txt")
    for name, options in (("one", ()), ("two", ("--with-text",))):  # the second has "text": null
        (here / f"{name}.jsonl").write_text(unspun("feedback", "export", *options).out)
        run = unspun("feedback", "import", "--database", f"{name}.db", f"{name}.jsonl")
        assert run.errors == [f"unspun: {name}.db: 1 label stored"]


def test_an_abstention_keeps_its_missing_score_in_export_and_import(unspun: Unspun, here: Path) -> None:
    unspun("feedback", "import", "-", stdin=lines({"label": "human", "text": "Too short."}))
    [label] = exported(unspun)
    said = label["verdict"]
    assert (said["verdict"], said["reason"]) == ("abstained", "too_short")
    assert [said[name] for name in ("score", "false_positive_rate", "share")] == [None] * 3
    (here / "copy.jsonl").write_text(unspun("feedback", "export").out)
    assert unspun("feedback", "import", "--database", "copy.db", "copy.jsonl").status == 0
    assert exported(unspun, "--database", "copy.db") == [label]


def test_importing_a_file_twice_adds_nothing(unspun: Unspun) -> None:
    text = lines({"label": "spun", "text": SPUN}, {"label": "human", "text": CLEAR})
    unspun("feedback", "import", "-", stdin=text)
    run = unspun("feedback", "import", "-", stdin=text)
    assert run.errors == ["unspun: feedback.db: 0 labels stored, 2 already stored"]


def test_an_export_has_texts_only_on_request(unspun: Unspun) -> None:
    unspun("feedback", "import", "-", stdin=lines({"label": "spun", "text": SPUN}))
    assert "imaginative" not in unspun("feedback", "export").out
    assert "imaginative" in unspun("feedback", "export", "--with-text").out


def test_texts_for_a_reports_labels_are_found_by_their_hashes(unspun: Unspun, here: Path) -> None:
    label = label_of(SPUN, "spun").to_dict(with_text=False)
    (here / "labels.jsonl").write_text(lines({**label, "keep_text": True}, label_of(CLEAR).to_dict(with_text=False)))
    (here / "articles").mkdir()
    (here / "articles/a.txt").write_text(CLEAR)
    (here / "articles/b.txt.gz").write_bytes(gzip.compress(SPUN.encode()))
    assert unspun("feedback", "import", "labels.jsonl", "--texts", "articles").status == 0
    assert {one["text"] for one in exported(unspun, "--with-text")} == {SPUN, None}


def test_a_text_that_is_not_found_is_reported_and_its_label_is_stored(unspun: Unspun) -> None:
    line = {**label_of(SPUN, "spun").to_dict(with_text=False), "keep_text": True}
    run = unspun("feedback", "import", "-", stdin=lines(line))
    assert run.status == 0
    assert run.errors[0].startswith("unspun: warning: 1 text to keep was not found")
    assert run.errors[1] == "unspun: feedback.db: 1 label stored"


def test_documents_are_labelled_by_folder(unspun: Unspun, here: Path) -> None:
    (here / "essays").mkdir()
    for name, text in (("a.txt", CLEAR), ("b.txt", SUSPECT)):
        (here / "essays" / name).write_text(text)
    run = unspun("feedback", "add", "--label", "human", "--source", "desk", "essays", "missing.txt")
    assert run.status == 3
    assert "missing.txt" in run.errors[0]
    assert [(one["label"], one["source"]) for one in exported(unspun, "--with-text")] == [("human", "desk")] * 2
    assert {one["text"] for one in exported(unspun, "--with-text")} == {None}


def test_records_on_standard_input_are_labelled(unspun: Unspun) -> None:
    records = json.dumps([{"story": CLEAR}, {"story": SUSPECT}])
    run = unspun("feedback", "add", "--label", "human", "-", "--text-field", "story", stdin=records)
    assert (run.status, len(exported(unspun))) == (0, 2)


def test_a_label_is_deleted_by_its_id(unspun: Unspun) -> None:
    unspun("feedback", "import", "-", stdin=lines({"label": "spun", "text": SPUN}, {"label": "human", "text": CLEAR}))
    gone, stays = exported(unspun)
    run = unspun("feedback", "delete", gone["id"])
    assert (run.status, run.errors) == (0, ["unspun: 1 label deleted"])
    assert exported(unspun) == [stays]


def test_an_unknown_id_is_reported_and_the_others_are_deleted(unspun: Unspun) -> None:
    unspun("feedback", "import", "-", stdin=lines({"label": "spun", "text": SPUN}))
    [label] = exported(unspun)
    run = unspun("feedback", "delete", "0" * 32, label["id"])
    assert run.status == 1
    assert run.errors[-1] == f"unspun: unknown label: {'0' * 32}; `unspun feedback list` shows all ids"
    assert exported(unspun) == []


def test_list_and_stats_show_the_stored_labels(unspun: Unspun) -> None:
    sources = {"source": "de\u202esk"}  # would reverse the line on a terminal
    unspun("feedback", "import", "-", stdin=lines({"label": "spun", "text": SPUN, **sources}))
    [label] = exported(unspun)
    [row] = unspun("feedback", "list").out.splitlines()
    assert row.split()[2:] == [label["id"], "spun", "paraphrased", "text", "de\N{REPLACEMENT CHARACTER}sk"]
    counts = dict(reversed(line.split(maxsplit=1)) for line in unspun("feedback", "stats").out.splitlines())
    assert counts["labels"] == counts["texts kept"] == counts["spun"] == "1"
    assert counts["human"] == counts["texts with contradicting labels"] == "0"


def test_a_reports_labels_can_be_imported_even_with_an_odd_model_name(unspun: Unspun) -> None:
    named = ModelInfo("</script>'\"&<b>", "1\u2028", "0" * 64)
    report = Report()
    report.add(SPUN, replace(FakeDetector().score(SPUN, id="a"), model=named))
    page = html.fromstring(report.render(datetime(2026, 11, 23, tzinfo=UTC)))
    [article, row] = [json.loads(one) for one in page.xpath("//@data-said")]
    assert article == row
    run = unspun("feedback", "import", "-", stdin=lines({"label": "human", **row}))
    assert run.status == 0
    [label] = exported(unspun)
    assert label["verdict"]["model"] == named.to_dict()
    assert (label["digest"], label["signals"]) == (digest_of(SPUN), row["signals"])


# --- the database


def test_by_default_labels_are_stored_in_the_current_folder(unspun: Unspun, here: Path) -> None:
    unspun("feedback", "import", "-", stdin=lines({"label": "spun", "text": SPUN}))
    assert [file.name for file in here.iterdir()] == ["feedback.db"]


def test_the_environment_variable_sets_the_database(
    unspun: Unspun, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNSPUN_DATABASE_URL", f"sqlite:///{here}/other.db")
    unspun("feedback", "import", "-", stdin=lines({"label": "spun", "text": SPUN}))
    assert [file.name for file in here.iterdir()] == ["other.db"]


@pytest.mark.parametrize("command", [["audit"], ["feedback", "export"], ["feedback", "list"], ["feedback", "stats"]])
def test_reading_commands_do_not_create_a_database(command: list[str], unspun: Unspun, here: Path) -> None:
    run = unspun(*command)
    assert run.status == 1
    assert run.errors == ["unspun: feedback.db does not exist; add or import labels to create it"]
    assert list(here.iterdir()) == []


def test_a_wrong_address_is_a_usage_error(unspun: Unspun) -> None:
    run = unspun("audit", "--database", "mysql://u:secret-word@db/x")
    assert run.status == 2
    assert "SQLite or PostgreSQL" in run.errors[-1]
    assert "secret-word" not in "".join(run.errors)


def test_migrate_reports_the_revisions(unspun: Unspun) -> None:
    assert unspun("feedback", "migrate").errors == ["unspun: feedback.db: migrated from nothing to 0002"]
    assert unspun("feedback", "migrate").errors == ["unspun: feedback.db: already at version 0002"]


def test_postgresql_is_migrated_only_by_the_command(unspun: Unspun, postgres: Server) -> None:
    url = postgres.database()
    text = lines({"label": "spun", "text": SPUN})
    run = unspun("feedback", "import", "--database", url, "-", stdin=text)
    assert run.status == 1
    assert run.errors[0].endswith("is empty; run `unspun feedback migrate`")
    assert unspun("feedback", "migrate", "--database", url).status == 0
    assert unspun("feedback", "import", "--database", url, "-", stdin=text).status == 0
    assert len(exported(unspun, "--database", url)) == 1


def test_an_import_that_fails_stores_nothing_and_can_be_repeated(
    unspun: Unspun, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "labels.jsonl").write_text(lines(*({"label": "human", "text": f"Text number {i}."} for i in range(20))))
    unspun("feedback", "migrate")
    from unspun.service.feedback.tables import LabelRow

    made, calls = LabelRow.of, 0

    def breaks_off(label: Any) -> LabelRow:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise KeyboardInterrupt
        return made(label)

    with monkeypatch.context() as broken:
        broken.setattr(LabelRow, "of", breaks_off)
        assert unspun("feedback", "import", "labels.jsonl").status == 130
    assert exported(unspun) == []
    assert unspun("feedback", "import", "labels.jsonl").errors == ["unspun: feedback.db: 20 labels stored"]


@pytest.mark.parametrize("command", [["audit"], ["feedback", "stats"], ["feedback", "list"], ["feedback", "migrate"]])
def test_without_the_libraries_the_command_says_what_to_install(command: list[str], here: Path) -> None:
    code = f"import sys; sys.modules['sqlalchemy'] = None; from unspun.service.cli import cli; cli({command})"
    run = subprocess.run([sys.executable, "-c", code], cwd=here, env=ENVIRONMENT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (
        1,
        "unspun: storing labels needs the package sqlalchemy: pip install 'unspun[feedback]'\n",
    )


# --- audit


@pytest.fixture
def audited(here: Path) -> Path:
    """Make a database of labels: three human texts (one called suspect), two spun ones, one contradiction."""
    store = Store(str(here / "feedback.db"))
    store.add_many(
        [
            label_of("a", "human", source="desk"),
            label_of("b", "human", source="desk"),
            label_of("c", "human", source="web", verdict="suspect", kind="spun"),
            label_of("d", "spun", source="web", verdict="paraphrased", kind="spun"),
            label_of("e", "spun", source="web"),
            label_of("f", "human"),
            label_of("f", "spun"),
        ]
    )
    return here


def test_an_audit_is_json_in_a_pipe(unspun: Unspun, audited: Path) -> None:
    found = json.loads(unspun("audit").out)
    least, most = found["overall"]
    assert least["precision"] == {"value": 1.0, "low": 0.206549, "high": 1.0, "part": 1, "whole": 1}
    assert (most["precision"]["part"], most["precision"]["whole"]) == (1, 2)
    assert [row["name"] for row in found["sources"]] == ["web", "desk"]
    assert len(found["contradicting"][0]["labels"]) == 2


def test_an_audit_is_a_table_on_request(unspun: Unspun, audited: Path) -> None:
    shown = unspun("audit", "--format", "table").out
    assert "7 labels of 6 texts; left out: 1 text with contradicting labels and 0 without a verdict." in shown
    [row] = [line for line in shown.splitlines() if line.split()[:3] == ["paraphrased", "or", "suspect"]]
    assert " ".join(row.split()[3:]) == "5 50.0 % (9.5-90.5) 1/2 50.0 % (9.5-90.5) 1/2 33.3 % (6.1-79.2) 1/3"
    assert [part in shown for part in ("By signal", "By kind", "By source", "By model", "Contradicting")] == [True] * 5


def test_the_level_can_be_chosen(unspun: Unspun, audited: Path) -> None:
    web = json.loads(unspun("audit", "--at", "paraphrased").out)["sources"][0]
    assert (web["false_positive_rate"]["part"], web["recall"]["part"]) == (0, 1)


def test_an_audit_does_not_need_the_texts(unspun: Unspun, audited: Path) -> None:
    assert {one["text"] for one in exported(unspun, "--with-text")} == {None}
    assert unspun("audit").status == 0


def test_an_audit_without_labels_says_so(unspun: Unspun) -> None:
    unspun("feedback", "migrate")
    shown = unspun("audit", "--format", "table")
    assert shown.status == 0
    assert "0 labels of 0 texts" in shown.out
