"""The example responses of the API reference are what the service answers to its example requests."""

from __future__ import annotations

import json
import shlex
from io import BytesIO
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from flask.testing import FlaskClient

from tests.service.app import client_for
from unspun.model.detector import Detector
from unspun.service.http.examples import TEXT

REMEDY = "write the examples again: python -m unspun.service.http.examples"
RANDOM = {"id", "created"}
"""The fields of a label that differ each time."""


@pytest.fixture(scope="module")
def client(shipped: Detector, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Return a client of a service with the model that ships, which stores labels."""
    url = f"sqlite:///{tmp_path_factory.mktemp('labels')}/labels.db"
    return client_for(lambda path: shipped, database_url=url)


def examples(client: FlaskClient) -> dict[str, tuple[list[str], Any]]:
    """Return the command and the response of each example of a request that is posted, by path."""
    shown = lxml.html.document_fromstring(client.get("/v1/docs").text)
    found = {}
    for article in shown.xpath("//article[.//h4 = 'Request']"):
        request, *responses = [block.text_content() for block in article.xpath(".//pre")]
        words = shlex.split(request.replace("\\\n", " "))
        if responses and {"--data-binary", "-F"} & set(words):
            found[words[1].partition("/v1/")[2]] = (words, json.loads(responses[0]))
    return found


def answer_to(words: list[str], client: FlaskClient) -> Any:
    options = dict(zip(words[2::2], words[3::2], strict=True))
    if "-F" in options:
        data: Any = {"file": (BytesIO(TEXT.encode()), options["-F"].removeprefix("file=@"))}
        return client.post(words[1], data=data).get_json()
    name, _, value = options["-H"].partition(": ")
    return client.post(words[1], data=options["--data-binary"], headers={name: value}).get_json()


def close_to(value: Any) -> Any:
    """Return a value that equals those with slightly different figures, as another processor gives them."""
    if isinstance(value, dict):
        return {key: close_to(part) for key, part in value.items()}
    if isinstance(value, list):
        return [close_to(part) for part in value]
    return pytest.approx(value, rel=0.02, abs=0.002) if isinstance(value, float) else value


@pytest.mark.parametrize("path", ["score", "score/batch", "score/upload", "compare", "feedback"])
def test_the_response_is_the_answer_to_the_request(path: str, client: FlaskClient) -> None:
    words, shown = examples(client)[path]
    answer = answer_to(words, client)
    if path == "feedback":
        assert set(answer) == set(shown)
        answer, shown = ({k: v for k, v in one.items() if k not in RANDOM} for one in (answer, shown))
    assert answer == close_to(shown), REMEDY


def test_every_posted_example_is_checked(client: FlaskClient) -> None:
    assert set(examples(client)) == {"score", "score/batch", "score/upload", "compare", "feedback"}


def test_the_examples_are_of_the_model_that_ships(shipped: Detector) -> None:
    file = Path(__file__).parents[2] / "service" / "http" / "examples.json"
    assert json.loads(file.read_text("utf-8"))["verdict"]["model"] == shipped.model.to_dict(), REMEDY
