"""Change the model in use under load: does any request fail, or get an answer that mixes two models?

    python -m benchmarks.promotion                         # 20 requests per second, 10 changes, two minutes
    python -m benchmarks.promotion --changes 4 --rest 1    # a quick look
    python -m benchmarks.promotion --json promotion.json   # also write all figures

An `unspun serve` with two workers gets articles of 300 words at a steady rate, whether or not it keeps up: requests do
not wait for earlier answers. Every tenth request is a batch. Meanwhile `unspun models promote` and `rollback` switch
between the model that ships and one whose scores are all higher, and some of these commands are killed at a random
moment.

An answer is right if it is exactly the verdict that the Python API gives with the model that the answer names; all
verdicts of a batch must name the same model. The exit status is 1 if a request failed, an answer was wrong, a change
did not reach all workers within ten seconds, or the model in use was incomplete. Latency is reported but not judged:
the service, its clients and the commands, each of which loads a model to check it, share the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, SEED, BenchmarkError, drawn, example_articles, make_parser, run_main
from tests.http.running import Service

RATE = 20.0
PATIENCE = 120.0
"""Seconds to wait for an answer."""
REACHED_SECONDS = 10.0
"""A change must be in all answers after this many seconds: workers look once a second and then load the model."""
CLIENTS = 64
ARTICLES, WORDS, EVERY = 12, 300, 6
"""Number of different articles, their length in words, and the number of articles of which one is spun."""
BATCH_EVERY, BATCH = 10, 4
"""How often a request is a batch, and the size of a batch."""
LEAST_LIFE, MOST_LIFE = 0.5, 2.5
"""A command is killed after a random number of seconds in this range; it takes about two."""
RAISED = 1.2
"""Factor of the false-positive rates at the other model's thresholds, which makes its scores higher."""

Expected = Mapping[tuple[str, str], Sequence[dict[str, Any]]]
"""For each model's sha256 and requested depth, the verdict on each article."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request and its answer, with times by the monotonic clock.

    `models` are the models that the answer names, `failed` says why there is no answer, `wrong` why it is wrong.
    """

    began: float
    ended: float
    models: tuple[str, ...]
    failed: str | None = None
    wrong: str | None = None


@dataclass(slots=True)
class Change:
    """A command that changed the model in use, or was killed: when it ran, and the model in use after it."""

    command: str
    began: float
    ended: float
    in_use: str
    killed: bool = False


@dataclass
class Run:
    """The outcomes of all requests, all commands, and the broken promises."""

    outcomes: list[Outcome] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    late: float = 0.0
    """Seconds by which the latest request was behind its schedule."""


def other_model(folder: Path, **manifest: Any) -> Path:
    """Write a copy of the model that ships, with higher scores; return its folder."""
    from unspun.model import bundle

    shipped = bundle.load()
    decision = shipped.decision
    for tier, one in decision.tiers.items():
        decision = decision.with_thresholds(tier, one.paraphrased * RAISED, one.suspect * RAISED)
    decision = decision.without("first")  # it settles what the old thresholds would not find
    kept = {name: value for name, value in shipped.manifest.items() if name not in bundle.WRITTEN}
    entries = {**kept, "name": "raised", "decision": decision.to_manifest(), **manifest}
    bundle.save(folder, entries, shipped.tables, shipped.tagger, shipped.classifier, shipped.seen, shipped.deep)
    return folder


