"""`python -m benchmarks.endurance service` finds what is wrong, and nothing else."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.endurance import service_judge as judge
from benchmarks.endurance.service_answers import RightAnswers
from benchmarks.endurance.service_faults import Fault, ModelSince, schedule
from benchmarks.endurance.service_report import figures, text
from benchmarks.endurance.service_traffic import KINDS, Answer, Ledger, Outcome, Traffic, _Request
from benchmarks.endurance.service_watch import MANAGER, WATCHED, Sample, growth

OLD, NEW = "0" * 64, "1" * 64
HOUR = 3600.0


def outcome(began: float = 10.0, kind: str = "single", result: str = "right", **more: Any) -> Outcome:
    """Return the outcome of a request that took a second."""
    more = {"id": "request-1", "status": 200, "models": (OLD,)} | more
    return Outcome(kind=kind, due=began, began=began, ended=began + 1.0, result=result, **more)


def log_of(*outcomes: Outcome, **more: Any) -> bytes:
    """Return the log of a service that answered these requests."""
    events = [{"event": "request", "request_id": one.id, "status": one.status} for one in outcomes]
    return "".join(json.dumps(event) + "\n" for event in [*events, *([more] if more else [])]).encode()


def run(*outcomes: Outcome, log: bytes | None = None, **more: Any) -> judge.Evidence:
    """Return the evidence of an hour in which a promotion at 100 s and a kill at 200 s happened."""
    promoted = Fault("model promoted", 100.0, 105.0)
    killed = Fault("worker killed", 200.0, 201.0, {"killed_at": 200.0})
    found: dict[str, Any] = {
        "began": 0.0,
        "ended": HOUR,
        "settled": 600.0,
        "limit": 300,
        "reached": 10.0,
        "outcomes": list(outcomes),
        "faults": [promoted, killed, *more.pop("faults", [])],
        "models": [ModelSince(OLD, 0.0, 0.0), ModelSince(NEW, 100.0, 105.0)],
        "samples": [],
        "ledger": Ledger(),
        "labels": Counter(),
        "logs": [log_of(*outcomes) if log is None else log],
        "leftovers": [],
        "exit_status": 0,
    }
    return judge.Evidence(**{**found, **more})


# --- requests


@pytest.mark.parametrize(
    ("check", "fine"),
    [
        (judge.connections, outcome(199.5, result="cut", status=None)),  # in progress when the worker was killed
        (judge.models_in_time, outcome(50.0)),
        (judge.models_in_time, outcome(101.0, models=(NEW,))),  # the command has linked the model, and still runs
        (judge.models_in_time, outcome(114.0)),  # workers need a moment to load the new model
        (judge.models_in_time, outcome(99.5, models=(OLD, NEW))),  # a stream may change models between lines
        (judge.log, outcome(50.0)),
    ],
)
def test_a_fine_request_breaks_no_promise(check: Callable[[judge.Evidence], Any], fine: Outcome) -> None:
    assert list(check(run(fine))) == []


@pytest.mark.parametrize(
    ("check", "bad", "found"),
    [
        (judge.answers, outcome(result="wrong", problem="status 500: ..."), "status 500"),
        (judge.connections, outcome(150.0, result="cut", status=None), "cut off while no worker was killed"),
        (judge.connections, outcome(200.5, result="cut", status=None), "cut off while no worker was killed"),
        (judge.models_in_time, outcome(98.0, models=(NEW,)), "a model that was not in use then (11111111)"),
        (judge.models_in_time, outcome(116.0), "a model that was not in use then (00000000)"),
        (judge.models_in_time, outcome(models=("2" * 64,)), "a model that was not in use then (22222222)"),
        (judge.labels_in_time, outcome(result="busy", problem="not-stored"), "although PostgreSQL was there"),
    ],
)
def test_a_bad_request_breaks_a_promise(check: Callable[[judge.Evidence], Any], bad: Outcome, found: str) -> None:
    [line] = check(run(bad))
    assert found in line


def test_a_label_may_be_refused_while_postgresql_is_away() -> None:
    refused = outcome(304.0, "feedback", "busy", problem="not-stored")
    assert list(judge.labels_in_time(run(refused, faults=[Fault("PostgreSQL stopped", 290.0, 300.0)]))) == []


# --- the log


@pytest.mark.parametrize(
    ("log", "found"),
    [
        (b"", "answered with 200, but logged 0 times"),
        (log_of(outcome(), outcome()), "logged 2 times"),
        (log_of(outcome()) + b'{"event": "requ', "not JSON"),
        (b"\0\0\0\n" + log_of(outcome()), "not JSON"),  # a log that is not opened for appending has a hole
        (log_of(outcome(), event="unexpected error"), "an unexpected error"),
        (log_of(outcome(), event="Worker (pid:7) was sent SIGBUS!"), "1 workers ended, of which 0 were killed"),
        (
            log_of(outcome(), event="Worker (pid:7) was sent SIGKILL! Perhaps out of memory?") * 2,
            "2 workers ended, of which 1 were killed",
        ),
    ],
)
def test_a_bad_log_breaks_a_promise(log: bytes, found: str) -> None:
    assert any(found in line for line in judge.log(run(outcome(), log=log)))


def test_a_line_may_be_lost_while_the_log_is_copied_and_emptied() -> None:
    rotated = Fault("log rotated", 10.5, 10.6)
    assert list(judge.log(run(outcome(), log=b"", faults=[rotated]))) == []


# --- labels


@pytest.mark.parametrize(
    ("ledger", "labels", "found"),
    [
        (Ledger(kept={"a": "one"}), {("a", "one"): 1}, None),
        (Ledger(unanswered={"one"}), {("a", "one"): 1}, None),  # the answer was cut off
        (Ledger(unsure={"a"}), {("a", "one"): 1}, None),  # its deletion was cut off
        (Ledger(kept={"a": "one"}), {}, "a label was lost: one"),
        (Ledger(deleted={"a"}), {("a", "one"): 1}, "a label is still there after it was deleted"),
        (Ledger(refused={"one"}), {("a", "one"): 1}, "although the answer said that it was not"),
        (Ledger(), {("a", "one"): 1}, "a label that nobody sent"),
        (Ledger(kept={"a": "one"}, unanswered={"one"}), {("a", "one"): 1, ("b", "one"): 1}, "stored 2 times"),
    ],
)
def test_the_database_must_have_exactly_the_acknowledged_labels(
    ledger: Ledger, labels: dict[tuple[str, str], int], found: str | None
) -> None:
    lines = list(judge.labels_kept(run(ledger=ledger, labels=Counter(labels))))
    assert lines == [] if found is None else any(found in line for line in lines)


# --- the rate limit


@pytest.mark.parametrize(
    ("every", "faults", "kept"),
    [
        (60.0, [], True),
        (30.0, [], False),  # as much again as the limit
        (30.0, [Fault("Redis hangs", 0.0, HOUR)], True),  # meanwhile, each worker counts for itself
    ],
)
def test_the_rate_limit_holds_for_all_workers_together(every: float, faults: list[Fault], kept: bool) -> None:
    greedy = [outcome(i * every, "greedy", texts=300) for i in range(int(HOUR / every) - 1)]
    assert (list(judge.rate_limit(run(*greedy, faults=faults))) == []) == kept


# --- memory and files


def samples(
    role: str, megabytes: Callable[[float], float], files: Callable[[float], int] = lambda at: 40
) -> list[Sample]:
    """Return an hour of samples, one every ten seconds, of which some are taken during a request."""
    chance = random.Random(1)
    busy = [chance.random() < 0.5 for _ in range(360)]
    return [
        Sample(i * 10.0, 1, role, megabytes(i * 10.0) + 40.0 * busy[i], files(i * 10.0) + 9 * busy[i])
        for i in range(360)
    ]


@pytest.mark.parametrize(
    ("megabytes", "files", "found"),
    [
        (lambda at: 300.0, lambda at: 40, None),
        (lambda at: 300.0 + 90.0 * min(at, 600.0) / 600.0, lambda at: 40, None),  # the warm-up
        (lambda at: 300.0, lambda at: 20 + int(20 * min(at, 600.0) / 600.0), None),  # the warm-up
        (lambda at: 300.0 + 3.0 * math.sin(at / 100.0), lambda at: 40, None),
        (lambda at: 300.0 + 24.0 * at / HOUR, lambda at: 40, "MB per hour"),
        (lambda at: 300.0, lambda at: 40 + int(12 * at / HOUR), "open files per hour"),
        (lambda at: 300.0 + random.Random(at).uniform(0.0, 200.0), lambda at: 40, "cannot be ruled out"),  # too noisy
    ],
)
def test_memory_and_open_files_must_not_grow(
    megabytes: Callable[[float], float], files: Callable[[float], int], found: str | None
) -> None:
    taken = samples(MANAGER, lambda at: 200.0, lambda at: 30) + samples(WATCHED, megabytes, files)
    lines = list(judge.growing(run(samples=taken)))
    assert lines == [] if found is None else (len(lines) == 1 and found in lines[0])


@pytest.mark.parametrize(
    ("per_change", "found"),
    [
        (0.0, None),
        (5.0, None),
        (12.0, "MB per change of the model"),
    ],
)
def test_memory_must_not_grow_with_each_change_of_the_model(per_change: float, found: str | None) -> None:
    changes = [i * 58.0 for i in range(11)]
    models = [ModelSince(OLD, at, at + 2.0) for at in changes]
    taken = samples(MANAGER, lambda at: 200.0)
    taken += samples(WATCHED, lambda at: 300.0 + per_change * sum(change <= at for change in changes))
    lines = list(judge.growing(run(samples=taken, models=models)))
    assert lines == [] if found is None else (len(lines) == 1 and found in lines[0])


def test_a_slope_is_fitted_with_its_interval() -> None:
    chance = random.Random(1)
    times = [i * 10.0 for i in range(360)]
    fit = growth(times, [100.0 + 20.0 * at / HOUR + chance.uniform(0.0, 5.0) for at in times], 20)
    assert fit.low < 20.0 < fit.high
    assert fit.high - fit.low < 4.0


def test_a_process_that_ended_cannot_be_judged() -> None:
    taken = samples(MANAGER, lambda at: 200.0, lambda at: 30) + samples(WATCHED, lambda at: 1.0, lambda at: 1)[:90]
    [line] = judge.growing(run(samples=taken))
    assert "the process has ended" in line


# --- the whole run


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"exit_status": -9}, "the service ended with status -9"),
        ({"leftovers": ["python -m unspun"]}, "a process of the service remained: python -m unspun"),
        ({"wanted": ["disk full"]}, "disk full: it did not happen"),
        ({"faults": [Fault("Redis hangs", 1.0, 2.0, problem="no answer")]}, "Redis hangs: no answer"),
        ({"late": 60.0}, "too busy"),
    ],
)
def test_an_incomplete_run_breaks_a_promise(more: dict[str, Any], found: str) -> None:
    everything = [outcome(kind=kind) for kind in KINDS]
    assert list(judge.complete(run(*everything))) == []
    assert any(found in line for line in judge.complete(run(*everything, **more)))


def test_a_kind_of_request_that_was_never_sent_breaks_a_promise() -> None:
    assert "page: no such request was sent" in list(judge.complete(run(outcome())))


def test_the_report_has_the_latency_before_during_and_after_each_fault() -> None:
    found = run(*(outcome(195.0 + i) for i in range(12)))
    results = figures(found, [], {"seed": 1})
    killed = results["faults"][1]["latency"]
    assert [killed[part]["requests"] for part in ("before", "during", "after")] == [5, 1, 6]
    assert killed["before"]["p50"] == 1000.0
    assert "Every promise was kept." in text(results)


# --- the schedule


def test_the_same_seed_gives_the_same_schedule() -> None:
    kinds = ("worker killed", "model promoted", "disk full", "log rotated")
    first, again, other = (schedule(1800.0, kinds, seed, is_long=True) for seed in (1, 1, 2))
    assert first == again != other


def test_a_short_run_has_each_fault_once_and_a_long_one_kills_a_worker_every_minute() -> None:
    kinds = ("worker killed", "model promoted", "model rolled back", "disk full", "log rotated")
    short, long = (schedule(seconds, kinds, 1, is_long=seconds > 600) for seconds in (40.0, 1800.0))
    count = Counter(kind for _, kind in short.faults)
    assert all(count[kind] == 1 for kind in kinds[1:])
    assert count["worker killed"] > 1
    assert Counter(kind for _, kind in long.faults)["worker killed"] == 30
    assert all(0.0 < at < 1800.0 for at, _ in long.faults)


def test_the_model_changes_only_at_the_start_of_a_long_run_and_everything_else_fails_throughout() -> None:
    kinds = ("worker killed", "model promoted", "model rolled back", "disk full", "log rotated")
    planned = schedule(1800.0, kinds, 1, is_long=True)
    first, second = ({kind for at, kind in planned.faults if (at < planned.settled) is half} for half in (True, False))
    assert first == set(kinds)
    assert second == {"worker killed", "disk full", "log rotated"}


# --- answers


VERDICTS = {
    model: f'"score": {score}, "model": {{"sha256": "{model}"}}}}' for model, score in ((OLD, 0.25), (NEW, 0.75))
}
"""The right verdicts of two models on one text, without the id."""


def verdict(model: str, id: str = "request-7", named: str | None = None) -> str:
    """Return the JSON of a verdict, perhaps with the name of another model."""
    return f'{{"id": "{id}", ' + VERDICTS[model].replace(model, named or model)


@pytest.fixture
def right() -> RightAnswers:
    made = RightAnswers.__new__(RightAnswers)
    made.texts = ["..."]
    made._verdicts = {(model, 0): answer for model, answer in VERDICTS.items()}
    return made


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (verdict(OLD), None),
        (verdict(NEW), None),
        # One model's score with the other's name, another request's answer, an unknown model, another byte.
        (verdict(OLD, named=NEW), "not the verdict of the model that it names (11111111) on text 0"),
        (verdict(OLD, id="request-8"), "not the verdict of the model that it names (00000000) on text 0"),
        (verdict(OLD, named="2" * 64), f"a verdict of an unknown model: {'2' * 64}"),
        (verdict(OLD) + " ", "not the verdict of the model that it names (00000000) on text 0"),
    ],
)
def test_an_answer_must_have_the_bytes_of_the_verdict_of_the_model_that_it_names(
    line: str, problem: str | None, right: RightAnswers
) -> None:
    assert right.verdict(line, "request-7", 0)[1] == problem


@pytest.fixture
def traffic(right: RightAnswers) -> Traffic:
    keys = {f"reader-{i}": "key" for i in range(10)}
    return Traffic(1, right, keys, rate=1.0, seed=1, timeout=1.0)


def busy(problem: str, **headers: str) -> Answer:
    """Return a 503."""
    body = json.dumps({"type": f"urn:unspun:problem:{problem}", "status": 503}).encode()
    return Answer(503, {"X-Request-ID": "request-7", **headers}, body)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Answer(200, {"X-Request-ID": "request-7"}, verdict(OLD).encode()), "right"),
        (Answer(200, {"X-Request-ID": "request-8"}, verdict(OLD).encode()), "wrong"),
        (Answer(200, {"X-Request-ID": "request-7"}, b"<html>"), "wrong"),
        (Answer(500, {"X-Request-ID": "request-7"}, b""), "wrong"),
        (busy("overloaded", **{"Retry-After": "1"}), "busy"),
        (busy("overloaded"), "wrong"),  # without Retry-After
        (busy("not-stored", **{"Retry-After": "5"}), "wrong"),  # only for labels
        (Answer(429, {"X-Request-ID": "request-7", "Retry-After": "9"}, b"{}"), "wrong"),  # only for the greedy client
    ],
)
def test_an_answer_is_right_busy_or_wrong(answer: Answer, result: str, traffic: Traffic) -> None:
    request = _Request(traffic, 7, "single", 0.0)
    request.judge(answer, lambda answer: traffic._verdict(answer, "request-7", 0))
    assert [one.result for one in traffic.outcomes] == [result]


def test_all_verdicts_of_a_batch_must_come_from_one_model(traffic: Traffic) -> None:
    lines = [verdict(OLD, id="a"), verdict(NEW, id="b")]
    assert traffic._all(lines, ["a", "b"], [0, 0])[1] == "a batch answered by 2 models"
