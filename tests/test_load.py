"""benchmarks/load.py: what it takes for a right answer. How fast the service is depends on the machine, and is not
tested."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[1] / "model" / "default" / "manifest.json"
pytestmark = [
    pytest.mark.skipif(not MODEL.exists(), reason="model/default is not built"),
    pytest.mark.skipif(find_spec("gevent") is None, reason="the service: pip install 'unspun[service]'"),
]
if find_spec("gevent") is not None:
    from benchmarks.load import WORDS, Account, Article, Server, check, idle, make_articles, request, trouble

ARTICLE_VERDICT = '"score": 0.1}'


def entered(status: int, id: str, body: bytes) -> Account:
    """Return the account after an answer to request r1 came in."""
    account = Account()
    check(account, Article("text", False, "fast", ARTICLE_VERDICT), "r1", status, {"x-request-id": id}, body)
    return account


def test_the_right_answer_counts() -> None:
    account = entered(200, "r1", b'{"id": "r1", "score": 0.1}\n')
    assert (account.outcomes["answered"], account.broken) == (1, [])


@pytest.mark.parametrize(
    ("status", "id", "body"),
    [
        (500, "r1", b"{}"),
        (503, "r1", b"{}"),
        (200, "r2", b'{"id": "r1", "score": 0.1}\n'),
        (200, "r1", b'{"id": "r2", "score": 0.1}\n'),
        (200, "r1", b'{"id": "r1", "score": 0.2}\n'),
        (200, "r1", b'{"id": "r1", "score": 0.1}\n' * 2),
    ],
    ids=["error", "refused", "another's headers", "another's result", "another verdict", "twice"],
)
def test_any_other_answer_breaks_a_promise(status: int, id: str, body: bytes) -> None:
    account = entered(status, id, body)
    assert (account.outcomes["answered"], len(account.broken)) == (0, 1)


def test_a_request_says_how_long_it_is() -> None:
    head, _, body = request("The mayor.", "r1").partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_a_short_run_among_bad_clients_keeps_every_promise() -> None:
    articles = make_articles(None)
    options = argparse.Namespace(seconds=3.0, connections=6, workers=2)
    with Server(2) as server:
        alone, _ = idle(server, articles, options)
        account, figures = trouble(server, articles, options)
    assert {len(article.text.split()) for article in articles} == {WORDS}
    assert sum(article.spun for article in articles) == len(articles) / 20
    assert (alone.broken, account.broken) == ([], [])
    assert account.outcomes["answered"] == len(account.seconds) > 0
    assert dict(figures)["memory of workers, start to end"].count("MB") == 1
