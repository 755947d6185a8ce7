"""What each surface shows of texts that the first tier settled, and of those that it could not settle."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lxml.html
import pyarrow.parquet
import pytest
from flask.testing import FlaskClient

from tests import deep as tiny
from tests import first, tables
from tests.service.app import client_for
from tests.service.support import Unspun, run_unspun
from unspun.model import bundle
from unspun.model.signals.quick import QuickSignals
from unspun.model.wording import MEANINGS, REASONS, SETTLED

if TYPE_CHECKING:
    from unspun.model.detector import Detector

TEXTS = {"settled": tables.ARTICLE, "spun": tiny.SPUN_ARTICLE, "short": "Too short."}
LINES = "".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in TEXTS.items())
NO_SCORE = ("score", "false_positive_rate", "share", "kinds")


@pytest.fixture
def run(here: Path, first_detector: Detector) -> Unspun:
    """Run `unspun` with the tiny model, in a folder with the texts."""
    Path("texts.jsonl").write_text(LINES, "utf-8")
    return partial(run_unspun, load=lambda _: first_detector)


@pytest.fixture
def client(first_detector: Detector) -> FlaskClient:
    return client_for(lambda _: first_detector, max_words=1000)


@pytest.fixture
def score(run: Unspun) -> Any:
    """Return a function that runs `unspun score` on the texts and returns its output."""

    def scored(*options: str) -> str:
        done = run("score", "texts.jsonl", "--quiet", *options)
        assert (done.status, done.errors) == (0, [])
        return done.out

    return scored


# --- the same answer everywhere


@pytest.mark.parametrize("depth", ["first", "auto"])
@pytest.mark.parametrize("evidence", [True, False, "all"])
def test_the_command_line_and_the_service_answer_like_python(
    score: Any, client: FlaskClient, first_detector: Detector, depth: str, evidence: Any
) -> None:
    verdicts = first_detector.score_many(list(TEXTS.values()), ids=list(TEXTS), depth=depth, evidence=evidence)
    expected = "".join(f"{verdict.to_json()}\n" for verdict in verdicts)
    option = {True: (), False: ("--no-evidence",), "all": ("--all-evidence",)}[evidence]
    assert score("--depth", depth, *option, "--format", "jsonl") == expected
    asked = [{"id": name, "text": text, "depth": depth, "evidence": evidence} for name, text in TEXTS.items()]
    lines = "".join(f"{json.dumps(one)}\n" for one in asked)
    streamed = client.post("/v1/score/stream", data=lines, content_type="application/x-ndjson")
    assert streamed.get_data(as_text=True) == expected
    single = [client.post("/v1/score", json=one).get_data(as_text=True) for one in asked]
    assert "".join(single) == expected


# --- the command line


def test_the_table_has_a_row_without_a_score_and_says_why(score: Any) -> None:
    table = score("--format", "table")
    [row] = [line for line in table.splitlines() if line.endswith("settled")]
    assert row.split() == ["clear", "191", "settled"]
    assert " ".join(table.split()).endswith(f"clear without a score: {SETTLED}")


def test_csv_has_empty_cells(score: Any) -> None:
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(score("--format", "csv")))}
    assert (rows["settled"]["verdict"], rows["settled"]["depth"]) == ("clear", "first")
    assert {rows["settled"][name] for name in ("score", "false_positive_rate", "share", "spun")} == {""}
    assert rows["spun"]["score"] != ""


def test_parquet_has_nulls(score: Any) -> None:
    score("--format", "parquet", "--output", "verdicts.parquet")
    row = pyarrow.parquet.read_table("verdicts.parquet").to_pylist()[0]
    assert (row["verdict"], row["depth"], row["score"], row["share"], row["spun"]) == ("clear", "first", *[None] * 3)


def test_the_report_lists_them_between_the_scored_and_those_without_a_verdict(score: Any) -> None:
    score("--format", "html", "--output", "report.html")
    page = lxml.html.parse("report.html").getroot()
    rows = page.cssselect("#documents tbody tr")
    assert [row.cssselect("th")[0].text_content() for row in rows] == ["spun", "settled", "short"]
    cell = rows[1].cssselect(".c-score")[0]
    assert (cell.text_content(), cell.cssselect("svg")) == ("none", [])
    assert (
        "1 document has no score: the first tier found nothing suspicious"
        in page.cssselect(".counts .clear")[0].text_content()
    )
    by_score = [float(row.cssselect(".c-score")[0].get("data-value")) for row in rows]
    by_rate = [float(row.cssselect(".c-rate")[0].get("data-value")) for row in rows]
    assert by_score == sorted(by_score, reverse=True)
    assert by_rate == sorted(by_rate)


def test_the_report_counts_them_in_the_lowest_column_of_the_scores(score: Any) -> None:
    score("--format", "html", "--output", "report.html")
    page = lxml.html.parse("report.html").getroot()
    figure = page.cssselect("figure")[0]
    assert [cell.text for cell in figure.cssselect("tbody tr")[0].cssselect("td")] == ["0", "0", "1"]
    assert "The lowest column includes 1 that the first tier settled without a score." in figure.text_content()


def test_depth_first_shows_what_is_left_to_do(score: Any) -> None:
    table = score("--depth", "first", "--format", "table")
    assert "abstained" in table
    assert "unsettled" in table


@pytest.mark.parametrize("command", [("score", "texts.jsonl"), ("evaluate", "texts.jsonl", "--label", "human")])
def test_a_model_without_a_first_tier_is_reported(run: Unspun, tiny_bundle: Path, command: tuple[str, ...]) -> None:
    from unspun.model.detector import Detector

    done = run(*command, "--depth", "first", load=lambda _: Detector.load(tiny_bundle))
    assert (done.status, done.errors) == (1, ["unspun: this model has no first tier; use depth 'auto' or 'fast'"])


# --- the service


def test_the_service_lists_the_depths_that_its_model_has(client: FlaskClient) -> None:
    about = client.get("/v1/model").get_json()
    assert about["depths"] == ["first", "auto", "fast", "deep"]
    assert set(about["thresholds"]["false_positive_rate"]) == {"fast", "deep"}  # the first tier has no thresholds


def test_the_service_reports_a_model_without_a_first_tier(tiny_bundle: Path) -> None:
    from unspun.model.detector import Detector

    bare = client_for(lambda _: Detector.load(tiny_bundle))
    assert bare.get("/v1/model").get_json()["depths"] == ["auto", "fast"]
    answer = bare.post("/v1/score", json={"text": "One.", "depth": "first"})
    assert answer.status_code == 422
    assert answer.get_json()["detail"] == "This model has no first tier; use depth 'auto' or 'fast'."


def test_the_service_counts_verdicts_of_the_first_tier(client: FlaskClient) -> None:
    client.post("/v1/score", json={"text": tables.ARTICLE})
    assert 'unspun_verdicts_total{depth="first",kind="none",verdict="clear"}' in client.get("/metrics").text


# --- the page


def test_the_page_says_clear_without_a_score_and_offers_one(client: FlaskClient) -> None:
    page = lxml.html.document_fromstring(client.post("/", data={"text": tables.ARTICLE}).text)
    [shown] = page.cssselect("section.verdict")
    assert page.cssselect("h1")[0].text_content() == "Verdict: Clear"
    assert shown.cssselect(".says .meaning")[0].text_content() == f"{MEANINGS['clear']} {SETTLED}"
    assert (shown.cssselect(".score"), page.cssselect("svg.scale"), page.cssselect(".kinds")) == ([], [], [])
    assert page.cssselect("button[name=evidence]")[0].text_content() == "Compute a score, and mark odd words"


def test_the_page_computes_the_score_on_request(client: FlaskClient) -> None:
    page = lxml.html.document_fromstring(client.post("/", data={"text": tables.ARTICLE, "evidence": "all"}).text)
    assert page.cssselect("h1")[0].text_content() == "Verdict: Clear"
    assert page.cssselect("section.verdict .score")


def test_the_page_of_several_files_lists_them_after_the_scored(client: FlaskClient) -> None:
    files = [(io.BytesIO(text.encode()), f"{name}.txt") for name, text in TEXTS.items()]
    page = lxml.html.document_fromstring(client.post("/", data={"file": files}).text)
    rows = page.cssselect("table.results tbody tr")
    assert [row.cssselect("th")[0].text_content() for row in rows] == ["spun.txt", "settled.txt", "short.txt"]
    assert rows[1].cssselect(".c-score")[0].text_content().strip() == ""


# --- assistants


@pytest.mark.parametrize(
    ("text", "depth", "said"),
    [
        (tables.ARTICLE, "auto", f"Clear. {MEANINGS['clear']} {SETTLED}"),
        (tiny.SPUN_ARTICLE, "first", f"No verdict. {REASONS['unsettled']}"),
    ],
)
def test_an_assistant_is_told_what_it_means(first_detector: Detector, text: str, depth: str, said: str) -> None:
    mcp = pytest.importorskip("unspun.service.mcp", reason="assistants: pip install 'unspun[mcp]'")
    from tests.service.fake_comparer import FakeComparer

    answer = mcp.Tools(first_detector, FakeComparer()).call("score", {"text": text, "depth": depth})
    assert answer.content[0].text == said
    assert answer.structured_content["score"] is None


# --- models and labels


def test_a_model_with_a_first_tier_can_be_promoted(run: Unspun, first_bundle: Path) -> None:
    assert run("models", "promote", "--model", first_bundle).status == 0
    done = run_unspun("score", "texts.jsonl", "--model", "models/current", "--format", "jsonl", "--quiet")
    assert [json.loads(line)["depth"] for line in done.out.splitlines()] == ["first", "deep", "fast"]


def test_a_model_whose_first_tier_cannot_read_is_not_promoted(run: Unspun, first_bundle: Path) -> None:
    broken = Path("broken")
    loaded = bundle.load(first_bundle)
    weights = first.ngrams()
    tables = replace(loaded.tables, quick=QuickSignals(replace(weights, weights=weights.weights[:, :100])))
    parts = tables, loaded.tagger, loaded.classifier, loaded.seen, loaded.deep
    kept = {name: value for name, value in loaded.manifest.items() if name not in bundle.WRITTEN}
    bundle.save(broken, kept, *parts, first=loaded.first)
    done = run("models", "promote", "--model", broken)
    assert done.status == 1
    assert "phrasing: invalid shape (3, 100)" in done.errors[0]
    assert not Path("models/current").exists()


@pytest.mark.parametrize(("depth", "changed"), [("first", 1), ("auto", 0)])
def test_diff_compares_the_first_tiers_at_depth_first(
    run: Unspun, first_bundle: Path, depth: str, changed: int
) -> None:
    loaded = bundle.load(first_bundle)
    assert loaded.first is not None
    strict = replace(loaded.first, doubt=loaded.first.doubt * 1000)  # it settles nothing
    parts = loaded.tables, loaded.tagger, loaded.classifier, loaded.seen, loaded.deep
    kept = {name: value for name, value in loaded.manifest.items() if name not in bundle.WRITTEN}
    bundle.save(Path("strict"), kept | {"version": "2"}, *parts, first=strict)
    models = ("--model", first_bundle, "--model", "strict")
    done = run("models", "diff", *models, "texts.jsonl", "--depth", depth, "--format", "jsonl")
    *lines, totals = map(json.loads, done.out.splitlines())
    assert totals["totals"]["changed"] == len(lines) == changed
    assert [(one["id"], one["cause"], one["after"]["reason"]) for one in lines] == [
        ("settled", "abstention", "unsettled")
    ] * changed


def test_a_label_of_a_settled_text_is_stored_and_counts_as_clear(run: Unspun, first_bundle: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")
    Path("human.txt").write_text(tables.ARTICLE)
    done = run("feedback", "add", "--label", "human", "--model", first_bundle, "human.txt")
    assert done.status == 0, done
    [stored] = [json.loads(line) for line in run("feedback", "export").out.splitlines()]
    assert (stored["verdict"]["verdict"], stored["verdict"]["depth"]) == ("clear", "first")
    assert (stored["verdict"]["score"], stored["verdict"]["share"]) == (None, None)
    found = json.loads(run("audit", "--format", "jsonl").out)
    assert (found["abstained"], found["overall"][0]["false_positive_rate"]["whole"]) == (0, 1)
