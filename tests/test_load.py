"""benchmarks/load.py: what counts as an answer, and what as a broken promise. How fast the service is depends on the
machine, and is not tested."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks import load
from benchmarks.load import GARBAGE, SAMPLES, WORDS, Article, Client, Failure, Kill, Plan, Tally, broken_promises
from benchmarks.throughput import BenchmarkError

MODEL = Path(__file__).parents[1] / "model" / "default" / "manifest.json"
REASONS = {
    "the service: pip install 'unspun[service]'": find_spec("gevent") is None or find_spec("gunicorn") is None,
    "model/default is not built": not MODEL.exists(),
}
pytestmark = pytest.mark.skipif(find_spec("gevent") is None, reason=next(iter(REASONS)))
needs_service = pytest.mark.skipif(any(REASONS.values()), reason=next((r for r, yes in REASONS.items() if yes), ""))

ARTICLES = [Article(f'"text": "{name}"', f'"score": 0.{i}}}', "fast") for i, name in enumerate(("one", "two", "three"))]


# --- the articles


def drawn(articles: int = 20, corpus: list[Path] | None = None) -> list[tuple[str, bool]]:
    return load.texts(argparse.Namespace(articles=articles, corpus=corpus))


def test_articles_are_of_a_thousand_words_and_all_different() -> None:
    articles = [text for text, _ in drawn()]
    assert {len(text.split()) for text in articles} == {WORDS}
    assert len(set(articles)) == 20


def test_one_article_in_twenty_is_spun() -> None:
    assert [i for i, (_, spun) in enumerate(drawn(40)) if spun] == [19, 39]


def test_articles_are_the_same_every_time() -> None:
    assert drawn() == drawn()


def test_articles_of_a_corpus_are_joined_from_its_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    records = ({"text": f"{label}{i} " * 400, "label": label} for label in ("human", "spun") for i in range(60))
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    articles = drawn(20, [path])
    assert {len(text.split()) for text, _ in articles} == {WORDS}
    assert all(
        set(text.split()) == {word for word in text.split() if word.startswith("spun") == spun}
        for text, spun in articles
    )


def test_a_corpus_that_is_too_small_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": "word " * 400, "label": label}) + "\n" for label in ("human", "spun")))
    with pytest.raises(BenchmarkError, match=r"a\.jsonl: too little text"):
        drawn(20, [path])


def test_a_request_says_who_it_is_and_how_long() -> None:
    head, _, body = ARTICLES[0].request("load-1").partition(b"\r\n\r\n")
    assert b"X-Request-ID: load-1" in head.split(b"\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert json.loads(body) == {"id": "load-1", "text": "one"}


# --- what clients make of answers, from services that do as each test says

Reply = Callable[[str], "bytes | None"]
"""What is sent for the request of an id: nothing at all, and None ends the connection."""


def answer(id: str, *, status: int = 200, named: str | None = None, body: str | None = None, **headers: str) -> bytes:
    """Return what a service answers to a request; by default what is right."""
    content = ARTICLES[int(id.rpartition("-")[2]) % 3].answer(id) if body is None else body.encode()
    lines = [f"HTTP/1.1 {status} OK", f"X-Request-ID: {named or id}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


@contextmanager
def listening(handle: Callable[[Any], None]) -> Iterator[int]:
    """Have each connection handled; yield the port."""
    from gevent.server import StreamServer

    def handle_quietly(client: Any, address: Any) -> None:
        with suppress(OSError, ValueError, KeyError):  # of clients that hang up
            handle(client)

    server = StreamServer(("127.0.0.1", 0), handle_quietly)
    server.start()
    try:
        assert server.server_port is not None
        yield server.server_port
    finally:
        server.stop()


def ask(reply: Reply, *, requests: int = 3, **plan: Any) -> tuple[Tally, list[str]]:
    """Have clients ask a service that replies so; return their tally, and the ids that the service was asked."""
    asked: list[str] = []

    def handle(client: Any) -> None:
        with client.makefile("rb") as file:
            while line := file.readline():
                length = 0
                while line.strip():
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                    line = file.readline()
                asked.append(json.loads(file.read(length))["id"])
                sent = reply(asked[-1])
                if sent is None:
                    break
                client.sendall(sent)

    with listening(handle) as port:
        return load.clients(Plan("load", "127.0.0.1", port, ARTICLES, requests=requests, **plan)), asked


def ask_once(handle: Callable[[Any], None]) -> Tally:
    """Have one client send one request to a connection that is handled so; return its tally."""
    with listening(handle) as port:
        return load.clients(Plan("load", "127.0.0.1", port, ARTICLES, requests=1))


def test_right_answers_are_counted_and_timed() -> None:
    tally, asked = ask(answer)
    assert asked == ["load-0", "load-1", "load-2"]
    assert (len(tally.seconds), tally.wrong, tally.failures) == (3, [], [])
    assert 0 < sum(tally.seconds) <= tally.wall


def test_every_request_of_all_clients_has_an_id_of_its_own() -> None:
    tally, asked = ask(answer, requests=5, connections=4)
    assert sorted(asked) == sorted(f"load-{i}" for i in range(20))
    assert len(tally.seconds) == 20


WRONG: dict[str, tuple[Reply, str]] = {
    "another verdict": (lambda id: answer(id, body=f'{{"id": "{id}", "score": 0.9}}\n'), "another verdict"),
    "the verdict of another": (lambda id: answer(id, body=ARTICLES[0].answer("load-9").decode()), "another verdict"),
    "an answer to another": (lambda id: answer(id, named="load-9"), "the answer to load-9 came"),
    "an answer to nobody": (lambda id: answer(id, named="x").replace(b"X-Request-ID", b"X"), "the answer to nobody"),
    "an error": (lambda id: answer(id, status=500), "answered 500"),
    "a refusal that does not say for how long": (lambda id: answer(id, status=503), "answered 503"),
    "twice at once": (lambda id: answer(id) * 2, "bytes too many came"),
    "a byte too many": (lambda id: answer(id) + b"\n", "1 bytes too many came"),
    "no HTTP": (lambda id: b"hello\r\n\r\n", "no answer of HTTP"),
    "no length": (lambda id: answer(id).replace(b"Content-Length", b"Length"), "no answer of HTTP"),
    "nothing": (lambda id: b"", "no answer within 0.2 seconds"),
    "half an answer, and no end": (lambda id: answer(id)[:-5], "no answer within 0.2 seconds"),
}


@pytest.mark.parametrize(("reply", "told"), WRONG.values(), ids=WRONG)
def test_wrong_answers_are_told(reply: Reply, told: str) -> None:
    tally, _ = ask(reply, requests=1, patience=0.2)
    [line] = tally.wrong
    assert told in line
    assert broken_promises(tally)


def test_an_answer_that_comes_again_instead_of_the_next_is_told() -> None:
    tally, _ = ask(lambda id: answer("load-0"), requests=2)
    assert tally.wrong == ["load-1: a second answer to load-0 came"]


def test_an_answer_that_comes_again_later_is_told() -> None:
    import gevent

    def again(client: Any) -> None:
        client.recv(1 << 16)
        client.sendall(answer("load-0"))
        gevent.sleep(0.05)
        client.sendall(answer("load-0"))

    tally = ask_once(again)
    assert len(tally.seconds) == 1
    assert "bytes too many came: b'HTTP/1.1 200 OK" in tally.wrong[0]


def test_after_a_wrong_answer_the_next_request_is_judged_for_itself() -> None:
    tally, _ = ask(lambda id: answer(id) * (2 if id == "load-0" else 1))
    assert (len(tally.wrong), len(tally.seconds)) == (1, 3)


def test_a_request_that_is_not_answered_is_not_sent_again() -> None:
    tally, asked = ask(lambda id: None if id == "load-1" else answer(id))
    assert asked == ["load-0", "load-1", "load-2"]
    assert [failure.reason for failure in tally.failures] == ["closed before an answer"]
    assert (len(tally.seconds), tally.wrong) == (2, [])


def test_half_an_answer_is_a_failure_and_no_answer() -> None:
    def half(client: Any) -> None:
        client.recv(1 << 16)
        client.sendall(answer("load-0")[:-5])

    tally = ask_once(half)
    assert [failure.reason for failure in tally.failures] == ["cut short"]
    assert tally.seconds == []


def test_a_port_that_nobody_listens_at_is_a_failure() -> None:
    with listening(lambda client: None) as port:
        pass
    tally = load.clients(Plan("load", "127.0.0.1", port, ARTICLES, requests=1))
    assert [failure.reason for failure in tally.failures] == ["refused"]


def test_a_connection_that_ends_with_an_answer_is_no_failure() -> None:
    tally, asked = ask(lambda id: answer(id, Connection="close"))
    assert (len(asked), len(tally.seconds), tally.failures) == (3, 3, [])


def test_told_to_come_again_in_a_second_a_client_does_and_no_promise_is_broken() -> None:
    tally, _ = ask(lambda id: answer(id, status=503, Retry_After="1") if id == "load-0" else answer(id))
    assert (tally.turned_away, len(tally.seconds), broken_promises(tally)) == (1, 2, [])
    assert tally.wall > 1.0


# --- bad clients


def test_a_share_hangs_up_and_as_many_send_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "GARBAGE", {"no JSON": GARBAGE["no JSON"]})
    tally, _ = ask(answer, requests=50, connections=2, bad=0.2)
    bad = tally.hung_up, tally.garbage["no JSON"]["closed"]
    assert all(5 < count < 40 for count in bad)
    assert sum(bad) + len(tally.seconds) == 100
    assert (tally.wrong, tally.failures) == ([], [])


def garbage(reply: bytes | None, *, patience: float = 5.0) -> Tally:
    """Have a client send garbage to a service that replies so; return its tally."""

    def handle(client: Any) -> None:
        client.recv(1 << 16)
        if reply is not None:
            client.sendall(reply)
            client.recv(1 << 16)

    tally = Tally()
    with listening(handle) as port:
        plan = Plan("trouble", "127.0.0.1", port, ARTICLES, patience=patience)
        Client(plan, tally, 0, iter(range(9)), set()).send_garbage("no JSON")
    return tally


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("reply", "came"),
    [(answer("load-0", status=400, Content_Type=PROBLEM), "400"), (None, "closed")],
    ids=["a problem of the client's", "the end"],
)
def test_garbage_is_told_so_or_hung_up_on(reply: bytes | None, came: str) -> None:
    tally = garbage(reply)
    assert (tally.garbage, tally.wrong) == ({"no JSON": {came: 1}}, [])


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (answer("load-0", status=500, Content_Type=PROBLEM), "answered 500"),
        (answer("load-0", Content_Type=PROBLEM), "answered 200"),
        (answer("load-0", status=400, Content_Type="text/html"), "no problem document"),
        (b"garbage\r\n\r\n", "no answer of HTTP"),
        (b"", "neither an answer nor an end"),
    ],
    ids=["a fault of the service's", "a verdict", "a page", "garbage", "nothing"],
)
def test_any_other_answer_to_garbage_is_told(reply: bytes, told: str) -> None:
    [line] = garbage(reply, patience=0.2).wrong
    assert told in line


# --- a killed worker

KILL = Kill(at=10.0, gone=10.1, replaced_after=0.3)


def lost(*failures: tuple[int, float, float]) -> Tally:
    return Tally(seconds=[0.1], failures=[Failure(*failure, "closed before an answer") for failure in failures])


def test_what_a_killed_worker_had_in_hand_may_fail() -> None:
    assert broken_promises(lost((0, 9.5, 10.1), (1, 9.9, 10.2), (2, 10.1, 10.2)), KILL) == []


@pytest.mark.parametrize("failure", [(0, 9.0, 9.9), (0, 12.0, 12.1)], ids=["before", "afterwards"])
def test_no_other_request_may_fail(failure: tuple[int, float, float]) -> None:
    [line] = broken_promises(lost(failure), KILL)
    assert "though its worker lived" in line


def test_no_request_may_fail_where_no_worker_was_killed() -> None:
    assert broken_promises(lost((0, 9.5, 10.1)))


def test_no_client_may_lose_two_requests_to_a_killed_worker() -> None:
    assert broken_promises(lost((3, 9.5, 10.1), (3, 10.1, 10.2)), KILL) == [
        "client 3 lost 2 requests to one killed worker"
    ]


def test_another_worker_is_to_take_its_place() -> None:
    [line] = broken_promises(Tally(seconds=[0.1]), Kill(10.0, 10.1, None))
    assert "not replaced" in line


def test_that_nothing_was_answered_breaks_a_promise() -> None:
    assert broken_promises(Tally(turned_away=9)) == ["no request at all was answered"]


# --- figures


def test_figures_of_a_phase() -> None:
    tally = Tally(
        seconds=[0.010, 0.020, 0.030, 0.100], turned_away=1, failures=lost((0, 1, 2)).failures, wall=2.0, cpu=0.5
    )
    figures = load.summarise(tally)
    assert (figures["answered"], figures["failed"], figures["turned_away"]) == (4, {"closed before an answer": 1}, 1)
    assert (figures["requests_per_second"], figures["words_per_second"], figures["client_cores"]) == (
        2.0,
        2_000.0,
        0.25,
    )
    assert (figures["latency"]["p50"], figures["latency"]["max"]) == pytest.approx((25.0, 100.0))


def test_a_tally_survives_the_way_between_processes() -> None:
    from dataclasses import asdict

    tally = lost((0, 1.5, 2.5))
    tally.garbage = {"no JSON": {"400": 2}}
    assert Tally.from_json(json.dumps(asdict(tally))) == tally


# --- a real service


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """A short run of all phases: the exit status and the figures."""
    path = tmp_path_factory.mktemp("load") / "load.json"
    asked = {"seconds": 2, "connections": 4, "articles": 20, "idle-requests": 2, "json": path}
    status = load.main([part for name, value in asked.items() for part in (f"--{name}", str(value))])
    return status, json.loads(path.read_text())


@needs_service
def test_a_short_run_keeps_every_promise(run: tuple[int, dict[str, Any]]) -> None:
    status, figures = run
    assert (status, figures["broken"]) == (0, [])
    assert all(figures[phase]["answered"] > 0 for phase in ("load", "trouble"))
    assert (figures["load"]["failed"], figures["load"]["garbage"], figures["load"]["hung_up"]) == ({}, {}, 0)


@needs_service
def test_each_tier_is_asked_alone(run: tuple[int, dict[str, Any]]) -> None:
    assert {tier: own["answered"] for tier, own in run[1]["idle"].items()} == {"fast": 2, "deep": 2}


@needs_service
def test_memory_is_told_of_each_worker_and_of_the_one_that_takes_a_killed_ones_place(
    run: tuple[int, dict[str, Any]],
) -> None:
    samples = [run[1][phase]["memory"][name] for phase in ("load", "trouble") for name in SAMPLES.values()]
    workers = [set(sample) for sample in samples]
    assert [len(of) for of in workers] == [2] * 8
    assert all(of == workers[0] for of in workers[:6])
    assert len(workers[6] & workers[0]) == 1
    assert all(kinds["rss"] >= kinds["anonymous"] > 0 for sample in samples for kinds in sample.values())


@needs_service
def test_a_service_that_runs_already_is_asked_and_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with load.Server(1) as server:
        workers = server.workers()
        asked = {"url": f"http://127.0.0.1:{server.port}", "only": "trouble", "seconds": 1, "connections": 2}
        asked |= {"articles": 20, "json": tmp_path / "a.json"}
        status = load.main([part for name, value in asked.items() for part in (f"--{name}", str(value))])
        assert server.workers() == workers
    assert (status, "Every promise was kept." in capsys.readouterr().out) == (0, True)
    assert "memory" not in json.loads((tmp_path / "a.json").read_text())["trouble"]


@needs_service
@pytest.mark.parametrize("kind", sorted(GARBAGE.keys() - {"the beginning of TLS"}))  # that takes ten seconds
def test_the_service_bears_garbage(kind: str, real: load.Server) -> None:
    tally = Tally()
    Client(Plan("trouble", real.host, real.port, ARTICLES), tally, 0, iter(range(9)), set()).send_garbage(kind)
    assert tally.wrong == []
    [came] = tally.garbage[kind]
    assert came in ("400", "408", "422")


@pytest.fixture(scope="module")
def real() -> Iterator[load.Server]:
    with load.Server(1) as server:
        yield server


@needs_service
def test_a_service_with_another_model_is_refused() -> None:
    import gevent.subprocess  # lets the listener go on meanwhile

    model = json.dumps({"model": {"sha256": "0"}})
    with listening(lambda client: client.sendall(answer("load-0", body=model))) as port:
        done = gevent.subprocess.run(
            [sys.executable, "-m", "benchmarks.load", "--url", f"http://127.0.0.1:{port}"],
            cwd=load.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.endswith("with other verdicts\n")


def test_an_address_where_nobody_is_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert load.main(["--url", "http://127.0.0.1:1"]) == 1
    assert "no service of unspun's answers there" in capsys.readouterr().err
