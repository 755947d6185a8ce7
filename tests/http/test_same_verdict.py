"""The same text and model give the same verdict in Python, on the command line, over HTTP and in the client."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tests.http.running import ROOT, Service
from unspun.service.cli import cli
from unspun.service.client import Client

if TYPE_CHECKING:
    from unspun.model.detector import Detector

EXAMPLES = ROOT / "seeds" / "examples"
HOSTILE = ROOT / "tests" / "data" / "surface" / "texts.toml"


def texts() -> dict[str, str]:
    """Return the demo texts, and unusual texts that people submit."""
    found = {path.stem: path.read_text("utf-8") for path in sorted(EXAMPLES.glob("*/*.txt"))}
    human, spun = found["01-harbour-swimmers"], found["01-harbour-swimmers.wordnet"]
    for case in tomllib.loads(HOSTILE.read_text("utf-8"))["case"]:
        found[case["name"]] = str(case["text"]).format(spun=spun, human=human) * int(case.get("repeat", 1))
    found["crlf"] = human.replace("\n", "\r\n")
    found["odd-line-ends"] = human.replace(". ", ".\u2028")
    found["quotes"] = f'He said: "{human}" \\ \b\f'
    found["noncharacter"] = f"\ufffe{human}\uffff"
    return found


TEXTS = texts()


@pytest.fixture(scope="module")
def expected(shipped: Detector) -> dict[str, str]:
    return {name: shipped.score(text, id=name).to_json() for name, text in TEXTS.items()}


def records() -> list[dict[str, str]]:
    return [{"id": name, "text": text} for name, text in TEXTS.items()]


def test_the_command_line_gives_the_same_verdicts(expected: dict[str, str], shipped: Detector, tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records()), "utf-8")
    result = CliRunner().invoke(cli, ["score", str(file), "--format", "jsonl", "--quiet"], obj=lambda _: shipped)
    assert result.stdout == "".join(f"{line}\n" for line in expected.values())


@pytest.mark.parametrize("name", TEXTS)
def test_the_service_gives_the_same_verdict(name: str, expected: dict[str, str], service: Service) -> None:
    answer = service.post("/v1/score", {"id": name, "text": TEXTS[name]})
    assert answer.body.decode() == f"{expected[name]}\n"


def test_a_batch_gives_the_same_verdicts(expected: dict[str, str], service: Service) -> None:
    some, answers = records(), list(expected.values())
    for first in range(0, len(some), 8):  # all of them could exceed the time limit
        part = slice(first, first + 8)
        answer = service.post("/v1/score/batch", some[part])
        assert answer.body.decode() == "[" + ",\n".join(answers[part]) + "]\n"


def test_a_stream_gives_the_same_verdicts(expected: dict[str, str], service: Service) -> None:
    body = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records()).encode()
    answer = service.post("/v1/score/stream", body, "application/x-ndjson")
    assert answer.body.decode() == "".join(f"{line}\n" for line in expected.values())


@pytest.mark.parametrize("depth", ["fast", "deep"])
def test_a_requested_depth_gives_the_same_verdict(depth: str, service: Service, shipped: Detector) -> None:
    text = TEXTS["03-squeaking-snow"]
    answer = service.post(f"/v1/score?depth={depth}&evidence=false", text.encode(), "text/plain")
    assert answer.body.decode() == shipped.score(text, depth=depth, evidence=False).to_json() + "\n"


def test_a_base_rate_gives_the_same_verdict(service: Service, shipped: Detector) -> None:
    text = TEXTS["03-squeaking-snow"]
    expected = shipped.score(text, base_rate=0.05).to_json() + "\n"
    assert service.post("/v1/score?base_rate=0.05", text.encode(), "text/plain").body.decode() == expected
    assert service.post("/v1/score", {"text": text, "base_rate": 0.05}).body.decode() == expected


@pytest.mark.parametrize("way", ["score", "score_many", "score_stream"])
def test_the_client_gives_the_same_verdicts(way: str, expected: dict[str, str], service: Service) -> None:
    with Client(f"http://127.0.0.1:{service.port}") as client:
        if way == "score":
            answers: list[Any] = [client.score(text, id=name) for name, text in TEXTS.items()]
        else:
            answers = list(getattr(client, way)(records()))
    assert [answer.to_json() for answer in answers] == list(expected.values())


def test_the_client_may_read_a_source_slower_than_the_time_limit(expected: dict[str, str], impatient: Service) -> None:
    """The service's time limit is 3 seconds; each request starts when its text is available."""

    def slowly() -> Iterator[dict[str, str]]:
        for record in records()[:2]:
            time.sleep(4)
            yield record

    with Client(f"http://127.0.0.1:{impatient.port}") as client:
        answers = [answer.to_json() for answer in client.score_stream(slowly())]
    assert answers == list(expected.values())[:2]