class Clients:
    """Sends requests at a steady rate from threads until the block ends, with each of `depths` in turn."""

    def __init__(
        self, host: str, port: int, texts: Sequence[str], expected: Expected, rate: float, depths: Sequence[str]
    ) -> None:
        self.run = Run()
        self._where = (host, port)
        self._texts = texts
        self._expected = expected
        self._rate = rate
        self._depths = depths
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Clients:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def answered_by(self) -> set[str]:
        """Return the models that the last ten answers name."""
        return {model for outcome in self.run.outcomes[-10:] for model in outcome.models}

    def _send(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            number = 0
            while not self._ends.is_set():
                due = began + number / self._rate
                if self._ends.wait(max(0.0, due - time.monotonic())):
                    break
                self.run.late = max(self.run.late, time.monotonic() - due)
                pool.submit(self._ask, number)
                number += 1

    def _ask(self, number: int) -> None:
        size = BATCH if number % BATCH_EVERY == BATCH_EVERY - 1 else 1
        which = [(number + i) % len(self._texts) for i in range(size)]
        depth = self._depths[number % len(self._depths)]
        items = [{"id": f"{number}-{i}", "text": self._texts[i], "depth": depth} for i in which]
        path, body = ("/v1/score", items[0]) if size == 1 else ("/v1/score/batch", items)
        began = time.monotonic()
        models: tuple[str, ...] = ()
        failed = wrong = None
        try:
            status, answer = self._post(path, json.dumps(body).encode())
            if status == 200:
                answers = [answer] if size == 1 else answer
                if problems := [item for item in answers if "model" not in item]:
                    failed = f"{problems[0].get('status')} in a batch: {problems[0].get('detail')}"
                else:
                    models = tuple(sorted({item["model"]["sha256"] for item in answers}))
                    wrong = self._judge(models, which, items, answers)
            else:
                failed = f"{status}: {answer.get('detail')}"
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
        self.run.outcomes.append(Outcome(began, time.monotonic(), models, failed, wrong))

    def _post(self, path: str, body: bytes) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*self._where, timeout=PATIENCE)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def _judge(
        self, models: Sequence[str], which: Sequence[int], items: Sequence[Mapping[str, str]], answers: Sequence[Any]
    ) -> str | None:
        """Return what is wrong with the answers, or None."""
        if len(models) != 1:
            return f"a batch answered by {len(models)} models"
        expected = self._expected.get((models[0], items[0]["depth"]))
        if expected is None:
            return f"an answer by an unknown model: {models[0]}"
        for i, item, answer in zip(which, items, answers, strict=True):
            if answer != {**expected[i], "id": item["id"]}:
                return f"not the verdict of the model that it names ({models[0][:8]}) on article {i}"
        return None


def verdicts(folders: Sequence[Path], texts: Sequence[str], depths: Sequence[str]) -> Expected:
    """Return the verdict of each model on each text at each depth."""
    from unspun.model.detector import Detector

    return {
        (detector.model.sha256, depth): [
            json.loads(verdict.to_json()) for verdict in detector.score_many(texts, depth=depth)
        ]
        for detector in map(Detector.load, folders)
        for depth in depths
    }


def measure(
    *,
    rate: float = RATE,
    changes: int = 10,
    rest: float = 5.0,
    workers: int = 2,
    depths: Sequence[str] = ("auto",),
    **settings: Any,
) -> Run:
    """Run the service, its clients and the commands, every third of which is killed; return everything that happened.

    `settings` are UNSPUN_ variables of the service, without the prefix.
    """
    from unspun.model import bundle

    chance = random.Random(SEED)
    texts = [text for text, _ in islice(example_articles(EVERY, WORDS), ARTICLES)]
    with tempfile.TemporaryDirectory() as scratch:
        models, trained = Path(scratch) / "models", other_model(Path(scratch) / "raised")
        _command(models, "promote", "--model", "default")
        expected = verdicts((bundle.DEFAULT, trained), texts, depths)
        digests = [bundle.check(folder)[0].sha256 for folder in (bundle.DEFAULT, trained)]
        with (
            Service(WORKERS=workers, MODEL=models / "current", **{"WATCH_SECONDS": 1, **settings}) as service,
            Clients("127.0.0.1", service.port, texts, expected, rate, depths) as clients,
        ):
            time.sleep(rest)
            for number in range(changes):
                first = bundle.check(models / "current")[0].sha256 == digests[0]
                arguments = ["promote", "--model", str(trained)] if first else ["rollback"]
                life = chance.uniform(LEAST_LIFE, MOST_LIFE) if number % 3 == 2 else None
                clients.run.changes.append(_change(models, arguments, life, clients.run.broken))
                time.sleep(rest)
                _await(clients, clients.run.changes[-1])
        run = clients.run
    run.broken += _broken(run)
    return run


def _change(models: Path, arguments: Sequence[str], life: float | None, broken: list[str]) -> Change:
    from unspun.model import bundle

    began = time.monotonic()
    killed = _command(models, *arguments, life=life)
    ended = time.monotonic()
    try:
        in_use = bundle.check(models / "current")[0].sha256
    except bundle.BundleError as error:
        broken.append(f"after {' '.join(arguments)} the model in use is incomplete: {error}")
        in_use = ""
    return Change(arguments[0], began, ended, in_use, killed)


