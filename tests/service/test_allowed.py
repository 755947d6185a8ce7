"""Allowed terms on the surfaces: `--allow FILE`, the setting `UNSPUN_ALLOW_FILE`, data frames, and the page."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

from tests import tables as tiny
from tests.service.fake_detector import FakeDetector, load_fake
from tests.service.support import SPUN, Make, Unspun, run_unspun
from unspun.model.bundle import MANIFEST
from unspun.model.text.allowed import Allowed
from unspun.reading.records import Record
from unspun.service.batch.parallel import Task, _score_in_worker

TERMS = "# Our project\nImaginative and  prescient\n"
"""The fake detector finds two phrases in SPUN, and this one is among them."""


@pytest.fixture
def terms(here: Path) -> Path:
    """Return a list of allowed terms, beside a file of text."""
    (here / "spun.txt").write_text(SPUN)
    (here / "terms.txt").write_text(TERMS)
    return here / "terms.txt"


def test_allowed_terms_are_no_evidence(unspun: Unspun, terms: Path) -> None:
    [verdict] = unspun("score", "spun.txt", "--allow", terms).verdicts
    assert [item["text"] for item in verdict["evidence"]] == ["vitality"]
    assert (verdict["verdict"], verdict["allowed"]) == ("suspect", 3)


def test_the_list_may_be_a_setting(unspun: Unspun, terms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_ALLOW_FILE", str(terms))
    assert unspun("score", "spun.txt").verdicts[0]["allowed"] == 3


@pytest.mark.parametrize("command", ["score", "evaluate", "train", "calibrate", "mcp"])
def test_a_wrong_list_is_refused_and_the_entry_named(unspun: Unspun, terms: Path, command: str) -> None:
    terms.write_text("spline\ntime\n")
    run = unspun(command, "--allow", terms, *([] if command in ("train", "calibrate", "mcp") else ["spun.txt"]))
    assert (run.status, run.out) == (2, "")
    assert f"'--allow': {terms}: line 2: 'time' is one of the thousand commonest words" in run.errors[-1]


@pytest.mark.parametrize(("form", "shown"), [("table", "not judged: 3 words of allowed terms"), ("csv", "allowed")])
def test_what_was_not_judged_is_shown(unspun: Unspun, terms: Path, form: str, shown: str) -> None:
    assert shown in unspun("score", "spun.txt", "--allow", terms, "--format", form).out


def test_the_report_says_what_was_not_judged(unspun: Unspun, terms: Path) -> None:
    unspun("score", "spun.txt", "--allow", terms, "--output", "report.html")
    assert "Not judged: 3 words of allowed terms." in Path("report.html").read_text("utf-8")


def test_workers_get_the_terms() -> None:
    allowed = Allowed(["imaginative and prescient"])
    task = pickle.loads(pickle.dumps(Task(load_fake, None, FakeDetector().model.sha256, "auto", True, None, allowed)))
    [(verdict, _)] = _score_in_worker(task, [Record("a", SPUN, "a")])
    assert verdict.allowed == 3


def test_a_run_is_not_resumed_with_other_terms(unspun: Unspun, terms: Path) -> None:
    first = ("score", "spun.txt", "--output", "out/", "--workers", "1")
    assert unspun(*first, "--allow", terms).status == 0
    assert unspun(*first, "--allow", terms).status == 0
    run = unspun(*first)
    assert run.status == 1
    assert "contains a run with another allowed" in run.errors[-1]


def test_a_model_that_was_made_with_other_terms_is_used_with_a_warning(terms: Path, make: Make) -> None:
    (terms.parent / "article.txt").write_text(tiny.ARTICLE)
    made = make("a", allowed=Allowed.read(terms).to_manifest())
    run = run_unspun("score", "article.txt", "--model", made)
    assert "was trained or calibrated with other allowed terms" in run.errors[0]
    assert "warning" not in "".join(run_unspun("score", "article.txt", "--model", made, "--allow", terms).errors)


def test_evaluate_honours_the_terms(here: Path, tiny_bundle: Path) -> None:
    (here / "terms.txt").write_text("ferry\n")
    lines = [
        json.dumps({"text": tiny.ARTICLE, "label": "human"}),
        json.dumps({"text": "ferry " * 20 + tiny.ARTICLE, "label": "spun"}),
    ]
    (here / "texts.jsonl").write_text("\n".join(lines))
    plain, masked = (
        run_unspun("evaluate", "--model", tiny_bundle, "texts.jsonl", "--format", "jsonl", *options)
        for options in ((), ("--allow", "terms.txt"))
    )
    assert (plain.status, masked.status) == (0, 0)
    assert plain.out != masked.out


def test_calibrate_notes_the_list(here: Path, tiny_bundle: Path) -> None:
    from tests.service.test_calibrate_command import trusted_texts, write

    write(here / "trusted", trusted_texts(220))
    (here / "terms.txt").write_text("ferry\n")
    run = run_unspun(
        *("calibrate", "--model", tiny_bundle, "--on", "trusted", "--output", "new", "--allow", "terms.txt"),
        *("--target-fpr", "0.02", "--quiet"),
    )
    assert run.status == 0
    noted = json.loads((here / "new" / MANIFEST).read_text("utf-8"))["allowed"]
    assert noted == Allowed(["ferry"]).to_manifest()


def test_rows_of_data_frames_are_scored_with_the_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    pd = pytest.importorskip("pandas", reason="pip install pandas")
    from unspun.service import rows
    from unspun.service.frames import score_frames

    monkeypatch.setattr(rows, "_loaded", lambda bundle, process: FakeDetector())
    [answer] = score_frames([pd.DataFrame({"text": [SPUN]})], allowed=Allowed(["imaginative and prescient"]))
    assert list(answer["verdict"]) == ["suspect"]
    assert list(answer["allowed"]) == [3]


@pytest.fixture
def in_use(terms: Path) -> Any:
    """Return the model of a service with the list."""
    pytest.importorskip("prometheus_client", reason="the service: pip install 'unspun[service]'")
    from unspun.service.http.engine import ModelInUse

    return ModelInUse(load_fake, None, terms)


def test_the_service_and_its_page_use_the_terms(in_use: Any) -> None:
    from unspun.service.http.app import create_app
    from unspun.service.http.config import Settings
    from unspun.service.http.engine import Engine

    client = create_app(Settings(), Engine(in_use)).test_client()
    verdict = client.post("/v1/score", json={"text": SPUN}).get_json()
    assert (verdict["verdict"], verdict["allowed"]) == ("suspect", 3)
    page = client.post("/", data={"text": SPUN}, content_type="multipart/form-data").text
    assert "Not judged: 3 words of allowed terms." in page


def test_a_changed_list_is_used_without_a_restart(in_use: Any, terms: Path) -> None:
    terms.write_text("imaginative and prescient\nvitality\n")
    in_use.refresh()
    assert in_use.model.score_many([SPUN])[0].verdict == "clear"


def test_a_wrong_list_is_refused_while_the_old_one_stays_in_use(
    in_use: Any, terms: Path, logged: pytest.LogCaptureFixture
) -> None:
    terms.write_text("vitality\ntime\n")
    in_use.refresh()
    assert in_use.model.score_many([SPUN])[0].verdict == "suspect"
    [record] = [record for record in logged.records if record.levelno == logging.ERROR]
    assert "line 2: 'time' is one of the thousand commonest words" in str(vars(record))
    terms.write_text("imaginative and prescient\nvitality\n")
    in_use.refresh()
    assert in_use.model.score_many([SPUN])[0].verdict == "clear"
