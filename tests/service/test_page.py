"""The page at / and the reference at /v1/docs, as the server renders them, with a detector that needs no model."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import tempfile
import time
import tomllib
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from werkzeug.test import TestResponse

from tests.cases import why
from tests.service.app import client_for
from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, DATA, SPUN, SUSPECT
from unspun.model import wording as words
from unspun.model.verdict import (
    KINDS,
    Evidence,
    Kind,
    ModelInfo,
    Reason,
    Sentence,
    SpunPassage,
    Verdict,
    VerdictWord,
)
from unspun.model.wording import DISGUISED, times
from unspun.service.http.config import Settings
from unspun.service.http.keys import KeyStore
from unspun.service.http.openapi import document
from unspun.service.page.result import PassageRun, Result
from unspun.service.page.saved import saved

ROOT = Path(__file__).parents[2]
CASES = tomllib.loads((DATA / "page.toml").read_text("utf-8"))
MODEL = ModelInfo("test", "1.0", "0" * 64)


@pytest.fixture
def client() -> FlaskClient:
    return client_for()


def judge(client: FlaskClient, text: str = "", file: tuple[bytes, str] | None = None, **fields: str) -> TestResponse:
    form: dict[str, Any] = {"text": text, **fields}
    form["file"] = (io.BytesIO(b""), "") if file is None else (io.BytesIO(file[0]), file[1])
    return client.post("/", data=form, content_type="multipart/form-data")


class Shown:
    """What a page shows."""

    def __init__(self, answer: TestResponse | str) -> None:
        self.tree = html.fromstring(answer if isinstance(answer, str) else answer.text)

    def all(self, path: str) -> list[Any]:
        found: list[Any] = self.tree.xpath(path)
        return found

    def text(self, path: str) -> str:
        [found] = self.all(path)
        return " ".join(str(found.text_content()).split())

    def of_class(self, name: str) -> list[str]:
        found = self.all(f"//*[contains(concat(' ', @class, ' '), ' {name} ')]")
        return [" ".join(str(one.text_content()).split()) for one in found]

    @property
    def article(self) -> str:
        """The text that is shown, white space and all."""
        [article] = self.all("//*[@class='article']")
        for said in article.xpath(".//*[@class='visually-hidden']"):
            said.drop_tree()
        return str(article.text_content())

    @property
    def box(self) -> str:
        return str(self.all("//textarea")[0].text or "").removeprefix("\n")

    @property
    def download(self) -> bytes:
        """The verdict as JSON."""
        return self.downloaded("verdict.json")

    def downloaded(self, name: str) -> bytes:
        [link] = self.all(f"//a[@download='{name}']")
        return base64.b64decode(link.get("href").partition(";base64,")[2])


def verdict_on(text: str, *evidence: Evidence, passages: tuple[SpunPassage, ...] = (), **fields: Any) -> Verdict:
    given: dict[str, Any] = {
        "id": None,
        "verdict": "suspect",
        "kind": "spun",
        "score": 0.5,
        "false_positive_rate": 0.03,
        "share": 0.2,
        "kinds": {"spun": 0.5, "translated": 0.0, "rewritten": 0.0},
        "reason": None,
        "words": len(text.split()),
        "depth": "fast",
        "repairs": (),
    }
    return Verdict(**(given | fields), evidence=evidence, model=MODEL, passages=passages)


# --- the form


def test_the_empty_page_has_a_form_for_text_and_file(client: FlaskClient) -> None:
    shown = Shown(client.get("/"))
    assert [field.get("name") for field in shown.all("//form//textarea | //form//input")] == ["text", "file"]
    assert shown.box == ""


def test_the_form_has_a_key_field_only_if_keys_are_required(tmp_path: Path, client: FlaskClient) -> None:
    keyed = client_for(keys_file=tmp_path / "keys.json")
    [field] = Shown(keyed.get("/")).all("//input[@type='password']")
    assert field.get("autocomplete") == "off"
    assert not Shown(client.get("/")).all("//input[@type='password']")


def test_the_example_fills_the_form(client: FlaskClient) -> None:
    [link] = Shown(client.get("/")).all("//form//a")
    assert len(Shown(client.get(link.get("href"))).box.split()) > 50


# --- the verdict


@pytest.mark.parametrize(
    ("text", "headline", "score"),
    [
        (SPUN, "Paraphrased", "97 %"),
        (SUSPECT, "Suspect", "50 %"),
        (CLEAR, "Clear", "3 %"),
    ],
    ids=["paraphrased", "suspect", "clear"],
)
def test_the_verdict_comes_with_its_score_and_what_it_means(
    text: str, headline: str, score: str, client: FlaskClient
) -> None:
    answer = judge(client, text)
    shown = Shown(answer)
    assert answer.status_code == 200
    assert shown.text("//h1") == f"Verdict: {headline}"
    assert shown.text("//title").startswith(f"{headline}, {score}")
    assert shown.of_class("figure") == [score]
    assert len(shown.of_class("meaning")[0]) > 40


def test_an_abstention_says_why_and_what_to_do(client: FlaskClient) -> None:
    assert "Add more of the text" in Shown(judge(client, "Hi.")).of_class("meaning")[0]


def test_an_unfamiliar_text_is_explained(client: FlaskClient) -> None:
    shown = Shown(judge(client, f"Unfamiliar words. {SPUN}"))
    assert shown.text("//h1") == "Verdict: No verdict"
    assert "too unlike the text that unspun was calibrated on" in shown.of_class("meaning")[0]


def test_an_abstention_has_no_score(client: FlaskClient) -> None:
    shown = Shown(judge(client, "Hi."))
    assert shown.text("//title") == "No verdict · unspun"
    assert shown.of_class("figure") == []
    assert shown.all("//*[@id='kinds'] | //*[name()='rect'][@class='fill']") == []


def test_an_abstention_says_nothing_about_words(client: FlaskClient) -> None:
    assert "No single word stands out" not in Shown(judge(client, "Hi.")).text("//main")


def test_a_score_comes_with_how_rare_it_is_in_human_text(client: FlaskClient) -> None:
    [score] = Shown(judge(client, SPUN)).of_class("score")
    assert "About 1 in 480 human texts of this length looks like this." in score


def test_no_rate_below_the_supported_one_is_shown() -> None:
    result = Result(SPUN, verdict_on(SPUN, false_positive_rate=0.002), supported=0.002)
    assert result.like_it == "fewer than 1 in 500 human texts of this length look like this"


def test_the_page_says_once_what_a_score_is(client: FlaskClient) -> None:
    text = Shown(judge(client, SPUN)).text("//main")
    assert text.count("a scale, not a probability: 50 % is the threshold of suspect, 90 % that of paraphrased") == 1


def test_the_kind_comes_with_the_share_of_the_words(client: FlaskClient) -> None:
    assert Shown(judge(client, SPUN)).of_class("meaning")[1] == (
        "The kind with the strongest evidence is spun: words and phrases replaced by others. "
        "93 % of the words are in suspicious parts."
    )


def test_the_kinds_say_what_rewritten_does_not_prove(client: FlaskClient) -> None:
    text = Shown(judge(client, SPUN)).text("//section[@aria-labelledby='kinds']")
    assert "Text that a language model wrote from nothing often gets “rewritten”" in text
    assert "“rewritten” does not prove that a source exists" in text


def test_every_verdict_reason_and_kind_has_a_wording() -> None:
    assert set(words.HEADLINES) == set(get_args(VerdictWord))
    assert set(words.MEANINGS) == set(get_args(VerdictWord)) - {"abstained"}
    assert set(words.REASONS) == set(get_args(Reason))
    assert set(words.KIND_NAMES) == set(words.KIND_MEANINGS) == set(KINDS) == set(get_args(Kind))
    assert set(words.JUDGEMENT_NAMES) == {"human", *KINDS}


def test_only_existing_signals_have_a_wording() -> None:
    source = (ROOT / "model" / "decision" / "evidence.py").read_text("utf-8")
    assert [name for name in words.SIGNALS if f'"{name}"' not in source] == []


def test_an_unknown_signal_is_shown_by_its_name() -> None:
    text = "a odd b"
    [word] = Result(text, verdict_on(text, Evidence(2, 5, "odd", None, "new_signal", 1.0))).words
    assert word.reason == "new signal"


def test_each_kind_has_a_bar(client: FlaskClient) -> None:
    shown = Shown(judge(client, SPUN))
    assert shown.of_class("share") == ["97 %", "1 %", "1 %"]
    bars = shown.all("//*[@class='kinds']//*[name()='rect'][@class='fill']")
    assert [bar.get("width") for bar in bars] == ["97.0", "1.0", "1.0"]


def test_the_page_says_what_was_repaired(client: FlaskClient) -> None:
    page = f"<html><body><p>{SPUN}</p><p hidden>{CLEAR}</p></body></html>".encode()
    [line] = Shown(judge(client, file=(page, "a.html"))).all("//*[@class='disguise']")
    assert line.text_content() == f"Repaired before it was judged: hidden text (12 words). {DISGUISED}"
    assert not Shown(judge(client, SPUN)).all("//*[@class='disguise']")


def test_small_print_names_tier_and_model(client: FlaskClient) -> None:
    text = Shown(judge(client, SPUN)).text("//section[@aria-labelledby='answer']")
    assert "judged by the fast tier of the model fake 0.0.1" in text
    assert FakeDetector().model.sha256[:12] in text


def test_the_page_says_that_a_score_is_not_a_proof(client: FlaskClient) -> None:
    assert "a reason to look, not a proof" in Shown(judge(client, SPUN)).text("//footer")


@pytest.mark.parametrize("case", CASES["times"], ids=why)
def test_weights_are_shown_as_factors(case: dict[str, Any]) -> None:
    assert times(case["weight"]) == case["shown"]


# --- the article


def test_odd_words_are_marked_by_weight(client: FlaskClient) -> None:
    marked = Shown(judge(client, f"{SPUN} It has counterfeit consciousness.")).all("//*[@class='article']//a")
    assert [(mark.text_content(), mark.get("class")) for mark in marked] == [
        ("imaginative and prescient", "odd l1"), ("vitality", "odd l1"), ("counterfeit consciousness", "odd l2")
    ]  # fmt: skip


def test_a_marked_word_links_to_its_original_and_back(client: FlaskClient) -> None:
    shown = Shown(judge(client, SPUN))
    for mark in shown.all("//*[@class='article']//a"):
        [entry] = shown.all(f"//li[@id='{mark.get('href')[1:]}']")
        assert entry.xpath("./a/@href") == [f"#{mark.get('id')}"]
        assert entry.xpath("./a")[0].text_content() == mark.text_content()
    assert shown.of_class("was") == ["probably vision", "probably energy"]


def test_a_marked_word_is_described_by_its_original(client: FlaskClient) -> None:
    shown = Shown(judge(client, SPUN))
    described = [mark.get("aria-describedby") for mark in shown.all("//*[@class='article']//a")]
    assert [shown.text(f"//*[@id='{one}']") for one in described] == ["probably vision", "probably energy"]


def test_a_word_without_an_original_says_so(client: FlaskClient) -> None:
    assert Shown(judge(client, "It was the The West that they all went to.")).of_class("was") == ["no original known"]


def rendered(client: FlaskClient, text: str, verdict: Verdict) -> Shown:
    app = client.application
    with app.test_request_context():
        template = app.jinja_env.get_template("page.html")
        result = Result(text, verdict)
        file = saved(result, datetime(2026, 11, 30, tzinfo=UTC))
        return Shown(template.render(result=result, saved=file, settings=Settings(), text=text, version="x"))


def test_alternatives_are_shown(client: FlaskClient) -> None:
    found = Evidence(2, 5, "odd", "one", "substitution", 3.0, ("two", "three"), probable=True)
    assert rendered(client, "a odd b", verdict_on("a odd b", found)).of_class("was") == ["probably one, or two, three"]


@pytest.mark.parametrize("case", CASES["text"], ids=why)
def test_a_text_is_shown_as_it_was_sent(case: dict[str, Any], client: FlaskClient) -> None:
    text = str(case["text"])
    shown = Shown(judge(client, text))
    assert shown.article == text
    assert shown.box == text


def test_markup_in_a_text_is_text(client: FlaskClient) -> None:
    page = judge(client, f"{SPUN} <script>alert(1)</script> <b onclick=x>").text
    assert "<script>alert" not in page
    assert "<b onclick" not in page


def test_overlapping_evidence_is_marked_once() -> None:
    text = "one two three"
    result = Result(
        text,
        verdict_on(
            text, Evidence(0, 7, "one two", "a", "misfit", 3.0), Evidence(4, 13, "two three", "b", "misfit", 2.0)
        ),
    )
    assert [word.evidence.text for word in result.words] == ["one two"]


@st.composite
def judged(draw: st.DrawFn) -> tuple[str, Verdict]:
    text = draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
    spans = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 9)).map(lambda at: (at[0], min(sum(at), len(text))))
    evidence = [
        Evidence(start, end, text[start:end], None, "misfit", draw(st.floats(0, 9)))
        for start, end in draw(st.lists(spans, max_size=6))
    ]
    bounds = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    passages = tuple(SpunPassage(first, last, 1) for first, last in zip(bounds[::2], bounds[1::2], strict=False))
    ends = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    score = st.sampled_from((0.5, 0.9, 0.99))
    sentences = tuple(Sentence(first, last, draw(score), "spun") for first, last in pairwise(ends))
    return text, verdict_on(text, *evidence, passages=passages, sentences=sentences)


@given(judged())
def test_cutting_a_text_loses_nothing_and_no_word_is_cut(case: tuple[str, Verdict]) -> None:
    text, verdict = case
    result = Result(text, verdict)
    pieces = [piece for run in result.runs for part in run.parts for piece in part.pieces]
    assert "".join(piece.text for piece in pieces) == text
    assert all(pieces)
    assert [piece.word for piece in pieces if piece.word is not None] == result.words
    assert all(word.evidence.text == text[word.evidence.start : word.evidence.end] for word in result.words)


def test_passages_are_highlighted_and_linked(client: FlaskClient) -> None:
    text = "plain words. Spun words, odd ones. plain again."
    found = verdict_on(text, Evidence(25, 28, "odd", "rare", "misfit", 3.0), passages=(SpunPassage(13, 34, 4),))
    shown = rendered(client, text, found)
    assert shown.text("//*[@id='passage-1']") == "(Passage 1 begins.) Spun words, odd ones. (Passage 1 ends.)"
    assert shown.text("//section[@aria-labelledby='passages']//li[a/@href='#passage-1']") == "Passage 1, 4 words"
    assert shown.article == text


def text_of(run: PassageRun) -> str:
    return "".join(piece.text for part in run.parts for piece in part.pieces)


def test_a_word_at_the_bound_of_a_passage_is_not_cut() -> None:
    found = verdict_on("a wordy b", Evidence(2, 7, "wordy", None, "misfit", 3.0), passages=(SpunPassage(4, 9, 1),))
    runs = Result("a wordy b", found).runs
    assert [(text_of(run), run.number) for run in runs] == [("a wordy", 0), (" b", 1)]


def test_line_ends_in_the_form_are_line_feeds(client: FlaskClient) -> None:
    typed = f"First line.\n\n{SPUN}"
    sent_by_browsers = typed.replace("\n", "\r\n")
    assert Shown(judge(client, sent_by_browsers)).download == (FakeDetector().score(typed).to_json() + "\n").encode()


def test_the_download_is_the_response_of_the_api(client: FlaskClient) -> None:
    assert Shown(judge(client, SPUN)).download == client.post("/v1/score", json={"text": SPUN}).data


def test_a_long_text_with_thousands_of_marks_is_shown_within_seconds() -> None:
    client = client_for(max_words=50_000, max_bytes=1_000_000)
    text = "\n".join(["The vitality of the town was the talk of all."] * 5_000)
    started = time.process_time()
    shown = Shown(judge(client, text))
    assert time.process_time() - started < 10
    assert len(shown.all("//*[@class='article']//a")) == 5_000


# --- files


@pytest.mark.parametrize("case", CASES["file"], ids=why)
def test_a_file_is_read_as_text(case: dict[str, Any], client: FlaskClient) -> None:
    data = bytes.fromhex(case["hex"]) if "hex" in case else str(case["content"]).encode(case.get("encoding", "utf-8"))
    shown = Shown(judge(client, file=(data, case["name"])))
    assert " ".join(shown.article.split()) == case["shown"]
    assert case["name"] in shown.text("//section[@class='reading']")


def test_a_file_is_judged_instead_of_the_text(client: FlaskClient) -> None:
    assert Shown(judge(client, CLEAR, (SPUN.encode(), "a.txt"))).text("//h1") == "Verdict: Paraphrased"


def test_an_upload_never_touches_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is no such folder"))
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    body = head + b"The town talked. " * 60_000 + b"\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    answer = client_for(max_words=1_000_000, max_bytes=2_000_000).post("/", data=body, content_type=kind)
    assert answer.status_code == 200


# --- errors


@pytest.mark.parametrize("case", CASES["problem"], ids=why)
def test_a_problem_is_shown_on_the_page(case: dict[str, Any], client: FlaskClient) -> None:
    text = str(case.get("text", "")).replace("WORDS", "word " * 201).replace("BYTES", "x" * 20_001)
    file = (bytes.fromhex(case["hex"]), case["name"]) if "hex" in case else None
    answer = judge(client, text.replace("NUL", "\0"), file)
    alert = Shown(answer).text("//*[@role='alert']")
    assert answer.status_code == case.get("status", 422)
    assert case["says"] in alert
    assert "#/" not in alert


def test_a_refused_text_stays_in_the_form(client: FlaskClient) -> None:
    text = "word " * 201
    assert Shown(judge(client, text)).box == text


def test_the_problem_is_linked_to_the_text_field(client: FlaskClient) -> None:
    [box] = Shown(judge(client, "")).all("//textarea")
    assert box.get("aria-invalid") == "true"
    assert "problem" in box.get("aria-describedby").split()


def test_a_body_that_is_not_a_form_is_refused(client: FlaskClient) -> None:
    assert client.post("/", json={"text": SPUN}).status_code == 415


def test_a_truncated_form_is_refused(client: FlaskClient) -> None:
    answer = client.post("/", data=b"--x\r\nContent-Disp", content_type="multipart/form-data; boundary=x")
    assert (answer.status_code, "Reload the page" in answer.text) == (400, True)


def test_a_form_without_files_is_accepted(client: FlaskClient) -> None:
    assert Shown(client.post("/", data={"text": SPUN})).text("//h1") == "Verdict: Paraphrased"


@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_a_valid_key_the_page_says_so_and_keeps_the_text(key: str, tmp_path: Path) -> None:
    KeyStore(tmp_path / "keys.json").add("desk")
    answer = judge(client_for(keys_file=tmp_path / "keys.json"), SPUN, key=key)
    assert (answer.status_code, answer.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert "requires an API key" in Shown(answer).text("//*[@role='alert']")
    assert Shown(answer).box == SPUN


def test_a_key_in_the_form_is_accepted_and_not_sent_back(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = KeyStore(path).add("desk")
    answer = judge(client_for(keys_file=path), SPUN, key=key)
    assert (answer.status_code, key in answer.text) == (200, False)


def test_the_rate_limit_applies_to_the_page(client: FlaskClient) -> None:
    limited = client_for(rate_limit="2 per hour")
    answers = [judge(limited, SPUN) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert "2 per 1 hour" in Shown(answers[2]).text("//*[@role='alert']")


def test_an_exceeded_time_limit_is_shown_on_the_page() -> None:
    answer = judge(client_for(timeout=1e-9), SPUN)
    assert (answer.status_code, "exceeded the time limit" in answer.text) == (503, True)


def test_an_internal_error_shows_only_the_request_id(client: FlaskClient) -> None:
    answer = judge(client, "raise-error")
    alert = Shown(answer).text("//*[@role='alert']")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in alert
    assert "division" not in answer.text


def test_browsers_do_not_cache_verdicts(client: FlaskClient) -> None:
    assert judge(client, SPUN).headers["Cache-Control"] == "no-store"


# --- all pages and files


def pages(client: FlaskClient) -> dict[str, str]:
    return {
        "empty": client.get("/").text,
        "result": judge(client, SPUN).text,
        "problem": judge(client, "").text,
        "reference": client.get("/v1/docs").text,
    }


@pytest.mark.parametrize("name", ["empty", "result", "problem", "reference"])
def test_pages_have_no_inline_style_or_script(name: str, client: FlaskClient) -> None:
    tree = html.fromstring(pages(client)[name])
    assert not tree.xpath("//style | //@style | //script[not(@src)] | //@*[starts-with(name(), 'on')]")


@pytest.mark.parametrize("name", ["empty", "result", "problem", "reference"])
def test_ids_and_links_of_a_page_are_valid(name: str, client: FlaskClient) -> None:
    tree = html.fromstring(pages(client)[name])
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in tree.xpath("//a/@href") if link.startswith("#")} <= set(ids)
    named = [one for value in tree.xpath("//@aria-describedby | //@aria-labelledby") for one in value.split()]
    assert set(named) <= set(ids)
    for path in [*tree.xpath("//@src | //link/@href"), *tree.xpath("//a[not(@download)]/@href")]:
        if not path.startswith("#"):
            assert client.get(path).status_code == 200, path


def test_nothing_refers_to_another_host(client: FlaskClient) -> None:
    files = {file.name: file.read_text("utf-8") for file in (ROOT / "service/page/static").iterdir()}
    for name, content in {**pages(client), **files}.items():
        for host in re.findall(r"(?:https?:)?//([\w.-]+)", content):
            assert host in ("localhost", "www.w3.org"), f"{name} names {host}"  # the name space of SVG


def test_static_files_are_cached_and_revalidated(client: FlaskClient) -> None:
    first = client.get("/static/page.css")
    assert "max-age=86400" in first.headers["Cache-Control"]
    assert client.get("/static/page.css", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_browsers_find_an_icon(client: FlaskClient) -> None:
    assert client.get("/favicon.ico").mimetype == "image/svg+xml"


@pytest.mark.parametrize("name", ["none.css", "..%2f__init__.py", "%2e%2e/example.txt"])
def test_no_other_file_is_served(name: str, client: FlaskClient) -> None:
    assert client.get(f"/static/{name}").status_code == 404


# --- the reference


def test_the_reference_has_every_operation_and_object(client: FlaskClient) -> None:
    shown = Shown(client.get("/v1/docs"))
    described = document(Settings())
    operations = {
        f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods
    }  # fmt: skip
    titles = {" ".join(title.text_content().split()) for title in shown.all("//h3")}
    assert titles == operations | set(described["components"]["schemas"])


def test_the_reference_describes_every_field(client: FlaskClient) -> None:
    shown = Shown(client.get("/v1/docs"))
    for name, schema in document(Settings())["components"]["schemas"].items():
        rows = shown.all(f"//article[@aria-labelledby='{name}']//tbody/tr")
        assert [row.xpath("./th/code")[0].text_content() for row in rows] == list(schema["properties"])


def requests(client: FlaskClient) -> list[str]:
    shown = Shown(client.get("/v1/docs"))
    return [block.text_content() for block in shown.all("//pre") if block.text_content().startswith("curl ")]


def test_the_commands_of_the_reference_work(client: FlaskClient) -> None:
    commands = requests(client)
    assert len(commands) == len(document(Settings())["paths"])
    for command in commands:
        _, address, *options = shlex.split(command.replace("\\\n", " "))
        pairs = list(zip(options[::2], options[1::2], strict=True))
        given = dict(pairs)
        headers = dict(line.split(": ") for line in [given["-H"]]) if "-H" in given else {}
        method = "POST" if {"--data-binary", "-F"} & set(given) else "GET"
        form: dict[str, Any] = dict(value.split("=", 1) for name, value in pairs if name == "-F")
        if form:
            form["file"] = (BytesIO(SPUN.encode()), form["file"].removeprefix("@"))
        answer = client.open(address, method=method, data=form or given.get("--data-binary"), headers=headers)
        assert answer.status_code == 200, command
        if method == "POST":
            said = "derived" if address.endswith("/compare") else "verdict"
            assert said in json.dumps(answer.get_json(force=True))


def test_the_reference_mentions_keys_only_if_they_are_required(tmp_path: Path, client: FlaskClient) -> None:
    keyed = client_for(keys_file=tmp_path / "keys.json").get("/v1/docs").text
    assert "Authorization: Bearer KEY" in keyed
    assert "Authorization: Bearer KEY" not in client.get("/v1/docs").text


def test_the_reference_lists_the_depths(client: FlaskClient) -> None:
    text = Shown(client.get("/v1/docs")).text("//article[@aria-labelledby='Verdict']")
    assert "first, fast or deep" in text


def test_the_reference_describes_kinds_as_an_object_or_null(client: FlaskClient) -> None:
    [row] = Shown(client.get("/v1/docs")).all("//article[@aria-labelledby='Verdict']//tr[th/code='kinds']")
    assert row.xpath("./td")[0].text_content() == "object with spun, translated, rewritten or null"