def _command(models: Path, *arguments: str, life: float | None = None) -> bool:
    """Run `unspun models`, kill it after `life` seconds, and return whether it was killed. Raises BenchmarkError."""
    command = [sys.executable, "-m", "unspun.service.cli", "models", "--models", str(models), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            _, errors = process.communicate(timeout=PATIENCE if life is None else life)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            if life is not None:
                return True
            raise BenchmarkError(f"`unspun models {arguments[0]}` took more than {PATIENCE:g} seconds") from None
    if process.returncode:
        raise BenchmarkError(f"`unspun models {arguments[0]}` failed: {errors.strip()}")
    return False


def _await(clients: Clients, change: Change) -> None:
    """Wait until all recent answers come from the model in use, for at most REACHED_SECONDS."""
    while clients.answered_by() != {change.in_use} and time.monotonic() < change.ended + REACHED_SECONDS:
        time.sleep(0.05)


def _broken(run: Run) -> list[str]:
    """Return the broken promises about requests."""
    broken = [f"a request failed: {outcome.failed}" for outcome in run.outcomes if outcome.failed]
    broken += [f"an answer is wrong: {outcome.wrong}" for outcome in run.outcomes if outcome.wrong]
    for i, change in enumerate(run.changes):
        following = run.changes[i + 1].began if i + 1 < len(run.changes) else float("inf")
        for outcome in run.outcomes:
            late = change.ended + REACHED_SECONDS < outcome.began < following
            if late and outcome.models and outcome.models != (change.in_use,):
                broken.append(f"an answer by the previous model, {REACHED_SECONDS:g} s after {change.command}")
    if not run.outcomes:
        broken.append("no request was answered")
    return broken


def reached(run: Run, change: Change) -> float:
    """Return the seconds from a command's end until the start of the last request that the previous model answered."""
    places = [i for i, one in enumerate(run.changes) if one is change]
    following = run.changes[places[0] + 1].began if places[0] + 1 < len(run.changes) else float("inf")
    old = [
        outcome.began
        for outcome in run.outcomes
        if change.ended <= outcome.began < following and outcome.models and change.in_use not in outcome.models
    ]
    return max(old) - change.ended if old else 0.0


def summarise(run: Run) -> dict[str, Any]:
    """Return the figures; latencies are in milliseconds."""

    def latency(chosen: Sequence[Outcome]) -> dict[str, float | None]:
        shares = {"p50": 50.0, "p99": 99.0, "max": 100.0}
        if not chosen:
            return dict.fromkeys(shares)
        taken = [(outcome.ended - outcome.began) * 1000 for outcome in chosen]
        return {name: float(np.percentile(taken, share)) for name, share in shares.items()}

    def is_near(outcome: Outcome) -> bool:
        return any(change.began <= outcome.ended and outcome.began <= change.ended + 3.0 for change in run.changes)

    began, ended = (pick(outcome.began for outcome in run.outcomes) for pick in (min, max))
    changed = [change for change in run.changes if not change.killed]
    return {
        "requests": len(run.outcomes),
        "requests_per_second": (len(run.outcomes) - 1) / (ended - began),
        "sent_late_seconds": run.late,
        "failed": sum(outcome.failed is not None for outcome in run.outcomes),
        "wrong": sum(outcome.wrong is not None for outcome in run.outcomes),
        "answers_by_model": {
            model: sum(model in outcome.models for outcome in run.outcomes)
            for model in sorted({model for outcome in run.outcomes for model in outcome.models})
        },
        "changes": len(changed),
        "killed": len(run.changes) - len(changed),
        "killed_after_the_change": sum(
            change.killed and i > 0 and change.in_use != run.changes[i - 1].in_use
            for i, change in enumerate(run.changes)
        ),
        "command_seconds": max((change.ended - change.began for change in changed), default=None),
        "reached_seconds": max((reached(run, change) for change in changed), default=None),
        "latency_while_changing": latency([outcome for outcome in run.outcomes if is_near(outcome)]),
        "latency_else": latency([outcome for outcome in run.outcomes if not is_near(outcome)]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = make_parser("benchmarks.promotion", __doc__, "--workers", "--json")
    parser.add_argument("--rate", type=float, default=RATE, metavar="N", help="requests per second (default: 20)")
    parser.add_argument("--changes", type=int, default=10, metavar="N", help="changes of the model (default: 10)")
    parser.add_argument("--rest", type=float, default=5.0, metavar="S", help="seconds between changes (default: 5)")
    return run_main(parser.parse_args(arguments), _measure, _tables)


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    run = measure(rate=options.rate, changes=options.changes, rest=options.rest, workers=options.workers)
    return {"figures": summarise(run), "broken": run.broken, "changes": [asdict(change) for change in run.changes]}


def _tables(results: dict[str, Any]) -> str:
    figures = dict(results["figures"])
    figures |= {f"answered by {model[:8]}": count for model, count in figures.pop("answers_by_model").items()}
    times = {name.replace("_", " "): figures.pop(name) for name in ("latency_while_changing", "latency_else")}
    broken = len(results["broken"])
    ends = f"Broken promises: {broken:,}" if broken else "Every promise was kept."
    return f"{drawn({'promotion under load': figures, 'milliseconds': times})}\n\n{ends}"


if __name__ == "__main__":
    sys.exit(main())
